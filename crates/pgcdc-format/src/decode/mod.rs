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

mod instant;
mod json;
mod row;
mod semantic;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use pgcdc_event::{Lsn, Operation};

pub use instant::{Decimal, date_days, instant_us, iso_instant_us, time_of_day_ns};
pub use json::Json;
pub use row::{Field, Placeholder, Row};
pub use semantic::{FieldSchema, RowSchema, Semantic, Unit};

use json::Scanner;
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
    /// The transaction.
    pub tx_id: Option<u64>,
    /// The table's schema.
    pub schema: Option<Cow<'a, str>>,
    /// The table.
    pub table: Option<Cow<'a, str>>,
    /// Whether a snapshot read the row.
    pub snapshot: bool,
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
            Some(bytes) => decode_key(&mut self.keys, bytes).map_err(|e| e.within("key"))?,
            None => None,
        };
        let Some(bytes) = value else { return Ok(tombstone(key)) };
        decode_value(&mut self.values, bytes, key).map_err(|e| e.within("value"))
    }
}

fn tombstone(key: Option<Row<'_>>) -> Change<'_> {
    Change {
        operation: Operation::Delete,
        form: Form::Tombstone,
        key,
        before: None,
        after: None,
        source: Source::default(),
        payload: None,
    }
}

fn decode_key<'a>(memory: &mut SchemaMemory, bytes: &'a [u8]) -> Result<Option<Row<'a>>, Error> {
    let (schema, payload) = memory.unwrap(utf8(bytes)?)?;
    let row = schema.as_ref().and_then(|s| s.row.clone());
    Ok(match Json::parse(payload)? {
        Json::Null => None,
        Json::Object(_) => Some(Row::parse(payload, row)?),
        scalar => Some(Row::scalar(payload, scalar, schema.and_then(|s| s.scalar.clone()))),
    })
}

fn decode_value<'a>(
    memory: &mut SchemaMemory,
    bytes: &'a [u8],
    key: Option<Row<'a>>,
) -> Result<Change<'a>, Error> {
    let (schema, payload) = memory.unwrap(utf8(bytes)?)?;
    let schema = schema.as_ref().and_then(|s| s.row.clone());
    let mut scanner = Scanner::new(payload);
    scanner.space();
    match payload.as_bytes().get(scanner.position()) {
        Some(b'{') => {}
        Some(b'n') if Json::parse(payload)?.is_null() => return Ok(tombstone(key)),
        _ => return Err(Error::new("is neither an envelope nor a row: it is not a JSON object".to_owned())),
    }
    match envelope(&mut scanner, &schema)? {
        Some((operation, before, after, source)) => {
            Ok(Change { operation, form: Form::Envelope, key, before, after, source, payload: Some(payload) })
        }
        None => flattened(payload, schema, key),
    }
}

type EnvelopeParts<'a> = (Operation, Option<Row<'a>>, Option<Row<'a>>, Source<'a>);

/// Reads an envelope in one pass; `None` when the object is not one.
fn envelope<'a>(
    scanner: &mut Scanner<'a>,
    schema: &Option<Arc<RowSchema>>,
) -> Result<Option<EnvelopeParts<'a>>, Error> {
    let (mut op, mut source, mut before, mut after) = (None, None, None, None);
    scanner.object(|scanner, name| {
        match &*name {
            "before" => before = Some(scanner.raw()?),
            "after" => after = Some(scanner.raw()?),
            "source" => source = Some(scanner.raw()?),
            "op" => op = Some(scanner.value()?),
            _ => drop(scanner.raw()?),
        }
        Ok(())
    })?;
    scanner.end()?;
    let (Some(Json::String(op)), Some(source)) = (op, source) else { return Ok(None) };
    if !source.starts_with('{') {
        return Ok(None); // a row with columns of these names
    }
    let operation = match op.as_bytes() {
        [letter] => Operation::from_letter(*letter),
        _ => None,
    };
    let operation =
        operation.ok_or_else(|| Error::new(format!("unknown operation {op:?} in the envelope")))?;
    let row = |text: Option<&'a str>, which: &str| match text {
        None | Some("null") => Ok(None),
        Some(text) if text.starts_with('{') => Row::parse(text, schema.clone()).map(Some),
        Some(_) => Err(Error::new(format!("{which:?} of the envelope is not an object"))),
    };
    let (before, after) = (row(before, "before")?, row(after, "after")?);
    let missing = match operation {
        Operation::Create | Operation::Update | Operation::Read => after.is_none().then_some("after"),
        Operation::Delete | Operation::Truncate | Operation::Message => None,
    };
    if let Some(which) = missing {
        return Err(Error::new(format!("the envelope of operation {op:?} has no {which:?}")));
    }
    Ok(Some((operation, before, after, parse_source(source)?)))
}

