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
