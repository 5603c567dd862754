//! What every test here needs: services started once, databases, connector files, processes, and a reader of topics.
//!
//! ```text
//! Database::create ─▶ Connector ─▶ file ─▶ stream() ─▶ Process (pgcdc stream)
//!       │ .sql()                                          │
//!       └────────── compare ◀── Reader (Kafka) ◀──────────┘
//! ```

mod database;
mod reader;
mod run;
mod session;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pgcdc_testbed::{Kafka, KafkaOptions, Postgres, PostgresOptions, Scratch};

pub(crate) use database::{Connector, Database};
pub(crate) use reader::{Reader, Record};
pub(crate) use run::{Finished, pgcdc, pgcdc_in, serve, sink, stop, stream, streaming, wait_streaming};
pub(crate) use session::Session;

/// Long enough for anything that should happen, on a machine that others use too.
pub(crate) const LONG: Duration = Duration::from_secs(90);

static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| Scratch::new("e2e").expect("scratch directory"));

static POSTGRES: LazyLock<Postgres> = LazyLock::new(|| {
    Postgres::start(SCRATCH.join("postgres"), 0, postgres_options()).expect("PostgreSQL starts")
});

static KAFKA: LazyLock<Kafka> =
    LazyLock::new(|| Kafka::start(SCRATCH.join("kafka"), 0, kafka_options()).expect("Kafka starts"));

/// The PostgreSQL that all tests share.
pub(crate) fn postgres() -> &'static Postgres {
    &POSTGRES
}

/// The broker that all tests share.
pub(crate) fn kafka() -> &'static Kafka {
    &KAFKA
}

/// Options of a PostgreSQL for tests: no fsync, since no test pulls the plug of the machine. `PGCDC_PG_VERSION`
/// picks the major version.
pub(crate) fn postgres_options() -> PostgresOptions {
    let version = std::env::var("PGCDC_PG_VERSION").ok();
    version
        .map_or_else(PostgresOptions::default, |version| {
            PostgresOptions::version(version.parse().expect("PGCDC_PG_VERSION is a major version"))
        })
        .setting("fsync", "off")
        .setting("timezone", "UTC")
        .setting("max_wal_senders", "80")
        .setting("max_replication_slots", "80")
}

/// Options of a broker for tests.
pub(crate) fn kafka_options() -> KafkaOptions {
    KafkaOptions { heap_mb: 512, ..KafkaOptions::default() }
}

/// A PostgreSQL that one test may break; keep the directory alive as long.
pub(crate) fn own_postgres(options: PostgresOptions) -> (Postgres, PathBuf) {
    let dir = scratch_dir("own-postgres");
    (Postgres::start(&dir, 0, options).expect("PostgreSQL starts"), dir)
}

/// A broker that one test may break.
pub(crate) fn own_kafka(options: KafkaOptions) -> (Kafka, PathBuf) {
    let dir = scratch_dir("own-kafka");
    (Kafka::start(&dir, 0, options).expect("Kafka starts"), dir)
}

/// A fresh directory, removed with the run.
pub(crate) fn scratch_dir(name: &str) -> PathBuf {
    let dir = SCRATCH.join(format!("{name}-{}", next()));
    std::fs::create_dir_all(&dir).expect("a directory in the scratch directory");
    dir
}

/// A number that no other call in this run gets.
pub(crate) fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Waits until `condition` holds; fails the test after `limit`, saying `what` did not come true.
#[track_caller]
pub(crate) fn eventually(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}
