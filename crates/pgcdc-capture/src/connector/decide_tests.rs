use super::*;
use crate::config::Document;
use crate::position::Server;
use crate::position::{Point, Reached};

const REQUIRED: &[(&str, &str)] = &[
    ("database.hostname", "db"),
    ("database.user", "u"),
    ("database.password", "p"),
    ("database.dbname", "shop"),
    ("topic.prefix", "shop"),
    ("slot.name", "my_slot"),
];

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let document = Document::from_pairs("test", REQUIRED.iter().chain(pairs).copied());
    Settings::from_document(&document).expect("a configuration")
}

fn lsn(n: u64) -> Lsn {
    Lsn::new(n)
}

/// A free slot that stands at `confirmed`.
fn slot(confirmed: u64) -> SlotState {
    SlotState {
        plugin: "pgoutput".into(),
        kind: "logical".into(),
        database: "shop".into(),
        active_pid: None,
        confirmed: Some(lsn(confirmed)),
        restart: Some(lsn(confirmed - 5)),
        wal_status: Some("reserved".into()),
        invalidation: None,
        retained_bytes: None,
    }
}

fn server() -> Server {
    Server {
        database: "7/5".into(),
        timeline: 2,
        history: vec![(1, lsn(50))],
        end: lsn(500),
        in_recovery: false,
    }
}

/// An offset of this server and slot.
fn stored(at: u64) -> Offset {
    let home = Home { database: "7/5".into(), slot: Some("my_slot".into()), timeline: Some(2) };
    Offset {
        snapshot_completed: true,
        lsn: lsn(at),
        written: lsn(at),
        home: Some(home),
        reached: None,
        taken_over: None,
    }
}

/// The same from another home.
fn stored_in(database: &str, slot: Option<&str>, timeline: Option<u32>) -> Offset {
    let home = Home { database: database.into(), slot: slot.map(str::to_owned), timeline };
    Offset { home: Some(home), ..stored(100) }
}

fn start(pairs: &[(&str, &str)], slot: Option<&SlotState>, stored: Option<Offset>) -> Result<Start> {
    decide(&Known { slot: slot.cloned(), stored, server: server(), implicit: false }, &settings(pairs))
}

#[track_caller]
fn streams(pairs: &[(&str, &str)], confirmed: u64, offset: Offset) -> Start {
    let start = start(pairs, Some(&slot(confirmed)), Some(offset)).expect("it streams");
    assert_eq!(start.decision, Decision::Stream);
    assert_eq!(start.offset.as_ref().and_then(|offset| offset.home.clone()), Some(start.home.clone()));
    start
}

#[track_caller]
fn refused(pairs: &[(&str, &str)], slot: Option<&SlotState>, offset: Offset) {
    let error = start(pairs, slot, Some(offset.clone())).expect_err("changes are missing");
    assert!(!error.is_transient(), "{error}");
    let hint = error.hint().unwrap_or_default().to_owned();
    assert!(error.to_string().contains("my_slot") && hint.contains("when_needed"), "{error} ({hint})");
    let pairs: Vec<_> = pairs.iter().copied().chain([("snapshot.mode", "when_needed")]).collect();
    let start = start(&pairs, slot, Some(offset)).expect("it takes a snapshot");
    assert!(matches!(start.decision, Decision::Snapshot { stream: true, .. }), "{start:?}");
}

#[test]
fn a_first_start_takes_a_snapshot() {
    for slot in [None, Some(&slot(100))] {
        let start = start(&[], slot, None).expect("it starts");
        assert_eq!(start.decision, Decision::Snapshot { recreate: false, stream: true });
        assert_eq!((start.offset, start.changed, start.from), (None, false, None));
    }
}

#[test]
fn a_slot_that_is_as_it_was_left_is_read_on() {
    for confirmed in [100, 60] {
        let start = streams(&[], confirmed, stored(100));
        assert_eq!((start.changed, start.from, start.confirmed), (false, None, lsn(confirmed)));
    }
    let exactly = Reached { done: Point::commit(lsn(90)), end: lsn(100), open: None };
    let start = streams(&[], 60, Offset { reached: Some(exactly), ..stored(100) });
    assert_eq!((start.changed, start.offset.and_then(|offset| offset.reached)), (false, Some(exactly)));
}

