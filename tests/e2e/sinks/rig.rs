//! What tests of sinks need: the file of `pgcdc sink`, topics with records made by hand, and what Redis holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgcdc_testbed::{Kafka, Process, RedisClient};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};

use crate::harness::{Database, Reader, Record, kafka, next, scratch_dir, sink};
use crate::services::{Fields, cassandra};

/// The TOML of `pgcdc sink`, in a directory of its own.
#[derive(Clone, Debug)]
pub(crate) struct SinkFile {
    text: String,
    dir: PathBuf,
}

impl SinkFile {
    /// A file with nothing but `[kafka]`; its group is nobody else's.
    pub(crate) fn new() -> Self {
        let text = format!(
            "[kafka]\n\"bootstrap.servers\" = \"{}\"\n\"group.id\" = \"group-{}-{}\"\n\
             # A killed member is missed soon; the broker allows no less.\n\"session.timeout.ms\" = 6000\n\"heartbeat.interval.ms\" = 1000\n",
            kafka().bootstrap(),
            std::process::id(),
            next()
        );
        Self { text, dir: scratch_dir("sink") }
    }

    /// Lets the broker miss a killed member only after this.
    #[must_use]
    pub(crate) fn with_session_timeout(mut self, milliseconds: u32) -> Self {
        let text = format!("\"session.timeout.ms\" = {milliseconds}");
        self.text = self.text.replace("\"session.timeout.ms\" = 6000", &text);
        self
    }

    /// Adds a line to the table that comes last.
    #[must_use]
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    /// Adds a sink with these further lines; retries are quick unless the lines say otherwise.
    #[must_use]
    pub(crate) fn sink(self, name: &str, kind: &str, topic: &str, lines: &str) -> Self {
        let this = self.line(&format!(
            "\n[[sink]]\nname = \"{name}\"\ntype = \"{kind}\"\ntopics = [\"{topic}\"]\n{lines}"
        ));
        if lines.contains("retry") { this } else { this.line("retry = { initial = \"50ms\", max = \"1s\" }") }
    }

    /// Adds a Cassandra sink on the shared Cassandra, which makes what is missing.
    #[must_use]
    pub(crate) fn cassandra(self, topic: &str, keyspace: &str) -> Self {
        let point = cassandra().contact_point();
        let lines = format!("contact_points = [\"{point}\"]\nkeyspace = \"{keyspace}\"\ncreate = true");
        self.sink("events", "cassandra", topic, &lines)
    }

    /// Adds a leaderboard with the columns of `engagement_events`.
    #[must_use]
    pub(crate) fn leaderboard(self, topic: &str, url: &str, key: &str, window: &str) -> Self {
        let lines = format!(
            "url = \"{url}\"\nleaderboard = {{ key = \"{key}\", member = \"content_id\", score = \"duration_ms\", window = \"{window}\", time = \"event_ts\" }}"
        );
        self.sink("top", "redis", topic, &lines)
    }

    /// Adds an HTTP sink.
    #[must_use]
    pub(crate) fn http(self, topic: &str, url: &str, lines: &str) -> Self {
        self.sink("api", "http", topic, &format!("url = \"{url}\"\n{lines}"))
    }

    /// The same sinks in another group, which begins at the topics' beginning.
    #[must_use]
    pub(crate) fn other_group(&self) -> Self {
        Self {
            text: self.text.replace("\"group-", &format!("\"group-{}-", next())),
            dir: scratch_dir("sink"),
        }
    }

