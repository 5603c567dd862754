//! Postgres connectors, run by `pgcdc-capture`.

use async_trait::async_trait;
use pgcdc_capture::config::{Document, Settings};
use pgcdc_capture::metrics::Registry;
use pgcdc_capture::preflight::log_in;
use pgcdc_capture::{Capture, Error, StoredOffsets};
use pgcdc_lifecycle::Status;
use pgcdc_watch::{Kind, Watch};

use super::{Engine, Finding, Offsets, Running, without_nulls};
use crate::{Config, WorkerProperties};

/// The property at which Debezium reports that it could not log in.
const HOST: &str = "database.hostname";

/// Runs Postgres connectors in this process.
#[derive(Debug)]
pub struct Sources {
    properties: WorkerProperties,
    registry: Registry,
    watch: Watch,
}

impl Sources {
    /// Connectors with these defaults from the worker, which count in `registry` and are shown by `watch`.
    #[must_use]
    pub fn new(properties: WorkerProperties, registry: Registry, watch: Watch) -> Self {
        Self { properties, registry, watch }
    }

    /// Checks a configuration without asking any service.
    #[must_use]
    pub fn check(&self, config: &Config) -> Vec<Finding> {
        self.settings(config).err().unwrap_or_default()
    }

    fn settings(&self, config: &Config) -> Result<Settings, Vec<Finding>> {
        let findings = |error: pgcdc_config::ConfigError| {
            let finding = |mistake: &pgcdc_config::Mistake| Finding {
                key: mistake.key.clone(),
                message: mistake.message.clone(),
            };
            error.mistakes().iter().map(finding).collect::<Vec<_>>()
        };
        let name = config.get("name").unwrap_or_default();
        let pairs = self.properties.defaults_for(config);
        let pairs =
            pairs.into_iter().chain(config.texts().map(|(key, value)| (key.to_owned(), value.to_owned())));
        let mut document = Document::from_pairs(format!("connector {name}"), pairs);
        document.resolve_providers(&|name| std::env::var(name).ok()).map_err(findings)?;
        Settings::from_document(&document).map_err(findings)
    }

    fn resolved(&self, config: &Config) -> Result<Settings, String> {
        without_nulls(config)?;
        self.settings(config).map_err(|findings| {
            let lines = findings.iter().map(|finding| finding.message.as_str());
            lines.collect::<Vec<_>>().join("\n")
        })
    }
}

#[async_trait]
impl Engine for Sources {
    async fn validate(&self, config: &Config) -> Vec<Finding> {
        let settings = match self.settings(config) {
            Ok(settings) => settings,
            Err(findings) => return findings,
        };
        match log_in(&settings).await {
            Ok(()) => Vec::new(),
            Err(error) => {
                let why = refusal(&settings, &error);
                vec![Finding {
                    key: HOST.to_owned(),
                    message: format!("Error while validating connector config: {why}"),
                }]
            }
        }
    }

    fn start(&self, config: &Config) -> Result<Box<dyn Running>, String> {
        let settings = self.resolved(config)?;
        let name = settings.name.clone();
        let builder = Capture::from_settings(settings).registry(self.registry.clone());
        let capture = builder.to_kafka().map_err(|error| with_hint(&error))?;
        self.watch.add(Kind::Connector, &name, capture.status());
        Ok(Box::new(Source { capture, name, watch: self.watch.clone() }))
    }

    async fn offsets(&self, config: &Config) -> Result<Offsets, String> {
        let stored = StoredOffsets::of(&self.resolved(config)?).map_err(|error| with_hint(&error))?;
        let pairs = stored.read().await.map_err(|error| with_hint(&error))?;
        Ok(pairs.into_iter().map(|(partition, offset)| (partition, Some(offset))).collect())
    }

    async fn change_offsets(&self, config: &Config, changes: Option<Offsets>) -> Result<(), String> {
        let stored = StoredOffsets::of(&self.resolved(config)?).map_err(|error| with_hint(&error))?;
        let changed = match changes {
            Some(changes) => stored.write(changes).await,
            None => stored.delete().await,
        };
        changed.map_err(|error| with_hint(&error))
    }
}

/// The reason why the login failed, in the JDBC driver's words where it has some.
fn refusal(settings: &Settings, error: &Error) -> String {
    let text = error.to_string();
    if error.sqlstate().is_some() {
        // `connect to HOST/DATABASE as USER: MESSAGE (SQLSTATE CODE)`
        let user = format!(" as {}: ", settings.connection.user);
        let said = text.split_once(&user).map_or(text.as_str(), |(_, said)| said);
        return format!("FATAL: {}", said.split(" (SQLSTATE").next().unwrap_or(said));
    }
    let refused = text.contains("Connection refused") || text.contains("connection refused");
    match settings.connection.hosts.first() {
        Some(host) if refused => format!(
            "Connection to {}:{} refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.",
            host.name, host.port
        ),
        _ => with_hint(error),
    }
}

fn with_hint(error: &Error) -> String {
    error.hint().map_or_else(|| error.to_string(), |hint| format!("{error}\n\thint: {hint}"))
}

/// A capture that runs, and is watched meanwhile.
struct Source {
    capture: Capture,
    name: String,
    watch: Watch,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.watch.remove(Kind::Connector, &self.name);
    }
}

#[async_trait]
impl Running for Source {
    fn status(&self) -> Status {
        self.capture.status()
    }

    fn pause(&self) {
        self.capture.pause();
    }

    fn resume(&self) {
        self.capture.resume();
    }

    fn stop(&self) {
        self.capture.stop();
    }

    async fn ended(&mut self) {
        // How it ended shows in its status.
        let _ = self.capture.finished().await;
    }
}
