//! The entry point: what to capture, where to, and the handle on what runs.

mod builder;
mod changes;
mod handle;

pub use builder::CaptureBuilder;
pub use changes::{Acknowledger, Changes, Receipt};
pub use handle::Capture;
