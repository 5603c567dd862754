//! What all sessions share: the socket, TLS, the login on the framing of `pgwire-replication`, and
//! messages that are parsed in the buffer that they were read into. This folder is the only place
//! that names that crate.
//!
//! ```text
//! open: a session with its settings
//!   └▶ session: which server ─▶ socket ─▶ encryption ─▶ authenticate
//!                                                         ├▶ replication, rows (login: commands)
//!                                                         └▶ handover ─▶ tokio-postgres (SQL)
//! ```
//!
//! The crate's own client, like tokio-postgres' COPY, copies each message and hands it over through
//! a channel. That would take an eighth of capture's CPU time, and dozens of huge rows could wait
//! in memory at once. Here one buffer is read into, and a message of several megabytes gets memory
//! only when the reader says so.
//!
//! `failure` and `refusal` say what went wrong: the first whether another way to connect is worth a
//! try, the second what the user can do.

mod authenticate;
mod encryption;
mod failure;
mod handover;
mod inbox;
mod keepalive;
pub(super) mod login;
pub(super) mod open;
mod refusal;
mod session;
mod socket;

pub(super) use handover::Handover;
pub(super) use inbox::{Inbox, LARGE_MESSAGE, Next};
pub(super) use socket::Duplex;

/// A message as the server sends it, for tests.
#[cfg(test)]
pub(in crate::postgres) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}
