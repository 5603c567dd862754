//! The server as oracle: what Kafka holds is what a second replication slot gives, whatever dies in between.
//!
//! ```text
//!                       ┌─ slot 1 ─▶ pgcdc (at least once), killed at random ─▶ topics ─┐
//! random transactions ─▶│  slot 2 ─▶ pgcdc (exactly once), killed at random ─▶ topics ──┼─▶ compared
//!                       └─ slot 3 ─▶ pg_logical_slot_get_binary_changes ────────────────┘
//! ```
//! One round runs `PGCDC_ORACLE_TRANSACTIONS` transactions (10,000) in a database of its own. `PGCDC_ORACLE_MINUTES` adds
//! rounds until the time is over. `PGCDC_SEED` replays the choices of a run; threads still race.

#![expect(clippy::print_stdout, reason = "the seed, and how far it came, are what one needs when it fails")]

mod compare;
mod expected;
mod workload;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pgcdc_testbed::load::Random;
use pgcdc_testbed::{Postgres, Process};

use crate::harness::{
    Connector, Database, LONG, Reader, Record, eventually, kafka, own_postgres, postgres_options,
    wait_streaming,
};

/// Transactions of a round when nothing else is asked for.
const TRANSACTIONS: u64 = 10_000;
/// How long the connectors may take to deliver what is left after the last transaction.
const DRAIN: Duration = Duration::from_secs(180);

#[test]
fn kafka_holds_what_a_second_slot_gives() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("PGCDC_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.subsec_nanos().into())
    });
    let transactions = number("PGCDC_ORACLE_TRANSACTIONS").unwrap_or(TRANSACTIONS);
    let until = Instant::now() + Duration::from_secs(60 * number("PGCDC_ORACLE_MINUTES").unwrap_or(0));
    let mut random = Random::new(seed);
    let (server, _dir) = own_postgres(postgres_options().setting("max_prepared_transactions", "20"));
    let mut rounds = 0;
    loop {
        rounds += 1;
        println!("oracle: round {rounds}; PGCDC_SEED={seed} replays its choices");
        round(&server, transactions, &mut random);
        if Instant::now() >= until {
            break;
        }
    }
}

