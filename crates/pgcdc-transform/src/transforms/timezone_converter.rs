//! Debezium's `TimezoneConverter`: the times of a change event in another time zone.
//!
//! Class: `io.debezium.transforms.TimezoneConverter`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `converted.timezone` | required | a name such as `America/New_York`, or an offset such as `+08:00` |
//! | `include.list` | all tables | rules for the fields to convert |
//! | `exclude.list` | none | rules for the fields to leave alone; only one of the two lists may be set |
//!
//! A rule is `source:<table>[:<field>]`, `topic:<topic>[:<field>]` or `<table or topic>[:<field>]`. A prefix holds for the
//! rules behind it, too, and only the first rule of a list may have three parts. Of several rules for a record the one of its
//! topic comes first. A field may begin with `before.`, `after.` or `source.`; without that it means `before` and `after`. The block
//! `source` is converted only where a rule names one of its fields.
//!
//! What is done to a value depends on the schema of its column:
//!
//! | schema | column | what happens |
//! |---|---|---|
//! | `io.debezium.time.ZonedTimestamp` | `timestamptz` | the same moment, written with the zone's offset |
//! | `io.debezium.time.ZonedTime` | `timetz` | the same moment, with the offset that the zone has *now* |
//! | `io.debezium.time.Timestamp`, `MicroTimestamp`, `NanoTimestamp` | `timestamp` | read as local time of the zone, becomes UTC |
//! | `org.apache.kafka.connect.data.Timestamp` | `timestamp` | the same |
//!
//! A local time that the zone has twice means the first of both. One that it skips takes the offset from before the gap.
//! Null, a tombstone and a record that is no change event pass.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let tokyo = "type=io.debezium.transforms.TimezoneConverter
//!              converted.timezone=Asia/Tokyo";
//! let insert = r#"{
//!     "event": {"before":null,"after":{"paid":"2024-03-31T01:00:00Z"},"source":{"table":"items"},"op":"c"},
//!     "types": {"paid":"io.debezium.time.ZonedTimestamp"}
//! }"#;
//! assert!(try_on(tokyo, insert).contains(r#""after":{"paid":"2024-03-31T10:00:00+09:00"}"#));
//! ```

use super::transform::{Built, Outcome, Transform, is_envelope};
use super::zone::{Zone, Zoned};
use crate::Fault;
use crate::data::{Field, Kind, Logical, Record, Side, Struct, Value};
use crate::options::{Options, java_split};

/// The zone and the rules.
#[derive(Debug)]
struct TimezoneConverter {
    zone: Zone,
    rules: Rules,
}

/// Which tables the converter sees, and which of their fields.
#[derive(Debug)]
enum Rules {
    /// Neither list is set: every time of every row.
    All,
    /// `include.list`: only the named topics and tables, and of them only the named fields, if there are any.
    Include(Vec<Rule>),
    /// `exclude.list`: all but the named topics and tables, or of them all but the named fields.
    Exclude(Vec<Rule>),
}

/// What a rule's name is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// `topic:`: the record's topic.
    Topic,
    /// `source:`: the table's name in the block `source`.
    Source,
    /// No prefix: the topic, and then the table.
    Either,
}

/// All rules of a list that name the same topic or table.
#[derive(Debug)]
struct Rule {
    matches: Match,
    name: String,
    /// The fields that they name; empty when they name the topic or table as a whole.
    fields: Vec<String>,
}

/// The fields of one block (`before`, `after`, `source`) that are converted.
enum Choice<'a> {
    All,
    Only(Vec<&'a str>),
    AllBut(Vec<&'a str>),
}

impl Choice<'_> {
    /// Whether a field is converted, if it has a time.
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

/// Reads the rules. Rules of one topic or table are put together.
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

/// The rule for a record: the one of its topic, else of its table, with a prefix before without one.
fn find<'r>(rules: &'r [Rule], topic: &str, table: Option<&str>) -> Option<&'r Rule> {
    let by =
        |matches: Match, name: &str| rules.iter().find(|rule| rule.matches == matches && rule.name == name);
    by(Match::Topic, topic)
        .or_else(|| table.and_then(|table| by(Match::Source, table)))
        .or_else(|| by(Match::Either, topic))
        .or_else(|| table.and_then(|table| by(Match::Either, table)))
}

/// The fields of a rule that are in a block, without its name. A field without a block is in `before` and in `after`.
fn named_in<'f>(fields: &'f [String], block: &str) -> Vec<&'f str> {
    let prefix = format!("{block}.");
    let mut named: Vec<&str> = fields.iter().filter_map(|field| field.strip_prefix(&prefix)).collect();
    if block != "source" {
        let has_block = |field: &str| ["before.", "after.", "source."].iter().any(|p| field.starts_with(p));
        named.extend(fields.iter().map(String::as_str).filter(|field| !has_block(field)));
    }
    named
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
        let (fields, all_but): (&[String], bool) = match &self.rules {
            Rules::All => (&[], false),
            Rules::Include(rules) => match find(rules, &record.topic, table) {
                None => return Ok(Some(record)),
                Some(rule) => (&rule.fields, false),
            },
            Rules::Exclude(rules) => match find(rules, &record.topic, table) {
                None => (&[], false),
                Some(rule) if rule.fields.is_empty() => return Ok(Some(record)),
                Some(rule) => (&rule.fields, true),
            },
        };
        let mut updated = Struct::clone(event);
        for block in ["before", "after", "source"] {
            let Some(at) = event.schema().position(block) else { continue };
            let Value::Struct(inner) = &event.values()[at] else { continue };
            let named = named_in(fields, block);
            if block == "source" && named.is_empty() {
                continue;
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
    /// A block with its times converted. The numbers `ts_ms`, `ts_us` and `ts_ns` of `source` have no schema name, so they
    /// are known by their own.
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

    /// One time by the schema of its field; `None` for a field that has no time.
    fn convert(&self, field: &Field, value: &Value, now: i64) -> Result<Option<Value>, Fault> {
        let unreadable = || Fault::data(format!("the time in field {} cannot be read", field.name));
        let local_units = |units: i64, per_second: i64| {
            // The zone's offset depends on the second alone, so a moment before 1970 must be rounded down to its second.
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

    /// Shifts one of `source`'s times by the zone's offset at that moment. The result is no moment any more, but Debezium
    /// does the same.
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
