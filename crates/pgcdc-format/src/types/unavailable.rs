//! The placeholder of a value that is stored out of line and that an update did not change.
//!
//! Source: Debezium's documentation, "Toasted values". The list of forms is Debezium's: a type that is not in it has no
//! placeholder and is null.

use super::binary::BinaryForm;
use super::family::Family;
use super::json::{base64_json, write_int, write_json_string};
use super::name_uuid::name_uuid;
use super::numeric::Numeric;
use super::options::BinaryMode;
use super::temporal::DateForm;

/// The JSON of the placeholder for a type; `None` where Debezium writes null.
pub(super) fn json(family: &Family, base_name: &str, placeholder: &[u8]) -> Option<Vec<u8>> {
    let as_text = String::from_utf8_lossy(placeholder);
    let text = || {
        let mut out = Vec::new();
        write_json_string(as_text.as_bytes(), &mut out);
        out
    };
    match family {
        Family::Text | Family::Numeric(Numeric::Text { .. }) => Some(text()),
        Family::Bytea(BinaryForm(mode)) | Family::Unknown(BinaryForm(mode)) => match mode {
            BinaryMode::Bytes => Some(base64_json(placeholder)),
            BinaryMode::Hex => Some(text()),
            BinaryMode::Base64 | BinaryMode::Base64UrlSafe => None,
        },
        Family::HstoreJson | Family::HstoreMap => {
            let mut object = vec![b'{'];
            object.extend(text());
            object.push(b':');
            object.extend(text());
            object.push(b'}');
            if matches!(family, Family::HstoreMap) {
                return Some(object);
            }
            let mut out = Vec::new();
            write_json_string(&object, &mut out);
            Some(out)
        }
        Family::Array(array) => {
            let mut list = vec![b'['];
            match (base_name, &array.element) {
                ("_text" | "_varchar" | "_bpchar" | "_json" | "_jsonb", _) => list.extend(text()),
                ("_bytea", Family::Bytea(BinaryForm(BinaryMode::Bytes))) => {
                    list.extend(base64_json(placeholder))
                }
                ("_int4" | "_int8", _) | ("_date", Family::Date(DateForm::Days)) => {
                    for (at, &byte) in placeholder.iter().enumerate() {
                        if at > 0 {
                            list.push(b',');
                        }
                        write_int(byte as i8, &mut list);
                    }
                }
                ("_uuid", _) => write_json_string(name_uuid(placeholder).as_bytes(), &mut list),
                _ => return None,
            }
            list.push(b']');
            Some(list)
        }
        _ => None,
    }
}
