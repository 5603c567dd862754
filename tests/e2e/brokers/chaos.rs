//! Three brokers that fail in every way, under load: nothing is lost, nothing comes twice, and capture never restarts.
//!
//! ```text
//! load ─▶ Postgres ─▶ pgcdc stream ─▶ proxy ─▶ broker 1, 2, 3
//!   │                                  cut,      SIGKILL, SIGTERM, SIGSTOP, leaders moved
//!   │                                  slowed
//!   └───── what was committed, in order ─────▶ compared with the topic
//! ```
//! One seed gives the faults and the load; it is printed, and `PGCDC_SEED` replays it. `PGCDC_BROKERS_MINUTES` adds rounds
//! until the time is over. A round takes about a minute.

#![expect(clippy::print_stdout, reason = "the seed, and how far it came, are what one needs when it fails")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgcdc_testbed::load::{self, Load, Random, Told};
use pgcdc_testbed::{ClusterOptions, FaultProxy, KafkaCluster, Listener, Process, Security};

use crate::harness::{
    Connector, Database, LONG, Reader, Record, Session, eventually, scratch_dir, stop, streaming,
};
use crate::sinks::rig::repository;

/// Faults of a round.
const FAULTS: u64 = 6;
/// The size of a broker's disk, most of which a round leaves free.
const DISK_MIB: u32 = 1024;
/// Partitions of the transactions' own topic, as the testbed makes it.
const TRANSACTION_PARTITIONS: usize = 5;
/// Rows with a larger id end the topic; there are so many that each partition has one.
const END: i64 = 900_000_000;
const ENDS: usize = 64;
/// How long everything may take to arrive after the last fault.
const DRAIN: Duration = Duration::from_secs(120);

#[test]
fn three_brokers_fail_in_every_way_and_each_change_is_there_once_or_more() {
    run(&Kind { exactly_once: false, tls: false });
}

#[test]
fn three_brokers_fail_in_every_way_and_each_change_is_there_exactly_once() {
    run(&Kind { exactly_once: true, tls: true });
}

/// What a run tries.
#[derive(Clone, Copy, Debug)]
struct Kind {
    exactly_once: bool,
    /// TLS, and a login by SCRAM.
    tls: bool,
}

/// One cluster at a time: two would keep the machine too busy to notice anything.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(kind: &Kind) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kind = Kind {
        exactly_once: number("PGCDC_BROKERS_EXACTLY_ONCE").map_or(kind.exactly_once, |set| set == 1),
        tls: number("PGCDC_BROKERS_TLS").map_or(kind.tls, |set| set == 1),
    };
    let seed = number("PGCDC_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.subsec_nanos().into())
    });
    println!("brokers: {kind:?}; PGCDC_SEED={seed} replays the choices of this run");
    let mut random = Random::new(seed);
    let dir = scratch_dir("brokers");
    let security = kind.tls.then(|| Security::create(dir.join("certificates")).expect("certificates"));
    let options =
        ClusterOptions { security, proxied: true, disk_mib: Some(DISK_MIB), ..ClusterOptions::default() };
    let mut cluster = KafkaCluster::start_with(dir.join("cluster"), &options).expect("three brokers start");
    if let Some(security) = cluster.security() {
        let all =
            ["--operation", "All", "--topic", "*", "--group", "*", "--transactional-id", "*", "--cluster"];
        security.allow(&cluster.bootstrap(), "alice", &all).expect("the rights are granted");
    }
    let until = Instant::now() + Duration::from_secs(60 * number("PGCDC_BROKERS_MINUTES").unwrap_or(0));
    let mut rounds = 1;
    round(&mut cluster, kind, &mut random);
    while Instant::now() < until {
        rounds += 1;
        round(&mut cluster, kind, &mut random);
    }
    println!("brokers: {rounds} rounds");
}

