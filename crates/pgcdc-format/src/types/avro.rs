//! A column's values in Avro's binary form, from Postgres' text, and without JSON in between where that pays.
//!
//! | column | way |
//! |---|---|
//! | booleans, integers, floats, texts, decimals, `bytea` | text to binary at once |
//! | dates, times, timestamps, intervals as numbers | the JSON number, read and written as a varint |
//! | the same as ISO text, decimals as text | the JSON string, its quote replaced by its length |
//! | any other | JSON, parsed and converted by its schema |

use super::binary::{BinaryForm, nibble};
use super::family::Family;
use super::fault::Fault;
use super::numeric::{self, Numeric};
use super::options::BinaryMode;
use super::{Codec, StandIn, ValueError};
use crate::avro::{convert_json, long_length, put_bytes, put_long};
use crate::schema::{Kind, Schema};

/// The Avro side of a [`Codec`]. The replacements of a value are converted once, when it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct AvroCodec {
    /// How a value's text becomes binary.
    form: Form,
    /// The branch byte before a value that is not null, where the schema is optional.
    branch: Option<u8>,
    /// For SQL NULL.
    null: Token,
    /// For a value that cannot be converted.
    missing: Token,
    /// For an unchanged TOAST value.
    unavailable: Token,
}

/// The binary form of a value that replaces another, its branch included; `None` where Avro has no form for it, as for null in a
/// required field.
type Token = Option<Box<[u8]>>;

/// How a value's text becomes binary.
#[derive(Clone, Debug)]
enum Form {
    /// `t` or `f`.
    Bool,
    /// An integer, as Postgres prints it.
    Int,
    /// Four bytes.
    Float4,
    /// Eight bytes.
    Float8,
    /// Text, as Postgres prints it.
    Text,
    /// A `Decimal` of this scale.
    Decimal(u32),
    /// Bytes, from hexadecimal digits.
    Bytea,
    /// A type whose JSON is a whole number.
    Number,
    /// A type whose JSON is a string without escapes.
    Quoted,
    /// Any other type: through JSON.
    Json(Box<Schema>),
}

impl AvroCodec {
    /// Compiles the Avro side of a codec whose JSON has base64 decimals.
    pub(crate) fn compile(codec: &Codec, replace_null: bool) -> Self {
        let schema = &codec.schema;
        let token = |json: &[u8]| {
            let mut out = Vec::new();
            convert_json(schema, json, replace_null, &mut out).ok().map(|()| out.into())
        };
        let null_first = schema.default.is_none() || matches!(schema.kind, Kind::Struct(_));
        Self {
            form: Form::of(codec),
            branch: schema.optional.then_some(if null_first { 2 } else { 0 }),
            null: token(&codec.null),
            missing: codec.missing.as_deref().and_then(token),
            unavailable: token(&codec.unavailable),
        }
    }

    /// Appends a value that is not null; `from_driver` as in [`Codec::append_snapshot`].
    ///
    /// # Errors
    /// As [`Codec::append`], and when the replacement of a value that cannot be converted has no form in Avro.
    #[inline]
    pub(crate) fn append(
        &self,
        codec: &Codec,
        text: &[u8],
        from_driver: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        let start = out.len();
        if let Some(branch) = self.branch {
            out.push(branch);
        }
        match self.form.append(&codec.family, text, from_driver, out) {
            Ok(()) => Ok(()),
            Err(fault) => self.append_fault(codec, fault, start, out),
        }
    }

    #[cold]
    fn append_fault(
        &self,
        codec: &Codec,
        fault: Fault,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        out.truncate(start);
        match codec.judge(fault)? {
            StandIn::Null => self.append_null(codec, out),
            StandIn::Missing => put(
                &self.missing,
                codec,
                "the value has no form, and the column's schema does not allow null",
                out,
            ),
        }
    }

