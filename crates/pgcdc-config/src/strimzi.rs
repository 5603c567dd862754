//! Strimzi's `KafkaConnector`: the Kubernetes resource that holds a registration, as JSON or as plain YAML.
//!
//! This reads only as much YAML as such resources use: maps by indentation, plain and quoted scalars, block scalars
//! (`|`, `>`) and comments.

use crate::document::{Document, Place};
use crate::json::Json;
use crate::mistake::ConfigError;

const KIND: &str = "KafkaConnector";
const REMEDY: &str =
    "write plain YAML: maps by indentation and one text a property, or the registration as JSON";

/// Takes the registration out of a resource. Any other JSON is returned as it is.
pub(crate) fn registration(value: Json) -> Json {
    if value.get("kind").and_then(Json::text) != Some(KIND) {
        return value;
    }
    let spec = value.get("spec");
    let of_spec = |name: &str| spec.and_then(|spec| spec.get(name)).cloned();
    let mut pairs = Vec::new();
    let name = value.get("metadata").and_then(|metadata| metadata.get("name")).cloned();
    for (key, found) in
        [("name", name), ("connector.class", of_spec("class")), ("tasks.max", of_spec("tasksMax"))]
    {
        pairs.extend(found.map(|value| (key.to_owned(), value)));
    }
    if let Some(Json::Object(config)) = of_spec("config") {
        pairs.extend(config);
    }
    Json::Object(pairs)
}

/// Whether a YAML text is such a resource.
pub(crate) fn is_resource(text: &str) -> bool {
    text.lines().any(|line| line.strip_prefix("kind:").is_some_and(|kind| scalar(kind) == KIND))
}

/// Parses a resource in YAML.
///
/// # Errors
/// On a line of the configuration that is not plain YAML.
pub(crate) fn parse(source: &str, text: &str) -> Result<Document, ConfigError> {
    let mut document = Document::new(source);
    // The names of the maps around a line, each with its indentation.
    let mut around: Vec<(usize, String)> = Vec::new();
    let mut lines = Lines { lines: text.lines().collect(), at: 0 };
    while let Some((line, number)) = lines.next() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') || content.starts_with("---") {
            continue;
        }
        let indent = indentation(line);
        around.retain(|(outer, _)| *outer < indent);
        let path: Vec<&str> = around.iter().map(|(_, name)| name.as_str()).collect();
        let Some((key, value)) = pair(content) else {
            if matches!(path.as_slice(), ["spec", "config", ..]) {
                let place = format!("{source}:{number}");
                let message = "is no line of the form name: value";
                return Err(ConfigError::one(place, "", message, Some(REMEDY.into())));
            }
            continue;
        };
        let style = value.split_whitespace().next().filter(|word| word.starts_with(['|', '>']));
        let value = match style {
            Some(style) => lines.block(indent, style),
            None => scalar(value),
        };
        if let Some(property) = property(&path, &key) {
            let unset = style.is_none()
                && matches!(value.as_str(), "" | "~" | "null")
                && !content.ends_with(['"', '\'']);
            if !unset {
                let place = Place { source: source.to_owned(), line: Some(number) };
                document.set(property, value, place);
            }
        }
        around.push((indent, key));
    }
    Ok(document)
}

/// The property that a name within these maps sets; `None` for a part of the resource that configures nothing.
fn property<'k>(path: &[&str], key: &'k str) -> Option<&'k str> {
    match (path, key) {
        (["metadata"], "name") => Some("name"),
        (["spec"], "class") => Some("connector.class"),
        (["spec"], "tasksMax") => Some("tasks.max"),
        (["spec", "config"], key) => Some(key),
        _ => None,
    }
}

/// The lines of a text, read one after the other.
struct Lines<'t> {
    lines: Vec<&'t str>,
    at: usize,
}

impl<'t> Lines<'t> {
    /// The next line and its number, counted from 1.
    fn next(&mut self) -> Option<(&'t str, usize)> {
        let line = *self.lines.get(self.at)?;
        self.at += 1;
        Some((line, self.at))
    }

    /// Takes the block scalar that follows a line of this indentation: `|` keeps its line ends, `>` turns them into blanks.
    fn block(&mut self, indent: usize, style: &str) -> String {
        let rest = &self.lines[self.at..];
        let length = rest
            .iter()
            .position(|line| !line.trim().is_empty() && indentation(line) <= indent)
            .unwrap_or(rest.len());
        let separator = if style.starts_with('|') { "\n" } else { " " };
        let text: Vec<&str> = rest[..length].iter().map(|line| line.trim()).collect();
        self.at += length;
        text.join(separator).trim_end().to_owned()
    }
}

/// How many bytes of blanks a line begins with.
fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `name: value`, where the name may be quoted.
fn pair(content: &str) -> Option<(String, &str)> {
    let quote = content.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        let (key, rest) = content[1..].split_once(quote)?;
        return Some((key.to_owned(), rest.trim_start().strip_prefix(':')?));
    }
    let (key, rest) = match content.split_once(": ") {
        Some(pair) => pair,
        None => (content.strip_suffix(':')?, ""),
    };
    Some((key.trim().to_owned(), rest))
}

/// The text of a scalar, without its quotes and without a comment behind it.
fn scalar(text: &str) -> String {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('"') {
        return double_quoted(rest);
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let doubled = rest.replace("''", "\0");
        return doubled.split('\'').next().unwrap_or_default().replace('\0', "'");
    }
    text.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

/// The text up to the closing double quote, escapes resolved.
fn double_quoted(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        out.push(plain);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = r#"# a connector
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaConnector
metadata:
  name: inventory
  labels:
    strimzi.io/cluster: debezium
spec:
  class: io.debezium.connector.postgresql.PostgresConnector
  tasksMax: 1
  autoRestart:
    enabled: true
  config:
    database.hostname: db # the primary
    database.port: "5432"
    'topic.prefix': 'it''s'
    table.include.list: >-
      public.a,
      public.b
    heartbeat.action.query: |
      INSERT INTO h
      VALUES (1)
    snapshot.mode:
    tombstones.on.delete: false
"#;

    fn pairs(document: &Document) -> Vec<(&str, &str)> {
        document.entries.iter().map(|e| (&*e.key, e.value.expose())).collect()
    }

    #[test]
    fn yaml_and_json_of_the_same_resource() {
        assert!(is_resource(YAML));
        let document = parse("c.yaml", YAML).unwrap();
        let expect = [
            ("name", "inventory"),
            ("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
            ("tasks.max", "1"),
            ("database.hostname", "db"),
            ("database.port", "5432"),
            ("topic.prefix", "it's"),
            ("table.include.list", "public.a, public.b"),
            ("heartbeat.action.query", "INSERT INTO h\nVALUES (1)"),
            ("tombstones.on.delete", "false"),
        ];
        assert_eq!(pairs(&document), expect);
        assert_eq!(document.entries[3].place.to_string(), "c.yaml:14");
        let json = r#"{"apiVersion":"x","kind":"KafkaConnector","metadata":{"name":"n"},"spec":{"class":"c","tasksMax":1,"config":{"a":true}}}"#;
        let document = Document::parse_json("c.json", json).unwrap();
        assert_eq!(
            pairs(&document),
            [("name", "n"), ("connector.class", "c"), ("tasks.max", "1"), ("a", "true")]
        );
    }

    #[test]
    fn what_is_not_plain_is_refused_with_its_line() {
        let error =
            parse("c.yaml", "kind: KafkaConnector\nspec:\n  config:\n    - a\n").unwrap_err().to_string();
        assert!(error.starts_with("c.yaml:4: is no line of the form name: value (hint: "), "{error}");
    }
}
