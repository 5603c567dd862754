//! A `KafkaConnector` of Strimzi's: the resource that holds a registration in Kubernetes, as JSON or as plain YAML.
//!
//! Of YAML this reads what such resources are written in: maps by indentation, plain and quoted scalars, block scalars
//! (`|`, `>`) and comments.

use super::ConfigError;
use super::document::{Document, Place};
use super::json::Json;

const KIND: &str = "KafkaConnector";
const REMEDY: &str =
    "write plain YAML: maps by indentation and one text a property, or the registration as JSON";

/// The registration in a resource; what is none comes back as it is.
pub(super) fn registration(value: Json) -> Json {
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

/// Whether a text that is no JSON is such a resource.
pub(super) fn is_resource(text: &str) -> bool {
    text.lines().any(|line| line.strip_prefix("kind:").is_some_and(|kind| scalar(kind) == KIND))
}

/// Parses a resource that is YAML.
///
/// # Errors
/// On what is not plain YAML, with its line.
pub(super) fn parse(source: &str, text: &str) -> Result<Document, ConfigError> {
    let mut document = Document::new(source);
    // The names of the maps around a line, each with its indentation.
    let mut around: Vec<(usize, String)> = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        let (line, number) = (lines[at], at + 1);
        at += 1;
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') || content.starts_with("---") {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        around.retain(|(outer, _)| *outer < indent);
        let path: Vec<&str> = around.iter().map(|(_, name)| name.as_str()).collect();
        let Some((key, value)) = pair(content) else {
            if matches!(path.as_slice(), ["spec", "config", ..]) {
                let place = format!("{source}:{number}");
                return Err(ConfigError::one(
                    place,
                    "",
                    "is no line of the form name: value",
                    Some(REMEDY.into()),
                ));
            }
            continue;
        };
        let block = value.split_whitespace().next().filter(|word| word.starts_with(['|', '>']));
        let value = match block {
            Some(style) => {
                let end = lines[at..]
                    .iter()
                    .position(|line| {
                        !line.trim().is_empty() && line.len() - line.trim_start().len() <= indent
                    })
                    .map_or(lines.len(), |more| at + more);
                let joined = if style.starts_with('|') { "\n" } else { " " };
                let text: Vec<&str> = lines[at..end].iter().map(|line| line.trim()).collect();
                at = end;
                text.join(joined).trim_end().to_owned()
            }
            None => scalar(value),
        };
        let named = match (path.as_slice(), key.as_str()) {
            (["metadata"], "name") => "name",
            (["spec"], "class") => "connector.class",
            (["spec"], "tasksMax") => "tasks.max",
            (["spec", "config"], key) => key,
            _ => {
                around.push((indent, key));
                continue;
            }
        };
        let null =
            block.is_none() && matches!(value.as_str(), "" | "~" | "null") && !content.ends_with(['"', '\'']);
        if !null {
            document.set(named, value, Place { source: source.to_owned(), line: Some(number) });
        }
        around.push((indent, key));
    }
    Ok(document)
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
        let mut out = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some(other) => out.push(other),
                    None => {}
                },
                other => out.push(other),
            }
        }
        return out;
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let doubled = rest.replace("''", "\0");
        return doubled.split('\'').next().unwrap_or_default().replace('\0', "'");
    }
    text.split(" #").next().unwrap_or_default().trim_end().to_owned()
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
