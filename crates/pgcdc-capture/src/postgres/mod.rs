//! Everything that is said to Postgres: SQL, replication commands, and the stream.
//!
//! ```text
//! wire/: socket, TLS, login, framing ─┬▶ replication/: the stream ─▶ crate::stream
//!                                     ├▶ rows: COPY, for snapshots
//!                                     └▶ query: SQL ─▶ slot, publication, catalog, …
//! ```
//!
//! A connector has three kinds of sessions: one streams, one answers queries, and those of a
//! snapshot read tables. `pins` fixes the settings of each, `watch` looks at a server that does not
//! answer, `classify` says what an error means.
//!
//! Where to look: `slot`, `publication` (with `coverage`) and `server` for what a start inspects
//! and makes; `listing`, `catalog`, `key`, `gone`, `money` and `visibility` for what is known of
//! tables and types; `identity` for replica identities; `blockers` for who holds up whom.

mod blockers;
mod catalog;
mod classify;
mod coverage;
mod gone;
mod identity;
mod key;
mod listing;
mod money;
mod pins;
mod publication;
mod query;
mod replication;
mod rows;
mod server;
mod slot;
mod sql_session;
mod tls;
mod visibility;
mod watch;
mod wire;

pub(crate) use catalog::Catalog;
pub(crate) use classify::classify;
pub(crate) use coverage::gaps as publication_gaps;
pub(crate) use identity::set as set_identities;
pub(crate) use listing::{CapturedTable, captured_tables};
pub(crate) use money::scale as money_scale;
pub(crate) use publication::{
    PublicationState, ensure as ensure_publication, inspect as inspect_publication, wanted_statement,
};
pub(crate) use query::{Ask, Query};
pub(crate) use replication::{Replication, Wal};
pub(crate) use rows::{Piece, RowReader};
pub(crate) use server::{current_position, identify as identify_server};
pub(crate) use slot::{
    ExportedSlot, NewSlot, ServerSlot, SlotState, all as server_slots, drop_if_idle, drop_when_free,
    inspect as inspect_slot,
};
pub(crate) use sql_session::Row;

/// Quotes an identifier for SQL. Source: PostgreSQL documentation, "Lexical Structure", section
/// "Identifiers and Key Words".
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a literal for SQL, as `E'…'` when it holds a backslash: that form means the same under
/// any `standard_conforming_strings`.
pub(crate) fn quote_literal(text: &str) -> String {
    if text.contains('\\') {
        return format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    }
    format!("'{}'", text.replace('\'', "''"))
}
