//! The logical replication messages of Postgres' `pgoutput` plug-in, protocol version 1.
//!
//! A stream is a sequence of transactions. Each transaction is one run of messages, in the order of commits:
//!
//! ```text
//! B  (O)  { R | Y | I | U | D | T | M }…  C
//! begin    schema, types, rows            commit
//! ```
//!
//! `R` comes before the first row of a table in a session, and again when the table's definition changed. A message `M` that is
//! not transactional may stand between transactions. Version 1 has no streaming of unfinished transactions and no two-phase
//! commits: [`decode`] refuses their tags.
//!
//! Everything is borrowed from the bytes that came off the wire; a row's columns are read one by one by [`Tuple`].
//!
//! Source: the PostgreSQL manual, "Logical Replication Message Formats".

mod cursor;
mod message;
mod tuple;

pub use message::{Message, RelationBody, RelationColumn, RelationIdentity, decode};
pub use tuple::{Tuple, TupleValue, Values};

/// Why bytes are not a pgoutput message.
///
/// Any of them means that the stream is misread, and no later message can be trusted: a connector stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ended in the middle of a field, which the text names.
    #[error("the message ends inside {0}")]
    Truncated(&'static str),
    /// A message tag that protocol version 1 does not have, such as `S` (stream start) of version 2.
    #[error("unknown message tag 0x{0:02x}")]
    UnknownTag(u8),
    /// A field has a value that its definition does not allow.
    #[error("{0}")]
    Malformed(&'static str),
}