#[test]
fn an_offset_beyond_the_slot_is_where_the_stream_begins_if_that_is_trusted() {
    let check = |key, value, expect: Option<u64>| {
        let start = streams(&[(key, value)], 60, stored(100));
        assert_eq!(start.from, expect.map(lsn), "{key}={value}");
    };
    check("offset.mismatch.strategy", "no_validation", None);
    check("offset.mismatch.strategy", "trust_slot", None);
    check("offset.mismatch.strategy", "trust_offset", Some(100));
    check("offset.mismatch.strategy", "trust_greater_lsn", Some(100));
    check("slot.seek.to.known.offset.on.start", "true", Some(100));
    check("lsn.flush.mode", "manual", Some(100));
}

#[test]
fn a_slot_beyond_the_offset_is_noticed_in_every_mode() {
    let ahead = slot(150);
    for mode in ["initial", "no_data", "never"] {
        refused(&[("snapshot.mode", mode)], Some(&ahead), stored(100));
    }
    for strategy in ["no_validation", "trust_offset"] {
        refused(&[("offset.mismatch.strategy", strategy)], Some(&ahead), stored(100));
    }
    refused(&[("lsn.flush.mode", "manual")], Some(&ahead), stored(100));
    let exactly = Reached { done: Point::commit(lsn(90)), end: lsn(100), open: None };
    refused(&[], Some(&ahead), Offset { reached: Some(exactly), ..stored(100) });
    for (key, value) in [
        ("offset.mismatch.strategy", "trust_slot"),
        ("offset.mismatch.strategy", "trust_greater_lsn"),
        ("internal.log.position.check.enable", "false"),
    ] {
        let start = streams(&[(key, value)], 150, stored(100));
        assert_eq!((start.changed, start.from), (true, None), "{key}={value}");
        assert_eq!(start.offset.map(|offset| offset.lsn), Some(lsn(150)), "{key}={value}");
    }
}

#[test]
fn a_slot_that_is_gone_is_noticed() {
    refused(&[], None, stored(100));
    refused(&[("snapshot.mode", "no_data")], None, stored(100));
    refused(&[], None, stored_in("7/5", Some("other"), Some(2)));
    let start = start(&[("offset.mismatch.strategy", "trust_slot")], None, Some(stored(100)));
    assert_eq!(start.expect("it starts").decision, Decision::CreateAndStream);
    let known = Known { slot: None, stored: Some(stored(100)), server: server(), implicit: true };
    let start = decide(&known, &settings(&[])).expect("a first start");
    assert_eq!(start.decision, Decision::Snapshot { recreate: false, stream: true });
    assert_eq!(start.offset, None);
}

#[test]
fn another_database_and_another_timeline_are_noticed() {
    let at = slot(80);
    for database in ["8/5", "7/6"] {
        refused(&[], Some(&at), stored_in(database, Some("my_slot"), Some(2)));
        refused(&[], None, stored_in(database, Some("my_slot"), Some(2)));
    }
    refused(&[], Some(&at), stored_in("7/5", Some("my_slot"), Some(1)));
    refused(
        &[("offset.mismatch.strategy", "trust_greater_lsn")],
        Some(&at),
        stored_in("7/5", Some("my_slot"), Some(1)),
    );
    refused(&[], Some(&at), stored(501));
    let exactly = Reached { done: Point::commit(lsn(90)), end: lsn(100), open: None };
    let diverged = Offset { reached: Some(exactly), ..stored_in("7/5", Some("my_slot"), Some(1)) };
    refused(&[], Some(&at), diverged.clone());
    let start = streams(&[("offset.mismatch.strategy", "trust_slot")], 80, diverged);
    let reached = start.offset.and_then(|offset| offset.reached).expect("exactly once");
    assert_eq!(
        (reached.done, start.changed),
        (Point::ended(lsn(80)), true),
        "nothing behind the slot is skipped"
    );
    // On timeline 1 up to 40, which timeline 2 has.
    let shared = Offset { lsn: lsn(40), written: lsn(40), ..stored_in("7/5", Some("my_slot"), Some(1)) };
    assert!(streams(&[], 40, shared).changed, "the timeline is noted");

    for (implicit, snapshot_completed) in [(true, true), (false, false)] {
        let stored = Some(Offset { snapshot_completed, ..stored_in("8/5", Some("my_slot"), Some(2)) });
        let known = Known { slot: Some(at.clone()), stored, server: server(), implicit };
        let start = decide(&known, &settings(&[])).expect("a first start");
        assert_eq!(
            (start.decision, start.offset),
            (Decision::Snapshot { recreate: false, stream: true }, None)
        );
    }
}

