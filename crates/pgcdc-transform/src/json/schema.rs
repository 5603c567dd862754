//! A schema to and from its JSON.

use std::sync::Arc;

use pgcdc_format::types::write_json_string;

use super::Json;
use super::read::tree_to_value;
use super::write::JsonWriter;
use crate::Fault;
use crate::data::{Kind, Schema, SchemaBuilder};

const NAMES: &[(Kind, &str)] = &[
    (Kind::Boolean, "boolean"),
    (Kind::Int8, "int8"),
    (Kind::Int16, "int16"),
    (Kind::Int32, "int32"),
    (Kind::Int64, "int64"),
    (Kind::Float32, "float"),
    (Kind::Float64, "double"),
    (Kind::Bytes, "bytes"),
    (Kind::String, "string"),
    (Kind::Array, "array"),
    (Kind::Map, "map"),
    (Kind::Struct, "struct"),
];

/// Reads a schema; none of `null`.
pub(super) fn read(json: &Json) -> Result<Option<Schema>, Fault> {
    if *json == Json::Null {
        return Ok(None);
    }
    let Some(word) = json.get("type").and_then(Json::as_str) else {
        return Err(Fault::data("Schema must contain 'type' field"));
    };
    let Some(&(kind, _)) = NAMES.iter().find(|(_, name)| **name == **word) else {
        return Err(Fault::data(format!("Unknown schema type: {word}")));
    };
    let part = |name: &str, missing: &str| -> Result<Schema, Fault> {
        json.get(name).map(read).transpose()?.flatten().ok_or_else(|| Fault::data(missing))
    };
    let mut builder = match kind {
        Kind::Array => SchemaBuilder::array(part("items", "Array schema did not specify the element type")?),
        Kind::Map => SchemaBuilder::map(
            part("keys", "Map schema did not specify the key type")?,
            part("values", "Map schema did not specify the value type")?,
        ),
        other => SchemaBuilder::new(other),
    };
    if kind == Kind::Struct {
        let Some(Json::Array(fields)) = json.get("fields") else {
            return Err(Fault::data("Struct schema's \"fields\" argument is not an array."));
        };
        for field in fields {
            let name = field.get("field").and_then(Json::as_str);
            let name =
                name.ok_or_else(|| Fault::data("Struct schema's field name not specified properly"))?;
            let schema = read(field)?.ok_or_else(|| Fault::data("Schema must contain 'type' field"))?;
            builder.add_field(Arc::clone(name), schema)?;
        }
    }
    builder = builder.optional_if(json.get("optional") == Some(&Json::Bool(true)));
    if let Some(name) = json.get("name").and_then(Json::as_str) {
        builder = builder.named(name);
    }
    if let Some(Json::Number(digits)) = json.get("version")
        && let Ok(version) = digits.parse()
    {
        builder = builder.version(version);
    }
    if let Some(doc) = json.get("doc").and_then(Json::as_str) {
        builder = builder.doc(doc);
    }
    if let Some(Json::Object(parameters)) = json.get("parameters") {
        let mut pairs = Vec::with_capacity(parameters.len());
        for (name, value) in parameters {
            let text = value.as_str();
            let text = text.ok_or_else(|| Fault::data("Schema parameters must have string values."))?;
            pairs.push((Arc::clone(name), Arc::clone(text)));
        }
        if !pairs.is_empty() {
            builder = builder.parameters(pairs.into());
        }
    }
    if let Some(default) = json.get("default") {
        let value = tree_to_value(&builder.build(), default)?;
        builder = builder.default_value(value)?;
    }
    Ok(Some(builder.build()))
}

/// Appends a schema; a struct's field with its name.
pub(super) fn write(
    schema: &Schema,
    field: Option<&str>,
    writer: &JsonWriter,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let word = NAMES.iter().find(|(kind, _)| *kind == schema.kind()).map_or("", |(_, word)| *word);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
    match schema.kind() {
        Kind::Array => {
            out.extend_from_slice(b",\"items\":");
            write_part(schema.value_schema(), writer, out)?;
        }
        Kind::Map => {
            out.extend_from_slice(b",\"keys\":");
            write_part(schema.key_schema(), writer, out)?;
            out.extend_from_slice(b",\"values\":");
            write_part(schema.value_schema(), writer, out)?;
        }
        Kind::Struct => {
            out.extend_from_slice(b",\"fields\":[");
            for (at, field) in schema.fields().iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(&field.schema, Some(&field.name), writer, out)?;
            }
            out.push(b']');
        }
        _ => {}
    }
    let optional: &[u8] = if schema.is_optional() { b"true" } else { b"false" };
    out.extend_from_slice(b",\"optional\":");
    out.extend_from_slice(optional);
    let text = |name: &str, value: &str, out: &mut Vec<u8>| {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        write_json_string(value.as_bytes(), out);
    };
    if let Some(name) = schema.name() {
        text("name", name, out);
    }
    if let Some(version) = schema.version() {
        out.extend_from_slice(b",\"version\":");
        out.extend_from_slice(itoa::Buffer::new().format(version).as_bytes());
    }
    if let Some(doc) = schema.doc() {
        text("doc", doc, out);
    }
    if let Some(parameters) = schema.parameters() {
        out.extend_from_slice(b",\"parameters\":{");
        for (at, (name, value)) in parameters.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_json_string(name.as_bytes(), out);
            out.push(b':');
            write_json_string(value.as_bytes(), out);
        }
        out.push(b'}');
    }
    if let Some(default) = schema.default_value() {
        out.extend_from_slice(b",\"default\":");
        writer.write_value(Some(schema), default, out)?;
    }
    if let Some(name) = field {
        text("field", name, out);
    }
    out.push(b'}');
    Ok(())
}

fn write_part(schema: Option<&Schema>, writer: &JsonWriter, out: &mut Vec<u8>) -> Result<(), Fault> {
    match schema {
        Some(schema) => write(schema, None, writer, out),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}
