use super::zone::{Zone, Zoned};
use super::{Built, Outcome, Transform, is_envelope};
use crate::Fault;
use crate::data::{Field, Kind, Logical, Record, Side, Struct, Value};
use crate::options::{Options, java_split};

/// Debezium's `TimezoneConverter`.
#[derive(Debug)]
struct TimezoneConverter {
    zone: Zone,
    /// Whether the rules name the fields to convert; else the fields to leave alone.
    rules: Rules,
}

#[derive(Debug)]
enum Rules {
    All,
    Include(Vec<Rule>),
    Exclude(Vec<Rule>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Topic,
    Source,
    Either,
}

/// The fields that the rules of a topic or a table name; `None` for all fields.
#[derive(Debug)]
struct Rule {
    matches: Match,
    name: String,
    fields: Vec<String>,
}

/// The fields of a struct that are converted.
enum Choice<'a> {
    All,
    Only(Vec<&'a str>),
    AllBut(Vec<&'a str>),
}

impl Choice<'_> {
    fn takes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(fields) => fields.contains(&name),
            Self::AllBut(fields) => !fields.contains(&name),
        }
    }
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let zone = options.debezium_required("converted.timezone");
    let mut list = |name: &str| -> Vec<String> {
        let text = options.raw(name);
        text.map_or_else(Vec::new, |text| java_split(text, ',').iter().map(|i| i.trim().to_owned()).collect())
    };
    let include = list("include.list");
    let exclude = list("exclude.list");
    for (name, word, items) in [("include.list", "include", &include), ("exclude.list", "exclude", &exclude)]
    {
        if !items.is_empty() && !items.iter().enumerate().all(|(at, item)| is_rule(item, at == 0)) {
            let message = format!(
                "Invalid {word} list format. Please specify a list of rules in the format of \"source:<tablename>:<fieldnames>\", \"topic:<topicname>:<fieldnames>\", \"<matchname>:<fieldnames>\""
            );
            options.problem(name, message);
        }
    }
    let zone = zone?;
    let parsed = Zone::parse(zone);
    if parsed.is_none() {
        options.problem("converted.timezone", "Invalid timezone format. Please specify either a geographic timezone (e.g. America/Los_Angeles) or a UTC offset in the format of +/-hh:mm, (e.g. +08:00).");
    }
    if !include.is_empty() && !exclude.is_empty() {
        options.problem(
            "exclude.list",
            "Both include and exclude lists are specified. Please specify only one.",
        );
    }
    let rules = if !exclude.is_empty() {
        Rules::Exclude(rules(&exclude))
    } else if !include.is_empty() {
        Rules::Include(rules(&include))
    } else {
        Rules::All
    };
    Some(Box::new(TimezoneConverter { zone: parsed?, rules }))
}

/// Parts between colons, of letters, digits, spaces, quotes, dots and underscores: two or three in the first rule,
/// and one less in the others, since Debezium's expression wants the prefix once.
fn is_rule(item: &str, first: bool) -> bool {
    let parts: Vec<&str> = item.split(':').collect();
    let fits = |part: &&str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || matches!(c, '_' | '"' | '.'))
    };
    let most = if first { 3 } else { 2 };
    (most - 1..=most).contains(&parts.len()) && parts.iter().all(fits)
}

fn rules(items: &[String]) -> Vec<Rule> {
    let mut found: Vec<Rule> = Vec::new();
    // A prefix holds for the items behind it, too.
    let mut matches = Match::Either;
    for item in items {
        let parts = java_split(item, ':');
        let (name, field) = match parts[..] {
            [prefix, name, ..] if prefix.eq_ignore_ascii_case("topic") => {
                matches = if prefix == "topic" { Match::Topic } else { Match::Either };
                (name, parts.get(2))
            }
            [prefix, name, ..] if prefix.eq_ignore_ascii_case("source") => {
                matches = if prefix == "source" { Match::Source } else { Match::Either };
                (name, parts.get(2))
            }
            [name, _] => (name, parts.get(1)),
            [name] => (name, None),
            _ => continue,
        };
        let at = found.iter().position(|rule| rule.matches == matches && rule.name == name);
        let at = at.unwrap_or_else(|| {
            found.push(Rule { matches, name: name.to_owned(), fields: Vec::new() });
            found.len() - 1
        });
        found[at].fields.extend(field.map(|field| (*field).to_owned()));
    }
    found
}

