//! The one table of properties: Debezium's 165, and the Connect keys that stand beside them in a
//! registration or a `.properties` file.
//!
//! Defaults, warnings, refusals, hints for misspelt names and the reference page all come from
//! here; adding a property is one line in one of the groups below.

mod advanced;
mod connect;
mod connection;
mod connector;
mod converters;
pub mod earlier;
mod reference;
mod snapshot;
mod worker;

pub use reference::reference;

/// What sort of value a property takes, in Kafka's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    String,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer.
    Long,
    /// `true` or `false`.
    Boolean,
    /// A Java class name, or its short form.
    Class,
    /// Comma-separated texts.
    List,
    /// A text that is never shown.
    Password,
}

/// How much a property matters to somebody who sets up a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Most set it.
    High,
    /// Some set it.
    Medium,
    /// Few set it.
    Low,
}

/// What a value must be beyond its [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing more.
    Any,
    /// Greater than zero.
    Positive,
    /// Zero or more.
    NotNegative,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// One of these Java classes, which pgcdc stands in for.
    Classes(&'static [&'static str]),
    /// Comma-separated Java regular expressions.
    Patterns,
    /// A name that Postgres takes for a replication slot.
    SlotName,
    /// The characters that a topic's name may have.
    TopicName,
    /// Names of Java classes, each in a property of its own: see `java_classes`.
    Plugins,
}

/// What pgcdc does with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It means what it means in Debezium.
    Honoured,
    /// It has nothing to act on here (the reason follows): a warning when it is set to a non-default.
    NotApplicable(&'static str),
    /// It will be honoured one day; until then a warning, because the records are the same.
    NotYet(&'static str),
    /// Ignoring it would change the data: an error when it is set to a non-default.
    Refused(&'static str),
}

/// How a name in a file is recognised as this property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Exact,
    /// Starts with the first text and holds the second one after it.
    Family(&'static str, &'static str),
}

/// A value that is valid in Debezium but refused here: the word, why, and what to do (empty when
/// that is plain).
pub type RefusedValue = (&'static str, &'static str, &'static str);

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// The name, or for a family of properties its pattern.
    pub name: &'static str,
    /// What sort of value it takes.
    pub kind: Kind,
    /// The value that holds when it is not set.
    pub default: Option<&'static str>,
    /// How much it matters.
    pub importance: Importance,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What a value must be.
    pub check: Check,
    /// Must be set.
    pub required: bool,
    /// What pgcdc does with it.
    pub status: Status,
    /// Values that are valid in Debezium but refused here, each with its reason.
    pub refused_values: &'static [RefusedValue],
    /// Words that are taken beside those of [`Check::OneOf`].
    pub aliases: &'static [&'static str],
    /// A Connect or Kafka key that Debezium's own list does not have.
    pub beside: bool,
    shape: Shape,
}

impl Property {
    /// Whether `key` names this property.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        match self.shape {
            Shape::Exact => self.name == key,
            Shape::Family(start, inner) => {
                key.strip_prefix(start).is_some_and(|rest| !rest.is_empty() && rest.contains(inner))
            }
        }
    }

    /// Whether the name stands for many, such as `producer.*`.
    #[must_use]
    pub fn is_family(&self) -> bool {
        self.shape != Shape::Exact
    }

    /// Whether its value must never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Password
    }
}

/// The groups of the table, in Debezium's order, with the properties of each.
pub const GROUPS: &[(&str, &[Property])] = &[
    ("Connect", connect::CONNECT),
    ("Connection", connection::CONNECTION),
    ("Driver", connection::DRIVER),
    ("Replication", connection::REPLICATION),
    ("Connector", connector::CONNECTOR),
    ("Selection", connector::SELECTION),
    ("Topics", connector::TOPICS),
    ("Heartbeat", connector::HEARTBEAT),
    ("Snapshot", snapshot::SNAPSHOT),
    ("Advanced", advanced::ADVANCED),
    ("Signals and notifications", advanced::SIGNALS),
    ("Worker", worker::WORKER),
    ("Avro converters", converters::AVRO),
    ("Other converters", converters::OTHERS),
    ("Pass-through", worker::PASS_THROUGH),
];

/// Every property, in the table's order.
pub fn all() -> impl Iterator<Item = &'static Property> {
    GROUPS.iter().flat_map(|(_, properties)| properties.iter())
}

/// The property that `key` names; an exact name wins over a family.
#[must_use]
pub fn find(key: &str) -> Option<&'static Property> {
    all().find(|p| !p.is_family() && p.name == key).or_else(|| all().find(|p| p.matches(key)))
}

/// The default of the property called `name`.
#[must_use]
pub fn default_of(name: &str) -> Option<&'static str> {
    find(name).and_then(|p| p.default)
}

const fn p(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    importance: Importance,
    doc: &'static str,
) -> Property {
    Property {
        name,
        kind,
        default: if default.is_empty() { None } else { Some(default) },
        importance,
        doc,
        check: Check::Any,
        required: false,
        status: Status::Honoured,
        refused_values: &[],
        aliases: &[],
        beside: false,
        shape: Shape::Exact,
    }
}

impl Property {
    const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }
    const fn one_of(self, words: &'static [&'static str]) -> Self {
        self.check(Check::OneOf(words))
    }
    const fn aliases(mut self, words: &'static [&'static str]) -> Self {
        self.aliases = words;
        self
    }
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
    const fn not_applicable(mut self, why: &'static str) -> Self {
        self.status = Status::NotApplicable(why);
        self
    }
    const fn not_yet(mut self, why: &'static str) -> Self {
        self.status = Status::NotYet(why);
        self
    }
    const fn refused(mut self, why: &'static str) -> Self {
        self.status = Status::Refused(why);
        self
    }
    const fn refuse(mut self, values: &'static [RefusedValue]) -> Self {
        self.refused_values = values;
        self
    }
    const fn beside(mut self) -> Self {
        self.beside = true;
        self
    }
    const fn family(mut self, start: &'static str, inner: &'static str) -> Self {
        self.shape = Shape::Family(start, inner);
        self
    }
}
