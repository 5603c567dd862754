//! The table of a configuration's properties: names, defaults, meanings, and what is done with each.
//!
//! Defaults, warnings, refusals, hints for misspelt names and a reference page can all be made from one such table. A row is
//! written as [`p`]`(name, kind, default, importance, doc)`, followed by whatever differs from the usual.

/// The type of a property's values, in Kafka's words.
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
    /// One of these Java classes, for which pgcdc has code of its own.
    Classes(&'static [&'static str]),
    /// Comma-separated Java regular expressions.
    Patterns,
    /// A name that Postgres takes for a replication slot.
    SlotName,
    /// The characters that a topic's name may have.
    TopicName,
    /// Names of plug-ins, whose Java classes are in properties below each name.
    Plugins,
}

/// What pgcdc does with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It means what it means in Debezium.
    Honoured,
    /// It has nothing to act on here, for this reason: a warning when it is set to a non-default.
    NotApplicable(&'static str),
    /// It will be honoured one day; until then a warning, because the records are the same.
    NotYet(&'static str),
    /// Ignoring it would change the data, for this reason: an error when it is set to a non-default.
    Refused(&'static str),
}

/// Which names in a file are this property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Its own name alone.
    One,
    /// All names that start with the first text and hold the second one after it.
    Family(&'static str, &'static str),
}

/// A value that is valid in Debezium but refused here: the word, why, and what to do (empty when
/// that is plain).
pub type RefusedValue = (&'static str, &'static str, &'static str);

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// The name, or for a family of properties its pattern.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// The value that holds when it is not set.
    pub default: Option<&'static str>,
    /// How much it matters.
    pub importance: Importance,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What a value must be.
    pub check: Check,
    /// Whether it must be set.
    pub required: bool,
    /// What pgcdc does with it.
    pub status: Status,
    /// Values that are valid in Debezium but refused here, each with its reason.
    pub refused_values: &'static [RefusedValue],
    /// Words that are accepted beside those of [`Check::OneOf`].
    pub aliases: &'static [&'static str],
    /// Whether it is a Connect or Kafka key that Debezium's own list does not have.
    pub beside: bool,
    names: Names,
}

/// A row with the usual: optional, honoured, any value of its kind. An empty `default` is none.
///
/// ```
/// use pgcdc_config::{Importance, Kind, Property, p};
///
/// const ROW: Property = p("snapshot.mode", Kind::String, "initial", Importance::Low, "Whether a snapshot is taken.")
///     .one_of(&["initial", "no_data"]);
/// assert!(ROW.matches("snapshot.mode") && !ROW.is_family());
/// ```
#[must_use]
pub const fn p(
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
        names: Names::One,
    }
}

/// What differs from the usual in a row.
impl Property {
    /// Sets [`check`](Self::check).
    #[must_use]
    pub const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Its values are these words.
    #[must_use]
    pub const fn one_of(self, words: &'static [&'static str]) -> Self {
        self.check(Check::OneOf(words))
    }

    /// Sets [`aliases`](Self::aliases).
    #[must_use]
    pub const fn aliases(mut self, words: &'static [&'static str]) -> Self {
        self.aliases = words;
        self
    }

    /// It must be set.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It has nothing to act on: see [`Status::NotApplicable`].
    #[must_use]
    pub const fn not_applicable(mut self, why: &'static str) -> Self {
        self.status = Status::NotApplicable(why);
        self
    }

    /// It will be honoured one day: see [`Status::NotYet`].
    #[must_use]
    pub const fn not_yet(mut self, why: &'static str) -> Self {
        self.status = Status::NotYet(why);
        self
    }

    /// It is refused: see [`Status::Refused`].
    #[must_use]
    pub const fn refused(mut self, why: &'static str) -> Self {
        self.status = Status::Refused(why);
        self
    }

    /// Sets [`refused_values`](Self::refused_values).
    #[must_use]
    pub const fn refuse(mut self, values: &'static [RefusedValue]) -> Self {
        self.refused_values = values;
        self
    }

    /// Debezium's own list does not have it.
    #[must_use]
    pub const fn beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// It stands for all names that start with `start` and hold `inner` after it.
    #[must_use]
    pub const fn family(mut self, start: &'static str, inner: &'static str) -> Self {
        self.names = Names::Family(start, inner);
        self
    }
}

impl Property {
    /// Whether `key` names this property.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        match self.names {
            Names::One => self.name == key,
            Names::Family(start, inner) => {
                key.strip_prefix(start).is_some_and(|rest| !rest.is_empty() && rest.contains(inner))
            }
        }
    }

    /// Whether the row stands for many names, such as `producer.*`.
    #[must_use]
    pub fn is_family(&self) -> bool {
        self.names != Names::One
    }

    /// Whether its value must never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Password
    }
}

/// A table of properties in groups, each group with its title.
#[derive(Clone, Copy, Debug)]
pub struct PropertyTable {
    /// Title and rows of each group, in the order of a reference page.
    pub groups: &'static [(&'static str, &'static [Property])],
}

impl PropertyTable {
    /// Every row, in the table's order.
    pub fn all(&self) -> impl Iterator<Item = &'static Property> + use<> {
        self.groups.iter().flat_map(|(_, properties)| properties.iter())
    }

    /// The row that `key` names; an exact name wins over a family.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&'static Property> {
        self.all().find(|p| !p.is_family() && p.name == key).or_else(|| self.all().find(|p| p.matches(key)))
    }

    /// The default of the property called `name`.
    #[must_use]
    pub fn default_of(&self, name: &str) -> Option<&'static str> {
        self.find(name).and_then(|p| p.default)
    }
}
