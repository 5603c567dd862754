//! Checks a document against the table of properties: every mistake and every warning. The texts of
//! mistakes are Debezium's where Debezium has one, since its users look for these.

use pgcdc_config::{Check, Document, Entry, Kind, Mistake, Property, Reach, Status, Warning};

use super::filter::Patterns;
use super::properties::{TABLE, earlier};
use super::{java_classes, topic_creation};

/// Pairs of lists that exclude each other. Debezium reports the second.
const EXCLUSIVE: &[(&str, &str)] = &[
    ("schema.include.list", "schema.exclude.list"),
    ("table.include.list", "table.exclude.list"),
    ("column.include.list", "column.exclude.list"),
    ("message.prefix.include.list", "message.prefix.exclude.list"),
];

/// Families whose members are properties of the Kafka producer.
const PRODUCER: &[&str] = &["producer.override.*", "producer.*"];

/// What was found when each property was checked by itself.
#[derive(Default)]
pub(super) struct Found {
    /// The mistakes.
    pub(super) mistakes: Vec<Mistake>,
    /// Properties that nobody knows. Connect ignores them, so they are not mistakes by themselves.
    pub(super) unknown: Vec<Mistake>,
    /// Properties that have no effect here.
    pub(super) warnings: Vec<Warning>,
}

/// Checks names and values, and whether pgcdc honours them. Rules about several properties are in
/// `resolve/`.
pub(super) fn validate(document: &Document) -> Found {
    let mut found = Found::default();
    let plugins = java_classes::named_plugins(document);
    for entry in &document.entries {
        if plugins.iter().any(|prefix| entry.key.starts_with(prefix)) {
            continue;
        }
        match find(&entry.key) {
            None => found.unknown.push(unknown(entry)),
            Some(property) if PRODUCER.contains(&property.name) => {
                found.unknown.extend(unknown_of_producer(property, entry));
            }
            Some(property) => match check(property, entry) {
                Err((message, remedy)) => found.mistakes.push(entry.mistake(message, remedy)),
                Ok(()) => status(property, entry, &mut found),
            },
        }
    }
    for property in TABLE.all().filter(|p| p.required) {
        if document.entry(property.name).is_none() {
            found.mistakes.push(Mistake {
                place: document.source.clone(),
                key: property.name.to_owned(),
                message: invalid(property.name, "A value is required"),
                remedy: Some(format!("add {}: {}", property.name, lower_first(property.doc))),
            });
        }
    }
    for (include, exclude) in EXCLUSIVE {
        let set = |key| document.entry(key).filter(|e| !e.value.expose().trim().is_empty());
        if let (Some(_), Some(entry)) = (set(include), set(exclude)) {
            let message = invalid(exclude, &format!("\"{include}\" is already specified"));
            found.mistakes.push(entry.mistake(message, format!("keep one of {include} and {exclude}")));
        }
    }
    builtin(document, &mut found.mistakes);
    java_classes::check(document, &mut found.mistakes);
    topic_creation::unnamed(document, &mut found.warnings);
    found
}

/// Refuses `table.ignore.builtin=false` without a list: Debezium's snapshot would then read the
/// catalog's tables, too.
fn builtin(document: &Document, mistakes: &mut Vec<Mistake>) {
    const KEY: &str = "table.ignore.builtin";
    let set = |key| document.entry(key).filter(|entry| !entry.value.expose().trim().is_empty());
    let Some(entry) = set(KEY).filter(|entry| entry.value.expose().trim().eq_ignore_ascii_case("false"))
    else {
        return;
    };
    if set("table.include.list").or_else(|| set("schema.include.list")).is_none() {
        let message = format!("{KEY}=false is refused: Postgres does not publish its own tables");
        mistakes.push(entry.mistake(message, format!("remove {KEY}, or name tables in table.include.list")));
    }
}

/// The property of a key. Below `database.` any name may be a property of the JDBC driver; a name
/// that is near a known one is taken for a mistyped one.
fn find(key: &str) -> Option<&'static Property> {
    let property = TABLE.find(key)?;
    let slip = property.name == "database.*" && suggestion(key).is_some();
    (!slip).then_some(property)
}

