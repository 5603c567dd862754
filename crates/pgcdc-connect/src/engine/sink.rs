//! Sinks, run by `pgcdc-sinks`. A sink's properties are the keys of its TOML table, as texts.

use async_trait::async_trait;
use pgcdc_capture::metrics::Registry;
use pgcdc_lifecycle::{State, Status};
use pgcdc_sinks::kinds::kind;
use pgcdc_sinks::{Control, Runner};
use pgcdc_watch::{Kind, Watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};

use super::{Engine, Finding, Offsets, Running, without_nulls};
use crate::plugins::{definitions, sink_type};
use crate::{Config, WorkerProperties};

/// The keys of every sink that are not texts, and the type of each.
const COMMON: &[(&str, &str)] =
    &[("topics", "texts"), ("batch.max", "number"), ("max_dead_letters", "number")];

/// Below this name stand properties of the sink's Kafka clients, as Connect has them.
const CONSUMER: &str = "consumer.override.";

/// Connect's name of a sink's consumer group is `connect-NAME`; the sink adds its name to this.
const GROUP: &str = "connect";

/// Runs sinks in this process.
#[derive(Debug)]
pub struct Sinks {
    properties: WorkerProperties,
    registry: Registry,
    watch: Watch,
}

impl Sinks {
    /// Sinks with the worker's brokers, which count in `registry` and are shown by `watch`.
    #[must_use]
    pub fn new(properties: WorkerProperties, registry: Registry, watch: Watch) -> Self {
        Self { properties, registry, watch }
    }

    /// The sink's only runner. The errors are lines for people.
    fn runner(&self, config: &Config) -> Result<Runner, String> {
        without_nulls(config)?;
        let name = config.get("name").unwrap_or_default();
        let text = self.file(config)?.to_string();
        let parsed = pgcdc_sinks::Config::parse(&text, &format!("sink {name}"));
        let runners = parsed.map_err(|error| error.to_string())?.runners();
        runners.into_iter().next().ok_or_else(|| format!("sink {name} has no runner"))
    }

    /// The sink as a TOML file has it: `[kafka]` and one `[[sink]]`.
    fn file(&self, config: &Config) -> Result<Table, String> {
        let mut kafka = Table::new();
        for (key, value) in self.properties.of_clients("consumer") {
            kafka.insert(key, value.into());
        }
        kafka.insert("group.id".into(), GROUP.into());
        let class = config.get("connector.class").unwrap_or_default();
        let of = sink_type(class).ok_or_else(|| format!("{class} is no sink"))?;
        let mut sink = Table::new();
        sink.insert("type".into(), of.into());
        for (key, text) in config.texts() {
            if let Some(property) = key.strip_prefix(CONSUMER) {
                kafka.insert(property.to_owned(), text.into());
            } else if key == "name" || !is_connects(key) {
                put(&mut sink, key, typed(of, key, text)?);
            }
        }
        let mut file = Table::new();
        file.insert("kafka".into(), kafka.into());
        file.insert("sink".into(), Value::Array(vec![sink.into()]));
        Ok(file)
    }
}

/// Whether a property is Connect's own, for any connector, and says nothing to a sink.
fn is_connects(key: &str) -> bool {
    let families =
        ["transforms.", "predicates.", "key.converter.", "value.converter.", "header.converter.", "errors."];
    let defined =
        definitions().iter().any(|it| it.section == crate::plugins::Section::Connect && it.name == key);
    defined || key == "topics.regex" || families.iter().any(|family| key.starts_with(family))
}

/// Sets a value in a table; dots in its key are tables within tables.
fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((outer, inner)) => {
            let entry = table.entry(outer).or_insert_with(|| Table::new().into());
            if let Some(below) = entry.as_table_mut() {
                put(below, inner, value);
            }
        }
        None => {
            table.insert(key.to_owned(), value);
        }
    }
}

/// A text as a value of the key's type.
fn typed(sink: &str, key: &str, text: &str) -> Result<Value, String> {
    let own =
        kind(sink).and_then(|kind| kind.keys.iter().find(|known| known.name == key)).map(|known| known.value);
    let common = COMMON.iter().find(|(name, _)| *name == key).map(|(_, of)| *of);
    let of = own.or(common).unwrap_or(if key == "tls.verify_hostname" { "boolean" } else { "text" });
    let items = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let number = |text: &str| {
        let parsed: Result<i64, _> = text.trim().parse();
        parsed.map(Value::Integer).map_err(|_| format!("{key:?} must be a number"))
    };
    match of {
        "texts" => Ok(Value::Array(items().map(Value::from).collect())),
        "numbers" => items().map(number).collect::<Result<_, _>>().map(Value::Array),
        "number" => number(text),
        "boolean" | "boolean or table" => match text.trim() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(format!("{key:?} must be true or false")),
        },
        _ => Ok(text.into()),
    }
}

