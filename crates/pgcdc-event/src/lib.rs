//! The words of pgcdc: what a position, a table, a change and a record are.
//!
//! This crate holds types that every other crate speaks in, and that embedders and authors of
//! sinks program against. It does no I/O, has no clock and knows no wire format: bytes are
//! `pgcdc-format`'s, sockets are `pgcdc-capture`'s and `pgcdc-kafka`'s.
//!
//! In reading order: [`Lsn`] (where), [`Relation`] (what table), [`ChangeEvent`] (what happened),
//! [`Record`] (what is written), [`Secret`] (what is never printed).
//!
//! ```
//! use pgcdc_event::Lsn;
//! let lsn: Lsn = "16/B374D848".parse()?;
//! assert_eq!(lsn.as_u64(), 0x16_B374_D848);
//! assert_eq!(lsn.to_string(), "16/B374D848");
//! # Ok::<(), pgcdc_event::ParseLsnError>(())
//! ```

mod change;
mod lsn;
mod record;
mod relation;
mod secret;

pub use change::{ChangeEvent, Datum, Operation, Row, Snapshot, SourceInfo};
pub use lsn::{Lsn, ParseLsnError};
pub use record::{HeaderName, Mark, Record, RecordBatch, TopicId};
pub use relation::{Column, PgType, Relation, ReplicaIdentity, TableName, TypeKind};
pub use secret::Secret;
