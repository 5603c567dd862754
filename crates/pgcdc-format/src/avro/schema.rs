//! Avro schemas rendered as `AvroData` renders them, byte for byte: the registry tells versions apart by the text.
//!
//! The properties of a schema stand in this order: `scale` and `precision` of a decimal, Connect's own (`connect.doc`,
//! `connect.version`, `connect.parameters`, `connect.default`, `connect.name`, `connect.type`), `logicalType`, and parameters
//! whose names begin with `avro`.
//!
//! | Connect's logical type | `logicalType` |
//! |---|---|
//! | `Decimal` | `decimal`; its precision is `connect.decimal.precision`, else 64 |
//! | `Date` | `date` |
//! | `Time` | `time-millis` |
//! | `Timestamp` | `timestamp-millis` |
//!
//! Debezium's logical types (`io.debezium.…`) show only as `connect.name`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::names::{self, FullName};
use super::{AvroError, AvroOptions, Schema};
use crate::json::write_inner_json_string;
use crate::schema::{Kind, Logical};

/// The namespace of the names that schemas without a name get: `ConnectDefault`, `ConnectDefault2`, …, and `MapEntry`.
const NAMESPACE: &str = "io.confluent.connect.avro";

const DECIMAL: &str = Logical::Decimal.name();

/// The Avro schema of a Connect schema, as its text.
///
/// ```
/// use pgcdc_format::avro::{AvroOptions, AvroSchema};
/// use pgcdc_format::schema::Schema;
///
/// let row = Schema::structure([("id", Schema::int32()), ("v", Schema::string().optional())]).with_name("shop.t.Value");
/// let avro = AvroSchema::of(&row, &AvroOptions { meta_data: false, ..AvroOptions::default() })?;
/// assert_eq!(
///     avro.text(),
///     concat!(
///         r#"{"type":"record","name":"Value","namespace":"shop.t","fields":[{"name":"id","type":"int"},"#,
///         r#"{"name":"v","type":["null","string"],"default":null}]}"#,
///     )
/// );
/// # Ok::<(), pgcdc_format::avro::AvroError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvroSchema {
    text: String,
    /// The full name of a record that is not optional; see [`record_name`](Self::record_name).
    name: Option<String>,
}

impl AvroSchema {
    /// Renders a schema as `AvroData` does.
    ///
    /// # Errors
    /// When Avro does not allow a name, or two different schemas have the same one.
    pub fn of(schema: &Schema, options: &AvroOptions) -> Result<Self, AvroError> {
        let mut writer = Writer { options, known: Vec::new(), nameless: 0, out: Vec::new() };
        writer.any(schema, None, false)?;
        let name = match (&schema.kind, schema.optional, writer.known.first()) {
            (Kind::Struct(_), false, Some((_, name))) => Some(name.full()),
            _ => None,
        };
        let text = String::from_utf8(writer.out).map_err(|_| AvroError::Schema("it is not UTF-8"))?;
        Ok(Self { text, name })
    }

    /// The schema as JSON, without spaces: the text that a registry gets.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The full name, when the schema is a record. Subjects are made of it with `RecordNameStrategy`.
    #[must_use]
    pub fn record_name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// Renders one schema from its root. Avro defines each named record once, at its first use, and names it from then on.
struct Writer<'a> {
    options: &'a AvroOptions,
    /// The records written so far, in order: each Connect schema and the name it got.
    known: Vec<(Schema, FullName)>,
    /// How many records without a name were written: they are numbered.
    nameless: u32,
    out: Vec<u8>,
}