#[async_trait]
impl Engine for Sinks {
    async fn validate(&self, config: &Config) -> Vec<Finding> {
        let errors = self.runner(config).err().unwrap_or_default();
        let finding = |line: &str| {
            // `sink NAME: [[sink]] "NAME": MISTAKE`; a mistake about a key quotes it first.
            let mistake = line.split_once("[[sink]] ").and_then(|(_, rest)| rest.split_once(": "));
            let mistake = mistake.map_or(line, |(_, mistake)| mistake);
            let key = mistake.split('"').nth(1).unwrap_or("connector.class");
            Finding { key: key.to_owned(), message: mistake.to_owned() }
        };
        errors.lines().map(finding).collect()
    }

    fn start(&self, config: &Config) -> Result<Box<dyn Running>, String> {
        let runner = self.runner(config)?.with_metrics(&self.registry);
        let (name, control, stop) = (runner.name().to_owned(), runner.control(), CancellationToken::new());
        self.watch.add(Kind::Sink, &name, control.status());
        let task = tokio::spawn(tell_failure(name.clone(), runner, stop.clone()));
        Ok(Box::new(SinkTask { name, control, stop, task, watch: self.watch.clone() }))
    }

    async fn offsets(&self, _config: &Config) -> Result<Offsets, String> {
        Err("the offsets of a sink are those of its consumer group, which is connect-NAME: read them with Kafka's tools".into())
    }

    async fn change_offsets(&self, _config: &Config, _changes: Option<Offsets>) -> Result<(), String> {
        Err("the offsets of a sink are those of its consumer group, which is connect-NAME: change them with Kafka's tools".into())
    }
}

/// Runs a sink; its failure is in its state and in the log.
async fn tell_failure(name: String, runner: Runner, stop: CancellationToken) {
    if let Err(error) = runner.run(stop).await {
        tracing::error!(sink = name, hint = error.hint(), "the sink has failed: {error}");
    }
}

/// A sink that runs.
struct SinkTask {
    name: String,
    control: Control,
    stop: CancellationToken,
    task: JoinHandle<()>,
    watch: Watch,
}

impl Drop for SinkTask {
    fn drop(&mut self) {
        self.stop.cancel();
        self.watch.remove(Kind::Sink, &self.name);
    }
}

#[async_trait]
impl Running for SinkTask {
    fn status(&self) -> Status {
        self.control.status()
    }

    fn pause(&self) {
        self.control.pause();
    }

    fn resume(&self) {
        self.control.resume();
    }

    fn stop(&self) {
        self.stop.cancel();
    }

    async fn ended(&mut self) {
        if !self.task.is_finished() {
            let _ = (&mut self.task).await;
        }
        self.control.status().wait_for(State::is_end).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn sinks() -> Sinks {
        let registry = Registry::new();
        let pairs = [("bootstrap.servers", "h:1"), ("consumer.fetch.min.bytes", "5")];
        let properties = WorkerProperties::of(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        Sinks::new(properties, registry.clone(), Watch::new(registry, Duration::ZERO))
    }

    fn config(value: serde_json::Value) -> Config {
        Config::from_json(value.as_object().expect("an object").clone()).expect("texts")
    }

    #[tokio::test]
    async fn properties_are_the_keys_of_the_file() {
        let config = config(json!({
            "name": "api", "connector.class": "pgcdc.HttpSink", "tasks.max": "1", "topics": "a.b, c.d", "url": "http://127.0.0.1:5/x",
            "headers.Authorization": "Bearer open sesame", "retry_status": "409", "batch.max": "10", "retry.max": "5s",
            "consumer.override.client.id": "me", "errors.tolerance": "all",
        }));
        let file = sinks().file(&config).expect("a file");
        let expected: Table = r#"
            sink = [{ type = "http", name = "api", topics = ["a.b", "c.d"], url = "http://127.0.0.1:5/x", headers = { Authorization = "Bearer open sesame" }, retry_status = [409], batch = { max = 10 }, retry = { max = "5s" } }]
            [kafka]
            "bootstrap.servers" = "h:1"
            "fetch.min.bytes" = "5"
            "group.id" = "connect"
            "client.id" = "me"
        "#.parse().expect("TOML");
        assert_eq!(file, expected);
        assert_eq!(sinks().validate(&config).await, []);
    }

    #[tokio::test]
    async fn mistakes_name_their_property() {
        let config =
            config(json!({"name": "api", "connector.class": "HttpSink", "topics": "a", "nope": "1"}));
        let found = sinks().validate(&config).await;
        let keys: Vec<&str> = found.iter().map(|finding| finding.key.as_str()).collect();
        assert!(keys.contains(&"url") && keys.contains(&"nope"), "{found:?}");
    }
}
