//! A Connect worker's properties file: the defaults of all connectors, and where the worker listens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pgcdc_config::{ConfigError, Document};
use pgcdc_kafka::ClientProperties;
use pgcdc_kafka::topics::cluster_id;

use crate::Config;

/// Worker's keys that mean the same for every connector.
const SHARED: &[&str] = &[
    "bootstrap.servers",
    "offset.storage.topic",
    "offset.storage.file.filename",
    "topic.creation.enable",
    "exactly.once.source.support",
];

/// Worker's keys that Connect honours and pgcdc does not yet, each with what holds instead.
const NOT_HONOURED: &[(&str, &str)] = &[
    ("config.storage.topic", "configurations are kept in the directory of --dir"),
    ("status.storage.topic", "states are kept in the directory of --dir"),
    ("group.id", "this worker runs alone and shares no connectors with others"),
    ("rest.extension.classes", "Java classes are not loaded; see --users-file and --tokens-file"),
    ("admin.listeners", "the paths below /admin are answered at the one address"),
];

/// Connect's own default.
const DEFAULT_BOOTSTRAP: &str = "localhost:9092";

/// The pause before the brokers are asked again.
const ASK_PAUSE: Duration = Duration::from_secs(5);

/// The converters, each with properties of its own below its name.
const CONVERTERS: &[&str] = &["key.converter", "value.converter", "header.converter"];

/// A worker's properties, with references to config providers replaced. `Debug` shows names only.
#[derive(Clone)]
pub struct WorkerProperties(BTreeMap<String, String>);

impl WorkerProperties {
    /// Reads Connect's own file, such as `connect-distributed.properties`.
    ///
    /// # Errors
    /// When it cannot be read, is malformed, or has a reference that cannot be resolved.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut document = Document::read(path)?;
        document.resolve_providers(&|name| std::env::var(name).ok())?;
        let pairs = document.entries.iter().map(|entry| (entry.key.clone(), entry.value.expose().to_owned()));
        Ok(Self::of(pairs))
    }

    /// Properties from pairs.
    #[must_use]
    pub fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut properties: BTreeMap<String, String> = pairs.into_iter().collect();
        properties.entry("bootstrap.servers".into()).or_insert_with(|| DEFAULT_BOOTSTRAP.into());
        Self(properties)
    }

    /// The text of a property that is not empty.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// The properties of Kafka clients of one kind, `consumer` or `producer`: the brokers, and what stands below the kind's name.
    #[must_use]
    pub fn of_clients(&self, kind: &str) -> Vec<(String, String)> {
        let brokers =
            self.0.get("bootstrap.servers").map(|value| ("bootstrap.servers".to_owned(), value.clone()));
        let below = |(key, value): (&String, &String)| {
            let name = key.strip_prefix(kind)?.strip_prefix('.')?;
            Some((name.to_owned(), value.clone()))
        };
        brokers.into_iter().chain(self.0.iter().filter_map(below)).collect()
    }

    /// The properties that are set and not honoured, each with what holds instead.
    pub fn not_honoured(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        NOT_HONOURED.iter().copied().filter(|(key, _)| self.get(key).is_some())
    }

    /// `host:port` of the first of `listeners`, which is `http://host:port`; an empty host stands for all addresses.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn listener(&self) -> Result<Option<String>, String> {
        let Some(first) = self.get("listeners").and_then(|list| list.split(',').next()).map(str::trim) else {
            return Ok(None);
        };
        let wrong = || format!("listeners: {first:?} is not of the form http://host:port");
        let address = first.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        Ok(Some(format!("{}:{port}", if host.is_empty() { "0.0.0.0" } else { host })))
    }

    /// The properties that stand below a connector's own. As in Connect, a converter of the worker comes with the worker's
    /// properties for it, and is replaced as a whole.
    pub(crate) fn defaults_for(&self, config: &Config) -> BTreeMap<String, String> {
        let mut defaults = BTreeMap::new();
        for (key, value) in &self.0 {
            let converter = CONVERTERS.iter().find(|name| key == *name || below(key, name));
            let wanted = match converter {
                Some(name) => !config.contains(name),
                None => SHARED.contains(&key.as_str()) || below(key, "producer"),
            };
            if wanted {
                defaults.insert(key.clone(), value.clone());
            }
        }
        if defaults.contains_key("exactly.once.source.support")
            && let Some(group) = self.get("group.id")
        {
            defaults.insert("group.id".into(), group.to_owned());
        }
        defaults
    }
}

/// Asks the worker's brokers for the cluster's id until one answers.
pub async fn ask_cluster_id(properties: WorkerProperties, id: Arc<OnceLock<String>>) {
    let client = match ClientProperties::parse(properties.of_clients("producer")) {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(%error, "the properties of the worker's Kafka clients are wrong");
            return;
        }
    };
    loop {
        match cluster_id(&client).await {
            Ok(Some(found)) => {
                let _ = id.set(found);
                return;
            }
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "the Kafka cluster's id is not known yet"),
        }
        tokio::time::sleep(ASK_PAUSE).await;
    }
}

fn below(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

impl std::fmt::Debug for WorkerProperties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_of_connect_that_is_not_used_is_named() {
        let pairs =
            [("config.storage.topic", "configs"), ("status.storage.topic", ""), ("plugin.path", "/p")];
        let worker = WorkerProperties::of(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let named: Vec<&str> = worker.not_honoured().map(|(key, _)| key).collect();
        assert_eq!(named, ["config.storage.topic"]);
    }

    #[test]
    fn a_worker_gives_its_connectors_defaults() {
        let pairs = [
            ("group.id", "g"),
            ("key.converter", "K"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter", "V"),
            ("producer.acks", "all"),
            ("plugin.path", "/x"),
            ("listeners", "http://:8084,https://x:1"),
        ];
        let worker = WorkerProperties::of(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let mut config = Config::default();
        config.set("value.converter", "W");
        let defaults = worker.defaults_for(&config);
        let names: Vec<&str> = defaults.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["bootstrap.servers", "key.converter", "key.converter.schemas.enable", "producer.acks"]
        );
        assert_eq!(worker.listener(), Ok(Some("0.0.0.0:8084".into())));
        for wrong in ["https://h:1", "http://h", "h:1", "http://h:x"] {
            let worker = WorkerProperties::of([("listeners".to_owned(), wrong.to_owned())]);
            assert!(worker.listener().is_err(), "{wrong}");
        }
    }
}
