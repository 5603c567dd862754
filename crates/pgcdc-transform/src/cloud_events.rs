//! Debezium's `CloudEventsConverter`, events and their data in JSON.
//!
//! A change event becomes a CloudEvent 1.0 in its JSON form (CNCF's *JSON Event Format for CloudEvents*, structured mode):
//!
//! ```text
//! {"id":"name:shop;lsn:99;txId:7;sequence:[null,\"99\"]","source":"/debezium/postgresql/shop","specversion":"1.0",
//!  "type":"io.debezium.connector.postgresql.DataChangeEvent","time":"2024-03-31T01:00:00.123Z",
//!  "datacontenttype":"application/json","iodebeziumop":"u", …, "data":{"before":null,"after":{"id":7}}}
//! ```
//!
//! `iodebezium…` are Debezium's extension attributes: the operation, each field of `source`, and the transaction. They are
//! texts, or null.

use crate::Fault;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Struct, Value};
use crate::java;
use crate::json::JsonWriter;

/// Where an attribute comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Made of the event's own fields.
    Generated,
    /// Taken from the header of the attribute's name, which a transform has added.
    Header,
}

/// Writes change events as CloudEvents.
///
/// ```
/// use pgcdc_transform::cloud_events::CloudEventsWriter;
///
/// // Options: no schemas, extension attributes, no schema names from headers, and everything generated from the value.
/// assert!(CloudEventsWriter::new(false, true, false, "value,id:generate,type:generate").is_ok());
/// let fault = CloudEventsWriter::new(false, true, false, "id:guess").expect_err("no such source");
/// assert!(fault.message.contains("metadata.source"));
/// ```
#[derive(Debug)]
pub struct CloudEventsWriter {
    /// Writes `data`.
    data: JsonWriter,
    /// `extension.attributes.enable`.
    extensions: bool,
    /// Whether source, operation and transaction are in headers, so that the value is only the data.
    from_headers: bool,
    id: Source,
    kind: Source,
    data_schema_name: Source,
}

/// The fields of an event's `transaction`.
const TRANSACTION: [&str; 3] = ["id", "total_order", "data_collection_order"];

const DATA_SCHEMA: &str = "io.debezium.connector.postgresql.Data";

