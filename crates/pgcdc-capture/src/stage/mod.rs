//! Single message transforms between encoder and output, for a chain that the encoder cannot do
//! itself; and the converters that the encoder does not have.
//!
//! The encoder writes records as JSON with schemas. Here each record is read into Connect's data
//! model, goes through the chain (`pgcdc-transform`), and is written by the converters of the
//! configuration. The result replaces the record in the batch, so that outbox and output notice
//! nothing. A connector without such a chain has no stage, and its records pass as the encoder
//! wrote them.
//!
//! ```text
//!  RecordBatch ─ read ─▶ Connect's Record ─ Chain::apply ─▶ Record ─ prepare (registry), write ─▶ RecordBatch
//! ```

mod writer;

use std::sync::Arc;

use pgcdc_event::{HeaderName, RecordBatch};
use pgcdc_format::envelope::Half;
use pgcdc_transform::data::{Kind, Record, Schema, Value};
use pgcdc_transform::json::JsonReader;
use pgcdc_transform::{Chain, Fault};

use crate::clock::now_ns;
use crate::config::{HeaderFormat, Settings};
use crate::context_headers::context_headers;
use crate::destination::TopicIds as _;
use crate::output::Output;
use crate::registry::Registries;
use crate::tolerance::Tolerance;
use crate::{Error, Result};

use writer::{HeaderWriter, Writer};

/// The two headers of an update that changes the key: the delete carries the new key, the create
/// the old one. Source: Debezium's documentation of the PostgreSQL connector, "Primary key
/// updates".
const KEY_HEADERS: [&str; 2] = ["__debezium.newkey", "__debezium.oldkey"];

/// The transforms and converters of one attempt. See the [module](self).
#[derive(Debug)]
pub(crate) struct Stage {
    /// The transforms and predicates, in the configured order.
    chain: Chain,
    /// Reads keys; remembers the schemas that it has read.
    keys: JsonReader,
    /// Reads values; remembers the schemas that it has read.
    values: JsonReader,
    /// `key.converter`.
    key_writer: Writer,
    /// `value.converter`.
    value_writer: Writer,
    /// `header.converter`.
    header_writer: HeaderWriter,
    /// Asked for the numbers of Avro schemas, which are known only behind the chain.
    registries: Registries,
    /// Whether the header converter writes a header's type. Then headers that hold keys are read
    /// with their schema.
    headers_have_schemas: bool,
    /// The headers `__debezium.context.*`, which transforms see like other headers.
    context: Vec<(Arc<str>, Value)>,
    /// The schema of headers that are texts.
    text: Schema,
    /// Says whether a record that cannot be transformed or converted is left out.
    tolerance: Tolerance,
    /// The batch of transformed records; empty between calls. It is swapped with the batch that
    /// came in, so that both keep their memory.
    out: RecordBatch,
}

impl Stage {
    /// The stage that the settings ask for; `None` when the encoder does all by itself.
    ///
    /// # Errors
    /// A configuration error that names each transform whose options are wrong.
    pub(crate) fn new(settings: &Settings, tolerance: Tolerance) -> Result<Option<Self>> {
        let Some(transforms) = &settings.transforms else { return Ok(None) };
        let properties: Vec<(String, String)> =
            transforms.properties.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let configured = Chain::configure(&properties).map_err(|problems| {
            let lines: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            Error::configuration(lines.join("\n"))
        })?;
        let context = context_headers(settings);
        Ok(Some(Self {
            chain: configured.chain.with_shared_headers(),
            keys: JsonReader::default(),
            values: JsonReader::default(),
            key_writer: Writer::new(&settings.key_format, Half::Key)?,
            value_writer: Writer::new(&settings.value_format, Half::Value)?,
            header_writer: HeaderWriter::new(settings.header_format),
            headers_have_schemas: settings.header_format != HeaderFormat::Simple,
            registries: Registries::new(settings)?,
            context: context.iter().map(|(name, value)| (name.as_str().into(), Value::text(value))).collect(),
            text: Schema::plain(Kind::String, false),
            tolerance,
            out: RecordBatch::new(),
        }))
    }

