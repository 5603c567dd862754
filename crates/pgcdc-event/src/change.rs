use std::sync::Arc;

use bytes::Bytes;

use crate::{Lsn, Relation};

/// What happened to a row, with Debezium's letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `c`: inserted.
    Create,
    /// `u`: updated.
    Update,
    /// `d`: deleted.
    Delete,
    /// `r`: read by a snapshot.
    Read,
    /// `t`: the table was truncated.
    Truncate,
    /// `m`: a logical decoding message (`pg_logical_emit_message`).
    Message,
}

impl Operation {
    /// Debezium's letter.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Read => 'r',
            Self::Truncate => 't',
            Self::Message => 'm',
        }
    }

    /// From Debezium's letter.
    #[must_use]
    pub const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'c' => Some(Self::Create),
            b'u' => Some(Self::Update),
            b'd' => Some(Self::Delete),
            b'r' => Some(Self::Read),
            b't' => Some(Self::Truncate),
            b'm' => Some(Self::Message),
            _ => None,
        }
    }
}

/// Where in a snapshot an event stands, with Debezium's words in `source.snapshot`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Snapshot {
    /// `false`: a streamed change.
    #[default]
    False,
    /// `first`: the first row of the snapshot.
    First,
    /// `first_in_data_collection`: a table's first row.
    FirstInDataCollection,
    /// `true`: any other row.
    True,
    /// `last_in_data_collection`: a table's last row.
    LastInDataCollection,
    /// `last`: the last row of the snapshot.
    Last,
    /// `incremental`: a row of an incremental snapshot.
    Incremental,
}

impl Snapshot {
    /// Debezium's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::First => "first",
            Self::FirstInDataCollection => "first_in_data_collection",
            Self::True => "true",
            Self::LastInDataCollection => "last_in_data_collection",
            Self::Last => "last",
            Self::Incremental => "incremental",
        }
    }
}

/// A column's value in Postgres' text form (the manual's output format of its type).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// SQL NULL.
    Null,
    /// A TOASTed value that the change did not touch and the server therefore did not send.
    Unchanged,
    /// The text form, UTF-8.
    Text(Bytes),
}

/// A row: one [`Datum`] per column of its [`Relation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Datum>);

/// Where a change comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    /// Position of the change itself.
    pub lsn: Lsn,
    /// Position after the commit of the transaction before: where a restart would resume.
    pub last_commit: Option<Lsn>,
    /// The transaction's id; `None` for a message outside of one.
    pub xid: Option<u32>,
    /// Commit time, microseconds since 1970-01-01 UTC.
    pub timestamp_us: i64,
    /// Snapshot marker.
    pub snapshot: Snapshot,
}

/// One change of one row: the typed face for embedders. The hot path never builds it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeEvent {
    /// What happened.
    pub operation: Operation,
    /// The table, as it was then.
    pub relation: Arc<Relation>,
    /// The old row, as far as the replica identity sends it.
    pub before: Option<Row>,
    /// The new row.
    pub after: Option<Row>,
    /// Where and when.
    pub source: SourceInfo,
}

impl ChangeEvent {
    /// The text form of a column of the new row, or of the old one for a delete.
    ///
    /// `None` when there is no such column, or it is NULL, or was not sent.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        let at = self.relation.columns.iter().position(|c| &*c.name == column)?;
        match self.after.as_ref().or(self.before.as_ref())?.0.get(at)? {
            Datum::Text(text) => std::str::from_utf8(text).ok(),
            Datum::Null | Datum::Unchanged => None,
        }
    }
}
