//! The stream: from replication messages to records on their way, and back to a confirmed position.

mod apply;
mod beside;
mod heartbeat;
mod input;
mod numbering;
mod pace;
mod reselect;
mod run;
mod typed;
mod xmin;

pub(crate) use run::{Ended, Stream};
