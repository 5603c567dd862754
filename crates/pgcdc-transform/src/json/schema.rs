//! Schemas to and from their JSON.
//!
//! ```text
//! {"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},…],"optional":false,"name":"shop.Key"}
//! ```
//!
//! A part of a struct has its name as `field`. `name`, `version`, `doc`, `parameters` and `default` stand only where the
//! schema has them. An array has `items`, a map `keys` and `values`.

use std::sync::Arc;

use pgcdc_format::schema::{Attributes, append_type};

use super::payload::Payload;
use super::tree::Json;
use super::typed::tree_to_value;
use crate::Fault;
use crate::data::{Kind, Schema, SchemaBuilder};

/// Reads a schema; `None` for `null`.
///
/// # Errors
/// When the type is missing or unknown, a part is missing, or the default is no value of the schema.
pub(super) fn read(json: &Json) -> Result<Option<Schema>, Fault> {
    if *json == Json::Null {
        return Ok(None);
    }
    let Some(word) = json.get("type").and_then(Json::as_str) else {
        return Err(Fault::data("Schema must contain 'type' field"));
    };
    let Some(kind) = Kind::from_word(word) else {
        return Err(Fault::data(format!("Unknown schema type: {word}")));
    };
    let mut builder = of_kind(kind, json)?;
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
        let pairs = parameters.iter().map(|(name, value)| match value.as_str() {
            Some(text) => Ok((Arc::clone(name), Arc::clone(text))),
            None => Err(Fault::data("Schema parameters must have string values.")),
        });
        let pairs: Vec<_> = pairs.collect::<Result<_, _>>()?;
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

/// Begins a schema of this kind with the schemas of which it is made.
fn of_kind(kind: Kind, json: &Json) -> Result<SchemaBuilder, Fault> {
    let part = |name: &str, missing: &str| -> Result<Schema, Fault> {
        json.get(name).map(read).transpose()?.flatten().ok_or_else(|| Fault::data(missing))
    };
    match kind {
        Kind::Array => {
            Ok(SchemaBuilder::array(part("items", "Array schema did not specify the element type")?))
        }
        Kind::Map => Ok(SchemaBuilder::map(
            part("keys", "Map schema did not specify the key type")?,
            part("values", "Map schema did not specify the value type")?,
        )),
        Kind::Struct => {
            let Some(Json::Array(fields)) = json.get("fields") else {
                return Err(Fault::data("Struct schema's \"fields\" argument is not an array."));
            };
            let mut builder = SchemaBuilder::new(kind);
            for field in fields {
                let name = field.get("field").and_then(Json::as_str);
                let name =
                    name.ok_or_else(|| Fault::data("Struct schema's field name not specified properly"))?;
                let schema = read(field)?.ok_or_else(|| Fault::data("Schema must contain 'type' field"))?;
                builder.add_field(Arc::clone(name), schema)?;
            }
            Ok(builder)
        }
        other => Ok(SchemaBuilder::new(other)),
    }
}

/// Appends a schema's JSON; `field` is the name under which a struct holds it.
pub(super) fn write(
    schema: &Schema,
    field: Option<&str>,
    writer: &Payload,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    append_type(schema.kind(), out);
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
    let attributes = Attributes {
        optional: schema.is_optional(),
        name: schema.name(),
        version: schema.version(),
        doc: schema.doc().map(|doc| &**doc),
    };
    let parameters = schema.parameters().map(|pairs| pairs.iter().map(|(key, value)| (&**key, &**value)));
    attributes.append(parameters, out);
    if let Some(default) = schema.default_value() {
        out.extend_from_slice(b",\"default\":");
        writer.write(Some(schema), default, out)?;
    }
    Attributes::end(field, out);
    Ok(())
}

/// Appends the schema of a list's elements or of a map's keys or values.
fn write_part(schema: Option<&Schema>, writer: &Payload, out: &mut Vec<u8>) -> Result<(), Fault> {
    match schema {
        Some(schema) => write(schema, None, writer, out),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}