impl CloudEventsWriter {
    /// A converter with these options: `json.schemas.enable`, `extension.attributes.enable`,
    /// `schema.data.name.source.header.enable` and `metadata.source`.
    ///
    /// # Errors
    /// When `metadata.source` names a source that an attribute cannot come from.
    pub fn new(
        schemas: bool,
        extensions: bool,
        names_from_headers: bool,
        metadata_source: &str,
    ) -> Result<Self, Fault> {
        let mut writer = Self {
            data: JsonWriter::new(schemas),
            extensions,
            from_headers: false,
            id: Source::Generated,
            kind: Source::Generated,
            data_schema_name: Source::Generated,
        };
        for item in metadata_source.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let wrong = || {
                Fault::argument(format!(
                    "metadata.source: {item:?} is unknown; write value or header, and id, type or dataSchemaName followed by :generate or :header"
                ))
            };
            let Some((field, from)) = item.split_once(':') else {
                writer.from_headers = item.eq_ignore_ascii_case("header");
                if writer.from_headers || item.eq_ignore_ascii_case("value") {
                    continue;
                }
                return Err(wrong());
            };
            let source = match from.trim().to_ascii_lowercase().as_str() {
                "generate" => Source::Generated,
                "header" => Source::Header,
                _ => return Err(wrong()),
            };
            match field.trim() {
                "id" => writer.id = source,
                "type" => writer.kind = source,
                "dataSchemaName" if names_from_headers => writer.data_schema_name = source,
                // pgcdc traces nothing, so there is no value.
                "dataSchemaName" | "traceparent" => {}
                _ => return Err(wrong()),
            }
        }
        Ok(writer)
    }

    /// Appends a record's event. Returns false, with nothing appended, when the record has no value, or is no change event:
    /// Debezium writes only the key then.
    ///
    /// # Errors
    /// When the record has no source, or a header is missing. Part of the event may be appended then.
    pub fn write(&self, record: &Record, out: &mut Vec<u8>) -> Result<bool, Fault> {
        let (Some(schema), false) = (&record.value_schema, record.value.is_null()) else { return Ok(false) };
        if !self.is_about_row(record, schema) {
            return Ok(false);
        }
        let Some(event) = record.value.as_struct() else { return Err(Fault::data("Mismatching schema")) };
        let metadata = |name: &str| {
            if self.from_headers {
                return Ok(last_header(record, name).unwrap_or(&Value::Null));
            }
            event.get(name)
        };
        let Value::Struct(source) = metadata("source")? else {
            return Err(Fault::data("a change event without its source"));
        };
        let mut attributes = Attributes { out, first: true };
        self.head(record, source, &mut attributes)?;
        if self.extensions {
            attributes.extension("", "op", metadata("op")?);
            for (at, field) in source.schema().fields().iter().enumerate() {
                attributes.extension("", &field.name, source.at(at));
            }
            if self.from_headers || schema.field("transaction").is_some() {
                let block = metadata("transaction")?.as_struct();
                for name in TRANSACTION {
                    let value = block.map_or(Ok(&Value::Null), |block| block.get(name))?;
                    attributes.extension("tx", name, value);
                }
            }
        }
        attributes.name("data");
        let data = self.data(record, schema, event)?;
        self.data.write(Some(data.schema()), &Value::Struct(data.clone().into()), out)?;
        out.push(b'}');
        Ok(true)
    }

    /// Appends the attributes of the specification, `id` to `datacontenttype`.
    fn head(&self, record: &Record, source: &Struct, attributes: &mut Attributes<'_>) -> Result<(), Fault> {
        let of_source = |name: &str| source.get(name).map(java::show);
        let id = match self.id {
            Source::Header => header(record, "id")?,
            Source::Generated => format!(
                "name:{};lsn:{};txId:{};sequence:{}",
                of_source("name")?,
                of_source("lsn")?,
                of_source("txId")?,
                of_source("sequence")?
            ),
        };
        let kind = match self.kind {
            Source::Header => header(record, "type")?,
            Source::Generated => format!("io.debezium.connector.{}.DataChangeEvent", of_source("connector")?),
        };
        let Value::Int64(millis) = source.get("ts_ms")? else {
            return Err(Fault::data("source.ts_ms is missing"));
        };
        let time = java::DateFormat::compile("yyyy-MM-dd'T'HH:mm:ss.SSSXXX")
            .map_err(|_| Fault::data("no format for time"))?
            .format(*millis);
        attributes.text("id", Some(&id));
        let origin = format!("/debezium/{}/{}", of_source("connector")?, of_source("name")?);
        attributes.text("source", Some(&origin));
        attributes.text("specversion", Some("1.0"));
        attributes.text("type", Some(&kind));
        attributes.text("time", Some(&time));
        attributes.text("datacontenttype", Some("application/json"));
        Ok(())
    }

    /// Whether a record is about a row. For any other record (a heartbeat, a transaction) Debezium writes only the key.
    fn is_about_row(&self, record: &Record, schema: &Schema) -> bool {
        if self.from_headers {
            last_header(record, "source").is_some() && last_header(record, "op").is_some()
        } else {
            schema.name().is_some_and(|name| name.ends_with(".Envelope"))
        }
    }

    /// The data of an event: a struct of the rows, or the whole value where the rest is in headers.
    fn data(&self, record: &Record, schema: &Schema, event: &Struct) -> Result<Struct, Fault> {
        let name = match self.data_schema_name {
            Source::Header => header(record, "dataSchemaName")?,
            Source::Generated => DATA_SCHEMA.to_owned(),
        };
        let mut builder = SchemaBuilder::new(Kind::Struct).named(&name);
        for field in schema.fields() {
            if self.from_headers || matches!(&*field.name, "before" | "after") {
                builder.add_field(field.name.clone(), field.schema.clone())?;
            }
        }
        let mut data = Struct::new(builder.build())?;
        for (at, field) in data.schema().clone().fields().iter().enumerate() {
            data.put_at(at, event.raw(&field.name)?.clone())?;
        }
        Ok(data)
    }
}

/// A header that must be there, as a text.
fn header(record: &Record, name: &str) -> Result<String, Fault> {
    let found = last_header(record, name).ok_or_else(|| {
        Fault::data(format!("the record has no header {name:?}, from which the event's attribute is to come"))
    })?;
    Ok(java::show(found))
}

/// The last header of a name, as Connect looks for one.
fn last_header<'a>(record: &'a Record, name: &str) -> Option<&'a Value> {
    record.headers.iter().rev().find(|header| &*header.key == name).map(|header| &header.value)
}

/// The event's JSON, open at its end.
struct Attributes<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Attributes<'_> {
    /// Appends an attribute's name, with what stands before it.
    fn name(&mut self, name: &str) {
        self.out.push(if std::mem::take(&mut self.first) { b'{' } else { b',' });
        pgcdc_format::types::write_json_string(name.as_bytes(), self.out);
        self.out.push(b':');
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        self.name(name);
        match text {
            Some(text) => pgcdc_format::types::write_json_string(text.as_bytes(), self.out),
            None => self.out.extend_from_slice(b"null"),
        }
    }

    /// Appends one of Debezium's extension attributes: any value as text, under a name of letters and digits only.
    fn extension(&mut self, prefix: &str, field: &str, value: &Value) {
        let letters: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
        let text = (!value.is_null()).then(|| java::show(value));
        self.text(&format!("iodebezium{prefix}{letters}"), text.as_deref());
    }
}
