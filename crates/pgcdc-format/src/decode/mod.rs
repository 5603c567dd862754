//! Bytes of a Kafka record → what changed: the way back from Debezium's JSON, for sinks.
//!
//! Understood are the envelope (`before`, `after`, `source`, `op`) and the row alone, as
//! `io.debezium.transforms.ExtractNewRecordState` leaves it, each with and without Connect's
//! `{"schema":…,"payload":…}` around it, and tombstones. Values are borrowed from the record; a
//! schema is parsed once and recognised by its bytes from then on.
//!
//! ```
//! use pgcdc_format::decode::{Decoder, Json};
//! let mut decoder = Decoder::default();
//! let change = decoder.decode(Some(br#"{"id":1}"#), Some(br#"{"id":1,"v":"one"}"#))?;
//! let row = change.after.as_ref().expect("a row");
//! assert_eq!(row.get("v"), Some(&Json::String("one".into())));
//! # Ok::<(), pgcdc_format::decode::Error>(())
//! ```

mod envelope;
mod instant;
mod json;
mod memory;
mod row;
mod scan;
mod semantic;
mod sequence;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use pgcdc_event::{Lsn, Operation};

pub use instant::{Decimal, date_days, instant_us, iso_instant_us, time_of_day_ns};
pub use json::Json;
pub use row::{Field, Placeholder, Row};
pub use semantic::{FieldSchema, RowSchema, Semantic, Unit};
pub use sequence::Sequence;

use envelope::{envelope, flattened};
use memory::SchemaMemory;
use scan::Scanner;
use semantic::Schema;

/// Why a record is not a change event. Never quotes values of the row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    fn new(message: String) -> Self {
        Self(message)
    }

    fn within(self, part: &str) -> Self {
        Self(format!("record {part}: {}", self.0))
    }
}

/// In which form the record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Debezium's envelope.
    Envelope,
    /// The row alone. Without an `__op` field it does not say whether it was inserted or updated, and
    /// [`Operation::Update`] stands for both.
    Flattened,
    /// A null value: the row of this key is gone. After an envelope's delete it says nothing new.
    Tombstone,
}

/// Where and when the change happened, as far as the record says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source<'a> {
    /// Position of the change in the WAL.
    pub lsn: Option<Lsn>,
    /// Commit time in microseconds since 1970-01-01 UTC.
    pub ts_us: Option<i64>,
    /// The order of the change's transaction among all.
    pub sequence: Option<Sequence>,
    /// The transaction.
    pub tx_id: Option<u64>,
    /// `topic.prefix` of the connector that wrote the record.
    pub name: Option<Cow<'a, str>>,
    /// The database.
    pub database: Option<Cow<'a, str>>,
    /// The table's schema.
    pub schema: Option<Cow<'a, str>>,
    /// The table.
    pub table: Option<Cow<'a, str>>,
    /// Whether a snapshot read the row, an incremental one among them.
    pub snapshot: bool,
    /// Whether an incremental snapshot read the row, between two transactions of the stream.
    pub incremental: bool,
}

/// One change, borrowed from the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    /// What happened.
    pub operation: Operation,
    /// In which form it came.
    pub form: Form,
    /// The record's key; `None` for a table without one.
    pub key: Option<Row<'a>>,
    /// The old row, as far as the replica identity sends it.
    pub before: Option<Row<'a>>,
    /// The new row.
    pub after: Option<Row<'a>>,
    /// Where and when.
    pub source: Source<'a>,
    /// Whether a flattened record says `__deleted`, true or false: the deletes of its topic are rows of
    /// their own (`delete.tombstone.handling.mode=rewrite`), and a tombstone only follows one.
    pub rewritten: bool,
    /// The value as JSON text, without the schema around it; `None` for a tombstone.
    pub payload: Option<&'a str>,
}

/// Decodes records; remembers the schemas it met.
///
/// One decoder per partition is best: its records nearly always share one schema.
#[derive(Debug, Default)]
pub struct Decoder {
    keys: SchemaMemory,
    values: SchemaMemory,
}

impl Decoder {
    /// Decodes one record.
    ///
    /// # Errors
    /// When key or value are not JSON of one of the known forms.
    pub fn decode<'a>(
        &mut self,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
    ) -> Result<Change<'a>, Error> {
        let key = match key {
            Some(bytes) => unwrapped(&mut self.keys, bytes, key_of).map_err(|e| e.within("key"))?,
            None => None,
        };
        let mut change = match value {
            Some(bytes) => unwrapped(&mut self.values, bytes, value_of).map_err(|e| e.within("value"))?,
            None => tombstone(),
        };
        change.key = key;
        Ok(change)
    }
}

/// Reads what a text holds besides its schema.
fn unwrapped<'a, T>(
    memory: &mut SchemaMemory,
    bytes: &'a [u8],
    read: fn(Option<Arc<Schema>>, &'a str) -> Result<T, Error>,
) -> Result<T, Error> {
    let text = utf8(bytes)?;
    if let Some((schema, payload)) = memory.known(text)
        && let Ok(found) = read(schema, payload)
    {
        return Ok(found);
    }
    let (schema, payload) = memory.unwrap(text)?;
    read(schema, payload)
}

fn tombstone<'a>() -> Change<'a> {
    Change {
        operation: Operation::Delete,
        form: Form::Tombstone,
        key: None,
        before: None,
        after: None,
        source: Source::default(),
        rewritten: false,
        payload: None,
    }
}

fn key_of(schema: Option<Arc<Schema>>, payload: &str) -> Result<Option<Row<'_>>, Error> {
    if is_object(payload) {
        return Row::parse(payload, schema.and_then(|schema| schema.row.clone())).map(Some);
    }
    Ok(match Json::parse(payload)? {
        Json::Null => None,
        scalar => {
            let meaning = schema.and_then(|schema| schema.scalar.clone());
            Some(Row::scalar(payload, scalar, meaning))
        }
    })
}

/// The change without its key.
fn value_of(schema: Option<Arc<Schema>>, payload: &str) -> Result<Change<'_>, Error> {
    let schema = schema.and_then(|schema| schema.row.clone());
    if !is_object(payload) {
        return match Json::parse(payload) {
            Ok(Json::Null) => Ok(tombstone()),
            _ => Err(Error::new("is neither an envelope nor a row: it is not a JSON object".to_owned())),
        };
    }
    match envelope(&mut Scanner::new(payload), &schema)? {
        Some((operation, before, after, source)) => Ok(Change {
            operation,
            form: Form::Envelope,
            key: None,
            before,
            after,
            source,
            rewritten: false,
            payload: Some(payload),
        }),
        None => flattened(payload, schema),
    }
}

fn is_object(text: &str) -> bool {
    text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(b'{')
}

fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.first() == Some(&0) {
        return Err(Error::new(
            "is not JSON; a first byte of zero is a schema registry's form (Avro, Protobuf), which is not understood yet"
                .to_owned(),
        ));
    }
    std::str::from_utf8(bytes)
        .map_err(|error| Error::new(format!("is not UTF-8 from byte {}", error.valid_up_to())))
}