/// A database, a connector and a load of their own; faults; a comparison.
fn round(cluster: &mut KafkaCluster, kind: Kind, random: &mut Random) {
    let started = Instant::now();
    let say = |what: &str| println!("brokers: {:5.1} s: {what}", started.elapsed().as_secs_f64());
    let database = Database::create("brokers");
    database.server.sql_file(&database.name, repository("sql/engagement/schema.sql")).expect("the schema");
    let mut session = Session::open(&database);
    let load = Load::start(500, random.fork(), move |sql| {
        session.run(sql);
    });
    let mut process = streaming(&connector(&database, cluster, kind));
    let streamed_from = load.transactions();
    for _ in 0..FAULTS {
        std::thread::sleep(Duration::from_millis(random.below(2_500)));
        let fault = Fault::choose(random);
        say(&fault.to_string());
        fault.happen(cluster, &database, kind);
        assert!(process.is_running(), "{fault} ended capture:\n{}", process.stderr());
    }
    let history = load.stop();
    // Rows that end each partition, since the end of a topic may be no record.
    database.sql(&format!(
        "INSERT INTO engagement_events (id, content_id, event_type, event_ts, device)
         SELECT {END} + n, (SELECT min(id::text)::uuid FROM content), 'play', now(), 'end' FROM generate_series(1, {ENDS}) AS n"
    ));
    let position = database.position();
    eventually(DRAIN, "the slot confirms the end of the load", || database.has_confirmed(&position));
    never_restarted(&process);
    stop(process);
    let mut reader = Reader::at(&cluster.bootstrap(), &[&database.topic("engagement_events")]);
    let is_end =
        |record: &&Record| record.key.as_deref().is_some_and(|key| key.starts_with("{\"id\":9000000"));
    let records = reader.read_until(LONG, |records| records.iter().filter(is_end).count() >= ENDS);
    let told: Vec<Told> = records.iter().filter(|record| !is_end(record)).map(Record::told).collect();
    load::check(&told, &history, streamed_from, 0).unwrap_or_else(|why| panic!("{why}"));
    say(&format!("{} records of {} changes are right, and in order", told.len(), history.len()));
}

fn never_restarted(process: &Process) {
    let log = process.stderr();
    assert_eq!(log.matches("streaming").count(), 1, "capture started its stream again:\n{log}");
}

fn connector(database: &Database, cluster: &KafkaCluster, kind: Kind) -> Connector {
    let bootstrap = match cluster.security() {
        Some(_) => cluster.bootstrap_of(Listener::SaslSsl),
        None => cluster.bootstrap_proxied(),
    };
    let mut connector = database
        .connector()
        .at_address(&bootstrap)
        .set("table.include.list", "public.content,public.engagement_events")
        .set("topic.creation.default.partitions", "4")
        .set("topic.creation.default.replication.factor", "3")
        .set("publication.name", "engagement_pub")
        .set("publication.autocreate.mode", "disabled");
    if kind.exactly_once {
        connector = connector.exactly_once();
    }
    let login = cluster.security().map(|security| security.client(Listener::SaslSsl, "alice"));
    for (name, value) in login.into_iter().flatten() {
        connector = connector.set(&format!("producer.override.{name}"), &value);
    }
    connector
}

/// What goes wrong, of which broker and for how long.
#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: FaultKind,
    node: usize,
    lasts: Duration,
}

#[derive(Clone, Copy, Debug)]
enum FaultKind {
    /// SIGKILL, and a start after a while.
    Kill,
    /// SIGTERM: the broker hands its leaders over.
    Stop,
    /// SIGSTOP: connections stay open, and nobody answers.
    Freeze,
    /// Two brokers freeze: `min.insync.replicas` is not met.
    FreezeTwo,
    /// Connections break, and new ones are refused.
    Cut,
    /// Connections break once.
    CutOnce,
    /// No byte passes, and connections stay open.
    Hold,
    /// 40 kB a second.
    Slow,
    /// The topic's replicas are reassigned in another order, and leaders go to the preferred ones.
    Move,
    /// SIGKILL to the broker that coordinates the transactions; to another one where there are none.
    KillCoordinator,
    /// The transactions' own topic moves, so that another broker coordinates; the data's topics stay.
    MoveCoordinator,
    /// No space is left on the broker's disk: it cannot write its logs, and ends. Later there is space, and it starts again.
    FillDisk,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} broker {} for {} ms", self.kind, self.node + 1, self.lasts.as_millis())
    }
}

