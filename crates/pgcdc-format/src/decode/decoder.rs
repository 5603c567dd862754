//! The entry: takes a record's wrapper off and decides between an envelope, a row alone and a tombstone.

use std::sync::Arc;

use super::change::{Change, Form};
use super::envelope::{envelope, flattened};
use super::error::Error;
use super::json::Json;
use super::memory::SchemaMemory;
use super::row::Row;
use super::scan::Scanner;
use super::semantic::Schema;

/// Decodes records and remembers their schemas.
///
/// Use one decoder for each partition: its records nearly always share a schema.
///
/// ```
/// use pgcdc_event::Operation;
/// use pgcdc_format::decode::Decoder;
///
/// let value = br#"{"before":null,"after":{"id":1},"source":{"lsn":24},"op":"c"}"#;
/// let mut decoder = Decoder::default();
/// let change = decoder.decode(Some(br#"{"id":1}"#), Some(value))?;
/// assert_eq!(change.operation, Operation::Create);
/// assert_eq!(change.source.lsn.map(|lsn| lsn.as_u64()), Some(24));
/// # Ok::<(), pgcdc_format::decode::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    /// The schemas of keys. Apart from those of values, so that neither pushes the other out.
    keys: SchemaMemory,
    /// The schemas of values.
    values: SchemaMemory,
}

impl Decoder {
    /// Decodes one record: its key and its value, `None` where Kafka has a null.
    ///
    /// The change borrows from both. A key that is a single value instead of an object (`ExtractField`, text keys in JSON)
    /// becomes a row of one field without a name.
    ///
    /// # Errors
    /// When the key or the value is not JSON of one of the known forms. The error begins with `record key` or `record
    /// value`, says at which byte, and never quotes the row's values.
    ///
    /// ```
    /// use pgcdc_format::decode::{Decoder, Form};
    ///
    /// let mut decoder = Decoder::default();
    /// let gone = decoder.decode(Some(br#"{"schema":null,"payload":{"id":1}}"#), None)?;
    /// assert_eq!(gone.form, Form::Tombstone);
    /// assert_eq!(gone.key.and_then(|key| key.get("id")?.as_i64()), Some(1));
    ///
    /// let error = decoder.decode(None, Some(b"[1]")).unwrap_err();
    /// assert!(error.to_string().starts_with("record value: "), "{error}");
    /// # Ok::<(), pgcdc_format::decode::Error>(())
    /// ```
    pub fn decode<'a>(
        &mut self,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
    ) -> Result<Change<'a>, Error> {
        let key = match key {
            Some(bytes) => {
                unwrapped(&mut self.keys, bytes, |_, _| true, key_of).map_err(|e| e.within("key"))?
            }
            None => None,
        };
        let mut change = match value {
            Some(bytes) => {
                unwrapped(&mut self.values, bytes, wraps_a_value, value_of).map_err(|e| e.within("value"))?
            }
            None => Change::tombstone(),
        };
        change.key = key;
        Ok(change)
    }
}

/// Whether an object with the fields `schema` and `payload` is Connect's wrapper. A row may have columns of these names.
///
/// Beside a null schema Connect writes neither a scalar nor null: Debezium's values are objects, and a value that is null
/// without a schema has no bytes at all.
fn wraps_a_value(schema: Option<&Schema>, payload: &str) -> bool {
    schema.is_some() || is_object(payload)
}

/// Reads the payload of a text, with its schema where it has one. `wraps` says whether schema and payload are a wrapper; if they
/// are not, the whole text is the payload.
///
/// A known schema is tried first. When its payload cannot be read the text is scanned in full, so that the error is the
/// right one.
fn unwrapped<'a, T>(
    memory: &mut SchemaMemory,
    bytes: &'a [u8],
    wraps: fn(Option<&Schema>, &str) -> bool,
    read: fn(Option<Arc<Schema>>, &'a str) -> Result<T, Error>,
) -> Result<T, Error> {
    let text = utf8(bytes)?;
    if let Some((schema, payload)) = memory.known(text)
        && wraps(schema.as_deref(), payload)
        && let Ok(found) = read(schema, payload)
    {
        return Ok(found);
    }
    match memory.unwrap(text)? {
        (schema, payload) if wraps(schema.as_deref(), payload) => read(schema, payload),
        _ => read(None, text),
    }
}

/// The key's row. A key that is not an object is a row of one value; a key that is null is none.
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
            Ok(Json::Null) => Ok(Change::tombstone()),
            _ => {
                Err(Error::new("is neither an envelope nor a row, since it is not a JSON object".to_owned()))
            }
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

/// Whether a JSON text is an object.
fn is_object(text: &str) -> bool {
    text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(b'{')
}

/// Checks that bytes are text.
fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.first() == Some(&0) {
        return Err(Error::new(
            "is not JSON; its first byte is zero, as in the form of a schema registry (Avro, Protobuf), which sinks cannot read"
                .to_owned(),
        ));
    }
    std::str::from_utf8(bytes)
        .map_err(|error| Error::new(format!("is not UTF-8 from byte {}", error.valid_up_to())))
}
