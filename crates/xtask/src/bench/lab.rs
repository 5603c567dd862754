//! The services and programs of a benchmark of capture: PostgreSQL, Kafka and an optimised pgcdc, all on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pgcdc_testbed::secure::SecurePorts;
use pgcdc_testbed::{Kafka, KafkaOptions, Listener, Postgres, PostgresOptions, Process, Scratch, Security};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::{Map, Value, json};

use super::Common;
use crate::{cargo, printer};

/// The database that benchmarks use.
pub(super) const DATABASE: &str = "engagement";
/// Its large table.
pub(super) const TABLE: &str = "public.engagement_events";

/// Services and programs, stopped and removed on drop.
pub(super) struct Lab {
    pub(super) binary: PathBuf,
    pub(super) postgres: Postgres,
    pub(super) kafka: Kafka,
    /// The broker's certificates and further ports, after [`Lab::start_secured`].
    secured: Option<(Security, SecurePorts)>,
    set: Vec<String>,
    // Last, since fields are dropped in order: the programs that run in it must stop first.
    pub(super) scratch: Scratch,
}

impl Lab {
    /// Builds pgcdc, starts the services and creates an empty database.
    pub(super) fn start(options: &Common) -> Result<Self> {
        Self::start_with(options, false)
    }

    /// The same, with a broker that has listeners for TLS and logins beside the plaintext one.
    pub(super) fn start_secured(options: &Common) -> Result<Self> {
        Self::start_with(options, true)
    }

    fn start_with(options: &Common, secure: bool) -> Result<Self> {
        let binary = match &options.pgcdc {
            Some(binary) => binary.clone(),
            None => {
                printer::say("building pgcdc with optimisations");
                cargo::build_pgcdc(true)?
            }
        };
        let scratch = Scratch::new("bench")?;
        printer::say("starting PostgreSQL and Kafka");
        // Slots hold WAL back on purpose, and a checkpoint during a run would slow down one contender alone.
        let settings = PostgresOptions::version(options.postgres_version)
            .setting("shared_buffers", "512MB")
            .setting("max_replication_slots", "120")
            .setting("max_wal_size", "32GB")
            .setting("checkpoint_timeout", "1h");
        let postgres = Postgres::start(scratch.join("postgres"), 0, settings)?;
        // The topics of a run are removed before the next run, on disk, too.
        let heap = KafkaOptions { heap_mb: 1024, ..KafkaOptions::default() }
            .setting("log.segment.delete.delay.ms", "500");
        let (kafka, secured) = if secure {
            let security = Security::create(scratch.join("certificates"))?;
            let (kafka, ports) = security.start_broker(scratch.join("kafka"), heap)?;
            (kafka, Some((security, ports)))
        } else {
            (Kafka::start(scratch.join("kafka"), 0, heap)?, None)
        };
        postgres.create_database(DATABASE)?;
        Ok(Self { binary, postgres, kafka, secured, set: options.set.clone(), scratch })
    }

    /// Creates the engagement tables and the procedure `load_events(rows, rows per transaction)`.
    pub(super) fn engagement(&self) -> Result<()> {
        let sql = cargo::root().join("sql/engagement");
        for file in ["schema.sql", "load.sql"] {
            self.postgres.client().sql_file(DATABASE, sql.join(file))?;
        }
        Ok(())
    }

    /// Writes out what earlier runs left in the page cache, so that the next one does not pay for it.
    pub(super) fn settle(&self) -> Result<()> {
        Command::new("sync").status().context("cannot run sync")?;
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }

    /// Creates topics with one partition each.
    pub(super) fn topics(&self, names: &[String]) -> Result<()> {
        let (admin, runtime) = self.admin()?;
        let limit = Some(Duration::from_secs(60));
        let options = AdminOptions::new().request_timeout(limit).operation_timeout(limit);
        for some in names.chunks(100) {
            let topics: Vec<_> =
                some.iter().map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1))).collect();
            for outcome in runtime.block_on(admin.create_topics(&topics, &options))? {
                outcome.map_err(|(topic, code)| anyhow::anyhow!("cannot create topic {topic}: {code}"))?;
            }
        }
        // The broker makes their logs after it has answered, one after the other.
        let end = Instant::now() + Duration::from_secs(180);
        for name in names {
            while !matches!(self.kafka.end_offset(name, 0), Ok(Some(_))) {
                anyhow::ensure!(Instant::now() < end, "topic {name} is not there after 180 s");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// Removes a topic with its records.
    pub(super) fn forget(&self, topic: &str) -> Result<()> {
        let (admin, runtime) = self.admin()?;
        let outcomes = runtime.block_on(admin.delete_topics(&[topic], &AdminOptions::new()))?;
        for outcome in outcomes {
            outcome.map_err(|(topic, code)| anyhow::anyhow!("cannot remove topic {topic}: {code}"))?;
        }
        // The broker removes its files half a second later.
        std::thread::sleep(Duration::from_millis(700));
        Ok(())
    }

    fn admin(&self) -> Result<(AdminClient<DefaultClientContext>, tokio::runtime::Runtime)> {
        let admin = ClientConfig::new().set("bootstrap.servers", self.kafka.bootstrap()).create()?;
        Ok((admin, tokio::runtime::Builder::new_current_thread().enable_all().build()?))
    }

    /// Runs statements in the benchmark's database.
    pub(super) fn sql(&self, text: &str) -> Result<String> {
        self.postgres.sql(DATABASE, text)
    }

    /// Makes a slot at the present position.
    pub(super) fn slot(&self, name: &str) -> Result<()> {
        let quoted = name.replace('\'', "''");
        self.sql(&format!("SELECT pg_create_logical_replication_slot('{quoted}', 'pgoutput')")).map(|_| ())
    }

    /// Drops a slot as soon as no process uses it any more.
    pub(super) fn drop_slot(&self, name: &str) -> Result<()> {
        let quoted = name.replace('\'', "''");
        let active =
            format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{quoted}' AND active");
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.sql(&active)? != "0" {
            anyhow::ensure!(Instant::now() < deadline, "slot {name} is still in use");
            std::thread::sleep(Duration::from_millis(50));
        }
        let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots";
        self.sql(&format!("{drop} WHERE slot_name = '{quoted}'")).map(|_| ())
    }

    /// A connector's properties, for pgcdc as for Debezium: topics begin with `prefix`, `slot` is its slot, publication
    /// `engagement_pub`, one table, no snapshot, JSON with or without schemas. Everything else stays at its default.
    pub(super) fn connector(&self, prefix: &str, slot: &str, schemas: bool) -> Connector {
        let json = "org.apache.kafka.connect.json.JsonConverter";
        let port = self.postgres.port().to_string();
        Connector::default()
            .with("connector.class", "io.debezium.connector.postgresql.PostgresConnector")
            .with("plugin.name", "pgoutput")
            .with("database.hostname", "127.0.0.1")
            .with("database.port", &port)
            .with("database.user", "postgres")
            .with("database.password", "postgres")
            .with("database.dbname", DATABASE)
            .with("topic.prefix", prefix)
            .with("slot.name", slot)
            .with("publication.name", "engagement_pub")
            .with("publication.autocreate.mode", "disabled")
            .with("table.include.list", TABLE)
            .with("snapshot.mode", "no_data")
            .with("key.converter", json)
            .with("key.converter.schemas.enable", &schemas.to_string())
            .with("value.converter", json)
            .with("value.converter.schemas.enable", &schemas.to_string())
    }

    /// `pgcdc stream` for a connector, with the options' `--set` and further arguments; its log is in [`Lab::log`].
    pub(super) fn pgcdc(&self, name: &str, connector: &Connector, more: &[&str]) -> Result<Command> {
        self.program(&self.binary, name, connector, more)
    }

    /// The same with another build of pgcdc.
    pub(super) fn program(
        &self,
        program: &Path,
        name: &str,
        connector: &Connector,
        more: &[&str],
    ) -> Result<Command> {
        // A Connect worker knows the brokers, so a connector's own properties do not name them.
        let connector = connector.clone().with("bootstrap.servers", &self.kafka.bootstrap());
        let file = self.scratch.join(format!("{name}.json"));
        let text = json!({"name": name, "config": connector.0}).to_string();
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command.args(["stream", "--config"]).arg(file);
        for set in &self.set {
            command.args(["--set", set]);
        }
        command.args(more);
        Ok(command)
    }

    /// Lets the connector's producer reach the broker by this listener, as a user who may do everything. The properties have
    /// Java's names, so that pgcdc and Debezium take the same.
    ///
    /// # Errors
    /// When the lab was started without these listeners.
    pub(super) fn secured(&self, connector: Connector, listener: Listener) -> Result<Connector> {
        let (security, ports) = self.secured.as_ref().context("the broker has no secure listener")?;
        let address = format!("127.0.0.1:{}", ports.of(listener, self.kafka.port()));
        let properties = security.java_client(listener, "admin");
        let connector = connector.with("producer.override.bootstrap.servers", &address);
        Ok(properties.iter().fold(connector, |connector, (name, value)| {
            connector.with(&format!("producer.override.{name}"), value)
        }))
    }

    /// The log file of a run.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.scratch.join(format!("{name}.log"))
    }

    /// Starts a contender in a process of its own, standard output to /dev/null, standard error to its log.
    pub(super) fn spawn(&self, name: &str, mut command: Command) -> Result<Process> {
        command.stdout(std::process::Stdio::null());
        Process::spawn(command, self.log(name))
    }
}

/// A connector's properties.
#[derive(Debug, Clone, Default)]
pub(super) struct Connector(pub(super) Map<String, Value>);

impl Connector {
    /// Sets a property.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), Value::from(value));
        self
    }
}

/// The end of a log, for an error.
pub(super) fn tail(log: &Path) -> String {
    pgcdc_testbed::daemon::tail(log, 20)
}