impl Fault {
    fn choose(random: &mut Random) -> Self {
        use FaultKind as K;
        const KINDS: [FaultKind; 12] = [
            K::Kill,
            K::Stop,
            K::Freeze,
            K::FreezeTwo,
            K::Cut,
            K::CutOnce,
            K::Hold,
            K::Slow,
            K::Move,
            K::KillCoordinator,
            K::MoveCoordinator,
            K::FillDisk,
        ];
        Self {
            kind: KINDS[random.below(KINDS.len() as u64) as usize],
            node: random.below(3) as usize,
            // Some faults are shorter than a broker's session (5 s), some longer.
            lasts: Duration::from_millis(200 + random.below(8_000)),
        }
    }

    /// Does it, waits, and mends it.
    fn happen(self, cluster: &mut KafkaCluster, database: &Database, run: Kind) {
        let Self { kind, node, lasts } = self;
        let wait = || std::thread::sleep(lasts);
        match kind {
            FaultKind::Kill | FaultKind::Stop => {
                let broker = cluster.node(node);
                let ended = if matches!(kind, FaultKind::Kill) { broker.kill9() } else { broker.stop() };
                ended.expect("the broker ends");
                wait();
                cluster.node(node).restart().expect("the broker starts again");
            }
            FaultKind::Freeze => freeze(cluster, &[node], lasts),
            FaultKind::FreezeTwo => freeze(cluster, &[node, (node + 1) % 3], lasts),
            FaultKind::Cut => with_proxy(cluster, node, lasts, FaultProxy::cut),
            FaultKind::CutOnce => cluster.proxy(node).cut_once(),
            FaultKind::Hold => with_proxy(cluster, node, lasts, FaultProxy::hold),
            FaultKind::Slow => with_proxy(cluster, node, lasts, |proxy| proxy.slow(40_000)),
            FaultKind::Move => move_leaders(cluster, &database.topic("engagement_events"), 4, lasts),
            FaultKind::KillCoordinator => {
                let id = transactional_id(database);
                let node = if run.exactly_once { cluster.coordinator(&id).unwrap_or(node) } else { node };
                cluster.node(node).kill9().expect("the broker ends");
                wait();
                cluster.node(node).restart().expect("the broker starts again");
            }
            FaultKind::MoveCoordinator if run.exactly_once => {
                move_leaders(cluster, "__transaction_state", TRANSACTION_PARTITIONS, lasts);
            }
            FaultKind::MoveCoordinator => {}
            FaultKind::FillDisk => fill_disk(cluster, node, lasts),
        }
    }
}

fn move_leaders(cluster: &KafkaCluster, topic: &str, partitions: usize, lasts: Duration) {
    cluster.move_leaders(topic, partitions, 1 + lasts.as_millis() as usize % 2).expect("leaders move");
}

/// The `transactional.id` of the database's connector.
fn transactional_id(database: &Database) -> String {
    format!("pgcdc-{}-0", database.name)
}

fn fill_disk(cluster: &mut KafkaCluster, node: usize, lasts: Duration) {
    let Some(disk) = cluster.disk(node) else {
        println!("brokers: no disk could be mounted here, so none is filled");
        return;
    };
    disk.fill().expect("the disk is filled");
    std::thread::sleep(lasts);
    disk.empty().expect("the disk is emptied");
    let broker = cluster.node(node);
    // A broker whose only disk failed ends. One that did not write meanwhile goes on, and is started again all the same.
    broker.kill9().expect("the broker ends");
    broker.restart().expect("the broker starts again");
}

fn freeze(cluster: &mut KafkaCluster, nodes: &[usize], lasts: Duration) {
    let signal = |cluster: &mut KafkaCluster, name: &str| {
        for node in nodes {
            cluster.node(*node).daemon().process().send(name).expect("a signal");
        }
    };
    signal(cluster, "STOP");
    std::thread::sleep(lasts);
    signal(cluster, "CONT");
}

fn with_proxy(cluster: &KafkaCluster, node: usize, lasts: Duration, fault: impl Fn(&FaultProxy)) {
    fault(cluster.proxy(node));
    std::thread::sleep(lasts);
    cluster.proxy(node).resume();
}
