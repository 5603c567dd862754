//! Debezium's connector and pgcdc take over from each other under load: every row once, in order.
//!
//! ```text
//! load ─▶ Postgres ─▶ Debezium ─ stop ─▶ pgcdc ─ stop ─▶ Debezium ─ stop ─▶ pgcdc …   one slot, one topic of offsets
//! ```
//! Each stop falls somewhere into the load: between transactions, within one, within a `COPY` whose rows share a position.
//! `PGCDC_ROUNDS` says how often each of the two takes over (the default is two).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pgcdc_testbed::{Connect, ConnectOptions, Process};

use crate::harness::{
    Connector, Database, LONG, Reader, Session, eventually, kafka, scratch_dir, stop, streaming,
};

/// Sessions that write at the same time, so that transactions overlap.
const WRITERS: u64 = 4;
/// The writer of the row that comes after all others.
const LAST: u64 = 1_000;
/// The topic in which the testbed's worker keeps offsets.
const OFFSETS: &str = "testbed-connect-offsets";

#[test]
fn debezium_and_pgcdc_take_over_from_each_other_under_load() {
    let rounds: u32 = std::env::var("PGCDC_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let mut connect =
        Connect::start(scratch_dir("takeover"), 0, &kafka().bootstrap(), &ConnectOptions::default())
            .expect("Connect starts");
    let sides = [Side::new(&connect, false), Side::new(&connect, true)];
    let loads = sides.each_ref().map(|side| Load::start(&side.database));
    for round in 0..rounds {
        let pause = Duration::from_millis(1500 + u64::from(round) * 137);
        std::thread::sleep(pause);
        connect.stop().expect("Connect stops in order");
        let ours = sides.each_ref().map(Side::take_over);
        std::thread::sleep(pause);
        ours.into_iter().for_each(stop);
        if round + 1 < rounds {
            connect.restart().expect("Connect starts again");
            sides.iter().for_each(Side::wait_streaming);
        }
    }
    loads.into_iter().for_each(Load::stop);
    for side in &sides {
        side.database.sql(&format!("INSERT INTO t VALUES ({LAST}, 0)"));
        let pgcdc = side.take_over();
        let end = side.database.position();
        eventually(LONG, "all is confirmed", || side.database.has_confirmed(&end));
        stop(pgcdc);
        compare(&side.database);
    }
}

/// A database whose connector is Debezium's and pgcdc's in turn.
struct Side {
    database: Database,
    /// The registration as pgcdc runs it.
    ours: Connector,
}

impl Side {
    /// Registers the connector with Debezium, and waits until it streams.
    fn new(connect: &Connect, exactly_once: bool) -> Self {
        let database = Database::create("takeover");
        database.sql("CREATE TABLE t(w int, n int, PRIMARY KEY (w, n)); CREATE TABLE uncaptured(n int)");
        let connector = database
            .connector()
            .unset("offset.storage.file.filename")
            .set("table.include.list", "public.t")
            .set("snapshot.mode", "no_data")
            .set("poll.interval.ms", "20");
        connect.create(&database.name, connector.properties()).expect("Debezium takes the registration");
        connect.wait_running(&database.name, LONG).expect("Debezium runs");
        let ours = connector.set("offset.storage.topic", OFFSETS);
        let ours = if exactly_once { ours.set("exactly.once.support", "required") } else { ours };
        let side = Self { database, ours };
        side.wait_streaming();
        side
    }

    fn wait_streaming(&self) {
        eventually(LONG, "Debezium streams", || self.database.is_streaming());
    }

    /// Starts pgcdc once Debezium has let go of the slot.
    fn take_over(&self) -> Process {
        eventually(LONG, "nobody reads the slot", || !self.database.is_streaming());
        streaming(&self.ours)
    }
}

/// Compares: each row once, and each writer's rows in the order in which it committed them; each message once.
fn compare(database: &Database) {
    let (rows, messages) = (database.topic("t"), format!("{}.message", database.name));
    let mut reader = Reader::new(kafka(), &[&rows, &messages]);
    let mut seen: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut told: Vec<String> = Vec::new();
    let expected: usize = database.sql("SELECT count(*) FROM uncaptured").parse().expect("a number");
    let records = reader.read_until(LONG, |records| {
        let last = records.iter().rev().find(|record| record.topic == rows);
        let last = last.is_some_and(|record| record.json()["after"]["w"] == LAST);
        last && records.iter().filter(|record| record.topic == messages).count() >= expected
    });
    for record in records {
        let value = record.json();
        if record.topic == messages {
            told.push(value["message"]["content"].to_string());
            continue;
        }
        let number = |name: &str| value["after"][name].as_u64().expect("a number");
        seen.entry(number("w")).or_default().push(number("n"));
    }
    let mut written = 0;
    for writer in 0..WRITERS {
        let expected = database.sql(&format!("SELECT n FROM t WHERE w = {writer} ORDER BY n"));
        let expected: Vec<u64> = expected.lines().map(|n| n.parse().expect("a number")).collect();
        written += expected.len();
        let seen = seen.remove(&writer).unwrap_or_default();
        assert_same(writer, &seen, &expected);
    }
    assert!(written > 5_000, "too little load to prove anything: {written} rows");
    let all = told.len();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), all, "a message came twice");
    assert_eq!(
        all.to_string(),
        database.sql("SELECT count(*) FROM uncaptured"),
        "one message for each of these rows"
    );
}

/// Fails with the first places at which the two differ, each with its neighbours.
fn assert_same(writer: u64, seen: &[u64], expected: &[u64]) {
    if seen == expected {
        return;
    }
    let steps = seen.windows(8).filter(|window| window[3] + 1 != window[4]).take(8);
    let steps: Vec<&[u64]> = steps.collect();
    panic!(
        "writer {writer}: {} rows in Kafka, {} in the table; steps other than one: {steps:?}",
        seen.len(),
        expected.len()
    );
}

/// Writers of overlapping transactions, some 2,000 rows a second in all.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(database: &Database) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let writer = |writer| {
            let (stopped, mut session) = (Arc::clone(&stop), Session::open(database));
            std::thread::spawn(move || {
                let mut n = 0;
                while !stopped.load(Ordering::Relaxed) {
                    session.run(&transaction(writer, n));
                    n += 20;
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
        };
        let threads = (0..WRITERS).map(writer).collect();
        Self { stop, threads }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("every transaction was committed");
        }
    }
}

/// Twenty rows: ten by one `COPY`, whose rows share a position, and ten one by one, in either order. In every fifth
/// transaction there are a row of a table that is not captured, and a message.
fn transaction(writer: u64, n: u64) -> String {
    let copy = |from| {
        let to = from + 9;
        format!("COPY t FROM PROGRAM 'seq -f \"{writer},%.0f\" {from} {to}' WITH (FORMAT csv);\n")
    };
    let single = |from: u64| -> String {
        (from..from + 10).map(|n| format!("INSERT INTO t VALUES ({writer}, {n});\n")).collect()
    };
    let (first, second) =
        if (n / 20).is_multiple_of(2) { (copy(n), single(n + 10)) } else { (single(n), copy(n + 10)) };
    let extra = if (n / 20).is_multiple_of(5) {
        format!(
            "INSERT INTO uncaptured VALUES ({n});\nSELECT pg_logical_emit_message(true, 'm', '{writer}-{n}');\n"
        )
    } else {
        String::new()
    };
    format!("BEGIN;\n{first}{extra}SELECT pg_sleep(0.005);\n{second}COMMIT;\n")
}
