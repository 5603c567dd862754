//! `Idempotency-Key`: the same for every delivery of one change.

use std::fmt::Write as _;

use pgcdc_event::Operation;
use pgcdc_kafka::consumer::Partition;
use sha2::{Digest as _, Sha256};

use crate::Record;

/// The key of a record. A record that nothing tells from others (a row of a table without a key, a record without a position
/// in the WAL) has `<topic>-<partition>-<offset>`.
pub(super) fn key(partition: &Partition, record: &Record<'_>) -> String {
    of_change(partition, record).unwrap_or_else(|| format!("{partition}-{}", record.position))
}

/// `<topic>-<position>-<hash>`. The hash is of the parts that a repeat of the change has again: source, table, transaction,
/// position, operation, key and row. Parts that differ from one sending to the next (offset, the envelope's `ts_ms`, `sequence`)
/// are left out.
fn of_change(partition: &Partition, record: &Record<'_>) -> Option<String> {
    let change = &record.change;
    let source = &change.source;
    let lsn = source.lsn?.as_u64();
    let key = change.key.as_ref()?;
    let operation = match change.operation {
        Operation::Create => "c",
        Operation::Update => "u",
        Operation::Delete => "d",
        Operation::Read => "r",
        Operation::Truncate => "t",
        Operation::Message => "m",
    };
    let rows = [change.before.as_ref(), change.after.as_ref()];
    // A flattened row may have fields that `add.fields` put there, such as `__ts_ms`, and that differ in a repeat.
    let is_plain = change.form == pgcdc_format::decode::Form::Envelope;
    let [before, after] = rows.map(|row| row.filter(|_| is_plain).map_or("", |row| row.text()));
    let mut hash = Sha256::new();
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    for part in [
        &*text(&source.name),
        &*text(&source.database),
        &*text(&source.schema),
        &*text(&source.table),
        &source.tx_id.unwrap_or_default().to_string(),
        operation,
        key.text(),
        before,
        after,
    ] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let mut name = format!("{}-{lsn}-", partition.topic);
    for byte in &hash.finalize()[..16] {
        let _ = write!(name, "{byte:02x}");
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use pgcdc_format::decode::Decoder;
    use pgcdc_kafka::consumer::Message;

    use super::*;

    fn of(offset: i64, key: Option<&str>, value: &str) -> String {
        let key = key.map(str::as_bytes);
        let message = Message::new(offset, key, None);
        let change = Decoder::default().decode(key, Some(value.as_bytes())).expect("decodes");
        let partition = Partition { topic: "t".into(), id: 3 };
        super::key(&partition, &Record::of(&message, change))
    }

    fn value(lsn: u64, row: &str, sent: u64) -> String {
        format!(
            r#"{{"before":null,"after":{row},"source":{{"name":"p","db":"d","sequence":"[\"{sent}\",\"{lsn}\"]","schema":"public","table":"t","txId":7,"lsn":{lsn}}},"op":"c","ts_ms":{sent}}}"#
        )
    }

    #[test]
    fn a_repeat_of_a_change_has_its_key_and_another_change_has_not() {
        let one = of(5, Some("{\"id\":1}"), &value(100, "{\"id\":1}", 1));
        assert!(one.starts_with("t-100-"), "{one}");
        assert_eq!(one, of(9, Some("{\"id\":1}"), &value(100, "{\"id\":1}", 2)), "a repeat by capture");
        let others = [
            of(5, Some("{\"id\":1}"), &value(101, "{\"id\":1}", 1)),
            of(5, Some("{\"id\":2}"), &value(100, "{\"id\":1}", 1)),
            of(5, Some("{\"id\":1}"), &value(100, "{\"id\":1,\"a\":2}", 1)),
            of(5, Some("{\"id\":1}"), &value(100, "{\"id\":1}", 1).replace("\"op\":\"c\"", "\"op\":\"u\"")),
            of(5, Some("{\"id\":1}"), &value(100, "{\"id\":1}", 1).replace("\"db\":\"d\"", "\"db\":\"e\"")),
        ];
        assert!(!others.contains(&one), "{others:?}");
        assert_eq!(of(5, None, &value(100, "{}", 1)), "t-3-5", "a row without a key");
        assert_eq!(of(5, Some("{\"id\":1}"), "{\"id\":1}"), "t-3-5", "a record without a position");
    }
}