/// The finding about a property that nobody knows.
fn unknown(entry: &Entry) -> Mistake {
    let remedy = suggestion(&entry.key).map(|near| format!("did you mean {near}?"));
    let remedy = remedy.unwrap_or_else(|| "remove it; nothing reads it".to_owned());
    entry.mistake("unknown property".to_owned(), remedy)
}

/// A property of the producer that no Kafka client has.
fn unknown_of_producer(property: &Property, entry: &Entry) -> Option<Mistake> {
    let name = entry.key.strip_prefix(property.name.trim_end_matches('*'))?;
    let remedy = crate::kafka::unknown_property(name)?;
    Some(entry.mistake("unknown property of a Kafka producer".to_owned(), remedy))
}

/// The known name that a mistyped one stands for: a name of nearly the same letters, of the same
/// words in another order, or a longer name that begins with it.
fn suggestion(key: &str) -> Option<&'static str> {
    let names = || TABLE.all().filter(|p| !p.is_family()).map(|p| p.name);
    let earlier = earlier::NAMES.iter().map(|earlier| earlier.name);
    let near = nearest(key, names().chain(earlier)).map(|name| earlier::today(name).unwrap_or(name));
    near.or_else(|| {
        let words = words(key);
        let longer = format!("{key}.");
        names().find(|name| words.len() > 1 && (self::words(name) == words || name.starts_with(&longer)))
    })
}

/// The words of a name, sorted, without a plural s.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<_> = words.map(|w| w.to_ascii_lowercase().trim_end_matches('s').to_owned()).collect();
    words.sort();
    words
}

/// The name that `word` is most likely a misspelling of; see [`pgcdc_config::nearest`].
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    pgcdc_config::nearest(word, names, Reach::Close)
}

/// Checks that the property can have the value. The error is in Debezium's words, with its remedy.
fn check(property: &Property, entry: &Entry) -> Result<(), (String, String)> {
    check_kind(property, entry)?;
    let value = entry.value.expose().trim();
    let key = &*entry.key;
    let empty = value.is_empty();
    let wrong = |expected: &str, remedy: String| Err((invalid(key, expected), remedy));
    if empty && property.required {
        return wrong("A value is required", format!("write {}", lower_first(property.doc)));
    }
    match property.check {
        Check::Positive if value.parse::<i64>().is_ok_and(|n| n <= 0) => {
            wrong("A positive, non-zero integer value is expected", default(property, key))
        }
        Check::NotNegative if value.parse::<i64>().is_ok_and(|n| n < 0) => {
            wrong("A non-negative integer value is expected", default(property, key))
        }
        Check::OneOf(words) if !empty && !is_one_of(value, words, property.aliases) => {
            let near = nearest(value, words.iter().copied());
            let remedy = near.map_or_else(|| default(property, key), |w| format!("did you mean {w}?"));
            wrong(&format!("Value must be one of {}", words.join(", ")), remedy)
        }
        Check::Classes(classes) if !empty && !classes.iter().any(|c| is_class(value, c)) => {
            let shown = if entry.provided { "the given class" } else { value };
            let expected = format!("pgcdc has no {shown}; without it the records would differ");
            let instead = java_classes::in_place_of(value).map(str::to_owned);
            wrong(&expected, instead.unwrap_or_else(|| format!("pgcdc has {}", classes.join(" and "))))
        }
        Check::Patterns => Patterns::compile(value).map(|_| ()).map_err(|e| {
            let message = "A comma-separated list of valid regular expressions is expected, but";
            let remedy = "mend the pattern; a comma within one is written \\,".to_owned();
            (invalid(key, &format!("{message} {e}")), remedy)
        }),
        Check::SlotName | Check::TopicName => check_name(property, entry),
        _ => Ok(()),
    }
}

/// Checks that a value is of the property's kind: a number, a boolean.
fn check_kind(property: &Property, entry: &Entry) -> Result<(), (String, String)> {
    let value = entry.value.expose().trim();
    let expected = match property.kind {
        Kind::Boolean if !["true", "false"].iter().any(|w| value.eq_ignore_ascii_case(w)) => {
            "Either 'true' or 'false' is expected"
        }
        Kind::Int if !property.is_family() && value.parse::<i32>().is_err() => "An integer is expected",
        Kind::Long if value.parse::<i64>().is_err() => "A long value is expected",
        _ => return Ok(()),
    };
    Err((invalid(&entry.key, expected), default(property, &entry.key)))
}

