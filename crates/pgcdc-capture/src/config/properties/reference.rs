//! Renders the page that lists every property, `CONFIGURATION.md`, from the table. A test fails
//! when the page is stale.

use std::fmt::Write as _;

use pgcdc_config::{Check, Importance, Kind, Property, Status};

use super::earlier::{NAMES, WORDS};
use super::table::TABLE;

/// The page up to its first table.
const HEAD: &str = "# Configuration reference

Every property of Debezium 3.7's PostgreSQL connector, and the Connect and Kafka keys that stand beside them in a registration or a
`.properties` file: names, defaults and meanings are Debezium's. This page is made from the table in
`crates/pgcdc-capture/src/config/properties`; `PGCDC_WRITE_REFERENCE=1 cargo test -p pgcdc-capture reference` writes it anew.

| here | what it means |
|---|---|
| honoured | it means what it means in Debezium |
| no effect | there is nothing for it to act on, and the records are the same; set to another value than its default it is named in a warning |
| not yet | to come; the records are the same, and until then it is named in a warning |
| refused | ignoring it would change the data: set to another value than its default it is an error |

Keys and values have the same converters and options. Such a pair is one row, whose default and meaning hold for both.

A name that is in none of these lists has no effect, as in Connect, and is named in a warning with the nearest known name; under
`pgcdc stream --strict` and in `pgcdc check` it is an error. Single message transforms (`transforms`, `predicates`
and what stands below them) are checked in Connect's and Debezium's own words.
";

/// The properties that a registration usually sets, in the order in which one writes them. For a
/// pair of key and value the key's property stands for both.
const FIRST: [&str; 20] = [
    "name",
    "database.hostname",
    "database.port",
    "database.user",
    "database.password",
    "database.dbname",
    "database.sslmode",
    "topic.prefix",
    "slot.name",
    "publication.name",
    "publication.autocreate.mode",
    "table.include.list",
    "snapshot.mode",
    "bootstrap.servers",
    "key.converter",
    "key.converter.schemas.enable",
    "decimal.handling.mode",
    "tombstones.on.delete",
    "heartbeat.interval.ms",
    "transforms",
];

/// The beginning of the section about old names.
const EARLIER: &str = "
## Names of earlier Debezium

These are read with the meaning that they had, and named in a warning; Debezium 3.7 ignores the names and refuses the words. Where the
name of today is set too, it counts. `plugin.name` without a value, `decoderbufs` and `wal2json` are read as `pgoutput`. Of
`ExtractNewRecordState` the options `drop.tombstones`, `delete.handling.mode`, `operation.header` and `add.source.fields` are
understood, and of Kafka's `ReplaceField` `blacklist` and `whitelist`. A file of Debezium Server (`debezium.source.…`) and a
`KafkaConnector` of Strimzi's (JSON or plain YAML) are read too.

| name | in Debezium | read as |
|---|---|---|
";

/// The whole page, as Markdown.
///
/// ```
/// let page = pgcdc_capture::config::properties::reference();
/// assert!(page.contains("| `snapshot.mode` |"));
/// ```
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    head("The twenty properties that one sets", &mut page);
    for name in FIRST {
        TABLE.find(name).into_iter().for_each(|property| row(property, &mut page));
    }
    for (group, properties) in TABLE.groups {
        head(group, &mut page);
        // The row of a pair stands where the key's property is.
        for property in properties.iter().filter(|property| !is_value_of_pair(property)) {
            row(property, &mut page);
        }
    }
    earlier(&mut page);
    page
}

/// Begins a section with its table.
fn head(title: &str, page: &mut String) {
    let _ = write!(
        page,
        "\n## {title}\n\n| property | type | default | here | what it does |\n|---|---|---|---|---|\n"
    );
}

/// The value's property that belongs to a key's, if the two differ in nothing but the name.
fn value_of(key: &Property) -> Option<&'static Property> {
    let rest = key.name.strip_prefix("key.converter")?;
    let value = TABLE.all().find(|p| p.name.strip_prefix("value.converter") == Some(rest))?;
    let same = (value.kind, value.default, value.importance, value.check, value.status)
        == (key.kind, key.default, key.importance, key.check, key.status)
        && value.refused_values == key.refused_values;
    same.then_some(value)
}

/// Whether this property has no row of its own, since the key's row stands for both.
fn is_value_of_pair(value: &Property) -> bool {
    let Some(rest) = value.name.strip_prefix("value.converter") else { return false };
    let key = TABLE.all().find(|p| p.name.strip_prefix("key.converter") == Some(rest));
    key.is_some_and(|key| value_of(key).is_some())
}

/// What both properties of a pair do.
fn doc_of_pair(key: &Property) -> String {
    match key.doc.strip_prefix("Key converter: ") {
        Some(doc) => capital(doc),
        None => key.doc.replace("key", "key or value"),
    }
}

/// Appends the names and words of earlier Debezium.
fn earlier(page: &mut String) {
    page.push_str(EARLIER);
    for name in NAMES {
        let values: String = name.values.iter().map(|(old, new)| format!(", `{old}` as `{new}`")).collect();
        let _ = writeln!(page, "| `{}` | up to {} | `{}`{values} |", name.name, name.until, name.today);
    }
    for word in WORDS {
        let (property, old, today) = (word.property, word.word, word.today);
        let _ = writeln!(page, "| `{property}={old}` | earlier Debezium | `{property}={today}` |");
    }
}

/// Appends the row of a property, and of its pair.
fn row(property: &Property, page: &mut String) {
    let kind = match property.kind {
        Kind::String => "text",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Boolean => "boolean",
        Kind::Class => "class",
        Kind::List => "list",
        Kind::Password => "secret",
    };
    let default = match property.default {
        Some(default) => format!("`{}`", cell(default)),
        None if property.required => "must be set".to_owned(),
        None => String::new(),
    };
    let (here, why) = match property.status {
        Status::Honoured => ("honoured", None),
        Status::NotApplicable(why) => ("no effect", Some(why)),
        Status::NotYet(why) => ("not yet", Some(why)),
        Status::Refused(why) => ("refused", Some(why)),
    };
    let importance = if property.importance == Importance::High { " **Important.**" } else { "" };
    let pair = value_of(property);
    let doc = if pair.is_some() { doc_of_pair(property) } else { property.doc.to_owned() };
    let name = match pair {
        Some(value) => format!("`{}`, `{}`", property.name, value.name),
        None => format!("`{}`", cell(property.name)),
    };
    let mut what = format!("{}{importance}", cell(&doc));
    if let Check::OneOf(words) = property.check {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let _ = write!(what, " One of {}.", words.join(", "));
    }
    for (word, why, _) in property.refused_values {
        let _ = write!(what, " `{word}` is refused: {}.", cell(why));
    }
    if let Some(why) = why {
        let _ = write!(what, " *{}: {}.*", capital(here), cell(why));
    }
    let _ = writeln!(page, "| {name} | {kind} | {default} | {here} | {what} |");
}

/// Text for a cell of a table: bars are escaped.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The text with a capital at its beginning.
fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