    /// Puts the file into another directory, for a second process.
    pub(crate) fn move_to(&mut self, dir: PathBuf) {
        self.dir = dir;
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> PathBuf {
        let file = self.dir.join("sinks.toml");
        std::fs::write(&file, &self.text).expect("the scratch directory is writable");
        file
    }

    /// Starts `pgcdc sink`.
    pub(crate) fn start(&self) -> Process {
        sink(&self.write(), &[])
    }
}

/// Ends a process with SIGTERM; it must leave with 0.
#[track_caller]
pub(crate) fn end(mut process: Process) {
    let status = process.sigterm_and_wait(Duration::from_secs(30)).expect("it leaves");
    assert!(status.success(), "left with {status}:\n{}", process.stderr());
}

/// A topic that is filled by hand.
pub(crate) struct Topic {
    pub(crate) name: String,
    producer: BaseProducer,
}

impl Topic {
    /// Makes a topic named `name` and a number, with so many partitions, on the shared broker.
    pub(crate) fn create(name: &str, partitions: i32) -> Self {
        let name = format!("by-hand-{}.public.{name}", next());
        let (admin, runtime) = admin();
        let spec = NewTopic::new(&name, partitions, TopicReplication::Fixed(1))
            // Records may be written with any time.
            .set("message.timestamp.after.max.ms", "9223372036854775807");
        let made = runtime.block_on(admin.create_topics([&spec], &AdminOptions::new()));
        made.expect("the broker answers").remove(0).expect("the topic can be made");
        // The broker alone decides what is too large.
        let producer = client(kafka()).set("message.max.bytes", "10000000").create().expect("a producer");
        Self { name, producer }
    }

    /// Deletes the topic and makes it again, empty.
    pub(crate) fn make_again(&self, partitions: i32) {
        let (admin, runtime) = admin();
        let gone = runtime.block_on(admin.delete_topics(&[&self.name], &AdminOptions::new()));
        gone.expect("the broker answers").remove(0).expect("the topic can be deleted");
        let spec = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1));
        // The broker may still be busy with the deletion.
        crate::harness::eventually(crate::harness::LONG, "the topic can be made again", || {
            let made = runtime.block_on(admin.create_topics([&spec], &AdminOptions::new()));
            made.is_ok_and(|mut made| made.remove(0).is_ok())
        });
    }

    /// Writes records, in order: partition, key, value. Returns when the broker has them.
    pub(crate) fn write(&self, records: &[(i32, Option<&str>, Option<&str>)]) {
        for (partition, key, value) in records {
            let mut record = BaseRecord::<str, str>::to(&self.name).partition(*partition);
            record.key = *key;
            record.payload = *value;
            self.producer.send(record).map_err(|(error, _)| error).expect("the producer's queue has room");
        }
        self.producer.flush(Duration::from_secs(30)).expect("the broker takes the records");
    }

    /// Writes a record to partition 0 with a time of its own, in milliseconds since 1970.
    pub(crate) fn write_at(&self, time_ms: i64, key: &str, value: &str) {
        let record =
            BaseRecord::<str, str>::to(&self.name).partition(0).timestamp(time_ms).key(key).payload(value);
        self.producer.send(record).map_err(|(error, _)| error).expect("the producer's queue has room");
        self.producer.flush(Duration::from_secs(30)).expect("the broker takes the record");
    }

    /// A setting of its dead letter topic.
    pub(crate) fn setting_of_dead_letters(&self, setting: &str) -> Option<String> {
        let name = format!("{}.dlq", self.name);
        let (admin, runtime) = admin();
        let topic = ResourceSpecifier::Topic(&name);
        let answer = runtime.block_on(admin.describe_configs([&topic], &AdminOptions::new()));
        let config = answer.expect("the broker answers").remove(0).expect("the topic is there");
        config.get(setting).and_then(|entry| entry.value.clone())
    }

    /// Writes one envelope per row, all to `partition`.
    pub(crate) fn rows(&self, partition: i32, rows: &[Change]) {
        let texts: Vec<(String, String)> = rows.iter().map(Change::record).collect();
        let records: Vec<_> =
            texts.iter().map(|(key, value)| (partition, Some(key.as_str()), Some(value.as_str()))).collect();
        self.write(&records);
    }

    /// How many dead letters there are now.
    pub(crate) fn dead_letters_now(&self) -> i64 {
        let consumer: BaseConsumer = client(kafka()).create().expect("a consumer");
        let letters = format!("{}.dlq", self.name);
        let known =
            consumer.fetch_metadata(Some(&letters), Duration::from_secs(30)).expect("the broker answers");
        let partitions = known.topics().first().map_or(0, |topic| topic.partitions().len());
        let count = |id: usize| {
            let ends = consumer.fetch_watermarks(&letters, id as i32, Duration::from_secs(30));
            ends.map_or(0, |(low, high)| high - low)
        };
        (0..partitions).map(count).sum()
    }

    /// Reads the dead letters until there are `count`.
    #[track_caller]
    pub(crate) fn dead_letters(&self, count: usize) -> Vec<Record> {
        let mut reader = Reader::new(kafka(), &[&format!("{}.dlq", self.name)]);
        reader.read(count, Duration::from_secs(60)).to_vec()
    }
}

