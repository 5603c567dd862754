//! `slot.stream.params`: options of `START_REPLICATION`, as `name=value` separated by semicolons.
//! Source: PostgreSQL documentation, "Logical Streaming Replication Protocol", section "Logical
//! Streaming Replication Parameters".

use pgcdc_config::Reader;

/// The property.
const KEY: &str = "slot.stream.params";

/// The parameters that the connector sets itself. Debezium's own value wins over the user's for
/// these, too.
const OURS: [&str; 3] = ["proto_version", "publication_names", "messages"];

/// Reads the parameters. An entry without `=`, and one that the connector sets itself, has no
/// effect, as with Debezium.
pub(super) fn resolve(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let text = reader.string(KEY);
    let mut params: Vec<(String, String)> = Vec::new();
    for (name, value) in text.split(';').filter_map(|param| param.split_once('=')) {
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
            continue;
        }
        if let Some((reason, remedy)) = unreadable(name, value) {
            reader.mistake(KEY, format!("The '{KEY}' value is invalid: {name}={value}: {reason}"), remedy);
            continue;
        }
        params.retain(|(other, _)| other != name);
        params.push((name.to_owned(), value.to_owned()));
    }
    params
}

/// Why a parameter is refused, and what to do: it would change the form of what the server sends.
fn unreadable(name: &str, value: &str) -> Option<(&'static str, &'static str)> {
    let off = ["false", "off", "no", "0", "f", "n"].iter().any(|word| word.eq_ignore_ascii_case(value));
    match name.to_ascii_lowercase().as_str() {
        _ if off => None,
        "binary" => Some(("values would come in their binary form, and be read wrong", "leave it out")),
        "streaming" => Some((
            "transactions would be sent before they are committed, which takes a later version of the protocol",
            "leave it out; logical_decoding_work_mem at the server bounds its memory",
        )),
        "two_phase" => Some((
            "prepared transactions would be sent before they are committed, which takes a later version of the protocol",
            "leave it out; they are sent when they are committed",
        )),
        _ => None,
    }
}
