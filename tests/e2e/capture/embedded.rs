//! A capture that is embedded in a program: how its reader leaves, and what is confirmed then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pgcdc::capture::Changes;
use pgcdc::{Capture, ChangeEvent};
use tokio::time::timeout;

use crate::harness::{Database, LONG};

fn changes(file: &Path) -> Changes {
    Capture::from_file(file, &[]).and_then(|it| it.changes()).expect("capture starts")
}

/// A database with rows, each in a transaction of its own, and a connector that read none of them.
fn database(name: &str, rows: u32) -> (Database, PathBuf) {
    let database = Database::create(name);
    database.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let file =
        database.connector().set("table.include.list", "public.t").set("snapshot.mode", "no_data").write();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let changes = changes(&file);
        let mut status = changes.capture().status();
        let streaming = status.wait_for(|state| *state == pgcdc::capture::State::Streaming);
        timeout(LONG, streaming).await.expect("in time");
        timeout(LONG, changes.close()).await.expect("it ends").expect("in order");
    });
    database.sql(&format!(
        "DO $$ BEGIN FOR id IN 1..{rows} LOOP INSERT INTO t VALUES (id); COMMIT; END LOOP; END $$"
    ));
    (database, file)
}

fn id(change: Option<ChangeEvent>) -> u32 {
    change.and_then(|change| change.get("id")?.parse().ok()).expect("a row with an id")
}

async fn next(changes: &mut Changes) -> u32 {
    id(timeout(LONG, changes.next()).await.expect("in time"))
}

#[tokio::test]
async fn who_leaves_the_loop_and_waits_for_the_end_does_not_wait_for_ever() {
    let (database, file) = tokio::task::spawn_blocking(|| database("embed_leave", 3000)).await.expect("made");
    let mut first = changes(&file);
    assert_eq!(next(&mut first).await, 1);
    assert_eq!(next(&mut first).await, 2);
    // More changes wait than the channel holds, and nobody reads them.
    timeout(Duration::from_secs(15), first.finished()).await.expect("it ends").expect("in order");
    assert!(!database.is_streaming());
    let mut second = changes(&file);
    assert_eq!(next(&mut second).await, 2, "the change that was not acknowledged comes again");
    drop(second);
}

#[tokio::test]
async fn close_confirms_what_was_acknowledged_and_no_more() {
    let (_database, file) = tokio::task::spawn_blocking(|| database("embed_close", 20)).await.expect("made");
    let mut first = changes(&file);
    for expected in 1..=5 {
        assert_eq!(next(&mut first).await, expected);
    }
    first.confirm();
    timeout(LONG, first.close()).await.expect("it ends").expect("in order");

    let mut second = changes(&file).by_receipt();
    let acknowledger = second.acknowledger();
    let mut receipts = Vec::new();
    for expected in 6..=12 {
        assert_eq!(next(&mut second).await, expected);
        receipts.push(second.receipt());
    }
    assert!(receipts.is_sorted_by_key(|receipt| receipt.lsn()));
    // In any order, from any task.
    let (third, first) = (receipts[2], receipts[0]);
    let task = tokio::spawn(async move {
        acknowledger.acknowledge(third);
        acknowledger.acknowledge(first);
    });
    task.await.expect("acknowledged");
    timeout(LONG, second.close()).await.expect("it ends").expect("in order");

    let mut third = changes(&file);
    assert_eq!(next(&mut third).await, 9, "6 to 8 are acknowledged");
    timeout(LONG, third.close()).await.expect("it ends").expect("in order");
}

/// A reader that acknowledges full batches only, while rows of a snapshot are left over for the next batch.
#[tokio::test]
async fn a_batch_may_be_filled_across_the_end_of_a_snapshot() {
    let (database, file) = tokio::task::spawn_blocking(|| {
        let database = Database::create("embed_batches");
        database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 250)");
        let file = database.connector().set("table.include.list", "public.t").write();
        (database, file)
    })
    .await
    .expect("made");
    let mut first = changes(&file).by_receipt();
    let acknowledger = first.acknowledger();
    for expected in 1..=250 {
        assert_eq!(next(&mut first).await, expected);
        if expected == 200 {
            acknowledger.acknowledge(first.receipt());
        }
    }
    // Fifty rows of the snapshot are not acknowledged, and changes come all the same.
    database.sql("INSERT INTO t VALUES (251)");
    assert_eq!(next(&mut first).await, 251);
    timeout(LONG, first.close()).await.expect("it ends").expect("in order");

    let mut second = changes(&file).by_receipt();
    let acknowledger = second.acknowledger();
    for expected in 1..=251 {
        assert_eq!(
            next(&mut second).await,
            expected,
            "the snapshot was not acknowledged, and is taken again"
        );
    }
    // After an interrupted snapshot the stream begins where that snapshot was taken.
    assert_eq!(next(&mut second).await, 251);
    acknowledger.acknowledge(second.receipt());
    database.sql("INSERT INTO t VALUES (252)");
    assert_eq!(next(&mut second).await, 252);
    timeout(LONG, second.close()).await.expect("it ends").expect("in order");

    let mut third = changes(&file);
    assert_eq!(next(&mut third).await, 252, "the snapshot was acknowledged, the last change was not");
}

#[tokio::test]
async fn the_end_of_a_capture_does_not_cancel_the_token_of_the_program() {
    let (_database, file) = tokio::task::spawn_blocking(|| database("embed_token", 1)).await.expect("made");
    let program = tokio_util::sync::CancellationToken::new();
    let capture = || Capture::from_file(&file, &[]).expect("a configuration").shutdown(program.clone());
    let first = capture().changes().expect("it starts");
    timeout(LONG, first.close()).await.expect("it ends").expect("in order");
    assert!(!program.is_cancelled());
    let mut second = capture().changes().expect("it starts");
    program.cancel();
    timeout(LONG, second.finished()).await.expect("it ends with the program").expect("in order");
}
