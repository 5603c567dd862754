//! How connectors are checked and run. The worker knows no Postgres and no Kafka: it asks an [`Engine`].

mod sink;
mod source;

use async_trait::async_trait;
use pgcdc_lifecycle::Status;
use serde_json::Value;

use crate::Config;

pub use sink::Sinks;
pub use source::Sources;

/// A mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The property.
    pub key: String,
    /// What is wrong, in Debezium's words where it has some.
    pub message: String,
}

/// Pairs of a partition and its offset; no offset takes the partition away.
pub type Offsets = Vec<(Value, Option<Value>)>;

/// Checks and runs connectors. Errors are texts for people, without secrets.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Checks a configuration, the login to the database included. Takes as long as the configuration allows for that.
    async fn validate(&self, config: &Config) -> Vec<Finding>;

    /// Starts a connector. Returns at once; what it reaches shows in its status.
    ///
    /// # Errors
    /// When the configuration cannot be run.
    fn start(&self, config: &Config) -> Result<Box<dyn Running>, String>;

    /// Reads the stored offsets of a connector.
    async fn offsets(&self, config: &Config) -> Result<Offsets, String>;

    /// Changes offsets of a connector that does not run; `None` takes all away. Durable when it returns.
    async fn change_offsets(&self, config: &Config, changes: Option<Offsets>) -> Result<(), String>;

    /// Topics that a connector which runs has written to.
    fn topics(&self, _config: &Config) -> Vec<String> {
        Vec::new()
    }
}

/// A connector that runs. Dropped, it stops.
#[async_trait]
pub trait Running: Send {
    /// What it is doing.
    fn status(&self) -> Status;

    /// Asks it to pause; returns at once.
    fn pause(&self);

    /// Ends a pause.
    fn resume(&self);

    /// Asks it to stop; returns at once.
    fn stop(&self);

    /// Waits until it has ended.
    async fn ended(&mut self);
}

/// Runs sources and sinks, by the class that a configuration names.
#[derive(Debug)]
pub struct Both {
    /// Runs Postgres connectors.
    pub sources: Sources,
    /// Runs sinks.
    pub sinks: Sinks,
}

impl Both {
    fn of(&self, config: &Config) -> &dyn Engine {
        let sink = config.get("connector.class").and_then(crate::plugins::sink_type);
        if sink.is_some() { &self.sinks } else { &self.sources }
    }
}

#[async_trait]
impl Engine for Both {
    async fn validate(&self, config: &Config) -> Vec<Finding> {
        self.of(config).validate(config).await
    }

    fn start(&self, config: &Config) -> Result<Box<dyn Running>, String> {
        self.of(config).start(config)
    }

    async fn offsets(&self, config: &Config) -> Result<Offsets, String> {
        self.of(config).offsets(config).await
    }

    async fn change_offsets(&self, config: &Config, changes: Option<Offsets>) -> Result<(), String> {
        self.of(config).change_offsets(config, changes).await
    }

    fn topics(&self, config: &Config) -> Vec<String> {
        self.of(config).topics(config)
    }
}

/// Why a configuration with a null is not run; Connect says the same.
fn without_nulls(config: &Config) -> Result<(), String> {
    match config.null() {
        Some(key) => Err(format!("Non-string value found in original settings for key {key}: null")),
        None => Ok(()),
    }
}
