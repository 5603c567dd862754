//! A half of a record in Avro: its converter, and the head with the schema's number.

use std::ops::Range;

use pgcdc_event::RecordBatch;

use crate::avro::{AvroError, AvroOptions, Converter, read_schema};

/// One half of a Kafka record. Each half has a converter, a schema and a subject of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// The halves of a record that are Avro, with the options of their converters; `None` for a half that stays JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct AvroHalves {
    /// Keys, when their converter is Avro's.
    pub key: Option<AvroOptions>,
    /// Values, when their converter is Avro's.
    pub value: Option<AvroOptions>,
}

impl AvroHalves {
    /// Whether any half is Avro.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.key.is_some() || self.value.is_some()
    }
}

/// One half of a table's records in Avro, or of one kind of other records.
#[derive(Clone, Debug)]
pub(in crate::envelope) struct AvroHalf {
    /// Knows the schema, and turns JSON payloads into Avro.
    converter: Converter,
    /// The bytes before the value: a zero and the schema's number, which is 0 until the registry gave it.
    head: [u8; 5],
}

impl AvroHalf {
    /// Takes the schema out of the text before a JSON payload: `{"schema":…,"payload":…`.
    ///
    /// # Errors
    /// When there is no schema in the text, or Avro has no form for it.
    pub(in crate::envelope) fn of_head(head: &[u8], options: &AvroOptions) -> Result<Self, AvroError> {
        const OPEN: &[u8] = br#"{"schema":"#;
        let text = head.strip_prefix(OPEN).ok_or(AvroError::Schema("it is missing"))?;
        let mut schemas = serde_json::Deserializer::from_slice(text).into_iter::<serde_json::Value>();
        let json = schemas.next().and_then(Result::ok).ok_or(AvroError::Schema("it is not JSON"))?;
        let converter = Converter::new(read_schema(&json)?, options)?;
        Ok(Self { converter, head: [0; 5] })
    }

    /// Compiles a schema in Connect's JSON form.
    pub(in crate::envelope) fn of_schema(schema: &[u8], options: &AvroOptions) -> Result<Self, AvroError> {
        Ok(Self { converter: Converter::of_json(schema, options)?, head: [0; 5] })
    }

    /// The converter, with the schema in both forms.
    pub(in crate::envelope) fn converter(&self) -> &Converter {
        &self.converter
    }

    /// The bytes before the value.
    #[inline]
    pub(in crate::envelope) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Sets the number that the schema registry has for the schema.
    pub(in crate::envelope) fn number(&mut self, id: u32) {
        self.head[1..].copy_from_slice(&id.to_be_bytes());
    }

    /// Replaces the JSON payload at the buffer's end by head and Avro; `None` for a null value. `json` must reach to the end.
    ///
    /// # Errors
    /// When the payload does not fit the schema. The payload is gone from the buffer then.
    pub(in crate::envelope) fn replace(
        &self,
        json: Range<usize>,
        batch: &mut RecordBatch,
    ) -> Result<Option<Range<usize>>, AvroError> {
        let payload = batch.buffer().split_off(json.start);
        let out = batch.buffer();
        out.extend_from_slice(&self.head);
        if !self.converter.append(&payload, out)? {
            out.truncate(json.start);
            return Ok(None);
        }
        Ok(Some(json.start..batch.position()))
    }
}
