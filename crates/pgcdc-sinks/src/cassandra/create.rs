//! Makes a table from the first record of a topic, with `create = true`.
//!
//! With a Connect schema the types are exact. Without one only JSON's own kinds are known, and no type comes from what
//! one value looks like: whole numbers → `bigint`, others → `double` (Debezium writes a point in these), booleans →
//! `boolean`, every text → `text`, which takes anything. So `numeric` becomes the base64 text that it is without a schema,
//! and dates and timestamps the numbers that they are; [`without_schema`] says what to set. A NULL says nothing of its
//! type: its column is added when a value comes. So is a column that the source adds later. All key columns together are
//! the partition key.
//!
//! Only tables that were made here grow, known by their comment; one that the user made keeps the
//! columns it has.

use pgcdc_format::decode::{Change, Field, Json, Semantic};

/// The comment of tables made here.
pub(super) const COMMENT: &str = "made by pgcdc";

/// The `CREATE TABLE` statement, or the reason why the record does not say enough for one.
pub(super) fn create_table(keyspace: &str, table: &str, change: &Change<'_>) -> Result<String, String> {
    let row = change.after.as_ref().ok_or("the table is to be made from a row, and this record has none")?;
    let key = change.key.as_ref().ok_or("the record has no key, and a table needs one")?;
    let mut keys = Vec::new();
    for field in key.fields() {
        if field.name.is_empty() {
            return Err("the record's key is a bare value, not fields with names".to_owned());
        }
        keys.push(quote(field.name));
    }
    if keys.is_empty() {
        return Err("the record's key is empty, and a table needs one".to_owned());
    }
    let missing = key.fields().filter(|field| row.get(field.name).is_none());
    let columns: Vec<String> = missing
        .chain(row.fields().filter(|field| key.get(field.name).is_some() || says_its_type(field)))
        .map(|field| format!("{} {}", quote(field.name), cql_type(&field)))
        .collect();
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {}.{} ({}, PRIMARY KEY (({}))) WITH comment = '{COMMENT}'",
        quote(keyspace),
        quote(table),
        columns.join(", "),
        keys.join(", ")
    ))
}

/// The warning for a table that is made from a record without a schema; `None` when the record has one.
pub(super) fn without_schema(change: &Change<'_>) -> Option<&'static str> {
    let row = change.after.as_ref()?;
    let guessed = row.fields().any(|field| field.semantic.is_none() && !field.name.starts_with("__"));
    guessed.then_some(
        "the records have no schemas, so that types are not known: every text is text, a numeric (base64) and a timestamptz \
         among them, and every date, time and timestamp is a bigint. For exact types set value.converter.schemas.enable=true \
         for the connector, or make the table with the types you want before the sink starts (for numeric together with \
         decimal.handling.mode=string: base64 cannot be told from other texts); then drop this table, and forget the \
         group's offsets",
    )
}

/// Whether a column can be made for a field. Fields that `add.fields` adds (`__op`, say) are not columns of the source.
pub(super) fn says_its_type(field: &Field<'_, '_>) -> bool {
    !field.name.starts_with("__") && (field.semantic.is_some() || !field.value.is_null())
}

/// `ALTER TABLE … ADD`.
pub(super) fn add_columns<'r>(
    keyspace: &str,
    table: &str,
    fields: impl Iterator<Item = Field<'r, 'r>>,
) -> String {
    let columns: Vec<String> =
        fields.map(|field| format!("{} {}", quote(field.name), cql_type(&field))).collect();
    format!("ALTER TABLE {}.{} ADD ({})", quote(keyspace), quote(table), columns.join(", "))
}

/// A CQL identifier with its case kept.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn cql_type(field: &Field<'_, '_>) -> String {
    match field.semantic {
        Some(semantic) => of_semantic(semantic),
        None => of_value(field.value).to_owned(),
    }
}

fn of_semantic(semantic: &Semantic) -> String {
    match semantic {
        Semantic::Boolean => "boolean",
        Semantic::Integer(8) => "tinyint",
        Semantic::Integer(16) => "smallint",
        Semantic::Integer(32) => "int",
        Semantic::Integer(_) | Semantic::MicroDuration => "bigint",
        Semantic::Float => "float",
        Semantic::Double => "double",
        Semantic::Bytes => "blob",
        Semantic::Date => "date",
        Semantic::Time(_) => "time",
        Semantic::Timestamp(_) | Semantic::ZonedTimestamp => "timestamp",
        Semantic::Decimal(_) | Semantic::VariableScaleDecimal => "decimal",
        Semantic::Uuid => "uuid",
        Semantic::Text | Semantic::Json | Semantic::IsoText | Semantic::ZonedTime | Semantic::Struct => {
            "text"
        }
        Semantic::Array(element) => return format!("frozen<list<{}>>", of_semantic(element)),
        Semantic::Map(value) => return format!("frozen<map<text, {}>>", of_semantic(value)),
    }
    .to_owned()
}

fn of_value(value: &Json<'_>) -> &'static str {
    match value {
        Json::Bool(_) => "boolean",
        Json::Number(_) if value.as_i64().is_some() => "bigint",
        Json::Number(_) => "double",
        Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_) => "text",
    }
}