/// Checks the characters of a slot's or a topic's name. The remedy shows the name with its other
/// characters replaced.
fn check_name(property: &Property, entry: &Entry) -> Result<(), (String, String)> {
    let value = entry.value.expose().trim();
    let (expected, mended): (_, String) = if property.check == Check::SlotName {
        if is_slot_name(value) {
            return Ok(());
        }
        let expected = "Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63";
        (expected.to_owned(), value.chars().map(slot_char).take(63).collect())
    } else {
        if value.chars().all(is_topic_char) {
            return Ok(());
        }
        let shown = if entry.provided { "the value" } else { value };
        let expected = format!(
            "{shown} has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"
        );
        (expected, value.chars().map(|c| if is_topic_char(c) { c } else { '_' }).collect())
    };
    let remedy = if entry.provided { default(property, &entry.key) } else { format!("for example {mended}") };
    Err((invalid(&entry.key, &expected), remedy))
}

/// The remedy that names the default.
fn default(property: &Property, key: &str) -> String {
    match property.default {
        Some(default) => format!("the default is {default}"),
        None => format!("or leave {key} out"),
    }
}

/// Adds the warning or the refusal that a valid value brings.
fn status(property: &Property, entry: &Entry, found: &mut Found) {
    let value = entry.value.expose().trim();
    if let Some((word, why, remedy)) =
        property.refused_values.iter().find(|(word, ..)| value.eq_ignore_ascii_case(word))
    {
        let message = format!("{}={word} is refused: {why}", entry.key);
        let generic = || remedy_without(property, entry);
        let remedy = if remedy.is_empty() { generic() } else { (*remedy).to_owned() };
        found.mistakes.push(entry.mistake(message, remedy));
        return;
    }
    let is_default = match property.default {
        Some(default) => value.eq_ignore_ascii_case(default) || value.is_empty(),
        None => value.is_empty() || (property.kind == Kind::Boolean && value == "false"),
    };
    if is_default {
        return;
    }
    match property.status {
        Status::Honoured => {}
        // `java_classes` looks at each of them.
        Status::Refused(_) if property.check == Check::Plugins => {}
        Status::NotApplicable(why) | Status::NotYet(why) => found.warnings.push(Warning {
            place: entry.place.to_string(),
            key: entry.key.clone(),
            reason: why.to_owned(),
        }),
        Status::Refused(why) => {
            let message = format!("is not supported, and ignoring it would change the data: {why}");
            found.mistakes.push(entry.mistake(message, remedy_without(property, entry)));
        }
    }
}

/// The remedy that leaves a property out.
fn remedy_without(property: &Property, entry: &Entry) -> String {
    match property.default {
        Some(default) if !property.refused_values.iter().any(|(v, ..)| *v == default) => {
            format!("remove {}, or set its default, {default}", entry.key)
        }
        _ => format!("remove {}, or keep Debezium for this connector", entry.key),
    }
}

/// An error in Debezium's words.
fn invalid(key: &str, expected: &str) -> String {
    format!("The '{key}' value is invalid: {expected}")
}

/// Whether a value is one of the words, in any case.
fn is_one_of(value: &str, words: &[&str], aliases: &[&str]) -> bool {
    words.iter().chain(aliases).any(|w| w.eq_ignore_ascii_case(value))
}

/// Whether a value names a class: by its full name, by its name without the package, or, as Connect
/// allows, without the last word, too.
fn is_class(value: &str, class: &str) -> bool {
    let simple = class.rsplit('.').next().unwrap_or(class);
    let short = simple.strip_suffix("Converter").or_else(|| simple.strip_suffix("Connector"));
    value == class || value == simple || Some(value) == short
}

/// The rule of PostgreSQL for names of slots. Source: PostgreSQL documentation, "Logical Decoding
/// Concepts", section "Replication Slots".
fn is_slot_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

/// The character that takes a character's place in the name of a slot.
pub(super) fn slot_char(c: char) -> char {
    let c = c.to_ascii_lowercase();
    if c.is_ascii_alphanumeric() { c } else { '_' }
}

/// Whether Kafka allows the character in the name of a topic.
pub(super) fn is_topic_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// A property's doc, to go on in the middle of a sentence.
fn lower_first(doc: &str) -> String {
    let mut chars = doc.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}
