//! The initial snapshot: every row of every captured table as of one position of the WAL.
//!
//! ```text
//! plan: is one due? ─▶ begin: slot, exported snapshot, list of tables ─▶ lock: hold the tables
//!                                                                         │
//!            outbox ◀─ snapshotter: markers, batches ◀─┬─ read: one table after the other
//!                                                      └─ parallel: ranges of large tables, by the threads of pool
//! ```
//!
//! Where to look: `plan` decides by `snapshot.mode`; `statements` has the SQL; `line` is one row on
//! its way to a record; `marker` tells first and last rows; `progress` sets the metrics; `ranges`
//! cuts a table; `worker` is one thread of the pool; `job` holds the messages between the threads
//! and `parallel`.

mod begin;
mod job;
mod line;
mod lock;
mod marker;
mod parallel;
mod plan;
mod pool;
mod progress;
mod ranges;
mod read;
mod snapshotter;
mod statements;
mod worker;

pub(crate) use begin::{Begun, begin, publish};
pub(crate) use lock::policies_hint;
pub(crate) use plan::{Decision, Facts, plan};
pub(crate) use snapshotter::Snapshotter;
