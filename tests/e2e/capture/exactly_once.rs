//! `exactly.once.support=required`: a reader of committed records sees each change once, in order, whatever dies.

use std::time::{Duration, Instant};

use super::{stop, streaming, wait_streaming};
use crate::harness::{
    Connector, Database, LONG, Reader, Record, eventually, kafka, kafka_options, own_kafka,
};

/// Rows of the one huge transaction.
const HUGE: i64 = 500_000;

/// How often the process is killed while it works.
const KILLS: u32 = 10;

/// A connector with Kafka transactions, whose offsets are in a topic of its own.
pub(super) fn connector(database: &Database) -> Connector {
    database
        .connector()
        .exactly_once()
        .set("topic.creation.default.partitions", "1")
        .set("topic.creation.default.replication.factor", "1")
}

fn offsets(database: &Database) -> String {
    format!("{}-offsets", database.name)
}

fn id(record: &Record) -> i64 {
    record.json()["after"]["id"].as_i64().expect("a row with an id")
}

/// Reads until the row `last` is there, and says which ids came, in order.
#[track_caller]
fn ids_until(reader: &mut Reader, last: i64, limit: Duration) -> Vec<i64> {
    let mut seen = 0;
    let records = reader.read_until(limit, |records| {
        let found = records[seen..].iter().any(|record| id(record) == last);
        seen = records.len();
        found
    });
    records.iter().map(id).collect()
}

#[track_caller]
fn assert_once_in_order(ids: &[i64], last: i64) {
    let wrong = ids.iter().zip(1..).position(|(found, expect)| *found != expect);
    if let Some(at) = wrong {
        let around = &ids[at.saturating_sub(3)..(at + 3).min(ids.len())];
        panic!("at {at} of {} records: {around:?}", ids.len());
    }
    assert_eq!(ids.last(), Some(&last));
}

#[test]
fn killed_at_any_instant_each_change_is_committed_once_and_in_order() {
    let database = Database::create("once");
    database.sql(
        "CREATE TABLE t(id bigint PRIMARY KEY, v text);
         CREATE PROCEDURE load(first bigint, last bigint) LANGUAGE plpgsql AS $$
         DECLARE n bigint := first; k int;
         BEGIN
           WHILE n <= last LOOP
             k := least(1 + n % 7, last - n + 1);
             INSERT INTO t SELECT i, repeat('x', (i % 300)::int) FROM generate_series(n, n + k - 1) i;
             COMMIT;
             n := n + k;
             PERFORM pg_sleep(0.001);
           END LOOP;
         END $$",
    );
    // Small timeout: a transaction of the server that takes longer than half of it spans several of Kafka's.
    let connector = connector(&database).set("producer.override.transaction.timeout.ms", "6000");
    let mut process = streaming(&connector);
    let small = 4_000;
    let last = 2 * small + HUGE + 1;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            database.sql(&format!("CALL load(1, {small})"));
            database.sql(&format!(
                "INSERT INTO t SELECT i, repeat('y', 200) FROM generate_series({}, {}) i",
                small + 1,
                small + HUGE
            ));
            database.sql(&format!("CALL load({}, {})", small + HUGE + 1, last - 1));
        });
        for kill in 0..KILLS {
            std::thread::sleep(Duration::from_millis(700 + u64::from(kill * 7 % 10) * 350));
            process.kill9().expect("killed");
            process = connector.start();
        }
    });
    database.sql(&format!("INSERT INTO t VALUES ({last}, 'end')"));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let ids = ids_until(&mut reader, last, Duration::from_secs(240));
    assert_once_in_order(&ids, last);

    let mut reader = Reader::new(kafka(), &[&offsets(&database)]);
    let parts = reader.read_until(LONG, |records| !records.is_empty()).iter();
    let parts = parts.filter(|record| record.json()["pgcdc_open_changes"].as_u64().is_some_and(|n| n > 0));
    // One that ended inside of it is enough for two; how many there are is a matter of speed.
    assert!(parts.count() > 0, "the huge transaction was to span several of Kafka's");

    let position = database.position();
    eventually(LONG, "the slot confirms the end", || database.has_confirmed(&position));
    stop(process);
}

