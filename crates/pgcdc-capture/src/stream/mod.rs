//! The stream: from replication messages to records on their way, and back to a confirmed position.

mod apply;
mod beside;
mod heartbeat;
mod input;
mod latency;
mod pace;
mod pending;
mod reselect;
mod run;
mod slot_watch;
mod transaction;
mod xmin;

pub(crate) use apply::Before;
pub(crate) use run::{Ended, Stream};
