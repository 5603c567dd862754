//! The entry point for programs: what to capture, where to, and the handle on what runs.
//!
//! `builder` resolves and starts, `handle` is the [`Capture`] that one gets, and `changes` is the
//! stream of typed changes, which has such a handle inside.

mod builder;
mod changes;
mod handle;

pub use builder::CaptureBuilder;
pub use changes::{Acknowledger, Changes, Receipt};
pub use handle::Capture;
