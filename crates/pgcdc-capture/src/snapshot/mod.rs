//! Snapshots: rows that are read from the tables themselves rather than from the stream.
//!
//! [`initial`] is the snapshot that a connector takes at its first start, and later by
//! `snapshot.mode`. Other kinds get a folder beside it.

mod initial;

pub(crate) use initial::{Begun, Decision, Facts, Snapshotter, begin, plan, policies_hint, publish};