impl Writer<'_> {
    /// Appends a piece of JSON as it is.
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Appends a JSON string.
    fn string(&mut self, text: &str) {
        write_inner_json_string(text.as_bytes(), &mut self.out);
    }

    /// Appends a schema within the namespace `space`. `by_name`: a record of the same name counts as the same record.
    fn any(&mut self, schema: &Schema, space: Option<&str>, by_name: bool) -> Result<(), AvroError> {
        if !schema.optional {
            return self.required(schema, space, by_name);
        }
        let required = Schema { optional: false, ..schema.clone() };
        // For an optional struct, null is always the first branch.
        let null_first = schema.default.is_none() || matches!(schema.kind, Kind::Struct(_));
        self.raw(if null_first { "[\"null\"," } else { "[" });
        self.required(&required, space, true)?;
        self.raw(if null_first { "]" } else { ",\"null\"]" });
        Ok(())
    }

    /// Appends a schema without its union: the branch that is not null.
    fn required(&mut self, schema: &Schema, space: Option<&str>, by_name: bool) -> Result<(), AvroError> {
        match &schema.kind {
            Kind::Struct(fields) => return self.record(schema, fields, space, by_name),
            Kind::Array(items) => {
                self.raw("{\"type\":\"array\",\"items\":");
                self.any(items, space, true)?;
            }
            Kind::Map(keys, values) if keys.kind == Kind::String && !keys.optional => {
                self.raw("{\"type\":\"map\",\"values\":");
                self.any(values, space, true)?;
            }
            Kind::Map(keys, values) => {
                self.raw("{\"type\":\"array\",\"items\":");
                self.entry(schema, keys, values, space)?;
            }
            primitive => {
                let word = primitive_word(primitive);
                let start = self.out.len();
                self.raw("{\"type\":\"");
                self.raw(word);
                self.raw("\"");
                let bare = self.out.len();
                self.properties(schema)?;
                if self.out.len() == bare {
                    self.out.truncate(start);
                    self.string(word);
                } else {
                    self.raw("}");
                }
                return Ok(());
            }
        }
        self.properties(schema)?;
        self.raw("}");
        Ok(())
    }

    /// Appends a record's definition, or its name when it was defined before.
    fn record(
        &mut self,
        schema: &Schema,
        fields: &[(Box<str>, Schema)],
        space: Option<&str>,
        by_name: bool,
    ) -> Result<(), AvroError> {
        let name = match &schema.name {
            Some(name) => Some(FullName::of(name, self.options.scrub_names)?),
            None => None,
        };
        let known = self
            .known
            .iter()
            .find(|(known, as_name)| known == schema || name.as_ref().is_some_and(|name| name == as_name));
        if let Some((known, name)) = known {
            // An optional record or an element is recognised by its name alone; any other must be the same schema.
            if !by_name && known != schema {
                return Err(AvroError::Redefined(name.full()));
            }
            let reference = name.seen_from(space);
            self.string(&reference);
            return Ok(());
        }
        let name = name.unwrap_or_else(|| {
            self.nameless += 1;
            let number = if self.nameless > 1 { self.nameless.to_string() } else { String::new() };
            FullName { space: Some(NAMESPACE.to_owned()), name: format!("ConnectDefault{number}") }
        });
        self.known.push((schema.clone(), name.clone()));
        self.open_record(&name, space);
        for (at, (field, schema)) in fields.iter().enumerate() {
            if at > 0 {
                self.raw(",");
            }
            self.field(field, schema, name.space.as_deref())?;
        }
        self.raw("]");
        self.properties(schema)?;
        self.raw("}");
        Ok(())
    }

    /// Appends the beginning of a record's definition. Its namespace is written only where it differs from the namespace
    /// around it.
    fn open_record(&mut self, name: &FullName, space: Option<&str>) {
        self.raw("{\"type\":\"record\",\"name\":");
        self.string(&name.name);
        match &name.space {
            own if own.as_deref() == space => {}
            own => {
                self.raw(",\"namespace\":");
                self.string(own.as_deref().unwrap_or(""));
            }
        }
        self.raw(",\"fields\":[");
    }

    /// Appends a record's field with its default; an optional field without one has the default null.
    fn field(&mut self, name: &str, schema: &Schema, space: Option<&str>) -> Result<(), AvroError> {
        self.raw("{\"name\":");
        let name = names::field(name, self.options.scrub_names)?;
        self.string(&name);
        self.raw(",\"type\":");
        self.any(schema, space, false)?;
        match &schema.default {
            // A struct's default would belong to the second branch of its union, which Avro does not allow.
            Some(default) if !(schema.optional && matches!(schema.kind, Kind::Struct(_))) => {
                self.raw(",\"default\":");
                self.default(&schema.kind, default)?;
            }
            _ if schema.optional => self.raw(",\"default\":null"),
            _ => {}
        }
        self.raw("}");
        Ok(())
    }

    /// Appends the record that stands for an entry of a map whose keys are not required strings.
    fn entry(
        &mut self,
        map: &Schema,
        keys: &Schema,
        values: &Schema,
        space: Option<&str>,
    ) -> Result<(), AvroError> {
        let name = match &map.name {
            Some(name) => FullName::of(name, self.options.scrub_names)?,
            None => FullName { space: Some(NAMESPACE.to_owned()), name: "MapEntry".to_owned() },
        };
        let entry = Schema { optional: false, default: None, ..map.clone() };
        if let Some((known, _)) = self.known.iter().find(|(_, known)| *known == name) {
            if *known != entry {
                return Err(AvroError::Redefined(name.full()));
            }
            let reference = name.seen_from(space);
            self.string(&reference);
            return Ok(());
        }
        self.known.push((entry, name.clone()));
        self.open_record(&name, space);
        self.field("key", keys, name.space.as_deref())?;
        self.raw(",");
        self.field("value", values, name.space.as_deref())?;
        self.raw("]");
        if map.name.is_some() {
            self.raw(",\"connect.internal.type\":\"MapEntry\"");
        }
        self.raw("}");
        Ok(())
    }

    /// Appends the properties that Connect adds to a schema, in `AvroData`'s order.
    fn properties(&mut self, schema: &Schema) -> Result<(), AvroError> {
        let parameter = |name: &str| {
            schema
                .parameters
                .iter()
                .find(|(key, _)| &**key == name)
                .and_then(|(_, value)| value.parse::<i32>().ok())
        };
        let name = schema.name.as_deref();
        if name == Some(DECIMAL) {
            let scale = parameter("scale").ok_or(AvroError::Schema("a decimal has no scale"))?;
            let precision = parameter("connect.decimal.precision").unwrap_or(64);
            self.raw(&format!(",\"scale\":{scale},\"precision\":{precision}"));
        }
        if self.options.meta_data {
            self.meta_data(schema)?;
        }
        let logical = match name {
            Some(DECIMAL) => "decimal",
            Some("org.apache.kafka.connect.data.Date") => "date",
            Some("org.apache.kafka.connect.data.Time") => "time-millis",
            Some("org.apache.kafka.connect.data.Timestamp") => "timestamp-millis",
            _ => "",
        };
        if !logical.is_empty() {
            self.raw(&format!(",\"logicalType\":\"{logical}\""));
        }
        for (key, value) in schema.parameters.iter().filter(|(key, _)| key.starts_with("avro")) {
            self.raw(",");
            self.string(key);
            self.raw(":");
            self.string(value);
        }
        Ok(())
    }

    /// Appends Connect's own properties, by which a reader can restore the Connect schema (`connect.meta.data`).
    fn meta_data(&mut self, schema: &Schema) -> Result<(), AvroError> {
        if let Some(doc) = &schema.doc {
            self.raw(",\"connect.doc\":");
            self.string(doc);
        }
        if let Some(version) = schema.version {
            self.raw(&format!(",\"connect.version\":{version}"));
        }
        if !schema.parameters.is_empty() {
            self.raw(",\"connect.parameters\":");
            for (at, (key, value)) in schema.parameters.iter().enumerate() {
                self.raw(if at > 0 { "," } else { "{" });
                self.string(key);
                self.raw(":");
                self.string(value);
            }
            self.raw("}");
        }
        if let Some(default) = &schema.default {
            self.raw(",\"connect.default\":");
            self.default(&schema.kind, default)?;
        }
        if let Some(name) = &schema.name {
            self.raw(",\"connect.name\":");
            self.string(name);
        }
        match schema.kind {
            Kind::Int8 => self.raw(",\"connect.type\":\"int8\""),
            Kind::Int16 => self.raw(",\"connect.type\":\"int16\""),
            _ => {}
        }
        Ok(())
    }

    /// Appends a default: Connect's JSON, except that bytes become a string with a character for each byte, as Avro wants them.
    fn default(&mut self, kind: &Kind, json: &str) -> Result<(), AvroError> {
        match kind {
            Kind::String | Kind::Bytes | Kind::Array(_) | Kind::Map(..) | Kind::Struct(_) => {
                let value =
                    serde_json::from_str(json).map_err(|_| AvroError::Schema("a default is not JSON"))?;
                self.default_value(kind, &value)
            }
            _ => {
                self.raw(json);
                Ok(())
            }
        }
    }

    /// As [`default`](Self::default), for a value within another.
    fn default_value(&mut self, kind: &Kind, value: &Value) -> Result<(), AvroError> {
        match (kind, value) {
            (Kind::String, Value::String(text)) => self.string(text),
            (Kind::Bytes, Value::String(text)) => {
                let bytes =
                    STANDARD.decode(text).map_err(|_| AvroError::Schema("a default is not base64"))?;
                self.string(&bytes.into_iter().map(char::from).collect::<String>());
            }
            (Kind::Array(items), Value::Array(values)) => {
                self.raw("[");
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        self.raw(",");
                    }
                    self.default_value(&items.kind, value)?;
                }
                self.raw("]");
            }
            (Kind::Struct(fields), Value::Object(values)) => {
                self.raw("{");
                for (at, (name, schema)) in fields.iter().enumerate() {
                    if at > 0 {
                        self.raw(",");
                    }
                    let written = names::field(name, self.options.scrub_names)?;
                    self.string(&written);
                    self.raw(":");
                    self.default_value(&schema.kind, values.get(&**name).unwrap_or(&Value::Null))?;
                }
                self.raw("}");
            }
            (_, other) => self.raw(&other.to_string()),
        }
        Ok(())
    }
}

/// Avro's type of a Connect type that holds no other values.
const fn primitive_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Int8 | Kind::Int16 | Kind::Int32 => "int",
        Kind::Int64 => "long",
        Kind::Float32 => "float",
        Kind::Float64 => "double",
        Kind::Boolean => "boolean",
        Kind::String => "string",
        _ => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structs_default_keeps_its_values_when_names_are_scrubbed() {
        let point = Schema::structure([("a-b", Schema::int32())]).with_name("P").with_default(r#"{"a-b":7}"#);
        let row = Schema::structure([("p", point)]).with_name("R");
        let options = AvroOptions { scrub_names: true, meta_data: false, ..AvroOptions::default() };
        let avro = AvroSchema::of(&row, &options).unwrap();
        assert!(avro.text().contains(r#""default":{"a_b":7}"#), "{}", avro.text());
    }
}
