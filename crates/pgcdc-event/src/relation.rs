use std::fmt;
use std::sync::Arc;

/// A table's name with its schema, unquoted, as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema (`pg_namespace.nspname`).
    pub schema: Box<str>,
    /// The table (`pg_class.relname`).
    pub table: Box<str>,
}

impl TableName {
    /// A name from its two parts.
    pub fn new(schema: impl Into<Box<str>>, table: impl Into<Box<str>>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }

    /// The name as SQL wants it: both parts quoted, quotes doubled.
    #[must_use]
    pub fn quoted(&self) -> String {
        let quote = |part: &str| part.replace('"', "\"\"");
        format!("\"{}\".\"{}\"", quote(&self.schema), quote(&self.table))
    }
}

/// `schema.table`, the form that `table.include.list` matches.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// Which old values Postgres sends with an update or a delete (`pg_class.relreplident`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaIdentity {
    /// The primary key's columns, when they change.
    Default,
    /// Nothing.
    Nothing,
    /// Every column.
    Full,
    /// The columns of a unique index.
    Index,
}

impl ReplicaIdentity {
    /// From the catalog's letter: `d`, `n`, `f` or `i`.
    #[must_use]
    pub const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'd' => Some(Self::Default),
            b'n' => Some(Self::Nothing),
            b'f' => Some(Self::Full),
            b'i' => Some(Self::Index),
            _ => None,
        }
    }
}

/// A table as it was when a row was written: immutable, shared; a new version is a new value.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    /// `pg_class.oid`; the number that rows in the stream refer to.
    pub oid: u32,
    /// Schema and name.
    pub name: TableName,
    /// What old values the server sends.
    pub identity: ReplicaIdentity,
    /// The columns in the order in which rows carry them.
    pub columns: Vec<Column>,
    /// The table's comment, where it was asked for.
    pub comment: Option<Box<str>>,
}

impl Relation {
    /// Positions (in [`columns`](Self::columns)) of the primary key's columns, in the key's order.
    #[must_use]
    pub fn primary_key(&self) -> Vec<usize> {
        let mut key: Vec<(u16, usize)> = self
            .columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| column.key_position.map(|position| (position, at)))
            .collect();
        key.sort_unstable();
        key.into_iter().map(|(_, at)| at).collect()
    }
}

/// One column of a [`Relation`].
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name, unquoted.
    pub name: Box<str>,
    /// Its type, domains and arrays resolved down to their base.
    pub pg_type: Arc<PgType>,
    /// The type modifier (`pg_attribute.atttypmod`): length, precision; -1 for none.
    pub typmod: i32,
    /// Declared `NOT NULL` (or part of the primary key).
    pub not_null: bool,
    /// The default's expression as `pg_get_expr` prints it; `None` without one.
    pub default: Option<Box<str>>,
    /// Position in the primary key, counted from 1.
    pub key_position: Option<u16>,
    /// Part of the replica identity: the server sends its old value.
    pub in_identity: bool,
    /// `GENERATED ALWAYS AS (…) STORED`.
    pub generated: bool,
    /// The column's comment, where it was asked for.
    pub comment: Option<Box<str>>,
}

/// A Postgres type (`pg_type`).
#[derive(Clone, Debug, PartialEq)]
pub struct PgType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// Schema; `pg_catalog` for built-in types.
    pub schema: Box<str>,
    /// `pg_type.typname`: `int4`, `_text`, `hstore`.
    pub name: Box<str>,
    /// What sort of type it is.
    pub kind: TypeKind,
}

/// What sort of type a [`PgType`] is, with what is needed to read its values.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// A base type, built in or of an extension.
    Base,
    /// An enum and its labels in order.
    Enum(Vec<Box<str>>),
    /// A domain over another type.
    Domain {
        /// The type below.
        base: Arc<PgType>,
        /// The modifier that the domain gives it.
        typmod: i32,
    },
    /// A true array of another type.
    Array(Arc<PgType>),
    /// A row type.
    Composite,
    /// A range.
    Range,
    /// A multirange.
    Multirange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_name_cannot_break_out() {
        assert_eq!(TableName::new("a", "b\"; drop").quoted(), "\"a\".\"b\"\"; drop\"");
    }
}
