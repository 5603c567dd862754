//! Which tables and columns are captured, and which columns make a key.
//!
//! The lists are Java regular expressions over `schema.table` and `schema.table.column`, each for
//! the whole name and in any case, as with Debezium. They are compiled once, and asked when a table
//! is listed or announced, never for a row.

use fancy_regex::Regex;
use pgcdc_event::TableName;

use super::java_regex;

/// A pattern that does not compile, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{pattern}\" is not a regular expression: {cause}")]
pub struct PatternError {
    /// The pattern as it was written.
    pub pattern: String,
    /// Why, and where in it.
    pub cause: String,
}

/// A list of regular expressions. A name matches when one of them matches all of it, in any case.
///
/// ```
/// use pgcdc_capture::config::Patterns;
/// let tables = Patterns::compile(r"public\.users, sales\..*")?;
/// assert!(tables.matches("public.users") && tables.matches("SALES.orders"));
/// // Each expression is for the whole name.
/// assert!(!tables.matches("public.users_old"));
/// # Ok::<(), pgcdc_capture::config::PatternError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<Pattern>);

/// One pattern.
#[derive(Clone, Debug)]
enum Pattern {
    /// Letters, digits and underscores only, which need no regular expression.
    Literal(String),
    /// Anything else.
    Regex(Box<Regex>),
}

impl Patterns {
    /// Compiles a comma-separated list; a comma within a pattern is written `\,`.
    ///
    /// # Errors
    /// The first pattern that is not a regular expression.
    pub fn compile(list: &str) -> Result<Self, PatternError> {
        java_regex::split_list(list).into_iter().map(Pattern::compile).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of the patterns matches the whole of `name`. A pattern that backtracks without
    /// end matches nothing.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|p| p.matches(name))
    }

    /// How many patterns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no pattern, so that nothing matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pattern {
    /// Compiles one pattern.
    fn compile(pattern: String) -> Result<Self, PatternError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if pattern.chars().all(plain) {
            return Ok(Self::Literal(pattern));
        }
        match java_regex::compile(&pattern) {
            Ok(regex) => Ok(Self::Regex(Box::new(regex))),
            Err(cause) => Err(PatternError { pattern, cause }),
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Literal(literal) => literal.eq_ignore_ascii_case(name),
            Self::Regex(regex) => regex.is_match(name).unwrap_or(false),
        }
    }
}

/// What a pair of lists says about a name.
#[derive(Clone, Debug, Default)]
pub(super) enum Choice {
    /// No list is set: every name.
    #[default]
    All,
    /// An include list: the names that match it.
    Only(Patterns),
    /// An exclude list: the names that do not match it.
    Except(Patterns),
}

impl Choice {
    /// Whether the name is included.
    pub(super) fn allows(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(patterns) => patterns.matches(name),
            Self::Except(patterns) => !patterns.matches(name),
        }
    }
}

/// Postgres's own schemas, never captured.
const BUILT_IN: &[&str] = &["pg_catalog", "information_schema", "pg_toast"];

/// `schema.include.list`, `table.include.list` and their opposites. A table must pass both.
#[derive(Clone, Debug, Default)]
pub struct TableFilter {
    /// By the schema's name.
    pub(super) schemas: Choice,
    /// By `schema.table`.
    pub(super) tables: Choice,
    /// `signal.data.collection`, which is captured whatever the lists say.
    pub(super) signals: Patterns,
}

impl TableFilter {
    /// Whether changes of `table` are captured.
    #[must_use]
    pub fn allows(&self, table: &TableName) -> bool {
        let built_in = BUILT_IN.contains(&&*table.schema) || table.schema.starts_with("pg_temp_");
        let listed = || self.schemas.allows(&table.schema) && self.tables.allows(&table.to_string());
        !built_in && (listed() || (!self.signals.is_empty() && self.signals.matches(&table.to_string())))
    }

    /// Where a table comes in a snapshot: in the order of `table.include.list`. Tables of one rank
    /// are read by name.
    #[must_use]
    pub fn rank(&self, table: &TableName) -> usize {
        let Choice::Only(patterns) = &self.tables else { return 0 };
        let name = table.to_string();
        patterns.0.iter().position(|pattern| pattern.matches(&name)).unwrap_or(patterns.len())
    }

    /// Whether no list was given, so that every table but Postgres's own is captured.
    #[must_use]
    pub fn allows_all(&self) -> bool {
        matches!((&self.schemas, &self.tables), (Choice::All, Choice::All))
    }
}

/// `column.include.list` or `column.exclude.list`, over `schema.table.column`. A column of the key
/// stays in the key, whatever the lists say.
#[derive(Clone, Debug, Default)]
pub struct ColumnFilter(pub(super) Choice);

impl ColumnFilter {
    /// Whether `column` of `table` is written.
    #[must_use]
    pub fn allows(&self, table: &TableName, column: &str) -> bool {
        matches!(self.0, Choice::All) || self.0.allows(&format!("{table}.{column}"))
    }

    /// Whether no list was given.
    #[must_use]
    pub fn allows_all(&self) -> bool {
        matches!(self.0, Choice::All)
    }
}

/// `message.key.columns`: columns that make a table's key in place of its primary key.
#[derive(Clone, Debug, Default)]
pub struct KeyColumns(Vec<Pattern>);

impl KeyColumns {
    /// Compiles `table-expression:column,column;…`.
    ///
    /// # Errors
    /// When the text does not have this form, or a pattern is not a regular expression.
    pub fn compile(text: &str) -> Result<Self, PatternError> {
        let mut patterns = Vec::new();
        for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let malformed = || PatternError {
                pattern: part.to_owned(),
                cause: "has an invalid format (expecting '<schema>.<table>:<column>,<column>')".into(),
            };
            let (table, columns) = part.split_once(':').ok_or_else(malformed)?;
            if table.trim().is_empty() || columns.contains(':') || columns.trim().is_empty() {
                return Err(malformed());
            }
            for column in columns.split(',').map(str::trim).filter(|c| !c.is_empty()) {
                patterns.push(Pattern::compile(format!("{}.{column}", table.trim()))?);
            }
        }
        Ok(Self(patterns))
    }

    /// The indexes in `columns` of the columns that make the key of `table`, in the property's
    /// order. `None` when the property does not name the table, so that the primary key stays.
    pub fn positions<'c>(
        &self,
        table: &TableName,
        columns: impl Iterator<Item = &'c str> + Clone,
    ) -> Option<Vec<usize>> {
        let mut key = Vec::new();
        for pattern in &self.0 {
            for (at, column) in columns.clone().enumerate() {
                if !key.contains(&at) && pattern.matches(&format!("{table}.{column}")) {
                    key.push(at);
                }
            }
        }
        (!key.is_empty()).then_some(key)
    }

    /// Whether the property is not set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `message.prefix.include.list` or `message.prefix.exclude.list`.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter(pub(super) Choice);

impl MessageFilter {
    /// Whether logical messages with this prefix are captured.
    #[must_use]
    pub fn allows(&self, prefix: &str) -> bool {
        self.0.allows(prefix)
    }
}
