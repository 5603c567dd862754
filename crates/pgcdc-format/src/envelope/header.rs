//! The headers of a key change: the other key of the row, written by Connect's `SimpleHeaderConverter`.
//!
//! Debezium puts the key there as a struct, and the converter turns it into text. That text is nearly JSON:
//!
//! | column of the key | in JSON | in the header |
//! |---|---|---|
//! | text | `"a\nb"` | `"a`, a line feed, `b"`: only `"` and `\` are escaped |
//! | Connect's `Decimal`, scale 2 | `"AJY="` | `1.50` |
//! | Connect's `Date` | `19782` | `2024-02-29` |
//! | Connect's `Timestamp` | `1577836800500` | `2020-01-01T00:00:00.500Z` |
//! | Connect's `Time`, and moments before 1970-01-02 | `1001` | `00:00:01.001Z` |
//! | float that is not a number | `"NaN"` | `NaN` |
//! | any other | `5` | `5` |
//!
//! Source: `Values.convertToString` of Apache Kafka Connect.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::civil;
use crate::schema::{Kind, Logical, Schema};
use crate::types::decimal_digits;

/// Milliseconds of a day.
const MILLIS_PER_DAY: i64 = 86_400_000;

/// How a header carries a column of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderForm {
    /// As in JSON: whole numbers, booleans, bytes, and anything that holds other values.
    Same,
    /// In quotes; only quotes and backslashes are escaped.
    Text,
    /// As a number of this scale, where the key has base64 of its bytes. A key with `decimal.format=NUMERIC` holds the
    /// number already, which then stays.
    Decimal(u32),
    /// A number, or `NaN`, without quotes.
    Float,
    /// A date or time as text. The key's number times this is milliseconds since 1970.
    Moment(i64),
}

impl HeaderForm {
    /// The form of a column with this schema.
    pub(super) fn of(schema: &Schema) -> Self {
        match (schema.name.as_deref().and_then(Logical::of), &schema.kind) {
            (Some(Logical::Decimal), _) => {
                let scale = schema.parameters.iter().find(|(key, _)| &**key == "scale");
                Self::Decimal(scale.and_then(|(_, scale)| scale.parse().ok()).unwrap_or(0))
            }
            (Some(Logical::Date), _) => Self::Moment(MILLIS_PER_DAY),
            (Some(Logical::Time | Logical::Timestamp), _) => Self::Moment(1),
            (_, Kind::String) => Self::Text,
            (_, Kind::Float32 | Kind::Float64) => Self::Float,
            _ => Self::Same,
        }
    }

    /// Appends a value, given as the key's JSON. A value that does not have the expected JSON, such as null, stays as it is.
    pub(super) fn append(self, json: &[u8], out: &mut Vec<u8>) {
        let form = match self {
            Self::Same => None,
            Self::Text => serde_json::from_slice::<String>(json)
                .ok()
                .map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
            Self::Decimal(scale) => decimal(json, scale),
            Self::Float => serde_json::from_slice::<String>(json).ok(),
            Self::Moment(unit) => number(json).map(|number| moment(number.saturating_mul(unit))),
        };
        out.extend_from_slice(form.as_deref().map_or(json, str::as_bytes));
    }
}

/// Reads a whole number.
fn number(json: &[u8]) -> Option<i64> {
    std::str::from_utf8(json).ok()?.parse().ok()
}

/// Milliseconds since 1970 as text. Connect writes a value before 1970-01-02 as a time, a whole number of days as a date.
fn moment(millis: i64) -> String {
    let (day, rest) = (millis.div_euclid(MILLIS_PER_DAY), millis.rem_euclid(MILLIS_PER_DAY));
    let (year, month, date) = civil::date(day);
    let (second, milli) = (rest / 1000, rest % 1000);
    let time = format!("{:02}:{:02}:{:02}.{milli:03}Z", second / 3600, second / 60 % 60, second % 60);
    match rest {
        _ if millis < MILLIS_PER_DAY => time,
        0 => format!("{year:04}-{month:02}-{date:02}"),
        _ => format!("{year:04}-{month:02}-{date:02}T{time}"),
    }
}

/// The digits of a decimal whose unscaled value is in base64, as `BigDecimal.toString()` writes them.
fn decimal(json: &[u8], scale: u32) -> Option<String> {
    let text = serde_json::from_slice::<String>(json).ok()?;
    let bytes = STANDARD.decode(text).ok()?;
    let (negative, digits) = decimal_digits(&bytes);
    let sign = if negative { "-" } else { "" };
    let scale = scale as usize;
    // Java writes an exponent for numbers below a millionth.
    let exponent = digits.len() as i64 - 1 - scale as i64;
    if exponent < -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return Some(format!("{sign}{first}{point}{rest}E{exponent}"));
    }
    if scale == 0 {
        return Some(format!("{sign}{digits}"));
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    Some(format!("{sign}{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &Schema, json: &str, expect: &str) {
        let mut out = Vec::new();
        HeaderForm::of(schema).append(json.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }

    #[test]
    fn values_stand_as_connect_writes_them_into_headers() {
        let decimal = |scale: &str| {
            Schema::bytes().named("org.apache.kafka.connect.data.Decimal", 1).with_parameter("scale", scale)
        };
        check(&decimal("2"), "\"AJY=\"", "1.50");
        check(&decimal("2"), "\"/w==\"", "-0.01");
        check(&decimal("0"), "\"/wA=\"", "-256");
        check(&decimal("9"), "\"AQ==\"", "1E-9");
        check(&decimal("9"), "\"Aw0=\"", "7.81E-7");
        check(&decimal("0"), "150", "150");
        check(&Schema::string(), r#""a\nb\"c\\d""#, "\"a\nb\\\"c\\\\d\"");
        check(&Schema::float64(), "\"NaN\"", "NaN");
        check(&Schema::int32(), "5", "5");
        check(
            &Schema::int64().named("org.apache.kafka.connect.data.Timestamp", 1),
            "1577836800500",
            "2020-01-01T00:00:00.500Z",
        );
        check(&Schema::int64().named("org.apache.kafka.connect.data.Timestamp", 1), "-1", "23:59:59.999Z");
        check(&Schema::int32().named("org.apache.kafka.connect.data.Date", 1), "19782", "2024-02-29");
        check(&Schema::int32().named("org.apache.kafka.connect.data.Time", 1), "1001", "00:00:01.001Z");
    }
}