    /// Replaces the records of a batch by the chain's results, and makes their topics known to
    /// `output`. It waits for the registry when a schema is new. Called by the record lane before a
    /// batch is handed over.
    ///
    /// # Errors
    /// When a record cannot be read, transformed or converted and may not be left out, and when the
    /// registry does not answer.
    pub(crate) async fn run(&mut self, batch: &mut RecordBatch, output: &mut Output) -> Result<()> {
        let now = now_ns() / 1_000_000;
        for encoded in batch.iter() {
            let topic = output.name(encoded.topic).unwrap_or_default();
            let record = self.read(topic, &encoded).map_err(|fault| unreadable(topic, &fault))?;
            let transformed = match self.chain.apply(record, now) {
                Err(failed)
                    if self.leaves_out(topic, &format!("transform {}", failed.name), &failed.fault) =>
                {
                    continue;
                }
                transformed => transformed,
            };
            let transformed = transformed.map_err(|failed| {
                Error::fatal(format!("a record for topic {topic:?}: {failed}")).with_hint(
                    "change the transform's options, or give it a predicate that leaves such records out; \
                     errors.tolerance=all leaves every record out on which it fails",
                )
            })?;
            let Some(record) = transformed else { continue };
            if let Err(error) = self.prepare(&record).await {
                let place = format!("topic {:?}, registry", record.topic);
                if !error.is_transient() && self.tolerance.leaves_out(&place, &error.to_string()) {
                    continue;
                }
                return Err(error);
            }
            let id = output.topic(&record.topic);
            if let Err(fault) = self.write(id, &record)
                && !self.leaves_out(&record.topic, "converter", &fault)
            {
                return Err(unwritable(&record.topic, &fault));
            }
        }
        std::mem::swap(batch, &mut self.out);
        self.out.clear();
        Ok(())
    }

    /// Asks the registry for the numbers of the record's schemas, if they are new.
    async fn prepare(&mut self, record: &Record) -> Result<()> {
        let registries = &mut self.registries;
        let (schema, value) = (record.key_schema.as_ref(), &record.key);
        self.key_writer.prepare(&record.topic, schema, value, registries).await?;
        let (schema, value) = (record.value_schema.as_ref(), &record.value);
        self.value_writer.prepare(&record.topic, schema, value, registries).await
    }

    /// See [`Tolerance::leaves_out`]. The text of a fault may show a row's values, so only the
    /// fault's class is logged.
    fn leaves_out(&self, topic: &str, by: &str, fault: &Fault) -> bool {
        self.tolerance.leaves_out(&format!("topic {topic:?}, {by}"), fault.class)
    }

    /// Reads an encoded record into Connect's data model. The context headers are put where the
    /// encoder says that they belong.
    fn read(&mut self, topic: &str, encoded: &pgcdc_event::Record<'_>) -> std::result::Result<Record, Fault> {
        let (key_schema, key) = self.keys.read(encoded.key)?;
        let (value_schema, value) = self.values.read(encoded.value)?;
        let (partition, timestamp) = (encoded.partition, encoded.timestamp_ms);
        let mut record = Record {
            topic: topic.into(),
            partition,
            key_schema,
            key,
            value_schema,
            value,
            timestamp,
            headers: Vec::new(),
        };
        let mut count = 0;
        for (name, value) in encoded.headers() {
            self.add_context(&mut record, encoded.context_at == Some(count));
            let (schema, value) = match (value, encoded.key) {
                (Some(payload), Some(key)) if self.headers_have_schemas && KEY_HEADERS.contains(&name) => {
                    self.key_header(payload, key)
                }
                (value, _) => {
                    let value =
                        value.map_or(Value::Null, |bytes| Value::text(&String::from_utf8_lossy(bytes)));
                    (Some(self.text.clone()), value)
                }
            };
            record.add_header(&name.into(), schema, value);
            count += 1;
        }
        self.add_context(&mut record, encoded.context_at == Some(count));
        Ok(record)
    }

    /// Reads a header that holds another key of the record's table. The encoder writes only its
    /// payload, as `SimpleHeaderConverter` would; the schema is taken from the record's own key.
    fn key_header(&mut self, payload: &[u8], key: &[u8]) -> (Option<Schema>, Value) {
        const MIDDLE: &[u8] = b",\"payload\":";
        let head = key.windows(MIDDLE.len()).position(|window| window == MIDDLE);
        let read = head.and_then(|at| {
            let whole = [&key[..at + MIDDLE.len()], payload, b"}"].concat();
            self.keys.read(Some(&whole)).ok()
        });
        read.unwrap_or_else(|| (Some(self.text.clone()), Value::text(&String::from_utf8_lossy(payload))))
    }