/// An admin client of the shared broker, and the runtime that its calls need.
fn admin() -> (AdminClient<DefaultClientContext>, tokio::runtime::Runtime) {
    let admin = client(kafka()).create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    (admin, runtime)
}

fn client(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    config
}

/// An envelope for a table with the key `id`.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) op: &'static str,
    pub(crate) id: i64,
    pub(crate) lsn: u64,
    /// The row beside its id.
    pub(crate) row: Value,
}

impl Change {
    pub(crate) fn new(op: &'static str, id: i64, lsn: u64, row: Value) -> Self {
        Self { op, id, lsn, row }
    }

    /// A row of `engagement_events`, `age_ms` old.
    pub(crate) fn event(id: i64, lsn: u64, content: &str, duration: i64, age_ms: i64) -> Self {
        let row = json!({"content_id": content, "duration_ms": duration, "event_ts": timestamp(age_ms)});
        Self::new("c", id, lsn, row)
    }

    fn record(&self) -> (String, String) {
        let mut row = json!({"id": self.id});
        if let (Some(row), Some(more)) = (row.as_object_mut(), self.row.as_object()) {
            row.extend(more.clone());
        }
        let (before, after) = if self.op == "d" { (row, Value::Null) } else { (Value::Null, row) };
        let source = json!({"lsn": self.lsn, "schema": "public", "table": "events", "snapshot": "false"});
        let value = json!({"before": before, "after": after, "source": source, "op": self.op, "ts_ms": 1});
        (json!({"id": self.id}).to_string(), value.to_string())
    }
}

/// Debezium's text of a `timestamptz` so many milliseconds ago.
pub(crate) fn timestamp(age_ms: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let at = i64::try_from(now.as_micros()).expect("before the year 200000") - age_ms * 1000;
    let (seconds, micros) = (at.div_euclid(1_000_000), at.rem_euclid(1_000_000));
    let (day, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to the civil calendar; a year begins in March here, so that a leap day is its last.
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year_of_era + shifted.div_euclid(146_097) * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Members and scores of a sorted set.
pub(crate) fn board(redis: RedisClient, key: &str) -> BTreeMap<String, f64> {
    let lines = redis.command(&["ZREVRANGE", key, "0", "-1", "WITHSCORES"]).expect("Redis answers");
    let pairs = lines.chunks_exact(2);
    pairs.map(|pair| (pair[0].clone(), pair[1].parse().expect("a score is a number"))).collect()
}

/// A board as a test writes it.
pub(crate) fn scores(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|(member, score)| ((*member).to_owned(), *score)).collect()
}

/// Rows that a query on Postgres answers with, all columns cast to text by the caller, sorted.
#[track_caller]
pub(crate) fn postgres_rows(database: &Database, query: &str) -> Vec<Fields> {
    let text = database.sql(&format!("SELECT row_to_json(q) FROM ({query}) AS q"));
    let mut rows: Vec<Fields> =
        text.lines().map(|line| serde_json::from_str(line).expect("texts and nulls")).collect();
    rows.sort();
    rows
}

/// The path of a file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
