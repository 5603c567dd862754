//! The meaning of a field's values, from its Connect schema: by the schema's name where it is a known logical type, else by its
//! physical type.
//!
//! | names | meaning |
//! |---|---|
//! | `io.debezium.time.Date`, `org.apache.kafka.connect.data.Date` | days |
//! | `…time.Time`, `MicroTime`, `NanoTime`, Connect's `Time` | time of day in the unit of the name, Connect's in milliseconds |
//! | `…time.Timestamp`, `MicroTimestamp`, `NanoTimestamp`, Connect's `Timestamp` | time without a zone in the unit of the name |
//! | `…time.ZonedTimestamp`, `ZonedTime`, `IsoDate`, `IsoTime`, `IsoTimestamp` | ISO 8601 text |
//! | `…time.MicroDuration` | microseconds |
//! | Connect's `Decimal`, `io.debezium.data.VariableScaleDecimal` | a decimal |
//! | `io.debezium.data.Uuid`, `Json` | text of that form |
//!
//! All other names (`Enum`, `Xml`, `Ltree`, `Bits`, `geometry.Point`, …) say nothing that a store needs beyond the physical type.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Data type mappings".

use std::sync::Arc;

use serde_json::Value;

use super::error::Error;

/// The fields of a row's schema, in the order in which the payload carries them.
#[derive(Debug, PartialEq)]
pub struct RowSchema {
    /// The schema's name, such as `server.public.table.Value`.
    pub name: Option<String>,
    /// The fields.
    pub fields: Vec<FieldSchema>,
}

/// One field of a row's schema.
#[derive(Debug, PartialEq)]
pub struct FieldSchema {
    /// The field's name.
    pub name: String,
    /// Whether the field may be null.
    pub optional: bool,
    /// The meaning of the field's values.
    pub semantic: Semantic,
}

/// The unit of a time that is counted as a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 10⁻³ s.
    Milli,
    /// 10⁻⁶ s.
    Micro,
    /// 10⁻⁹ s.
    Nano,
}

/// The meaning of a value, by Connect type and logical name.
#[derive(Clone, Debug, PartialEq)]
pub enum Semantic {
    /// `boolean`.
    Boolean,
    /// `int8`, `int16`, `int32`, `int64`: the number of bits.
    Integer(u8),
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// `string`; also enums, XML, ltree and all other texts without a meaning of their own.
    Text,
    /// `bytes` in base64; also `Bits`.
    Bytes,
    /// Days since 1970-01-01.
    Date,
    /// Time of day, counted since midnight.
    Time(Unit),
    /// Time without a zone, counted since 1970-01-01.
    Timestamp(Unit),
    /// ISO 8601 text with an offset.
    ZonedTimestamp,
    /// ISO 8601 time of day with an offset.
    ZonedTime,
    /// ISO 8601 text: date, timestamp without a zone, or time.
    IsoText,
    /// Duration in microseconds.
    MicroDuration,
    /// Connect's `Decimal`: big-endian unscaled value in base64, with this scale.
    Decimal(i32),
    /// Debezium's `VariableScaleDecimal`: `{scale, value}`.
    VariableScaleDecimal,
    /// UUID text.
    Uuid,
    /// JSON text.
    Json,
    /// An array whose elements have one meaning.
    Array(Box<Semantic>),
    /// A map: the meaning of its values. Its keys are texts.
    Map(Box<Semantic>),
    /// A structure with fields, such as a point.
    Struct,
}

/// The schema of a record's key or value.
#[derive(Debug, PartialEq)]
pub(super) struct Schema {
    /// The fields of the row: for a key or a flattened value the payload's own, for an envelope those of `before` and `after`.
    pub(super) row: Option<Arc<RowSchema>>,
    /// The meaning of a payload that is no struct, such as a key cut down to one field.
    pub(super) scalar: Option<Semantic>,
}