    /// Appends the form of SQL NULL.
    ///
    /// # Errors
    /// When the column is NOT NULL and its type has no zero.
    pub(crate) fn append_null(&self, codec: &Codec, out: &mut Vec<u8>) -> Result<(), ValueError> {
        put(
            &self.null,
            codec,
            "there is no value, the column is NOT NULL, and its type has no zero in Avro",
            out,
        )
    }

    /// Appends the form of an unchanged TOAST value.
    ///
    /// # Errors
    /// When the column is NOT NULL and its type has no placeholder.
    pub(crate) fn append_unavailable(&self, codec: &Codec, out: &mut Vec<u8>) -> Result<(), ValueError> {
        put(&self.unavailable, codec, "the value was not sent, and its type has no placeholder in Avro", out)
    }
}

/// Appends a replacement.
#[inline]
fn put(token: &Token, codec: &Codec, reason: &'static str, out: &mut Vec<u8>) -> Result<(), ValueError> {
    match token {
        Some(bytes) => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        None => Err(ValueError { pg_type: codec.pg_type.clone(), reason }),
    }
}

impl Form {
    /// The shortest way for a column's family and schema.
    fn of(codec: &Codec) -> Self {
        let kind = &codec.schema.kind;
        let number = matches!(kind, Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64);
        let string = *kind == Kind::String;
        match &codec.family {
            Family::Bool => Self::Bool,
            Family::Int if number => Self::Int,
            Family::Float4 => Self::Float4,
            Family::Float8 => Self::Float8,
            Family::Text if string => Self::Text,
            Family::Numeric(Numeric::Decimal { scale, .. }) => Self::Decimal(*scale),
            Family::Bytea(BinaryForm(BinaryMode::Bytes)) => Self::Bytea,
            Family::Date(_) | Family::Time(_) | Family::Timestamp(..) | Family::Interval(_) if number => {
                Self::Number
            }
            Family::Date(_)
            | Family::Time(_)
            | Family::Timestamp(..)
            | Family::Interval(_)
            | Family::TimestampTz(_)
            | Family::TimeTz
            | Family::Numeric(Numeric::Text { .. })
            | Family::Bytea(_)
                if string =>
            {
                Self::Quoted
            }
            _ => Self::Json(Box::new(Schema { optional: false, ..codec.schema.clone() })),
        }
    }

    #[inline]
    fn append(
        &self,
        family: &Family,
        text: &[u8],
        from_driver: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let json = |out: &mut Vec<u8>| {
            if from_driver { family.append_from_driver(text, out) } else { family.append(text, out) }
        };
        match self {
            Self::Text => put_bytes(text, out),
            Self::Int => put_long(integer(text)?, out),
            Self::Bool => out.push(match text {
                b"t" => 1,
                b"f" => 0,
                _ => return Err(Fault::Bad("not a boolean")),
            }),
            Self::Quoted => {
                let start = out.len();
                json(out)?;
                unquote(start, out)?;
            }
            Self::Number => {
                let start = out.len();
                json(out)?;
                let value = integer(&out[start..])?;
                out.truncate(start);
                put_long(value, out);
            }
            Self::Float8 => out.extend_from_slice(&float::<f64>(text)?.to_le_bytes()),
            Self::Float4 => out.extend_from_slice(&float::<f32>(text)?.to_le_bytes()),
            Self::Decimal(scale) => numeric::append_avro(*scale, text, out)?,
            Self::Bytea => append_bytea(text, out)?,
            Self::Json(schema) => {
                let mut scratch = Vec::new();
                json(&mut scratch)?;
                convert_json(schema, &scratch, true, out)
                    .map_err(|_| Fault::Bad("the value does not fit its schema"))?;
            }
        }
        Ok(())
    }
}

/// Reads a text that is a whole number and nothing else.
#[inline]
fn integer(text: &[u8]) -> Result<i64, Fault> {
    const BAD: Fault = Fault::Bad("not an integer");
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 19 {
        return Err(BAD);
    }
    let mut value = 0_u64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err(BAD);
        }
        value = value * 10 + u64::from(digit);
    }
    let limit = i64::MAX as u64 + u64::from(negative);
    if value > limit {
        return Err(BAD);
    }
    Ok(if negative { (value as i64).wrapping_neg() } else { value as i64 })
}

