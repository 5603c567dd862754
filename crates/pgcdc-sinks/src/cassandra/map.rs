//! A JSON value in the target column's CQL type, written as the protocol has it: by the driver's own serialization, without
//! a copy of it in between.
//!
//! The target's type decides; the schema of the record (its *semantic*) says how the value is to be read:
//!
//! | column | takes |
//! |---|---|
//! | `text`, `ascii` | any value, in its JSON form; a decimal in digits |
//! | `boolean` | a boolean, or the texts `true` and `false` |
//! | `tinyint` … `bigint` | a whole number that fits, or a text or a decimal of one |
//! | `float`, `double` | a number, or a text of one, `NaN` and infinities among them |
//! | `decimal`, `varint` | a decimal; `varint` only without digits after the point |
//! | `timestamp`, `date`, `time` | Debezium's and Connect's forms; microseconds of a `timestamp` are cut off |
//! | `uuid`, `timeuuid`, `inet` | a text of one; of `inet` the part before `/` |
//! | `blob` | base64, where the schema says bytes or there is no schema; any other text as its UTF-8 |
//! | `list`, `set`, `map` | an array or an object; nulls within a list fit no type, within a map they are left out |
//!
//! A value that does not fit makes a dead letter of its record: nothing is wrapped or shortened to make it fit, except the
//! microseconds above, and a number in a `float` column: it loses digits, and one beyond 3.4e38 becomes infinite.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgcdc_format::decode::{Decimal, Field, Json, Semantic, date_days, instant_us, time_of_day_ns};
use scylla::cluster::metadata::{CollectionType, ColumnType, NativeType};
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::CellWriter;
use scylla::value::{CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlVarint};
use uuid::Uuid;

use crate::hints::{NUMERIC_HINT, may_be_numeric};

/// Writes a field's value. After an error the buffer behind the cell holds a part of one.
///
/// # Errors
/// Names the column, what arrived and what the column takes; never the value.
pub(super) fn write_cql(
    field: &Field<'_, '_>,
    target: &ColumnType<'_>,
    cell: CellWriter<'_>,
) -> Result<(), String> {
    if field.value.is_null() {
        cell.set_null();
        return Ok(());
    }
    write(field.value, field.semantic, target, cell).ok_or_else(|| {
        let hint = if may_be_numeric(field) && is_number(target) { NUMERIC_HINT } else { "" };
        format!("column {:?}: {} cannot become {}{hint}", field.name, describe(field.value), name_of(target))
    })
}

/// Whether a column takes numbers; then base64 in its place is most likely a `numeric` without a schema.
fn is_number(target: &ColumnType<'_>) -> bool {
    use NativeType as N;
    matches!(
        target,
        ColumnType::Native(
            N::Decimal | N::Varint | N::Double | N::Float | N::BigInt | N::Int | N::SmallInt | N::TinyInt
        )
    )
}

/// A value's kind, for messages. They name no values.
fn describe(value: &Json<'_>) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "this number",
        Json::String(_) => "this text",
        Json::Array(_) => "this array",
        Json::Object(_) => "this object",
    }
}

/// A column's type, for messages.
fn name_of(target: &ColumnType<'_>) -> String {
    match target {
        ColumnType::Native(native) => format!("{native:?}").to_lowercase(),
        ColumnType::Collection { typ: CollectionType::List(_), .. } => "a list".to_owned(),
        ColumnType::Collection { typ: CollectionType::Set(_), .. } => "a set".to_owned(),
        ColumnType::Collection { typ: CollectionType::Map(..), .. } => "a map".to_owned(),
        _ => "the column's type, which is not supported".to_owned(),
    }
}

/// `None` when the value does not fit the type.
fn write(
    value: &Json<'_>,
    semantic: Option<&Semantic>,
    target: &ColumnType<'_>,
    cell: CellWriter<'_>,
) -> Option<()> {
    let typ = match target {
        ColumnType::Native(native) => return write_native(value, semantic, target, native, cell),
        ColumnType::Collection { typ, .. } => typ,
        _ => return None,
    };
    let inner = match semantic {
        Some(Semantic::Array(element) | Semantic::Map(element)) => Some(&**element),
        _ => None,
    };
    let mut builder = cell.into_value_builder();
    match typ {
        CollectionType::List(of) | CollectionType::Set(of) => {
            let elements = value.elements()?;
            builder.append_bytes(&i32::try_from(elements.len()).ok()?.to_be_bytes());
            for element in &elements {
                // A collection of CQL cannot hold a null, so an array with one does not fit.
                write(element, inner, of, builder.make_sub_writer())?;
            }
        }
        CollectionType::Map(key, of) => {
            // hstore arrives as JSON text unless it is handled as a map
            let parsed = value.as_str().map(Json::parse).transpose().ok()?;
            let mut members = parsed.as_ref().unwrap_or(value).members()?;
            members.retain(|(_, value)| !value.is_null());
            builder.append_bytes(&i32::try_from(members.len()).ok()?.to_be_bytes());
            for (name, value) in members {
                write(&Json::String(name), None, key, builder.make_sub_writer())?;
                write(&value, inner, of, builder.make_sub_writer())?;
            }
        }
        _ => return None,
    }
    builder.finish().ok().map(drop)
}

