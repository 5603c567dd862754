//! How long records stand still when a leader dies: no longer than the brokers themselves take to name another one, and a second.
//!
//! The second is held by `cargo xtask chaos brokers`, which runs alone (`PGCDC_FAILOVER_MS=1000`). In the suite other tests take
//! the processor, and ten seconds show only that nothing waits for a request's time-out, which is 30 s.

#![expect(clippy::print_stdout, reason = "the times are what one runs this for")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgcdc_testbed::{ClusterOptions, KafkaCluster};

use crate::harness::{Database, LONG, Session, eventually, scratch_dir, stop, streaming};

/// How much longer than the brokers pgcdc may take, in milliseconds, unless `PGCDC_FAILOVER_MS` says otherwise.
const BAR_MS: u64 = 10_000;
/// The pause between two looks at the brokers.
const LOOK: Duration = Duration::from_millis(20);
/// The topic has one partition, so there is one leader to kill.
const PARTITION: i32 = 0;

#[test]
fn records_follow_a_new_leader_soon() {
    let bar = std::env::var("PGCDC_FAILOVER_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(BAR_MS);
    let bar = Duration::from_millis(bar);
    // Followers would wait a second before they fetch from a new leader, and no record is durable before they have it.
    let settings = vec![("replica.fetch.backoff.ms".to_owned(), "100".to_owned())];
    let options = ClusterOptions { settings, ..ClusterOptions::default() };
    let mut cluster = KafkaCluster::start_with(scratch_dir("failover"), &options).expect("brokers start");
    for frozen in [false, true] {
        let database = Database::create("failover");
        database.sql("CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)");
        let connector = database
            .connector()
            .at_address(&cluster.bootstrap())
            .set("topic.creation.default.partitions", "1")
            .set("topic.creation.default.replication.factor", "3");
        let process = streaming(&connector);
        let topic = database.topic("t");
        let mut session = Session::open(&database);
        let (inserted, ends) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    session.run("INSERT INTO t DEFAULT VALUES");
                    inserted.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            eventually(LONG, "records arrive", || {
                cluster.end_offset(&topic, PARTITION).is_some_and(|end| end > 20)
            });
            let took = measure(&mut cluster, &topic, frozen, &inserted);
            ends.store(true, Ordering::Relaxed);
            println!(
                "failover: a leader that is {}: another leads after {:.2} s, the next record is durable after {:.2} s",
                if frozen { "frozen" } else { "killed" },
                took.leader.as_secs_f64(),
                took.record.as_secs_f64()
            );
            assert!(took.record <= took.leader + bar, "{took:?}:\n{}", process.stderr());
        });
        let log = process.stderr();
        assert_eq!(log.matches("streaming").count(), 1, "capture started its stream again:\n{log}");
        stop(process);
    }
}

/// Times since a leader's death.
#[derive(Debug)]
struct Took {
    /// Until a broker named another leader.
    leader: Duration,
    /// Until a row was durable in the topic that was inserted after the death.
    record: Duration,
}

/// Kills or freezes the leader, and mends it afterwards. The topic has a record for each row, so its end tells which rows it has.
fn measure(cluster: &mut KafkaCluster, topic: &str, frozen: bool, inserted: &AtomicU64) -> Took {
    let dead = cluster.leader(topic, PARTITION).expect("a leader");
    let process = |cluster: &mut KafkaCluster, signal: &str| {
        cluster.node(dead).daemon().process().send(signal).expect("a signal");
    };
    if frozen {
        process(cluster, "STOP");
    } else {
        cluster.node(dead).kill9().expect("the broker ends");
    }
    let (death, before) = (Instant::now(), inserted.load(Ordering::Relaxed));
    let (mut leader, mut record) = (None, None);
    while record.is_none() {
        assert!(death.elapsed() < LONG, "no record since the leader's death");
        std::thread::sleep(LOOK);
        let now = cluster.leader_beside(dead, topic, PARTITION);
        leader = leader.or_else(|| now.map(|_| death.elapsed()));
        let end = now.and_then(|now| cluster.node(now).end_offset(topic, PARTITION).ok().flatten());
        record = end.filter(|end| *end > before + 1).map(|_| death.elapsed());
    }
    if frozen {
        process(cluster, "CONT");
    } else {
        cluster.node(dead).restart().expect("the broker starts again");
    }
    cluster.wait_for(3).expect("three brokers");
    Took { leader: leader.unwrap_or_default(), record: record.unwrap_or_default() }
}
