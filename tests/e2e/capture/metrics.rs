//! The metrics of a capture, compared with what the server has.

use std::time::Duration;

use pgcdc::Capture;
use pgcdc::capture::State;
use pgcdc::capture::metrics::{Registry, RowCounters};

use crate::harness::{Database, LONG, eventually, kafka, scratch_dir};

#[test]
fn rows_lag_and_latency_are_those_of_the_server() {
    let database = Database::create("metrics");
    database.sql("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY)");
    database.sql("INSERT INTO a SELECT n, 0 FROM generate_series(1, 1300) n; INSERT INTO b VALUES (1)");
    let offsets = scratch_dir("metrics").join("offsets.json");
    let file = database
        .connector()
        .set("table.include.list", "public.a,public.b")
        .set("offset.storage.file.filename", &offsets.display().to_string())
        .to(kafka())
        .write();
    let registry = Registry::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let builder = Capture::from_file(&file, &[]).expect("a configuration").registry(registry.clone());
    let name = builder.settings().name.clone();
    let mut capture = builder.to_kafka().expect("capture starts");
    let metrics = capture.metrics().clone();
    let mut status = capture.status();
    runtime.block_on(async {
        let streams = status.wait_for(|state| *state == State::Streaming);
        tokio::time::timeout(LONG, streams).await.expect("it streams in time");
    });
    assert_eq!(metrics.snapshot_rows.get(), 1301);
    assert_eq!((metrics.snapshot_tables.get(), metrics.snapshot_tables_remaining.get()), (2, 0));
    assert_eq!(metrics.snapshot_running.get(), 0);

    database.sql("INSERT INTO a SELECT n, 0 FROM generate_series(2001, 2010) n");
    database.sql("UPDATE a SET v = 1 WHERE id <= 7");
    database.sql("BEGIN; DELETE FROM a WHERE id <= 3; INSERT INTO b VALUES (2); COMMIT");
    database.sql("TRUNCATE b");
    eventually(LONG, "all transactions are acknowledged", || metrics.commit_to_acknowledged.count() == 4);
    let counts = |table: &str| {
        let RowCounters { read, create, update, delete, truncate } = metrics.rows.table(table);
        [read, create, update, delete, truncate].map(|counter| counter.get())
    };
    assert_eq!(counts("public.a"), [1300, 10, 7, 3, 0]);
    assert_eq!(counts("public.b"), [1, 1, 0, 0, 1]);
    let inserted: u64 = database.sql("SELECT count(*) FROM a").parse().expect("a number");
    let [read, created, _, deleted, _] = counts("public.a");
    assert_eq!(read + created - deleted, inserted, "the table's rows now");

    let producer = registry.producer(&name);
    eventually(LONG, "all records are delivered", || {
        producer.records.get() == producer.delivered.get() && metrics.in_flight.get() == 0
    });
    assert!(producer.records.get() > 1301 + 10 + 7 + 3, "{}", producer.records.get());
    assert!(producer.requests.get() > 0 && producer.batches.get() > 0 && producer.bytes.get() > 0);
    eventually(LONG, "the slot was asked for its WAL", || metrics.slot_retained_bytes.get() > 0);
    eventually(LONG, "the lag is gone", || metrics.lag_seconds.get() < 1e-9);
    let text = registry.encode();
    let line =
        format!("pgcdc_rows_total{{connector=\"{name}\",table=\"public.a\",operation=\"update\"}} 7\n");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("pgcdc_commit_to_acknowledged_seconds_bucket"), "{text}");

    database.sql(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
         WHERE database = current_database() AND active_pid IS NOT NULL",
    );
    eventually(Duration::from_secs(60), "the restart is counted with its reason", || {
        registry.encode().contains("pgcdc_restarts_total{connector=")
    });
    assert_eq!(metrics.restarts.get("57P01"), 1, "{}", registry.encode());
    capture.stop();
    runtime
        .block_on(async { tokio::time::timeout(LONG, capture.finished()).await })
        .expect("it stops in time")
        .expect("it stops in order");
}
