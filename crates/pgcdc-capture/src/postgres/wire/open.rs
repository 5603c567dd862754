//! A session whose settings are fixed, whatever the server, the database and the role are set to.

use std::time::Duration;

use super::login;
use super::session::{self, Purpose};
use crate::config::Connection;
use crate::postgres::pins;
use crate::{Error, Result};

/// How long the server may take to answer the statement that fixes the settings.
const LIMIT: Duration = Duration::from_secs(30);

/// Connects, logs in, and fixes the session's settings ([`pins`]). Every session of this crate is
/// opened here. For `near` see [`Purpose`].
///
/// # Errors
/// Those of connection and login; transient ones may pass.
pub(in crate::postgres) async fn session(
    connection: &Connection,
    kind: pins::Session,
    near: Option<u32>,
) -> Result<session::Session> {
    let options = pins::options(kind);
    let replication = kind == pins::Session::Replication;
    let mut opened = session::open(connection, Purpose { options: &options, replication, near }).await?;
    let statement = pins::statement(kind);
    let fixed = login::command(&mut opened.stream, "fix the session's settings", &statement);
    tokio::time::timeout(LIMIT, fixed)
        .await
        .map_err(|_| Error::transient("fix the session's settings: no answer within 30 s"))??;
    Ok(opened)
}