#[test]
fn offsets_of_others_are_understood() {
    let old =
        || Offset { home: Some(Home { database: "7/5".into(), slot: None, timeline: None }), ..stored(100) };
    assert!(streams(&[], 100, old()).changed);
    let start = streams(&[], 150, old());
    assert_eq!(start.offset.map(|offset| offset.lsn), Some(lsn(150)), "it confirmed more than it wrote");
    assert!(streams(&[], 80, stored_in("7/5", Some("renamed"), Some(2))).changed);

    let debeziums = || Offset { home: None, ..stored(100) };
    let start = streams(&[], 60, debeziums());
    assert_eq!((start.changed, start.from), (true, Some(lsn(100))), "Debezium begins there, too");
    assert_eq!(streams(&[], 100, debeziums()).from, None);
    refused(&[], Some(&slot(150)), debeziums());
}

#[test]
fn a_standby_that_is_behind_is_waited_for() {
    let server = Server { in_recovery: true, end: lsn(90), ..server() };
    let known = Known { slot: Some(slot(60)), stored: Some(stored(100)), server, implicit: false };
    assert!(decide(&known, &settings(&[])).expect_err("not yet").is_transient());
}

#[test]
fn a_lost_slot_is_noticed_without_an_offset_too() {
    let lost = SlotState { wal_status: Some("lost".into()), confirmed: Some(lsn(100)), ..slot(100) };
    refused(&[], Some(&lost), stored(100));
    let idle = SlotState { invalidation: Some("idle_timeout".into()), ..slot(100) };
    let error = start(&[("snapshot.mode", "no_data")], Some(&idle), None).expect_err("it is invalid");
    assert!(error.to_string().contains("idle_replication_slot_timeout"), "{error}");
}

#[test]
fn an_interrupted_snapshot_leaves_no_offset_below_the_slot() {
    let interrupted = |at| Some(Offset { snapshot_completed: false, ..stored(at) });
    let find =
        |mode, at| start(&[("snapshot.mode", mode)], Some(&slot(100)), interrupted(at)).expect("it goes on");
    let again = find("initial", 60);
    assert!(matches!(again.decision, Decision::Snapshot { .. }) && !again.changed, "{again:?}");
    assert_eq!(again.offset.map(|offset| offset.lsn), Some(lsn(100)));
    assert_eq!(find("initial", 120).offset.map(|offset| offset.lsn), Some(lsn(120)));
    assert_eq!(find("initial", 0).offset, None, "slot.drop.on.stop: none has begun");
}

#[test]
fn a_snapshot_that_is_given_up_counts_as_complete() {
    for at in [0, 60, 120] {
        let interrupted = Offset { snapshot_completed: false, ..stored(at) };
        let found = streams(&[("snapshot.mode", "no_data")], 100, interrupted);
        assert!(found.changed && found.from.is_none(), "{found:?}");
        assert_eq!(found.offset, Some(stored(100)), "a slot that is dropped later is missed");
    }
}

#[test]
fn an_offset_of_a_standby_names_no_timeline() {
    let server = Server { in_recovery: true, ..server() };
    let known = Known { slot: Some(slot(100)), stored: Some(stored(100)), server, implicit: false };
    let found = decide(&known, &settings(&[])).expect("it streams");
    assert_eq!(found.offset.and_then(|offset| offset.home?.timeline), Some(0));
}
