//! The `default` in a column's schema, from the expression that `pg_get_expr` prints.
//!
//! Debezium does not evaluate expressions. It takes a constant from the text:
//!
//! | expression | default |
//! |---|---|
//! | `'x'::text`, `'7'::int` | the literal of the cast |
//! | `7`, `true` | the constant |
//! | `now()`, `nextval('s')`, `CURRENT_DATE` | the type's zero |
//! | `NULL::text` | none |
//! | a text that the type does not allow, such as `1 + 1` for an integer | none |
//!
//! Only some types have defaults. Domains, arrays, structs and generated columns have none.
//!
//! Source: recordings of Debezium (`tests/conformance/mix_defaults`, `ddl_not_null_default`).

use pgcdc_event::{Column, PgType, TypeKind};

use super::family::Family;
use super::fault::Fault;
use super::numeric::{Numeric, without_exponent};
use super::oid;
use crate::java::{append_f32, append_f64};
use crate::json::write_json_string;

/// Functions that are called without parentheses.
const CLOCK_WORDS: [&str; 5] =
    ["current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"];

/// The default as JSON text in the payload's form; `None` for a column without one.
pub(super) fn json(column: &Column, family: &Family) -> Option<Box<str>> {
    let expression = column.default.as_deref().filter(|_| !column.generated)?;
    if let TypeKind::Enum(_) = column.pg_type.kind {
        return text_json(&enum_label(expression, &column.pg_type)?);
    }
    if column.pg_type.kind != TypeKind::Base {
        return None;
    }
    let pick = |generated: &str| literal(expression, generated);
    let trimmed = |generated: &str| literal(expression.trim(), generated);
    let value = match column.pg_type.oid {
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::XML => return text_json(&pick("")?),
        oid::JSON | oid::JSONB => return text_json(&pick("{}")?),
        oid::BOOL => {
            return Some(
                if trimmed("false")?.eq_ignore_ascii_case("true") { "true" } else { "false" }.into(),
            );
        }
        oid::INT2 => trimmed("0")?.parse::<i16>().ok()?.to_string(),
        oid::INT4 => trimmed("0")?.parse::<i32>().ok()?.to_string(),
        oid::INT8 => trimmed("0")?.parse::<i64>().ok()?.to_string(),
        oid::FLOAT4 => {
            return float_json(&trimmed("0.0")?, append_f32);
        }
        oid::FLOAT8 => {
            return float_json(&trimmed("0.0")?, append_f64);
        }
        // A struct cannot be a default (KAFKA-12694).
        oid::NUMERIC if matches!(family, Family::Numeric(Numeric::Variable)) => return None,
        oid::NUMERIC => fit_scale(&without_exponent(&trimmed("0.0")?)?, column.typmod)?,
        oid::UUID => {
            trimmed("00000000-0000-0000-0000-000000000000").filter(|text| is_uuid(text))?.to_ascii_lowercase()
        }
        oid::BIT => match trimmed("00")? {
            bits if matches!(family, Family::Bits) && bits.len() == 1 => {
                return Some(if bits == "1" { "\"AQ==\"" } else { "\"AA==\"" }.into());
            }
            bits => bits,
        },
        oid::VARBIT => trimmed("0")?,
        oid::DATE => with_time_dropped(&trimmed("1970-01-01")?),
        oid::TIME => trimmed("00:00")?,
        oid::TIMESTAMP => with_time(&trimmed("1970-01-01")?, ""),
        oid::TIMESTAMPTZ => with_time(&trimmed("1970-01-01")?, "+00"),
        oid::INTERVAL => trimmed("00:00:00")?,
        _ => return None,
    };
    let mut out = Vec::new();
    append_beyond(family, &value, &mut out)
        .unwrap_or_else(|| family.append(value.as_bytes(), &mut out))
        .ok()?;
    let json = String::from_utf8(out).ok()?;
    // The structured forms are structs, too; maps and lists have no default either.
    (!json.starts_with(['{', '['])).then(|| json.into())
}

