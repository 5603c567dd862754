//! The logical replication messages of Postgres' `pgoutput` plug-in, protocol version 1.
//!
//! Source: the PostgreSQL manual, "Logical Replication Message Formats". Everything is borrowed
//! from the bytes that came off the wire; a row's columns are read one by one by [`Tuple`].

mod cursor;
mod message;
mod tuple;

pub use message::{Message, RelationBody, RelationColumn, RelationIdentity, decode};
pub use tuple::{Tuple, TupleValue, Values};

/// Why bytes are not a pgoutput message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ended in the middle of a field.
    #[error("message ends inside {0}")]
    Truncated(&'static str),
    /// A message tag that protocol version 1 does not have.
    #[error("unknown message tag 0x{0:02x}")]
    UnknownTag(u8),
    /// A field has a value that its definition does not allow.
    #[error("{0}")]
    Malformed(&'static str),
}
