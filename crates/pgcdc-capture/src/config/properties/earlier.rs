//! Names and words of Debezium 1.x and 2.x, each with what it is called today. Debezium 3.7 ignores
//! the old names and refuses the old words; pgcdc gives them their old meaning, and says so.
//! `config/earlier.rs` reads this table.

/// A property's old name.
#[derive(Clone, Copy, Debug)]
pub struct EarlierName {
    /// The old name.
    pub name: &'static str,
    /// The last release that knew it.
    pub until: &'static str,
    /// The name of today.
    pub today: &'static str,
    /// Values that have changed too, old and new; any other value stays as it is.
    pub values: &'static [(&'static str, &'static str)],
}

/// A value that a property had once.
#[derive(Clone, Copy, Debug)]
pub struct EarlierWord {
    /// The property.
    pub property: &'static str,
    /// The old value.
    pub word: &'static str,
    /// The value of today.
    pub today: &'static str,
}

/// A property that was only renamed.
const fn name(name: &'static str, until: &'static str, today: &'static str) -> EarlierName {
    EarlierName { name, until, today, values: &[] }
}

impl EarlierName {
    /// With values that were renamed, too.
    const fn values(mut self, values: &'static [(&'static str, &'static str)]) -> Self {
        self.values = values;
        self
    }
}

/// Old names of properties.
pub const NAMES: &[EarlierName] = &[
    name("database.server.name", "1.9", "topic.prefix"),
    name("table.whitelist", "1.9", "table.include.list"),
    name("table.blacklist", "1.9", "table.exclude.list"),
    name("schema.whitelist", "1.9", "schema.include.list"),
    name("schema.blacklist", "1.9", "schema.exclude.list"),
    name("column.whitelist", "1.9", "column.include.list"),
    name("column.blacklist", "1.9", "column.exclude.list"),
    name("database.whitelist", "1.9", "database.include.list"),
    name("database.blacklist", "1.9", "database.exclude.list"),
    name("toasted.value.placeholder", "1.9", "unavailable.value.placeholder"),
    name("truncate.handling.mode", "1.9", "skipped.operations").values(&[("include", "none"), ("skip", "t")]),
    name("sanitize.field.names", "2.1", "field.name.adjustment.mode")
        .values(&[("true", "avro"), ("false", "none")]),
    name("slot.drop_on_stop", "1.0", "slot.drop.on.stop"),
    name("rows.fetch.size", "0.9", "snapshot.fetch.size"),
    name("snapshot.custom.class", "2.5", "snapshot.mode.custom.name"),
];

/// A value that was renamed.
const fn word(property: &'static str, word: &'static str, today: &'static str) -> EarlierWord {
    EarlierWord { property, word, today }
}

/// Old values of properties.
pub const WORDS: &[EarlierWord] = &[
    word("snapshot.mode", "never", "no_data"),
    word("snapshot.mode", "schema_only", "no_data"),
    word("snapshot.mode", "exported", "initial"),
    word("key.converter", BYTES_OLD, BYTES),
    word("value.converter", BYTES_OLD, BYTES),
];

const BYTES_OLD: &str = "io.debezium.converters.ByteBufferConverter";
const BYTES: &str = "io.debezium.converters.BinaryDataConverter";

/// The name of today, for an old name.
#[must_use]
pub fn today(old: &str) -> Option<&'static str> {
    NAMES.iter().find(|earlier| earlier.name == old).map(|earlier| earlier.today)
}
