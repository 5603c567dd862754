//! Pause and resume of a capture that is embedded in a program.

use std::time::Duration;

use pgcdc::capture::State;
use pgcdc::{Capture, ChangeEvent};

use crate::harness::{Database, LONG, scratch_dir};

fn id(change: Option<ChangeEvent>) -> String {
    change.and_then(|change| change.get("id").map(str::to_owned)).expect("a change of a row")
}

#[test]
fn a_paused_capture_frees_its_slot_and_goes_on_without_a_gap() {
    let database = Database::create("pause");
    database.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let offsets = scratch_dir("pause").join("offsets.json");
    let file = database
        .connector()
        .set("table.include.list", "public.t")
        .set("offset.storage.file.filename", &offsets.display().to_string())
        .write();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut changes = Capture::from_file(&file, &[]).and_then(|it| it.changes()).expect("capture starts");
        let mut status = changes.capture().status();
        let mut reaches = async |wanted: State| {
            let reached = tokio::time::timeout(LONG, status.wait_for(|state| *state == wanted)).await;
            assert_eq!(reached.expect("in time"), Some(wanted));
        };
        reaches(State::Streaming).await;
        database.sql("INSERT INTO t SELECT generate_series(1, 3)");
        for expected in 1..=3 {
            assert_eq!(id(changes.next().await), expected.to_string());
        }
        changes.confirm();

        changes.capture().pause();
        reaches(State::Paused).await;
        assert!(!database.is_streaming(), "the slot is free");
        database.sql("INSERT INTO t VALUES (4)");
        database.sql("INSERT INTO t VALUES (5)");
        let none = tokio::time::timeout(Duration::from_secs(2), changes.next()).await;
        assert!(none.is_err(), "a paused capture gave {none:?}");

        changes.capture().resume();
        reaches(State::Streaming).await;
        for expected in 4..=5 {
            assert_eq!(id(changes.next().await), expected.to_string(), "once, in order");
        }
        changes.confirm();
        changes.capture().stop();
        while changes.next().await.is_some() {}
        changes.finished().await.expect("it stops in order");
        reaches(State::Finished).await;
    });
}

/// The reader takes a few changes of a transaction and then none for longer than a pause waits for its end. The pause
/// leaves the transaction in its middle, and all of it comes again.
#[test]
fn a_transaction_that_a_pause_leaves_in_its_middle_comes_again_as_a_whole() {
    const ROWS: u32 = 5_000;
    const TAKEN: usize = 700;
    let database = Database::create("pause_middle");
    database.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let file = database.connector().set("table.include.list", "public.t").write();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut changes = Capture::from_file(&file, &[]).and_then(|it| it.changes()).expect("capture starts");
        let mut status = changes.capture().status();
        let mut reaches = async |wanted: State| {
            let reached = tokio::time::timeout(LONG, status.wait_for(|state| *state == wanted)).await;
            assert_eq!(reached.expect("in time"), Some(wanted));
        };
        reaches(State::Streaming).await;
        database.sql(&format!("INSERT INTO t SELECT generate_series(1, {ROWS})"));
        let mut ids = Vec::new();
        for _ in 0..TAKEN {
            ids.push(id(changes.next().await));
        }
        changes.confirm();
        changes.capture().pause();
        reaches(State::Paused).await;
        assert!(!database.is_streaming(), "the slot is free");
        database.sql(&format!("INSERT INTO t VALUES ({ROWS} + 1)"));

        changes.capture().resume();
        let last = (ROWS + 1).to_string();
        while ids.last() != Some(&last) {
            let next = tokio::time::timeout(LONG, changes.next()).await.expect("in time");
            ids.push(id(next));
        }
        changes.confirm();
        // What was read of the transaction before the pause, then the whole of it, then the row of the pause.
        let whole = server_ids(&database);
        let before = ids.len() - whole.len();
        assert!((TAKEN..ROWS as usize).contains(&before), "{before} changes came before the pause");
        assert_eq!(ids[..before], whole[..before], "the begin of the transaction, in order");
        assert_eq!(ids[before..], whole[..], "once more from its first change, and nothing is missing");
        changes.capture().stop();
        while changes.next().await.is_some() {}
        changes.finished().await.expect("it stops in order");
    });
}

/// A pause that comes while a snapshot is read takes hold after it: each row comes once.
#[test]
fn a_pause_during_a_snapshot_neither_loses_nor_repeats_a_row() {
    let database = Database::create("pause_snapshot");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 6000)");
    let file = database.connector().set("table.include.list", "public.t").write();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut changes = Capture::from_file(&file, &[]).and_then(|it| it.changes()).expect("capture starts");
        let mut ids = Vec::new();
        for _ in 0..1500 {
            ids.push(id(changes.next().await));
        }
        assert_eq!(changes.capture().status().now(), State::Snapshotting, "most rows are not read yet");
        changes.capture().pause();
        database.sql("INSERT INTO t VALUES (6001)");
        while ids.len() < 6000 {
            ids.push(id(changes.next().await));
        }
        changes.confirm();
        let mut status = changes.capture().status();
        let paused = tokio::time::timeout(LONG, status.wait_for(|state| *state == State::Paused)).await;
        assert_eq!(paused.expect("in time"), Some(State::Paused));
        database.sql("INSERT INTO t VALUES (6002)");
        changes.capture().resume();
        while ids.len() < 6002 {
            ids.push(id(tokio::time::timeout(LONG, changes.next()).await.expect("in time")));
        }
        changes.confirm();
        assert_eq!(
            ids,
            server_ids(&database),
            "the rows of the snapshot and of the stream, once and in order"
        );
        let none = tokio::time::timeout(Duration::from_millis(500), changes.next()).await;
        assert!(none.is_err(), "{none:?} came twice");
    });
}

/// The ids that the server has, in order.
fn server_ids(database: &Database) -> Vec<String> {
    database.sql("SELECT id FROM t ORDER BY id").lines().map(str::to_owned).collect()
}