/// Appends a default whose form differs from that of the same text in a row: Java's first and last moments for the infinities,
/// and the last nanosecond of a day for 24:00. `None` for any other text.
fn append_beyond(family: &Family, value: &str, out: &mut Vec<u8>) -> Option<Result<(), Fault>> {
    let last = match value {
        "infinity" => true,
        "-infinity" => false,
        "24:00:00" if matches!(family, Family::Time(_)) => true,
        _ => return None,
    };
    let text = match family {
        Family::Date(form) => form.extreme(last),
        Family::Timestamp(unit, _) => unit.extreme(last),
        Family::Time(form) => form.last(),
        _ => None,
    };
    Some(match text {
        Some(text) => {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        None => Err(Fault::Failed),
    })
}

/// A default that is a text.
fn text_json(text: &str) -> Option<Box<str>> {
    let mut out = Vec::new();
    write_json_string(text.as_bytes(), &mut out);
    String::from_utf8(out).ok().map(Into::into)
}

/// A default that is a floating point number, as Java prints it.
fn float_json<T: std::str::FromStr>(text: &str, append: fn(T, &mut Vec<u8>)) -> Option<Box<str>> {
    let mut out = Vec::new();
    append(text.parse().ok()?, &mut out);
    String::from_utf8(out).ok().map(Into::into)
}

/// The constant in an expression: `generated` for a function call, `None` for a typed NULL or an open quotation mark.
fn literal(expression: &str, generated: &str) -> Option<String> {
    if is_call(expression) || CLOCK_WORDS.iter().any(|word| expression.eq_ignore_ascii_case(word)) {
        return Some(generated.to_owned());
    }
    match expression.split_once('\'') {
        None if expression.starts_with("NULL::") => None,
        None => Some(expression.to_owned()),
        Some((_, quoted)) => {
            let mut text = String::new();
            let mut rest = quoted;
            loop {
                let (run, after) = rest.split_once('\'')?;
                text.push_str(run);
                match after.strip_prefix('\'') {
                    Some(more) => {
                        text.push('\'');
                        rest = more;
                    }
                    None => return Some(text),
                }
            }
        }
    }
}

/// Whether the expression begins with a function call whose parenthesis closes on the same line.
fn is_call(expression: &str) -> bool {
    let rest = expression.strip_prefix('(').unwrap_or(expression);
    let name =
        rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')).count();
    let Some(arguments) = rest[name..].strip_prefix('(') else { return false };
    name > 0 && arguments.lines().next().is_some_and(|line| line.contains(')'))
}

/// The label of `'label'::type`, when the cast is to the column's own type. Doubled quotes stay doubled, as in Debezium.
fn enum_label(expression: &str, pg_type: &PgType) -> Option<String> {
    let (value, cast) = expression.rsplit_once("::")?;
    let (schema, name) = match cast.rsplit_once('.') {
        Some((schema, name)) => (Some(schema.trim_matches('"')), name.trim_matches('"')),
        None => (None, cast.trim_matches('"')),
    };
    if name != &*pg_type.name || schema.is_some_and(|schema| schema != &*pg_type.schema) {
        return None;
    }
    Some(value.strip_prefix('\'')?.strip_suffix('\'')?.to_owned())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Drops zeros beyond the column's scale, as Java's `setScale` does. Other digits there mean that there is no default.
fn fit_scale(text: &str, typmod: i32) -> Option<String> {
    let point = match text.find('.') {
        Some(point) if typmod != -1 => point,
        _ => return Some(text.to_owned()),
    };
    let scale = (typmod.wrapping_sub(4) & 0xffff) as usize;
    let (kept, dropped) = text.split_at((point + 1 + scale).min(text.len()));
    dropped.bytes().all(|digit| digit == b'0').then(|| kept.strip_suffix('.').unwrap_or(kept).to_owned())
}

/// Drops the time of day from a date's text.
fn with_time_dropped(text: &str) -> String {
    match text.split_once(' ') {
        Some((date, rest)) if rest.contains(':') => date.to_owned(),
        _ => text.to_owned(),
    }
}

/// Completes a timestamp's text: with midnight and an offset where they are missing.
fn with_time(text: &str, offset: &str) -> String {
    if text.contains(':') || text.ends_with("infinity") {
        text.to_owned()
    } else {
        format!("{text} 00:00:00{offset}")
    }
}