impl Schema {
    /// Reads the JSON of a record's schema; `None` for a null schema.
    ///
    /// The schema of an envelope is recognised as its value is: by a text `op` and a struct `source`. Then the fields are those of `after`, which
    /// `before` has, too.
    ///
    /// # Errors
    /// When the text is not JSON, a field has no name, a type is not one of Connect's, or a part of a type is missing.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Error> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| Error::new(format!("the schema is not JSON: {e}")))?;
        if value.is_null() {
            return Ok(None);
        }
        if value.get("type").and_then(Value::as_str) != Some("struct") {
            return Ok(Some(Self { row: None, scalar: Some(semantic(&value)?) }));
        }
        let fields = value.get("fields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let named = |name: &str| fields.iter().find(|f| f.get("field").and_then(Value::as_str) == Some(name));
        let of_type =
            |name, kind| named(name).is_some_and(|f| f.get("type").and_then(Value::as_str) == Some(kind));
        let envelope = of_type("op", "string") && of_type("source", "struct");
        let row = if envelope { named("after").or_else(|| named("before")) } else { Some(&value) };
        Ok(Some(Self { row: row.map(row_schema).transpose()?.map(Arc::new), scalar: None }))
    }
}

/// The fields of a struct's schema.
fn row_schema(value: &Value) -> Result<RowSchema, Error> {
    let fields = value.get("fields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let fields = fields.iter().map(|field| {
        let name = field.get("field").and_then(Value::as_str);
        Ok(FieldSchema {
            name: name.ok_or_else(|| Error::new("a field of the schema has no name".to_owned()))?.to_owned(),
            optional: field.get("optional").and_then(Value::as_bool).unwrap_or(false),
            semantic: semantic(field)?,
        })
    });
    Ok(RowSchema {
        name: value.get("name").and_then(Value::as_str).map(str::to_owned),
        fields: fields.collect::<Result<_, Error>>()?,
    })
}

/// The meaning of a schema's values.
fn semantic(schema: &Value) -> Result<Semantic, Error> {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    let name = text("name").unwrap_or("");
    let by_name = match name {
        "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => Some(Semantic::Date),
        "io.debezium.time.Time" | "org.apache.kafka.connect.data.Time" => Some(Semantic::Time(Unit::Milli)),
        "io.debezium.time.MicroTime" => Some(Semantic::Time(Unit::Micro)),
        "io.debezium.time.NanoTime" => Some(Semantic::Time(Unit::Nano)),
        "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => {
            Some(Semantic::Timestamp(Unit::Milli))
        }
        "io.debezium.time.MicroTimestamp" => Some(Semantic::Timestamp(Unit::Micro)),
        "io.debezium.time.NanoTimestamp" => Some(Semantic::Timestamp(Unit::Nano)),
        "io.debezium.time.ZonedTimestamp" => Some(Semantic::ZonedTimestamp),
        "io.debezium.time.ZonedTime" => Some(Semantic::ZonedTime),
        "io.debezium.time.IsoDate" | "io.debezium.time.IsoTime" | "io.debezium.time.IsoTimestamp" => {
            Some(Semantic::IsoText)
        }
        "io.debezium.time.MicroDuration" => Some(Semantic::MicroDuration),
        "io.debezium.data.VariableScaleDecimal" => Some(Semantic::VariableScaleDecimal),
        "io.debezium.data.Uuid" => Some(Semantic::Uuid),
        "io.debezium.data.Json" => Some(Semantic::Json),
        "org.apache.kafka.connect.data.Decimal" if text("type") == Some("bytes") => {
            let scale = schema.pointer("/parameters/scale").and_then(Value::as_str);
            Some(Semantic::Decimal(
                scale
                    .and_then(|s| s.parse().ok())
                    .ok_or_else(|| Error::new("a Decimal of the schema has no scale".to_owned()))?,
            ))
        }
        _ => None,
    };
    if let Some(semantic) = by_name {
        return Ok(semantic);
    }
    let part = |key: &str| match schema.get(key) {
        Some(part) => semantic(part).map(Box::new),
        None => Err(Error::new(format!("an array or map of the schema has no {key:?}"))),
    };
    Ok(match text("type").unwrap_or("") {
        "boolean" => Semantic::Boolean,
        "int8" => Semantic::Integer(8),
        "int16" => Semantic::Integer(16),
        "int32" => Semantic::Integer(32),
        "int64" => Semantic::Integer(64),
        "float" => Semantic::Float,
        "double" => Semantic::Double,
        "string" => Semantic::Text,
        "bytes" => Semantic::Bytes,
        "array" => Semantic::Array(part("items")?),
        "map" => Semantic::Map(part("values")?),
        "struct" => Semantic::Struct,
        other => {
            return Err(Error::new(format!("the schema has a type {other:?} that Connect does not know")));
        }
    })
}
