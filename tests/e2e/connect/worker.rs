//! A worker of a test's own.

use std::path::PathBuf;

use pgcdc_testbed::{Process, request};
use serde_json::{Map, Value, json};

use crate::harness::{Database, LONG, eventually, kafka, scratch_dir, serve};

/// `pgcdc serve` on a port of its own, with the shared broker.
pub(crate) struct Worker {
    pub(crate) process: Process,
    dir: PathBuf,
    args: Vec<String>,
    pub(crate) port: u16,
}

impl Worker {
    /// Starts a worker with more arguments.
    pub(crate) fn start(args: &[&str]) -> Self {
        let dir = scratch_dir("worker");
        let port = pgcdc_testbed::ports::free().expect("a port");
        let config = dir.join("worker.properties");
        let lines = format!(
            "bootstrap.servers={}\ngroup.id=e2e\noffset.storage.topic=e2e-connect-offsets-{port}\nlisteners=http://127.0.0.1:{port}\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\nkey.converter.schemas.enable=false\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=false\n",
            kafka().bootstrap()
        );
        std::fs::write(&config, lines).expect("the scratch directory is writable");
        let mut all = vec!["--config".to_owned(), config.display().to_string()];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let process = Self::spawn(&dir, &all);
        Self { process, dir, args: all, port }
    }

    fn spawn(dir: &std::path::Path, args: &[String]) -> Process {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        serve(dir, &args)
    }

    /// Starts it again after it has ended.
    pub(crate) fn again(&mut self) {
        self.process = Self::spawn(&self.dir, &self.args);
    }

    /// Asks and expects a status.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
        let (found, answer) = request(self.port, method, path, body).expect("the worker answers");
        assert_eq!(found, status, "{method} {path}: {answer}");
        answer
    }

    /// Waits until the connector and its task are in a state.
    #[track_caller]
    pub(crate) fn wait(&self, name: &str, state: &str) {
        let path = format!("/connectors/{name}/status");
        eventually(LONG, &format!("{name} is {state}; {}", self.process.stderr()), || {
            let (_, answer) = request(self.port, "GET", &path, None).expect("the worker answers");
            answer["connector"]["state"] == state
                && answer["tasks"]
                    .as_array()
                    .is_some_and(|tasks| tasks.iter().all(|task| task["state"] == state))
        });
    }
}

/// A connector's configuration for a database, as one would post it.
pub(crate) fn configuration(database: &Database) -> Map<String, Value> {
    let config = json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": database.server.port.to_string(),
        "database.user": "postgres",
        "database.password": "unused-with-trust",
        "database.dbname": database.name,
        "topic.prefix": database.name,
        "slot.name": database.slot(),
        "publication.name": database.publication(),
        "transforms": "unwrap",
        "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
        "retriable.restart.connector.wait.ms": "2000",
    });
    config.as_object().expect("an object").clone()
}
