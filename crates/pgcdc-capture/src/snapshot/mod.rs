//! The initial snapshot: every row of every captured table as of one position of the WAL.

mod begin;
mod copy;
mod lock;
mod marker;
mod parallel;
mod plan;
mod ranges;
mod worker;
mod workers;

pub(crate) use begin::{Begun, begin, publish};
pub(crate) use copy::Snapshotter;
pub(crate) use lock::policies_hint;
pub(crate) use plan::{Decision, Facts, plan};