/// Writes a value of a simple type; `None` when it does not fit.
fn write_native(
    value: &Json<'_>,
    semantic: Option<&Semantic>,
    target: &ColumnType<'_>,
    native: &NativeType,
    cell: CellWriter<'_>,
) -> Option<()> {
    let put = |value: &dyn SerializeValue| value.serialize(target, cell).ok().map(drop);
    match native {
        NativeType::Ascii => put(&&*text(value, semantic).filter(|text| text.is_ascii())?),
        NativeType::Text => put(&&*text(value, semantic)?),
        NativeType::Boolean => match value {
            Json::Bool(flag) => put(flag),
            Json::String(text) => put(&text.parse::<bool>().ok()?),
            _ => None,
        },
        NativeType::TinyInt => put(&i8::try_from(whole(value, semantic)?).ok()?),
        NativeType::SmallInt => put(&i16::try_from(whole(value, semantic)?).ok()?),
        NativeType::Int => put(&i32::try_from(whole(value, semantic)?).ok()?),
        NativeType::BigInt => put(&whole(value, semantic)?),
        NativeType::Float => put(&(double(value, semantic)? as f32)),
        NativeType::Double => put(&double(value, semantic)?),
        NativeType::Decimal => {
            let decimal = Decimal::of(value, semantic)?;
            put(&CqlDecimal::from_signed_be_bytes_and_exponent(decimal.unscaled, decimal.scale))
        }
        NativeType::Varint => {
            let decimal = Decimal::of(value, semantic).filter(|decimal| decimal.scale == 0)?;
            put(&CqlVarint::from_signed_bytes_be(decimal.unscaled))
        }
        NativeType::Timestamp => put(&CqlTimestamp(instant_us(value, semantic)?.div_euclid(1_000))),
        NativeType::Date => {
            let days = date_days(value, semantic)?.checked_add(1 << 31)?;
            put(&CqlDate(days.try_into().ok()?))
        }
        NativeType::Time => put(&CqlTime(time_of_day_ns(value, semantic)?)),
        NativeType::Duration => match semantic {
            Some(Semantic::MicroDuration) => {
                let nanoseconds = value.as_i64()?.checked_mul(1_000)?;
                put(&CqlDuration { months: 0, days: 0, nanoseconds })
            }
            _ => None,
        },
        NativeType::Uuid => put(&Uuid::parse_str(value.as_str()?).ok()?),
        NativeType::Timeuuid => {
            put(&CqlTimeuuid::from_bytes(*Uuid::parse_str(value.as_str()?).ok()?.as_bytes()))
        }
        NativeType::Inet => {
            let address: std::net::IpAddr = value.as_str()?.split('/').next()?.parse().ok()?;
            put(&address)
        }
        NativeType::Blob => match (value, semantic) {
            (Json::String(text), Some(Semantic::Bytes) | None) => put(&STANDARD.decode(&**text).ok()?),
            (Json::String(text), _) => put(&text.as_bytes()),
            _ => None,
        },
        _ => None, // counters cannot be set
    }
}

/// A value as a text. A decimal comes as base64 or as a struct, so it is decoded first.
fn text<'v>(value: &'v Json<'_>, semantic: Option<&Semantic>) -> Option<Cow<'v, str>> {
    match semantic {
        Some(Semantic::Decimal(_) | Semantic::VariableScaleDecimal) => {
            Decimal::of(value, semantic).map(|d| d.to_string().into())
        }
        _ => value.to_text(),
    }
}

/// A value as a whole number of 64 bits; `None` where it has a fraction, or is larger.
fn whole(value: &Json<'_>, semantic: Option<&Semantic>) -> Option<i64> {
    match (value, semantic) {
        (_, Some(Semantic::Decimal(_) | Semantic::VariableScaleDecimal)) => {
            Decimal::of(value, semantic)?.to_string().parse().ok()
        }
        (Json::Number(_), _) => value.as_i64(),
        (Json::String(text), _) => text.parse().ok(),
        _ => None,
    }
}

/// A value as the nearest double.
fn double(value: &Json<'_>, semantic: Option<&Semantic>) -> Option<f64> {
    match (value, semantic) {
        (_, Some(Semantic::Decimal(_) | Semantic::VariableScaleDecimal)) => {
            Some(Decimal::of(value, semantic)?.to_f64())
        }
        (Json::Number(_), _) => value.as_f64(),
        // Connect writes NaN and the infinities as texts.
        (Json::String(text), _) => text.parse().ok(),
        _ => None,
    }
}
