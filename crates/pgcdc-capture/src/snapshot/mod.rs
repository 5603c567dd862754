//! Snapshots: rows that are read from the tables themselves rather than from the stream.
//!
//! [`initial`] is the snapshot at a connector's first start. Other kinds get a folder beside it.

mod initial;

pub(crate) use initial::{Begun, Decision, Facts, Snapshotter, begin, plan, policies_hint, publish};
