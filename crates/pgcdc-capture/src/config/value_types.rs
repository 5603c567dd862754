//! The properties that decide how a value is written: `decimal.handling.mode`,
//! `time.precision.mode`, `binary.handling.mode` and their like.

use pgcdc_config::Reader;
use pgcdc_format::types::{
    BinaryMode, DecimalFormat, DecimalMode, FailureMode, HstoreMode, IntervalMode, TimePrecision, TypeOptions,
};

/// Reads them. `money_scale` is a guess here, until the database is asked (`postgres/money.rs`).
pub(super) fn resolve(reader: &mut Reader<'_>) -> TypeOptions {
    TypeOptions {
        decimal: reader.choice(
            "decimal.handling.mode",
            &[
                ("precise", DecimalMode::Precise),
                ("double", DecimalMode::Double),
                ("string", DecimalMode::String),
            ],
        ),
        decimal_format: decimal_format(reader, "value.converter.decimal.format"),
        time: reader.choice(
            "time.precision.mode",
            &[
                ("adaptive", TimePrecision::Adaptive),
                ("adaptive_time_microseconds", TimePrecision::AdaptiveTimeMicroseconds),
                ("connect", TimePrecision::Connect),
                ("isostring", TimePrecision::IsoString),
                ("microseconds", TimePrecision::Microseconds),
                ("nanoseconds", TimePrecision::Nanoseconds),
                ("structured", TimePrecision::Structured),
            ],
        ),
        binary: reader.choice(
            "binary.handling.mode",
            &[
                ("bytes", BinaryMode::Bytes),
                ("base64", BinaryMode::Base64),
                ("base64-url-safe", BinaryMode::Base64UrlSafe),
                ("hex", BinaryMode::Hex),
            ],
        ),
        interval: reader.choice(
            "interval.handling.mode",
            &[("numeric", IntervalMode::Numeric), ("string", IntervalMode::String)],
        ),
        hstore: reader
            .choice("hstore.handling.mode", &[("json", HstoreMode::Json), ("map", HstoreMode::Map)]),
        money_fraction_digits: money_digits(reader),
        money_scale: 2,
        failures: reader.choice(
            "event.converting.failure.handling.mode",
            &[("warn", FailureMode::Warn), ("fail", FailureMode::Fail), ("skip", FailureMode::Skip)],
        ),
        include_unknown: reader.boolean("include.unknown.datatypes"),
        unavailable_placeholder: placeholder(reader),
        schema_comments: reader.boolean("include.schema.comments"),
        replace_null_with_default: reader.boolean("value.converter.replace.null.with.default"),
    }
}

/// Reads `money.fraction.digits`.
fn money_digits(reader: &mut Reader<'_>) -> u8 {
    const KEY: &str = "money.fraction.digits";
    u8::try_from(reader.number(KEY)).unwrap_or_else(|_| {
        let message = format!("The '{KEY}' value is invalid: At most 255 digits are expected");
        reader.mistake(KEY, message, "the default is 2");
        2
    })
}

/// Reads `unavailable.value.placeholder`: a text, or bytes as `hex:00ff`.
fn placeholder(reader: &mut Reader<'_>) -> Vec<u8> {
    const KEY: &str = "unavailable.value.placeholder";
    let text = reader.string(KEY);
    let Some(hex) = text.strip_prefix("hex:") else { return text.into_bytes() };
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
    };
    pairs.map(byte).collect::<Option<Vec<u8>>>().unwrap_or_else(|| {
        let message =
            format!("The '{KEY}' value is invalid: hex: must be followed by pairs of hexadecimal digits");
        reader.mistake(KEY, message, "write hex:00ff, or a text without hex:");
        Vec::new()
    })
}

/// `decimal.format` of a converter.
pub(super) fn decimal_format(reader: &Reader<'_>, key: &str) -> DecimalFormat {
    let words = [("BASE64", DecimalFormat::Base64), ("NUMERIC", DecimalFormat::Numeric)];
    reader.choice(key, &words)
}
