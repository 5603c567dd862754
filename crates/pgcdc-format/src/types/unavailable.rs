//! The placeholder of a value that is stored out of line (TOAST) and that an update did not change: the server does not send it.
//!
//! | type | form of the placeholder |
//! |---|---|
//! | types that are text in JSON, `numeric` as text | the text |
//! | `bytea` | base64 of the text; with `hex` the text; with `base64` none |
//! | `hstore` | an object whose one member has the text as name and value |
//! | arrays of text, JSON and `bytea` | a list of the one element |
//! | arrays of `int4`, `int8`, and `date` as days | the text's bytes as signed numbers |
//! | arrays of `uuid` | a list of one UUID that is made of the text |
//! | any other | none: the column is null |
//!
//! The list of types is Debezium's. Source: Debezium's documentation of the PostgreSQL connector, "Toasted values"; recordings
//! (`tests/conformance/dml_toast`).

use super::binary::BinaryForm;
use super::family::Family;
use super::numeric::Numeric;
use super::options::BinaryMode;
use super::temporal::DateForm;
use crate::java::name_uuid;
use crate::json::{base64_json, write_int, write_json_string};

/// The JSON of the placeholder for a type; `None` where Debezium writes null. `base_name` is the type's name below all
/// domains, `_int4` for an array of `int4`.
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