fn float<T: std::str::FromStr>(text: &[u8]) -> Result<T, Fault> {
    const BAD: Fault = Fault::Bad("not a floating point number");
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(BAD)
}

/// Turns the JSON string at the end of `out`, which has no escapes, into Avro's string. A short one is not moved: its length
/// takes the place of the opening quote.
#[inline]
fn unquote(start: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let length = out.len().checked_sub(start + 2).ok_or(Fault::Bad("not a string"))?;
    if out[start] != b'"' || out.pop() != Some(b'"') {
        return Err(Fault::Bad("not a string"));
    }
    if length < 64 {
        out[start] = (length << 1) as u8;
        return Ok(());
    }
    let mut head = Vec::with_capacity(long_length(length));
    put_long(i64::try_from(length).unwrap_or(i64::MAX), &mut head);
    out.splice(start..=start, head);
    Ok(())
}

/// Appends a `bytea` in Postgres' hex format as Avro's bytes.
fn append_bytea(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    const BAD: Fault = Fault::Bad("not bytea in the hex format");
    let hex = text.strip_prefix(b"\\x").ok_or(BAD)?;
    if hex.len() % 2 != 0 {
        return Err(BAD);
    }
    out.reserve(hex.len() / 2 + 10);
    put_long(i64::try_from(hex.len() / 2).unwrap_or(i64::MAX), out);
    for pair in hex.chunks_exact(2) {
        out.push(nibble(pair[0]).ok_or(BAD)? << 4 | nibble(pair[1]).ok_or(BAD)?);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::{DecimalFormat, TypeOptions};

    /// Looks whether a value's Avro is that of its JSON; a value that has no JSON has no Avro.
    pub(in crate::types) fn same_as_json(
        codec: &Codec,
        options: &TypeOptions,
        text: &str,
        from_driver: bool,
    ) {
        if options.decimal_format == DecimalFormat::Numeric {
            return;
        }
        let replace = options.replace_null_with_default;
        let avro = AvroCodec::compile(codec, replace);
        let (mut json, mut binary, mut expect) = (Vec::new(), Vec::new(), Vec::new());
        let text = text.as_bytes();
        let written = match if from_driver {
            codec.append_snapshot(text, &mut json)
        } else {
            codec.append(text, &mut json)
        } {
            Ok(()) => convert_json(&codec.schema, &json, replace, &mut expect).is_ok(),
            Err(_) => false,
        };
        let ours = avro.append(codec, text, from_driver, &mut binary);
        // Postgres prints no `01`; read as an integer it is 1.
        if written || !matches!(avro.form, Form::Int | Form::Float4 | Form::Float8) {
            assert_eq!(
                ours.is_ok(),
                written,
                "{} {text:?}: {}",
                codec.pg_type,
                String::from_utf8_lossy(&json)
            );
        }
        if written {
            assert_eq!(binary, expect, "{} {:?}", codec.pg_type, String::from_utf8_lossy(&json));
        }
    }

    #[test]
    fn integers() {
        for value in [0, 1, -1, i64::MAX, i64::MIN, 1_234_567_890_123] {
            assert_eq!(integer(value.to_string().as_bytes()).ok(), Some(value));
        }
        for bad in ["", "-", "1a", "9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
            assert!(integer(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn strings_get_their_length_in_place_of_the_quote() {
        for length in [0, 1, 63, 64, 200, 10_000] {
            let mut out = b"x\"".to_vec();
            out.resize(2 + length, b'a');
            out.push(b'"');
            unquote(1, &mut out).unwrap();
            let mut expect = b"x".to_vec();
            put_bytes(&vec![b'a'; length], &mut expect);
            assert_eq!(out, expect, "{length}");
        }
    }
}