impl Transform for TimezoneConverter {
    fn apply(&mut self, record: Record, now: i64) -> Outcome {
        let Some(event) = record.value.as_struct().filter(|_| is_envelope(&record)) else {
            return Ok(Some(record));
        };
        let table = match event.typed("source", Kind::Struct) {
            Ok(Value::Struct(source)) => source.string("table").ok().flatten(),
            Ok(_) => {
                return Err(Fault::null(
                    "Cannot invoke \"org.apache.kafka.connect.data.Struct.getString(String)\" because \"source\" is null",
                ));
            }
            Err(_) => None,
        };
        let find = |rules: &'_ [Rule]| {
            let by = |matches: Match, name: &str| {
                rules.iter().position(|rule| rule.matches == matches && rule.name == name)
            };
            by(Match::Topic, &record.topic)
                .or_else(|| table.and_then(|table| by(Match::Source, table)))
                .or_else(|| by(Match::Either, &record.topic))
                .or_else(|| table.and_then(|table| by(Match::Either, table)))
        };
        let (fields, all_but): (&[String], bool) = match &self.rules {
            Rules::All => (&[], false),
            Rules::Include(rules) => match find(rules) {
                None => return Ok(Some(record)),
                Some(at) => (&rules[at].fields, false),
            },
            Rules::Exclude(rules) => match find(rules) {
                None => (&[], false),
                Some(at) if rules[at].fields.is_empty() => return Ok(Some(record)),
                Some(at) => (&rules[at].fields, true),
            },
        };
        let mut updated = Struct::clone(event);
        for block in ["before", "after", "source"] {
            let Some(at) = event.schema().position(block) else { continue };
            let Value::Struct(inner) = &event.values()[at] else { continue };
            let prefix = format!("{block}.");
            let mut named: Vec<&str> =
                fields.iter().filter_map(|field| field.strip_prefix(&prefix)).collect();
            if block == "source" {
                if named.is_empty() {
                    continue;
                }
            } else {
                let plain =
                    |field: &&&str| !["before.", "after.", "source."].iter().any(|p| field.starts_with(p));
                let all: Vec<&str> = fields.iter().map(String::as_str).collect();
                named.extend(all.iter().filter(plain));
            }
            let choice = match (fields.is_empty(), all_but) {
                (true, _) => Choice::All,
                (_, true) => Choice::AllBut(named),
                (_, false) => Choice::Only(named),
            };
            let converted = self.convert_block(block, inner, &choice, now)?;
            updated.put_at(at, Value::Struct(converted.into()))?;
        }
        let schema = record.value_schema.clone();
        Ok(Some(record.with(Side::Value, schema, Value::Struct(updated.into()))))
    }
}

impl TimezoneConverter {
    fn convert_block(
        &self,
        block: &str,
        old: &Struct,
        choice: &Choice<'_>,
        now: i64,
    ) -> Result<Struct, Fault> {
        let mut updated = old.clone();
        for (at, field) in old.schema().fields().iter().enumerate() {
            let value = old.at(at);
            if value.is_null() || !choice.takes(&field.name) {
                continue;
            }
            let is_epoch = block == "source" && matches!(&*field.name, "ts_ms" | "ts_us" | "ts_ns");
            let converted = match field.schema.name() {
                Some(_) => self.convert(field, value, now)?,
                None if is_epoch => Some(self.epoch(&field.name, value)?),
                None => None,
            };
            if let Some(converted) = converted {
                updated.put_at(at, converted)?;
            }
        }
        Ok(updated)
    }

    fn convert(&self, field: &Field, value: &Value, now: i64) -> Result<Option<Value>, Fault> {
        let unreadable = || Fault::data(format!("the time in field {} cannot be read", field.name));
        let local_units = |units: i64, per_second: i64| {
            // Java's division is towards zero, and its remainder may be negative.
            let seconds = units.div_euclid(per_second);
            units.wrapping_sub(self.zone.at_local(seconds).wrapping_mul(per_second))
        };
        Ok(Some(match (field.schema.name().unwrap_or_default(), value) {
            ("io.debezium.time.ZonedTimestamp", Value::String(text)) => {
                let zoned = Zoned::parse_timestamp(text).ok_or_else(unreadable)?;
                Value::text(&zoned.at_offset(self.zone.at_local(zoned.local)).timestamp())
            }
            ("io.debezium.time.ZonedTime", Value::String(text)) => {
                let zoned = Zoned::parse_time(text).ok_or_else(unreadable)?;
                Value::text(&zoned.at_offset(self.zone.at_instant(now.div_euclid(1000))).time())
            }
            ("io.debezium.time.MicroTimestamp", Value::Int64(units)) => {
                Value::Int64(local_units(*units, 1_000_000))
            }
            ("io.debezium.time.NanoTimestamp", Value::Int64(units)) => {
                Value::Int64(local_units(*units, 1_000_000_000))
            }
            ("io.debezium.time.Timestamp", Value::Int64(units)) => Value::Int64(local_units(*units, 1000)),
            (name, Value::Date(millis)) if name == Logical::Timestamp.name() => {
                Value::Date(local_units(*millis, 1000))
            }
            _ => return Ok(None),
        }))
    }

    fn epoch(&self, field: &str, value: &Value) -> Result<Value, Fault> {
        let Value::Int64(units) = value else {
            return Err(Fault::debezium("Epoch field value should be a java.lang.Long"));
        };
        let per_second = match field {
            "ts_ms" => 1000,
            "ts_us" => 1_000_000,
            _ => 1_000_000_000,
        };
        let offset = self.zone.at_instant(units.div_euclid(per_second));
        Ok(Value::Int64(units.wrapping_add(offset.wrapping_mul(per_second))))
    }
}
