//! A database of a test's own, and the connector that captures it.

use std::path::PathBuf;

use pgcdc_testbed::{Kafka, Postgres, PostgresClient, Process};
use serde_json::{Map, Value};

use super::{kafka, next, postgres, scratch_dir, stream};

/// A fresh database; its slots are dropped with this value when nobody reads them.
#[derive(Debug)]
pub(crate) struct Database {
    /// Its name, also the topic prefix and the stem of slot and publication.
    pub(crate) name: String,
    /// The server it is on.
    pub(crate) server: PostgresClient,
}

impl Database {
    /// Creates a database on the shared server; its name begins with `name` and is nobody else's.
    pub(crate) fn create(name: &str) -> Self {
        Self::create_on(postgres(), name)
    }

    /// Creates a database on a server of the test's own.
    pub(crate) fn create_on(server: &Postgres, name: &str) -> Self {
        let database = Self { name: format!("{name}_{}", next()), server: server.client() };
        server.create_database(&database.name).expect("a database can be created");
        database
    }

    /// Runs SQL, any number of statements; returns rows as lines, columns with `|` between.
    #[track_caller]
    pub(crate) fn sql(&self, text: &str) -> String {
        match self.server.sql(&self.name, text) {
            Ok(answer) => answer,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// The slot of [`Database::connector`].
    pub(crate) fn slot(&self) -> String {
        format!("{}_slot", self.name)
    }

    /// The publication of [`Database::connector`].
    pub(crate) fn publication(&self) -> String {
        format!("{}_pub", self.name)
    }

    /// The topic of a table in schema public.
    pub(crate) fn topic(&self, table: &str) -> String {
        format!("{}.public.{table}", self.name)
    }

    /// Whether a reader streams from the slot.
    pub(crate) fn is_streaming(&self) -> bool {
        self.sql(&format!(
            "SELECT count(*) FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
             WHERE s.slot_name = '{}' AND r.state IN ('streaming', 'catchup')",
            self.slot()
        )) == "1"
    }

    /// Whether the slot has confirmed everything up to `lsn`.
    pub(crate) fn has_confirmed(&self, lsn: &str) -> bool {
        let slot = self.slot();
        self.sql(&format!(
            "SELECT confirmed_flush_lsn >= '{lsn}'::pg_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'"
        )) == "t"
    }

    /// The end of the server's WAL.
    pub(crate) fn position(&self) -> String {
        self.sql("SELECT pg_current_wal_insert_lsn()")
    }

    /// A connector for this database, writing to the shared broker when it is told nothing else: snapshot first, all
    /// tables, no schemas, topic prefix and names of slot and publication from the database's name.
    pub(crate) fn connector(&self) -> Connector {
        let mut connector = Connector { properties: Map::new(), dir: scratch_dir(&self.name) };
        for (key, value) in [
            ("name", self.name.as_str()),
            ("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
            ("plugin.name", "pgoutput"),
            ("database.hostname", "127.0.0.1"),
            ("database.port", &self.server.port.to_string()),
            ("database.user", "postgres"),
            ("database.password", "unused-with-trust"),
            ("database.dbname", &self.name),
            ("topic.prefix", &self.name),
            ("slot.name", &self.slot()),
            ("publication.name", &self.publication()),
            ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter.schemas.enable", "false"),
            // Reconnecting must be quick here: the pause begins at a tenth of this.
            ("retriable.restart.connector.wait.ms", "2000"),
        ] {
            connector.put(key, value);
        }
        let offsets = connector.dir.join("offsets.json");
        connector.put("offset.storage.file.filename", &offsets.to_string_lossy());
        connector
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A walsender whose client has just gone may hold the slot a moment longer: its process is ended first.
        let _ = self.server.sql(
            "postgres",
            &format!(
                "SELECT pg_terminate_backend(active_pid, 2000) FROM pg_replication_slots
                 WHERE database = '{0}' AND active_pid IS NOT NULL;
                 SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{0}'",
                self.name
            ),
        );
    }
}

/// A connector's registration; a test changes what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    properties: Map<String, Value>,
    /// Holds the file, the offsets and the output.
    pub(crate) dir: PathBuf,
}

impl Connector {
    /// Sets a property.
    #[must_use]
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.put(key, value);
        self
    }

    /// A property's value; empty when it is not set.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.properties.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// All properties, as a worker takes them.
    pub(crate) fn properties(&self) -> &Map<String, Value> {
        &self.properties
    }

    /// Takes a property away.
    #[must_use]
    pub(crate) fn unset(mut self, key: &str) -> Self {
        self.properties.remove(key);
        self
    }

    /// Kafka transactions; offsets are in a topic whose name begins with the connector's.
    #[must_use]
    pub(crate) fn exactly_once(self) -> Self {
        let offsets = format!("{}-offsets", self.get("topic.prefix"));
        self.set("offset.storage.file.filename", "")
            .set("offset.storage.topic", &offsets)
            .set("exactly.once.support", "required")
    }

    /// Keys and values with their schemas.
    #[must_use]
    pub(crate) fn with_schemas(self) -> Self {
        self.set("key.converter.schemas.enable", "true").set("value.converter.schemas.enable", "true")
    }

    /// Writes to `broker` in place of the shared one.
    #[must_use]
    pub(crate) fn to(self, broker: &Kafka) -> Self {
        self.at_address(&broker.bootstrap())
    }

    /// Writes to the brokers at this address.
    #[must_use]
    pub(crate) fn at_address(self, bootstrap: &str) -> Self {
        self.set("producer.override.bootstrap.servers", bootstrap)
    }

    /// The registration, as `{"name", "config"}` in a file.
    pub(crate) fn write(&self) -> PathBuf {
        let file = self.dir.join("connector.json");
        let name = self.properties.get("name").cloned().unwrap_or_else(|| "test".into());
        let text = serde_json::json!({"name": name, "config": self.properties}).to_string();
        std::fs::write(&file, text).expect("the scratch directory is writable");
        file
    }

    /// Starts `pgcdc stream` towards Kafka.
    pub(crate) fn start(&self) -> Process {
        self.start_with(&[])
    }

    /// Starts `pgcdc stream` with more arguments; towards Kafka unless one is `--stdout`.
    pub(crate) fn start_with(&self, args: &[&str]) -> Process {
        let mut this = self.clone();
        if !args.contains(&"--stdout") && !this.properties.contains_key("producer.override.bootstrap.servers")
        {
            this = this.to(kafka());
        }
        stream(&this.write(), args)
    }

    fn put(&mut self, key: &str, value: &str) {
        self.properties.insert(key.to_owned(), value.into());
    }
}
