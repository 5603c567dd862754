//! The stream: from replication messages to records on their way, and back to a confirmed position.
//!
//! `run` is the loop, `input` the place where it waits, `apply` takes a message, `pace` decides
//! about naps. `heartbeat`, `xmin`, `reselect`, `latency` and `slot_watch` are single features.
//! `beside` and `pending` are the two ways to ask the server something without holding up the loop:
//! in a task with a session of its own, or as a future that the loop awaits with everything else.

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
