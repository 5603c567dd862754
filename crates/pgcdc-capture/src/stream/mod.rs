//! The stream: from replication messages to records on their way, and back to a confirmed position.

mod apply;
mod numbering;
mod pace;
mod run;
mod typed;

pub(crate) use run::Stream;
