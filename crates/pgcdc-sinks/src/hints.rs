//! What to set when every record of a topic is refused for the same reason.

use pgcdc_format::decode::{Field, Json};

/// Follows "is not a number".
pub(crate) const NUMERIC_HINT: &str = ": without a schema Debezium writes numeric as base64, which cannot be told from other \
     texts; set decimal.handling.mode=string (or double), or value.converter.schemas.enable=true, for the connector";

/// Whether a text may be a `numeric` that came without its schema: base64 of its digits.
pub(crate) fn may_be_numeric(field: &Field<'_, '_>) -> bool {
    let Json::String(text) = field.value else { return false };
    let letters = text.trim_end_matches('=');
    field.semantic.is_none()
        && !text.is_empty()
        && text.len() % 4 == 0
        && text.len() - letters.len() <= 2
        && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
