//! The initial snapshot: every row of every captured table as of one position of the WAL.

mod copy;
mod marker;
mod parallel;
mod plan;
mod ranges;
mod worker;
mod workers;

pub(crate) use copy::Snapshotter;
pub(crate) use plan::{Decision, Known, decide};
