use pgcdc_format::types::{append_f32, append_f64};

use super::date_format::DateFormat;
use crate::data::Value;

/// Java's `toString()`, which Connect and Debezium use wherever a value becomes a text.
///
/// ```
/// use pgcdc_transform::data::Value;
/// use pgcdc_transform::java::show;
///
/// assert_eq!(show(&Value::Float64(1e10)), "1.0E10");
/// assert_eq!(show(&Value::Array(vec![Value::Int32(1), Value::Null].into())), "[1, null]");
/// assert_eq!(show(&Value::Bytes([1, 2].into())), "java.nio.HeapByteBuffer[pos=0 lim=2 cap=2]");
/// assert_eq!(show(&Value::Date(0)), "Thu Jan 01 00:00:00 UTC 1970");
/// ```
#[must_use]
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Int8(number) => number.to_string(),
        Value::Int16(number) => number.to_string(),
        Value::Int32(number) => number.to_string(),
        Value::Int64(number) => number.to_string(),
        Value::Float32(number) => bare(|out| append_f32(*number, out)),
        Value::Float64(number) => bare(|out| append_f64(*number, out)),
        Value::Boolean(value) => value.to_string(),
        Value::String(text) => text.to_string(),
        Value::Bytes(bytes) => {
            let length = bytes.len();
            format!("java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]")
        }
        Value::Decimal(number) => number.to_string(),
        Value::Date(millis) => {
            DateFormat::compile("EEE MMM dd HH:mm:ss z yyyy").map(|f| f.format(*millis)).unwrap_or_default()
        }
        Value::Array(items) => format!("[{}]", join(items.iter().map(show))),
        Value::Map(entries) => {
            format!(
                "{{{}}}",
                join(entries.iter().map(|(key, value)| format!("{}={}", show(key), show(value))))
            )
        }
        Value::Struct(inner) => {
            let fields = inner.entries().filter(|(_, value)| !value.is_null());
            let fields: Vec<String> =
                fields.map(|(field, value)| format!("{}={}", field.name, show(value))).collect();
            format!("Struct{{{}}}", fields.join(","))
        }
    }
}

/// A list of texts as Java shows it.
pub(crate) fn show_list<T: AsRef<str>>(items: &[T]) -> String {
    format!("[{}]", join(items.iter().map(|item| item.as_ref().to_owned())))
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// A number without the quotes that JSON puts around NaN.
fn bare(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8_lossy(&out).trim_matches('"').to_owned()
}