    /// Adds the context headers, if they belong `here`.
    fn add_context(&self, record: &mut Record, here: bool) {
        for (name, value) in self.context.iter().filter(|_| here) {
            record.add_header(name, Some(self.text.clone()), value.clone());
        }
    }

    /// Writes a record, all of it or nothing: the headers of a record that failed must not go to
    /// the next one.
    fn write(&mut self, id: pgcdc_event::TopicId, record: &Record) -> std::result::Result<(), Fault> {
        let mark = self.out.mark();
        self.append(id, record).inspect_err(|_| self.out.rewind(mark))
    }

    /// Appends key, value and headers to the batch, each written by its converter.
    fn append(&mut self, id: pgcdc_event::TopicId, record: &Record) -> std::result::Result<(), Fault> {
        let out = &mut self.out;
        let mut half = |writer: &Writer, half| {
            let start = out.position();
            let written = writer.write(record, half, out.buffer())?;
            Ok::<_, Fault>(written.then(|| start..out.position()))
        };
        let key = half(&self.key_writer, Half::Key)?;
        let value = half(&self.value_writer, Half::Value)?;
        for header in &record.headers {
            let start = out.position();
            let written = self.header_writer.write(header.schema.as_ref(), &header.value, out.buffer())?;
            let range = written.then(|| start..out.position());
            out.header(HeaderName::Shared(Arc::clone(&header.key)), range);
        }
        out.push(id, key, value, None);
        out.place(record.partition, record.timestamp);
        Ok(())
    }
}

/// The encoder's own output cannot be read: a bug of ours.
fn unreadable(topic: &str, fault: &Fault) -> Error {
    Error::fatal(format!("a record for topic {topic:?} cannot be read for its transforms: {fault}"))
}

