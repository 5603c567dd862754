//! Debezium's `ExtractSchemaToNewRecord`: adds a description of the table's columns to each change event.
//!
//! Class: `io.debezium.transforms.ExtractSchemaToNewRecord`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `schema.name.adjustment.mode` | `none` | `avro` or `avro_unicode` for the names of the new schemas |
//!
//! The new field `sourceSchema` has the table's name and, for each column, its name, its type in the database, length,
//! scale and comment:
//!
//! ```text
//! before  {"before":null,"after":{"id":7},"source":{…,"table":"items"},"op":"c"}
//! after   {"before":null,"after":{"id":7},"source":{…,"table":"items"},"op":"c",
//!          "sourceSchema":{"id":"items","table":{"columns":[
//!            {"name":"id","typeName":"INT4","length":10,"scale":0,"comment":null}]}}}
//! ```
//!
//! The description comes from the parameters of the columns' schemas. The connector writes them when
//! `column.propagate.source.type=.*` is set; without it each event is an error:
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let describe = "type=io.debezium.transforms.ExtractSchemaToNewRecord";
//! let insert = r#"{"event":{"op":"c","before":null,"after":{"id":7},"source":{"table":"items"}}}"#;
//! assert!(try_on(describe, insert).contains("column.propagate.source.type"));
//! ```
//!
//! A tombstone, a truncate and a record that is no change event pass. The description is made once for each event schema.

use super::transform::{Built, Outcome, Transform, extract, is_envelope, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;
use pgcdc_format::names::NameAdjustment;

/// The field that it adds.
const ADDED: &str = "sourceSchema";

/// The transform with the descriptions that it has made.
#[derive(Debug)]
struct SchemaToRecord {
    adjustment: NameAdjustment,
    /// For each event schema: the new schema, and the value of the new field.
    known: Recent<Schema, (Schema, Value)>,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let adjustment = options.word("schema.name.adjustment.mode", NameAdjustment::WORDS, NameAdjustment::None);
    Some(Box::new(SchemaToRecord { adjustment, known: Recent::new(64) }))
}

impl Transform for SchemaToRecord {
    fn keeps_headers(&self) -> bool {
        true
    }

    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        if record.value.is_null() || !is_envelope(&record) {
            return Ok(Some(record));
        }
        let row = |name: &str| extract(record.value_schema.as_ref(), &record.value, name);
        let (after, before) = (row("after")?, row("before")?);
        if after.1.is_null() && before.1.is_null() {
            return Ok(Some(record));
        }
        let event = require_struct(&record.value, "source field insertion")?.clone();
        let row_schema = after.0.or(before.0).unwrap_or_else(|| event.schema().clone());
        let (schema, added) =
            self.known.get_or(event.schema(), || describe(&event, &row_schema, self.adjustment))?;
        let mut updated = Struct::new(schema.clone())?;
        for at in 0..event.values().len() {
            updated.put_at(at, event.at(at).clone())?;
        }
        updated.put(ADDED, added)?;
        Ok(Some(record.with(Side::Value, Some(schema), Value::Struct(updated.into()))))
    }
}

/// The event's new schema, and the value of the new field for all events of that schema. Debezium names the schema of the
/// table without the adjustment.
fn describe(event: &Struct, row: &Schema, adjustment: NameAdjustment) -> Result<(Schema, Value), Fault> {
    let plain = |kind, optional| Schema::plain(kind, optional);
    let column = SchemaBuilder::new(Kind::Struct)
        .named(&adjustment.schema("io.debezium.connector.source.schema.Column"))
        .version(1)
        .field("name", plain(Kind::String, false))?
        .field("typeName", plain(Kind::String, false))?
        .field("length", plain(Kind::Int32, true))?
        .field("scale", plain(Kind::Int32, true))?
        .field("comment", plain(Kind::String, true))?
        .build();
    let table = SchemaBuilder::new(Kind::Struct)
        .named("io.debezium.connector.source.schema.Table")
        .version(1)
        .field("columns", SchemaBuilder::array(column.clone()).build())?
        .build();
    let block = SchemaBuilder::new(Kind::Struct)
        .named(&adjustment.schema("io.debezium.connector.source.Schema"))
        .version(1)
        .field("id", plain(Kind::String, false))?
        .field("table", table.clone())?
        .build();
    let mut builder = SchemaBuilder::same_kind(event.schema()).optional_if(event.schema().is_optional());
    builder.add_fields_of(event.schema())?;
    builder.add_field(ADDED.into(), block.clone())?;

    let mut columns = Vec::new();
    for field in row.fields() {
        columns.push(Value::Struct(describe_column(&column, &field.schema)?.into()));
    }
    let mut of_table = Struct::new(table)?;
    of_table.put_at(0, Value::Array(columns.into()))?;
    let source = event.nested("source")?.ok_or_else(|| Fault::null("the event has no source"))?;
    let mut added = Struct::new(block)?;
    added.put_at(0, source.get("table")?.clone())?;
    added.put_at(1, Value::Struct(of_table.into()))?;
    Ok((builder.build(), Value::Struct(added.into())))
}

/// One column's description, from the parameters of its schema.
fn describe_column(schema: &Schema, column: &Schema) -> Result<Struct, Fault> {
    let said = |what: &str| column.parameter(&format!("__debezium.source.column.{what}"));
    let (Some(name), Some(kind)) = (said("name"), said("type")) else {
        return Err(Fault::debezium(
            "Ensure that enable configurations \"column.propagate.source.type\" or \"datatype.propagate.source.type\" and the value is set to \".*\"",
        ));
    };
    let number = |what: &str| match said(what) {
        None => Ok(Value::Null),
        Some(digits) => digits
            .parse()
            .map(Value::Int32)
            .map_err(|_| Fault::argument(format!("For input string: \"{digits}\""))),
    };
    let mut told = Struct::new(schema.clone())?;
    let comment = said("comment").map_or(Value::Null, Value::text);
    let values = [Value::text(name), Value::text(kind), number("length")?, number("scale")?, comment];
    for (at, value) in values.into_iter().enumerate() {
        told.put_at(at, value)?;
    }
    Ok(told)
}
