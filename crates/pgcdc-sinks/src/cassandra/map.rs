//! A JSON value in the target column's CQL type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgcdc_format::decode::{Decimal, Field, Json, Semantic, date_days, instant_us, time_of_day_ns};
use scylla::cluster::metadata::{CollectionType, ColumnType, NativeType};
use scylla::value::{
    CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint,
};
use uuid::Uuid;

/// Converts a field; `None` is NULL.
///
/// # Errors
/// Names the column, what arrived and what the column takes; never the value.
pub(super) fn to_cql(field: &Field<'_, '_>, target: &ColumnType<'_>) -> Result<Option<CqlValue>, String> {
    if field.value.is_null() {
        return Ok(None);
    }
    convert(field.value, field.semantic, target).map(Some).ok_or_else(|| {
        format!("column {:?}: {} cannot become {}", field.name, describe(field.value), name_of(target))
    })
}

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

fn name_of(target: &ColumnType<'_>) -> String {
    match target {
        ColumnType::Native(native) => format!("{native:?}").to_lowercase(),
        ColumnType::Collection { typ: CollectionType::List(_), .. } => "a list".to_owned(),
        ColumnType::Collection { typ: CollectionType::Set(_), .. } => "a set".to_owned(),
        ColumnType::Collection { typ: CollectionType::Map(..), .. } => "a map".to_owned(),
        _ => "the column's type, which is not supported".to_owned(),
    }
}

fn convert(value: &Json<'_>, semantic: Option<&Semantic>, target: &ColumnType<'_>) -> Option<CqlValue> {
    match target {
        ColumnType::Native(native) => convert_native(value, semantic, native),
        ColumnType::Collection { typ, .. } => {
            let element = |semantic: Option<&Semantic>| match semantic {
                Some(Semantic::Array(element) | Semantic::Map(element)) => Some((**element).clone()),
                _ => None,
            };
            let inner = element(semantic);
            match typ {
                CollectionType::List(of) => elements(value, inner.as_ref(), of).map(CqlValue::List),
                CollectionType::Set(of) => elements(value, inner.as_ref(), of).map(CqlValue::Set),
                CollectionType::Map(key, of) => {
                    // hstore arrives as JSON text unless it is handled as a map
                    let text = value.as_str();
                    let parsed = text.map(Json::parse).transpose().ok()?;
                    let members = parsed.as_ref().unwrap_or(value).members()?;
                    let pairs =
                        members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
                            Some((
                                convert(&Json::String(name), None, key)?,
                                convert(&value, inner.as_ref(), of)?,
                            ))
                        });
                    pairs.collect::<Option<Vec<_>>>().map(CqlValue::Map)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn elements(value: &Json<'_>, semantic: Option<&Semantic>, of: &ColumnType<'_>) -> Option<Vec<CqlValue>> {
    // Collections of CQL hold no nulls.
    value.elements()?.iter().map(|element| convert(element, semantic, of)).collect()
}

fn convert_native(value: &Json<'_>, semantic: Option<&Semantic>, target: &NativeType) -> Option<CqlValue> {
    Some(match target {
        NativeType::Ascii => CqlValue::Ascii(text(value, semantic)?),
        NativeType::Text => CqlValue::Text(text(value, semantic)?),
        NativeType::Boolean => match value {
            Json::Bool(flag) => CqlValue::Boolean(*flag),
            Json::String(text) => CqlValue::Boolean(text.parse().ok()?),
            _ => return None,
        },
        NativeType::TinyInt => CqlValue::TinyInt(whole(value, semantic)?.try_into().ok()?),
        NativeType::SmallInt => CqlValue::SmallInt(whole(value, semantic)?.try_into().ok()?),
        NativeType::Int => CqlValue::Int(whole(value, semantic)?.try_into().ok()?),
        NativeType::BigInt => CqlValue::BigInt(whole(value, semantic)?),
        NativeType::Float => CqlValue::Float(double(value, semantic)? as f32),
        NativeType::Double => CqlValue::Double(double(value, semantic)?),
        NativeType::Decimal => {
            let decimal = Decimal::of(value, semantic)?;
            CqlValue::Decimal(CqlDecimal::from_signed_be_bytes_and_exponent(decimal.unscaled, decimal.scale))
        }
        NativeType::Varint => {
            let decimal = Decimal::of(value, semantic).filter(|decimal| decimal.scale == 0)?;
            CqlValue::Varint(CqlVarint::from_signed_bytes_be(decimal.unscaled))
        }
        NativeType::Timestamp => {
            CqlValue::Timestamp(CqlTimestamp(instant_us(value, semantic)?.div_euclid(1_000)))
        }
        NativeType::Date => {
            let days = date_days(value, semantic)?.checked_add(1 << 31)?;
            CqlValue::Date(CqlDate(days.try_into().ok()?))
        }
        NativeType::Time => CqlValue::Time(CqlTime(time_of_day_ns(value, semantic)?)),
        NativeType::Duration => match semantic {
            Some(Semantic::MicroDuration) => {
                let nanoseconds = value.as_i64()?.checked_mul(1_000)?;
                CqlValue::Duration(CqlDuration { months: 0, days: 0, nanoseconds })
            }
            _ => return None,
        },
        NativeType::Uuid => CqlValue::Uuid(Uuid::parse_str(value.as_str()?).ok()?),
        NativeType::Timeuuid => {
            CqlValue::Timeuuid(CqlTimeuuid::from_bytes(*Uuid::parse_str(value.as_str()?).ok()?.as_bytes()))
        }
        NativeType::Inet => CqlValue::Inet(value.as_str()?.split('/').next()?.parse().ok()?),
        NativeType::Blob => CqlValue::Blob(match (value, semantic) {
            (Json::String(text), Some(Semantic::Bytes) | None) => STANDARD.decode(&**text).ok()?,
            (Json::String(text), _) => text.as_bytes().to_vec(),
            _ => return None,
        }),
        _ => return None, // counters cannot be set
    })
}

fn text(value: &Json<'_>, semantic: Option<&Semantic>) -> Option<String> {
    match semantic {
        Some(Semantic::Decimal(_) | Semantic::VariableScaleDecimal) => {
            Decimal::of(value, semantic).map(|d| d.to_string())
        }
        _ => value.to_text().map(std::borrow::Cow::into_owned),
    }
}

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
