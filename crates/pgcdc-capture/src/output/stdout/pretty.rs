//! Changes for people: a line for each, with the operation, the table, the key, and the columns that changed.
//!
//! ```text
//! insert    public.users  id=7  name='Ada' born=null
//! update    public.users  id=7  name: 'Ada' → 'Ada L.'
//! delete    public.users  id=7
//! ```

use serde_json::{Map, Value};

use super::escape::escape;

/// What Debezium writes for a value that the server did not send, since the change did not touch it.
const UNAVAILABLE: &str = "__debezium_unavailable_value";

/// Characters of a value that are shown; the rest is counted.
const LONGEST: usize = 200;

/// Writes the lines.
#[derive(Clone, Debug)]
pub(super) struct Pretty {
    /// Whether the operation is coloured. What it says never depends on it.
    colour: bool,
    /// Topic and key of the deletion that was written last: its tombstone says nothing new.
    deleted: Option<(String, Option<Vec<u8>>)>,
}

/// What a record says, as words and a colour.
#[derive(Clone, Copy, Debug)]
struct Word {
    text: &'static str,
    /// The code of the colour, as ECMA-48's SGR has it.
    colour: &'static str,
}

const fn word(text: &'static str, colour: &'static str) -> Word {
    Word { text, colour }
}

impl Pretty {
    /// Writes lines with or without colour.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour, deleted: None }
    }

    /// Appends the line of a record, if it says anything new.
    pub(super) fn line(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, out: &mut Vec<u8>) {
        let deleted = self.deleted.take();
        let shown_key = key.map(parse);
        let key_columns = shown_key.as_ref().and_then(Value::as_object);
        let mut line = String::new();
        let Some(value) = value.map(parse) else {
            if deleted != Some((topic.to_owned(), key.map(<[u8]>::to_vec))) {
                self.begin(word("tombstone", "31"), topic, shown_key.as_ref(), &mut line);
                finish(line, out);
            }
            return;
        };
        match Change::of(&value) {
            Some(change) => {
                let word = change.word();
                self.begin(
                    word,
                    &change.table.unwrap_or_else(|| topic.to_owned()),
                    shown_key.as_ref(),
                    &mut line,
                );
                columns(change.operation, change.before, change.after, key_columns, &mut line);
                if change.operation == "d" {
                    self.deleted = Some((topic.to_owned(), key.map(<[u8]>::to_vec)));
                }
            }
            None => {
                self.begin(word("record", "36"), topic, shown_key.as_ref(), &mut line);
                match &value {
                    Value::Object(fields) => all(fields, key_columns, &mut line),
                    other => {
                        line.push(' ');
                        show(other, &mut line);
                    }
                }
            }
        }
        finish(line, out);
    }

    /// Begins a line: operation, table and key.
    fn begin(&self, word: Word, table: &str, key: Option<&Value>, line: &mut String) {
        let Word { text, colour } = word;
        let padded = format!("{text:<9}");
        if self.colour {
            line.push_str(&format!("\x1b[{colour}m{padded}\x1b[0m"));
        } else {
            line.push_str(&padded);
        }
        line.push(' ');
        escape(table, line);
        line.push(' ');
        match key {
            Some(Value::Object(columns)) => columns.iter().for_each(|(name, value)| pair(name, value, line)),
            Some(Value::Null) | None => {}
            Some(other) => pair("key", other, line),
        }
    }
}

/// A change in Debezium's envelope.
struct Change<'v> {
    operation: &'v str,
    /// `schema.table`; of a logical message there is none.
    table: Option<String>,
    before: Option<&'v Map<String, Value>>,
    after: Option<&'v Map<String, Value>>,
}

impl<'v> Change<'v> {
    fn of(value: &'v Value) -> Option<Self> {
        let envelope = value.as_object()?;
        let operation = envelope.get("op")?.as_str().filter(|op| word_of(op).is_some())?;
        let source = envelope.get("source")?.as_object()?;
        let name = |key: &str| source.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
        let table = name("table").map(|table| match name("schema") {
            Some(schema) => format!("{schema}.{table}"),
            None => table.to_owned(),
        });
        let part = |key: &str| envelope.get(key).and_then(Value::as_object);
        let after = if operation == "m" { part("message") } else { part("after") };
        Some(Self { operation, table, before: part("before"), after })
    }

