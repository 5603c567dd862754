//! Byte for byte what Debezium writes: each recording in `tests/golden/` replayed through `pgcdc stream --stdout`.
//!
//! The recordings come from Debezium 3.7.0.Final (see `tests/golden/README.md`). Only what differs between two runs of
//! Debezium itself is masked: times, LSNs, transaction ids and run ids; see [`compare::mask`].

mod compare;
mod replay;
mod scenario;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use scenario::Scenario;

/// Groups, by how a scenario's name begins. What begins with none of these is in the last test.
const GROUPS: [&[&str]; 5] = [
    &["ddl_"],
    &["dml_", "ri_", "filters_", "message_"],
    &["snapshot_"],
    &["types_a", "types_b", "types_c", "types_d", "types_e", "types_f", "types_g", "types_h", "types_i"],
    &["types_"],
];

/// Scenarios replayed at the same time by one test.
const AT_ONCE: usize = 2;

#[test]
fn schema_changes() {
    replay_group(Some(0));
}

#[test]
fn row_changes() {
    replay_group(Some(1));
}

#[test]
fn snapshots() {
    replay_group(Some(2));
}

#[test]
fn types_a_to_i() {
    replay_group(Some(3));
}

#[test]
fn types_j_to_z() {
    replay_group(Some(4));
}

#[test]
fn everything_else() {
    replay_group(None);
}

/// Replays a group's scenarios; the failures of all of them are told together.
fn replay_group(group: Option<usize>) {
    let wanted = std::env::var("PGCDC_GOLDEN").ok();
    let chosen = |name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()));
    let mut scenarios = Scenario::all();
    assert!(scenarios.len() > 50, "the recordings are there");
    scenarios.retain(|scenario| group_of(&scenario.name) == group && chosen(&scenario.name));
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = replay::replay(scenario);
                    failures.lock().expect("no thread panics with it").extend(found);
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread panics with it");
    assert!(failures.is_empty(), "{} recordings differ:\n\n{}", failures.len(), failures.join("\n\n"));
}

fn group_of(name: &str) -> Option<usize> {
    GROUPS.iter().position(|prefixes| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}