/// A converter refuses a record.
fn unwritable(topic: &str, fault: &Fault) -> Error {
    Error::fatal(format!("a record for topic {topic:?} cannot be converted: {fault}")).with_hint(
        "its converter does not take such data, or a transform has changed a value without its schema",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;
    use crate::output::{Renderer, StdoutOutput};

    fn settings(transforms: &[(&str, &str)]) -> Settings {
        let mut config = serde_json::json!({
            "name": "c", "topic.prefix": "s", "database.hostname": "h", "database.user": "u",
            "database.password": "p", "database.dbname": "d", "plugin.name": "pgoutput",
            "key.converter.schemas.enable": "false", "value.converter.schemas.enable": "false",
        });
        for (key, value) in transforms {
            config[key] = (*value).into();
        }
        Settings::from_document(&Document::parse_json("c.json", &config.to_string()).unwrap()).unwrap()
    }

    fn stage(settings: &Settings) -> Option<Stage> {
        Stage::new(settings, Tolerance::new(settings, Arc::default())).unwrap()
    }

    const VALUE: &str = r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"default":"d","field":"name"}],"optional":false,"name":"s.t.Value"},"payload":{"id":7,"name":null}}"#;

    fn batch(topic: pgcdc_event::TopicId) -> RecordBatch {
        let mut batch = RecordBatch::new();
        batch.buffer().extend_from_slice(VALUE.as_bytes());
        batch.push(topic, None, Some(0..VALUE.len()), Some(0));
        batch.push(topic, None, None, Some(0));
        batch
    }

    #[tokio::test]
    async fn a_batch_is_replaced_by_what_the_chain_makes_of_it() {
        let settings = settings(&[
            ("transforms", "d,k,r,h"),
            ("transforms.d.type", "org.apache.kafka.connect.transforms.Filter"),
            ("transforms.d.predicate", "gone"),
            ("transforms.k.type", "org.apache.kafka.connect.transforms.ValueToKey"),
            ("transforms.k.fields", "id"),
            ("transforms.r.type", "org.apache.kafka.connect.transforms.RegexRouter"),
            ("transforms.r.regex", "s\\.(.*)"),
            ("transforms.r.replacement", "$1"),
            ("transforms.h.type", "org.apache.kafka.connect.transforms.InsertHeader"),
            ("transforms.h.header", "h"),
            ("transforms.h.value.literal", "[1,2]"),
            ("predicates", "gone"),
            ("predicates.gone.type", "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"),
        ]);
        let mut output = Output::Stdout(Box::new(StdoutOutput::new(Renderer::default()).unwrap()));
        let topic = output.topic("s.t");
        let mut stage = stage(&settings).expect("a chain is configured");
        for _ in 0..2 {
            let mut batch = batch(topic);
            stage.run(&mut batch, &mut output).await.unwrap();
            assert_eq!(batch.len(), 1, "the tombstone is left out");
            let record = batch.get(0).unwrap();
            assert_eq!(output.name(record.topic), Some("t"));
            assert_eq!(record.key, Some(&br#"{"id":7}"#[..]));
            assert_eq!(record.value, Some(&br#"{"id":7,"name":"d"}"#[..]));
            let headers: Vec<_> = record.headers().collect();
            assert_eq!(headers.len(), 5, "{headers:?}");
            assert_eq!(headers[0], ("__debezium.context.connectorLogicalName", Some(&b"s"[..])));
            assert_eq!(headers[4], ("h", Some(&b"[1,2]"[..])));
        }
    }

    #[tokio::test]
    async fn what_a_transform_cannot_take_stops_with_its_name() {
        let settings = settings(&[
            ("transforms", "cast"),
            ("transforms.cast.type", "org.apache.kafka.connect.transforms.TimestampRouter"),
        ]);
        let mut output = Output::Stdout(Box::new(StdoutOutput::new(Renderer::default()).unwrap()));
        let topic = output.topic("s.t");
        let mut stage = stage(&settings).expect("a chain is configured");
        let error = stage.run(&mut batch(topic), &mut output).await.unwrap_err().to_string();
        assert!(error.contains("transform cast") && error.contains("Timestamp missing on record"), "{error}");
    }

    #[tokio::test]
    async fn records_that_fail_are_left_out_and_counted() {
        let config = [
            ("errors.tolerance", "all"),
            ("transforms", "a,b"),
            ("transforms.a.type", "org.apache.kafka.connect.transforms.InsertHeader"),
            ("transforms.a.header", "first"),
            ("transforms.a.value.literal", "1"),
            ("transforms.b.type", "org.apache.kafka.connect.transforms.TimestampRouter"),
            ("transforms.b.predicate", "rows"),
            ("predicates", "rows"),
            ("predicates.rows.type", "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"),
            ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"),
        ];
        let settings = settings(&config);
        let mut output = Output::Stdout(Box::new(StdoutOutput::new(Renderer::default()).unwrap()));
        let topic = output.topic("s.t");
        let mut stage = stage(&settings).expect("a chain is configured");
        // The converter fails since the row is not bytes; the tombstone fails in the transform.
        let mut failing = batch(topic);
        stage.run(&mut failing, &mut output).await.unwrap();
        assert!(failing.is_empty());
        assert_eq!(stage.tolerance.left_out(), 2);
    }

    #[test]
    fn a_header_that_fails_leaves_nothing_to_the_next_record() {
        let settings = settings(&[("header.converter", "org.apache.kafka.connect.json.JsonConverter")]);
        let mut stage = stage(&settings).expect("headers have a converter");
        let mut record = Record {
            topic: "s.t".into(),
            partition: None,
            key_schema: None,
            key: Value::Null,
            value_schema: None,
            value: Value::Null,
            timestamp: None,
            headers: Vec::new(),
        };
        let text = Schema::plain(Kind::String, false);
        record.add_header(&"good".into(), Some(text.clone()), Value::text("1"));
        record.add_header(&"bad".into(), Some(text), Value::Boolean(true));
        assert!(stage.write(pgcdc_event::TopicId(0), &record).is_err());
        record.headers.clear();
        stage.write(pgcdc_event::TopicId(0), &record).expect("a record without headers");
        assert_eq!(stage.out.len(), 1);
        assert_eq!(stage.out.get(0).map(|record| record.headers().count()), Some(0));
    }

    #[test]
    fn without_a_chain_there_is_no_stage() {
        assert!(stage(&settings(&[])).is_none());
        let unwrap =
            [("transforms", "u"), ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState")];
        assert!(stage(&settings(&unwrap)).is_none());
    }
}