    fn word(&self) -> Word {
        word_of(self.operation).unwrap_or(word("record", "36"))
    }
}

fn word_of(operation: &str) -> Option<Word> {
    Some(match operation {
        "c" => word("insert", "32"),
        "r" => word("read", "36"),
        "u" => word("update", "33"),
        "d" => word("delete", "31"),
        "t" => word("truncate", "1;31"),
        "m" => word("message", "34"),
        _ => return None,
    })
}

/// Appends the columns that a change is about; those of the key stand in the line already.
fn columns(
    operation: &str,
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    key: Option<&Map<String, Value>>,
    line: &mut String,
) {
    match (operation, before, after) {
        ("u", Some(before), Some(after)) => changed(before, after, line),
        (_, _, Some(after)) => all(after, key, line),
        // With the default replica identity a deleted row has its key, and null in every other column.
        (_, Some(before), None) => {
            let known = before.iter().filter(|(name, value)| !value.is_null() && !is_key(name, value, key));
            known.for_each(|(name, value)| pair(name, value, line));
        }
        (_, None, None) => {}
    }
}

fn changed(before: &Map<String, Value>, after: &Map<String, Value>, line: &mut String) {
    let mut any = false;
    for (name, new) in after {
        let old = before.get(name).unwrap_or(&Value::Null);
        if old == new || new == UNAVAILABLE {
            continue;
        }
        any = true;
        line.push(' ');
        escape(name, line);
        line.push_str(": ");
        show(old, line);
        line.push_str(" → ");
        show(new, line);
    }
    if !any {
        line.push_str(" (no column changed)");
    }
}

fn all(row: &Map<String, Value>, key: Option<&Map<String, Value>>, line: &mut String) {
    let others = row.iter().filter(|(name, value)| !is_key(name, value, key));
    others.for_each(|(name, value)| pair(name, value, line));
}

fn is_key(name: &str, value: &Value, key: Option<&Map<String, Value>>) -> bool {
    key.and_then(|key| key.get(name)) == Some(value)
}

fn pair(name: &str, value: &Value, line: &mut String) {
    line.push(' ');
    escape(name, line);
    line.push('=');
    show(value, line);
}

/// Appends a value, cut when it is long.
fn show(value: &Value, line: &mut String) {
    match value {
        Value::String(text) if text == UNAVAILABLE => line.push_str("(unchanged)"),
        Value::String(text) => {
            line.push('\'');
            let length = text.chars().count();
            let cut: String = text.chars().take(LONGEST).collect();
            escape(&cut.replace('\'', "''"), line);
            line.push_str(if length > LONGEST { "…'" } else { "'" });
            if length > LONGEST {
                line.push_str(&format!(" ({length} characters)"));
            }
        }
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            let cut: String = text.chars().take(LONGEST).collect();
            // JSON's own escapes stay as they are.
            escape(&cut, line);
            if cut.len() < text.len() {
                line.push('…');
            }
        }
        other => line.push_str(&other.to_string()),
    }
}