#[test]
fn a_stop_and_a_start_repeat_nothing_and_the_snapshot_is_there_once() {
    let database = Database::create("once_stop");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5000)");
    let connector = connector(&database).set("heartbeat.interval.ms", "50");
    let mut last = 5000;
    for _ in 0..4 {
        let process = streaming(&connector);
        for _ in 0..20 {
            last += 1;
            database.sql(&format!("INSERT INTO t VALUES ({last})"));
        }
        database.sql(&format!("INSERT INTO t SELECT generate_series({}, {})", last + 1, last + 500));
        last += 500;
        stop(process);
    }
    let process = streaming(&connector);
    last += 1;
    database.sql(&format!("INSERT INTO t VALUES ({last})"));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let mut ids = ids_until(&mut reader, last, LONG);
    // Rows of the snapshot come in the table's own order.
    ids[..5000].sort_unstable();
    assert_once_in_order(&ids, last);
    stop(process);
}

#[test]
fn a_broker_that_is_killed_and_a_connection_that_is_cut_repeat_nothing() {
    let (mut broker, _) = own_kafka(kafka_options());
    let database = Database::create("once_faults");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY)");
    let process = streaming(&connector(&database).to(&broker));
    let mut last = 0;
    let mut insert = |database: &Database, count: i64| {
        for _ in 0..count {
            database.sql(&format!("INSERT INTO t SELECT generate_series({}, {})", last + 1, last + 40));
            last += 40;
        }
        last
    };
    for _ in 0..4 {
        insert(&database, 10);
        database.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL AND database = current_database()");
        insert(&database, 10);
        eventually(LONG, "it streams again", || database.is_streaming());
    }
    insert(&database, 10);
    broker.kill9().expect("the broker can be killed");
    insert(&database, 10);
    broker.restart().expect("the broker starts again");
    let last = insert(&database, 10);
    let mut reader = Reader::new(&broker, &[&database.topic("t")]);
    assert_once_in_order(&ids_until(&mut reader, last, LONG), last);
    stop(process);
}

#[test]
fn a_second_instance_fences_the_first() {
    let database = Database::create("once_fence");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY)");
    let connector = connector(&database);
    let mut first = streaming(&connector);
    database.sql("INSERT INTO t VALUES (1)");
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    reader.read(1, LONG);

    let mut second = connector.start();
    second.wait_for_stderr("an older instance is fenced", LONG).expect("the second takes over");
    database.sql("INSERT INTO t VALUES (2)");
    let status = first.wait_timeout(LONG).expect("the first ends by itself");
    let said = first.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("another instance has taken over"), "{said}");
    assert!(said.contains(&format!("pgcdc-{}-0", database.name)), "{said}");

    wait_streaming(&mut second);
    database.sql("INSERT INTO t VALUES (3)");
    assert_once_in_order(&ids_until(&mut reader, 3, LONG), 3);
    stop(second);
}

#[test]
fn a_lone_change_is_committed_at_once() {
    let database = Database::create("once_idle");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY)");
    let process = streaming(&connector(&database));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let mut took = Vec::new();
    for n in 1..=20_i64 {
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        database.sql(&format!("INSERT INTO t VALUES ({n})"));
        reader.read(usize::try_from(n).expect("small"), LONG);
        took.push(began.elapsed());
    }
    took.sort_unstable();
    // With the time of psql's start, and of the reader's fetch.
    assert!(took[10] < Duration::from_millis(600), "{took:?}");
    stop(process);
}

#[test]
fn what_cannot_be_exactly_once_ends_with_2_and_a_remedy() {
    let database = Database::create("once_config");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY)");
    let check = |connector: &Connector, args: &[&str], expect: &[&str]| {
        let mut process = connector.start_with(args);
        let status = process.wait_timeout(LONG).expect("it ends by itself");
        let said = process.stderr();
        assert_eq!(status.code(), Some(2), "{said}");
        for part in expect {
            assert!(said.contains(part), "{part:?} is missing in {said}");
        }
    };
    let good = connector(&database);
    check(&good.clone().set("transaction.boundary", "connector"), &[], &["transaction.boundary", "set poll"]);
    check(
        &good.clone().set("producer.override.transaction.timeout.ms", "2000000"),
        &[],
        &["2000000 ms", "transaction.max.timeout.ms"],
    );
    check(
        &good.clone().set("offset.storage.file.filename", "/tmp/offsets.json"),
        &[],
        &["offset.storage.file.filename", "offset.storage.topic"],
    );
    check(&good, &["--stdout"], &["only Kafka has transactions", "exactly.once.support=requested"]);
}