/// Transactions, kills, and the comparison, in a database of its own.
fn round(server: &Postgres, transactions: u64, random: &mut Random) {
    let started = Instant::now();
    let say = |what: &str| println!("oracle: {:6.1} s: {what}", started.elapsed().as_secs_f64());
    let database = Database::create_on(server, "oracle");
    database.sql(workload::SCHEMA);
    let oracle_slot = format!("{}_oracle", database.name);
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{oracle_slot}', 'pgoutput')"));

    let once = connector(&database, "once")
        .set("exactly.once.support", "required")
        .set("offset.storage.file.filename", "")
        .set("offset.storage.topic", &format!("{}-once-offsets", database.name))
        // A transaction of the server that takes longer than half of this spans several of Kafka's.
        .set("producer.override.transaction.timeout.ms", "6000");
    let least = connector(&database, "least")
        .set("heartbeat.interval.ms", "100")
        .set("heartbeat.action.query", "SELECT pg_logical_emit_message(false, 'seen', 'heartbeat')");
    let connectors = [once, least];
    let mut processes = connectors.each_ref().map(Connector::start);
    processes.iter_mut().for_each(wait_streaming);
    // What was written before (only a heartbeat's messages) may lie before a connector's slot.
    let start = database.position();
    say("both connectors stream");

    let done = AtomicBool::new(false);
    let mut restarts = [0_u64; 2];
    let counts = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let counts = workload::run(&database, transactions, random.fork());
            done.store(true, Ordering::SeqCst);
            counts
        });
        let mut chance = Random::new(transactions ^ 0x5eed);
        while !done.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100 + chance.below(1_500)));
            let which = chance.below(2) as usize;
            restarts[which] += 1;
            interrupt(&database, &connectors[which], &mut processes[which], &mut chance);
        }
        load.join().expect("the load ran to its end")
    });
    say(&format!("{counts:?}; restarts {restarts:?}"));

    // The last record of every topic, by which its reader knows that it has all.
    database.sql(workload::LAST);
    let end = database.position();
    for (connector, process) in connectors.iter().zip(&mut processes) {
        eventually(DRAIN, "the slot confirms the end of the load", || {
            assert!(process.is_running(), "pgcdc ended: {}", process.stderr());
            database.sql(&format!(
                "SELECT confirmed_flush_lsn >= '{end}'::pg_lsn FROM pg_replication_slots WHERE slot_name = '{}'",
                connector.get("slot.name")
            )) == "t"
        });
    }
    say("both slots have confirmed the end");
    let mut expected = expected::read(&database, &oracle_slot, &end);
    for records in expected.values_mut() {
        *records = compare::between(std::mem::take(records), &start);
    }
    let total: usize = expected.values().map(Vec::len).sum();
    say(&format!("the oracle has {total} records in {} topics", expected.len()));
    assert!(total as u64 > transactions, "too little load to prove anything: {total} records");

    let mut wrong = Vec::new();
    for (kind, name, restarts) in
        [("exactly once", "once", restarts[0]), ("at least once", "least", restarts[1])]
    {
        let topics: Vec<String> =
            expected.keys().map(|suffix| format!("{}-{name}.{suffix}", database.name)).collect();
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let mut reader = Reader::new(kafka(), &names);
        let mut found = BTreeMap::new();
        let is_last = |suffix: &String, record: &Record| {
            record.topic.ends_with(suffix.as_str()) && compare::said(record).is_last()
        };
        let (mut seen, mut missing) = (0, expected.keys().collect::<Vec<_>>());
        let records = reader.read_until(DRAIN, |records| {
            missing.retain(|suffix| !records[seen..].iter().any(|record| is_last(suffix, record)));
            seen = records.len();
            missing.is_empty()
        });
        for record in records {
            let suffix = record.topic.split_once('.').map_or("", |(_, suffix)| suffix).to_owned();
            found.entry(suffix).or_insert_with(Vec::new).push(compare::said(record));
        }
        for (suffix, expected) in &expected {
            let found = found.remove(suffix).unwrap_or_default();
            let found = compare::between(compare::numbered(found), &start);
            let result = match name {
                "once" => compare::same(&found, expected),
                _ => compare::same_but_for_repeats(&found, expected, restarts),
            };
            if let Err(why) = result {
                wrong.push(format!("{kind}, topic {suffix}: {why}"));
            }
        }
        say(&format!("{kind}: compared"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for process in processes {
        crate::harness::stop(process);
    }
    database.sql(&format!("SELECT pg_drop_replication_slot('{oracle_slot}')"));
}

/// One of the ways in which a connector's session ends.
fn interrupt(database: &Database, connector: &Connector, process: &mut Process, chance: &mut Random) {
    match chance.below(10) {
        0..6 => {
            process.kill9().expect("killed");
            *process = connector.start();
        }
        6..8 => {
            let status = process.sigterm_and_wait(LONG).expect("it ends");
            assert!(status.success(), "a stop in order ends with 0, not {status}: {}", process.stderr());
            *process = connector.start();
        }
        _ => {
            database.sql(&format!(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{}' AND active_pid IS NOT NULL",
                connector.get("slot.name")
            ));
        }
    }
}

/// A connector that streams all that the publication has, into topics that begin with its own name.
fn connector(database: &Database, name: &str) -> Connector {
    database
        .connector()
        .set("name", &format!("{}-{name}", database.name))
        .set("topic.prefix", &format!("{}-{name}", database.name))
        .set("slot.name", &format!("{}_{name}", database.name))
        .set("publication.name", "everything")
        .set("publication.autocreate.mode", "disabled")
        .set("snapshot.mode", "no_data")
        .set("skipped.operations", "none")
        .set("message.prefix.include.list", "seen")
        .set("topic.creation.default.partitions", "1")
        .set("topic.creation.default.replication.factor", "1")
}
