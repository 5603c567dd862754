//! Masks the values that differ between two runs of Debezium itself: times, positions, transaction and run ids. Nothing else is
//! masked.

/// The last part of a volatile field's name.
const VOLATILE: [&str; 8] = ["ts_ms", "ts_us", "ts_ns", "lsn", "txId", "lsn_proc", "lsn_commit", "sequence"];

/// The names that `CloudEventsConverter` gives the same fields.
const CLOUD_EVENTS: [&str; 8] = [
    "time",
    "iodebeziumtsms",
    "iodebeziumtsus",
    "iodebeziumtsns",
    "iodebeziumlsn",
    "iodebeziumtxId",
    "iodebeziumtxid",
    "iodebeziumsequence",
];

/// Puts 0 in place of each volatile field's number, and an empty text in place of its text. The values of the columns
/// `made_anew` go the same way.
pub(super) fn mask(text: &str, made_anew: &[String]) -> String {
    let cloud_event = text.contains("\"specversion\":\"1.0\"");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find("\":") {
        let (head, tail) = rest.split_at(colon + 2);
        out.push_str(head);
        rest = tail;
        let name = head[..colon].rsplit('"').next().unwrap_or_default();
        let taken = if made_anew.iter().any(|column| column == name) && !tail.starts_with("null") {
            scalar(tail)
        } else if is_volatile(name) {
            volatile(tail)
        } else if name == "id" {
            transaction_id(tail)
        } else if cloud_event && CLOUD_EVENTS.contains(&name) {
            scalar(tail)
        } else {
            0
        };
        if taken > 0 {
            out.push_str(if tail.starts_with('"') { "\"\"" } else { "0" });
            rest = &tail[taken..];
        }
    }
    out.push_str(rest);
    if out.contains(MESSAGE_ID) { without_addresses(&out) } else { out }
}

/// A part of the name that Debezium gives the collection of a logical message: Java's text of an object, with its address.
const MESSAGE_ID: &str = "$LogicalDecodingMessageId@";

/// Takes the addresses of logical messages out of `data_collections`, and puts these collections last, since their place
/// depends on the address.
fn without_addresses(text: &str) -> String {
    const LIST: &str = "\"data_collections\":[{";
    let Some(start) = text.find(LIST).map(|at| at + LIST.len()) else { return text.to_owned() };
    let Some(end) = text[start..].find("}]").map(|at| start + at) else { return text.to_owned() };
    let (mut messages, mut tables) = (Vec::new(), Vec::new());
    for collection in text[start..end].split("},{") {
        match collection.split_once(MESSAGE_ID) {
            Some((head, tail)) => {
                let count = tail.trim_start_matches(|c: char| c.is_ascii_hexdigit());
                messages.push(format!("{head}{MESSAGE_ID}{count}"));
            }
            None => tables.push(collection.to_owned()),
        }
    }
    tables.append(&mut messages);
    format!("{}{}{}", &text[..start], tables.join("},{"), &text[end..])
}

/// Whether a field, also as `ExtractNewRecordState` calls it (`__source_lsn`), differs from run to run.
fn is_volatile(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    VOLATILE.contains(&name.strip_prefix("source_").unwrap_or(name))
}

/// Whether the name of a header, which may have any prefix, ends as a volatile field does.
pub(super) fn ends_volatile(name: &str) -> bool {
    VOLATILE.iter().any(|volatile| name.ends_with(volatile))
}

/// The length of a number, of null, or of a text that holds `source.sequence`; 0 for anything else, such as a schema's
/// `"field":"lsn"`.
fn volatile(value: &str) -> usize {
    if value.starts_with("null") {
        return 4;
    }
    if value.starts_with("\"[") {
        return value.find("]\"").map_or(0, |end| end + 2);
    }
    value.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(value.len())
}

/// The length of a text, a number, or an object of such.
fn scalar(value: &str) -> usize {
    if value.starts_with('{') {
        return value.find('}').map_or(0, |end| end + 1);
    }
    match value.strip_prefix('"') {
        Some(text) => {
            let mut escaped = false;
            let end = text.find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(0, |quote| quote + 2)
        }
        None => value.find([',', '}']).unwrap_or(value.len()),
    }
}

/// The length of `"571:53195829"`, and of a CloudEvent's id, which is made of the same.
fn transaction_id(value: &str) -> usize {
    let Some(text) = value.strip_prefix('"') else { return 0 };
    let Some(end) = text.find('"') else { return 0 };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let pair = text[..end].split_once(':').is_some_and(|(xid, lsn)| digits(xid) && digits(lsn));
    if pair || text[..end].contains(";lsn:") { end_of_id(text, end) } else { 0 }
}

/// A CloudEvent's id has quotes in it: the sequence.
fn end_of_id(text: &str, end: usize) -> usize {
    match text.find("]\"") {
        Some(bracket) if text[..end].contains(";sequence:[") => bracket + 3,
        _ => end + 2,
    }
}

#[test]
fn only_the_volatile_is_masked() {
    let check = |text: &str, expect: &str| assert_eq!(mask(text, &["tn".to_owned()]), expect);
    check(r#"{"ts_ms":17,"lsn":null,"n":5}"#, r#"{"ts_ms":0,"lsn":0,"n":5}"#);
    check(r#"{"sequence":"[null,\"169\"]","v":"[1]"}"#, r#"{"sequence":"","v":"[1]"}"#);
    check(r#"{"ts_ms":"text","x":-1}"#, r#"{"ts_ms":"text","x":-1}"#);
    check(r#"{"tn":"2026-11","x":1,"n":2}"#, r#"{"tn":"","x":1,"n":2}"#);
    check(r#"{"tn":"[\"1\",\"2\\\"]","x":1}"#, r#"{"tn":"","x":1}"#);
    check(r#"{"tn":{"year":2026,"day":1},"x":1}"#, r#"{"tn":0,"x":1}"#);
    check(r#"{"tn":null,"x":{"tn":17}}"#, r#"{"tn":null,"x":{"tn":0}}"#);
    check(r#"{"field":"ts_ms","my_lsn":7}"#, r#"{"field":"ts_ms","my_lsn":7}"#);
    check(r#"{"id":"571:532","n":{"id":"5:x"}}"#, r#"{"id":"","n":{"id":"5:x"}}"#);
    check(r#"{"__source_ts_ms":5,"__lsn":6}"#, r#"{"__source_ts_ms":0,"__lsn":0}"#);
    check(
        r#"{"data_collections":[{"data_collection":"a$LogicalDecodingMessageId@54cab20e","event_count":1},{"data_collection":"public.t","event_count":5}],"ts_ms":1}"#,
        r#"{"data_collections":[{"data_collection":"public.t","event_count":5},{"data_collection":"a$LogicalDecodingMessageId@","event_count":1}],"ts_ms":0}"#,
    );
    check(
        r#"{"id":"name:p;lsn:29;txId:5;sequence:[\"1\",\"2\"]","specversion":"1.0","time":"2026-01-01T00:00:00Z"}"#,
        r#"{"id":"","specversion":"1.0","time":""}"#,
    );
}