/// The JSON of a key or a value without its schema; bytes that are no JSON as text.
fn parse(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(mut wrapped))
            if wrapped.len() == 2 && wrapped.contains_key("schema") && wrapped.contains_key("payload") =>
        {
            wrapped.remove("payload").unwrap_or_default()
        }
        Ok(value) => value,
        Err(_) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn finish(mut line: String, out: &mut Vec<u8>) {
    line.push('\n');
    out.extend_from_slice(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of records of topic `s.public.t`, each a key and a value.
    #[track_caller]
    fn check(colour: bool, records: &[(&str, Option<&str>)], expect: &[&str]) {
        let (mut pretty, mut out) = (Pretty::new(colour), Vec::new());
        for (key, value) in records {
            let key = Some(key.as_bytes()).filter(|key| !key.is_empty());
            pretty.line("s.public.t", key, value.map(str::as_bytes), &mut out);
        }
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text.lines().collect::<Vec<_>>(), expect);
    }

    fn change(op: &str, before: &str, after: &str) -> String {
        let source = r#"{"schema":"public","table":"t"}"#;
        format!(r#"{{"before":{before},"after":{after},"source":{source},"op":"{op}","ts_ms":1}}"#)
    }

    #[test]
    fn each_operation_has_its_line() {
        let key = r#"{"id":7}"#;
        let cases = [
            (
                change("c", "null", r#"{"id":7,"v":"O'Hara","n":null,"on":true}"#),
                "insert    public.t  id=7 v='O''Hara' n=null on=true",
            ),
            (change("r", "null", r#"{"id":7,"v":1.5}"#), "read      public.t  id=7 v=1.5"),
            (
                change("u", r#"{"id":7,"v":"a","w":1}"#, r#"{"id":7,"v":"b","w":1}"#),
                "update    public.t  id=7 v: 'a' → 'b'",
            ),
            (change("u", "null", r#"{"id":7,"v":"b"}"#), "update    public.t  id=7 v='b'"),
            (
                change("u", r#"{"id":7,"v":"a"}"#, r#"{"id":7,"v":"a"}"#),
                "update    public.t  id=7 (no column changed)",
            ),
            (change("d", r#"{"id":7,"v":null}"#, "null"), "delete    public.t  id=7"),
            (change("d", r#"{"id":7,"v":"a"}"#, "null"), "delete    public.t  id=7 v='a'"),
        ];
        for (value, line) in &cases {
            check(false, &[(key, Some(value))], &[line]);
        }
        check(false, &[("", Some(&change("t", "null", "null")))], &["truncate  public.t "]);
    }

    #[test]
    fn a_tombstone_is_told_only_when_it_says_something_new() {
        let (key, delete) = (r#"{"id":7}"#, change("d", r#"{"id":7}"#, "null"));
        check(false, &[(key, Some(&delete)), (key, None)], &["delete    public.t  id=7"]);
        check(false, &[(r#"{"id":8}"#, None)], &["tombstone s.public.t  id=8"]);
    }

    #[test]
    fn what_is_no_envelope_is_shown_as_it_is() {
        check(
            false,
            &[(r#"{"id":7}"#, Some(r#"{"id":7,"v":[1,"a"]}"#))],
            &["record    s.public.t  id=7 v=[1,\"a\"]"],
        );
        check(false, &[("7", Some("no JSON"))], &["record    s.public.t  key=7 'no JSON'"]);
        let wrapped = format!(r#"{{"schema":{{}},"payload":{}}}"#, change("c", "null", r#"{"id":7}"#));
        check(
            false,
            &[(r#"{"schema":{},"payload":{"id":7}}"#, Some(&wrapped))],
            &["insert    public.t  id=7"],
        );
        // A table with a column that is called as the envelope's field is.
        check(false, &[("", Some(r#"{"op":"c"}"#))], &["record    s.public.t  op='c'"]);
    }

    #[test]
    fn nothing_from_a_row_reaches_the_terminal_as_a_command() {
        let row = r#"{"\u001b[2J":"\u001b]0;title\u0007","v":"\u009b31m","list":["\u001b[1m\u009b"]}"#;
        let source = r#"{"schema":"public","table":"t\u001b[2J"}"#;
        let value = format!(r#"{{"before":null,"after":{row},"source":{source},"op":"c"}}"#);
        let (mut pretty, mut out) = (Pretty::new(false), Vec::new());
        pretty.line("topic\u{1b}", Some(b"\x1b[2J"), Some(value.as_bytes()), &mut out);
        pretty.line("topic\u{1b}", None, Some(b"\x1b\xff"), &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(!text.lines().any(|line| line.chars().any(char::is_control)), "{text:?}");
        assert!(text.contains(r"v='\u{9b}31m'"), "{text}");
    }

    #[test]
    fn colour_is_on_the_operation_alone_and_long_values_are_cut() {
        let value = change("c", "null", r#"{"v":1}"#);
        check(true, &[("", Some(&value))], &["\x1b[32minsert   \x1b[0m public.t  v=1"]);
        let value = change("c", "null", &format!(r#"{{"v":"{}"}}"#, "x".repeat(300)));
        let expect = format!("insert    public.t  v='{}…' (300 characters)", "x".repeat(200));
        check(false, &[("", Some(&value))], &[&expect]);
    }
}