fn parse_source(text: &str) -> Result<Source<'_>, Error> {
    let mut source = Source::default();
    Scanner::new(text).object(|scanner, name| {
        let value = scanner.value()?;
        match &*name {
            "lsn" => source.lsn = value.as_i64().and_then(|n| u64::try_from(n).ok()).map(Lsn::new),
            "ts_us" => source.ts_us = value.as_i64().or(source.ts_us),
            "ts_ms" => source.ts_us = source.ts_us.or(value.as_i64().and_then(|ms| ms.checked_mul(1000))),
            "txId" => source.tx_id = value.as_i64().and_then(|n| u64::try_from(n).ok()),
            "schema" => source.schema = text_of(value),
            "table" => source.table = text_of(value),
            "snapshot" => source.snapshot = is_snapshot(&value),
            _ => {}
        }
        Ok(())
    })?;
    Ok(source)
}

fn is_snapshot(value: &Json<'_>) -> bool {
    !matches!(value, Json::Null | Json::Bool(false)) && value.as_str() != Some("false")
}

fn text_of(value: Json<'_>) -> Option<Cow<'_, str>> {
    if let Json::String(text) = value { Some(text) } else { None }
}

/// A row alone, with the fields that `add.fields` and `delete.tombstone.handling.mode=rewrite` add.
fn flattened<'a>(
    payload: &'a str,
    schema: Option<Arc<RowSchema>>,
    key: Option<Row<'a>>,
) -> Result<Change<'a>, Error> {
    let row = Row::parse(payload, schema)?;
    let mut source = Source::default();
    let mut operation = None;
    let mut deleted = false;
    for field in row.fields().filter(|field| field.name.starts_with("__")) {
        let number = || field.value.as_i64();
        match field.name {
            "__deleted" => deleted = field.value == &Json::Bool(true) || field.value.as_str() == Some("true"),
            "__op" => {
                operation = field.value.as_str().and_then(|op| match op.as_bytes() {
                    [letter] => Operation::from_letter(*letter),
                    _ => None,
                });
            }
            "__lsn" | "__source_lsn" => {
                source.lsn = number().and_then(|n| u64::try_from(n).ok()).map(Lsn::new).or(source.lsn)
            }
            "__source_ts_us" => source.ts_us = number().or(source.ts_us),
            "__source_ts_ms" => source.ts_us = source.ts_us.or(number().and_then(|ms| ms.checked_mul(1000))),
            "__txId" | "__source_txId" => {
                source.tx_id = number().and_then(|n| u64::try_from(n).ok()).or(source.tx_id)
            }
            "__schema" | "__source_schema" => source.schema = text_of(field.value.clone()).or(source.schema),
            "__table" | "__source_table" => source.table = text_of(field.value.clone()).or(source.table),
            "__snapshot" | "__source_snapshot" => source.snapshot = is_snapshot(field.value),
            _ => {}
        }
    }
    let deleted = deleted || operation == Some(Operation::Delete);
    let (operation, before, after) = if deleted {
        (Operation::Delete, Some(row), None)
    } else {
        (operation.unwrap_or(Operation::Update), None, Some(row))
    };
    Ok(Change { operation, form: Form::Flattened, key, before, after, source, payload: Some(payload) })
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

/// The schemas met lately, by the exact text before the payload.
#[derive(Debug, Default)]
struct SchemaMemory {
    met: Vec<(Box<str>, Option<Arc<Schema>>)>,
}

impl SchemaMemory {
    /// Enough for the versions of a table and for a topic that several tables share.
    const CAPACITY: usize = 16;

    /// Takes `{"schema":…,"payload":…}` apart; any other text is its own payload.
    fn unwrap<'a>(&mut self, text: &'a str) -> Result<(Option<Arc<Schema>>, &'a str), Error> {
        if !text.trim_start().starts_with('{') {
            return Ok((None, text));
        }
        if let Some((prefix, schema)) = self.met.iter().find(|(prefix, _)| text.starts_with(&**prefix)) {
            let rest = &text[prefix.len()..];
            let mut scanner = Scanner::new(rest);
            let payload = scanner.raw()?;
            if rest[scanner.position()..].trim() == "}" {
                return Ok((schema.clone(), payload));
            }
        }
        let (mut schema, mut payload, mut start, mut others) = (None, None, 0, false);
        let base = text.as_ptr() as usize;
        let mut scanner = Scanner::new(text);
        scanner.object(|scanner, name| {
            match &*name {
                "schema" if !others => schema = Some(scanner.raw()?),
                "payload" if schema.is_some() => {
                    let raw = scanner.raw()?;
                    start = raw.as_ptr() as usize - base;
                    payload = Some(raw);
                }
                _ => {
                    others = true;
                    scanner.raw()?;
                }
            }
            Ok(())
        })?;
        scanner.end()?;
        let (Some(schema), Some(payload), false) = (schema, payload, others) else { return Ok((None, text)) };
        if !schema.starts_with('{') && schema != "null" {
            return Ok((None, text)); // a row with columns of these names
        }
        let schema = Schema::parse(schema)?.map(Arc::new);
        if self.met.len() == Self::CAPACITY {
            self.met.remove(0);
        }
        self.met.push((text[..start].into(), schema.clone()));
        Ok((schema, payload))
    }
}
