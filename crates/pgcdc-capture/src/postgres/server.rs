//! Which server this is, and which history its WAL has.
//!
//! A position in the WAL means something on one server and one timeline only. After a failover, a
//! restore or an upgrade the same number may lie in other WAL. So each offset is stored with the
//! server's identity, and each start asks for it. Source: PostgreSQL documentation, "Streaming
//! Replication Protocol" (`IDENTIFY_SYSTEM`, `TIMELINE_HISTORY`), and `pg_control_system`.

use pgcdc_event::Lsn;

use super::{Query, Replication};
use crate::config::Settings;
use crate::position::Server;
use crate::{Error, Result};

/// SQL for the end of the server's WAL: the position that is written; on a standby the one that is
/// replayed.
pub(super) const POSITION: &str =
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END";

/// The end of the server's WAL; see [`POSITION`]. Zero when the server does not say.
pub(crate) async fn current_position(query: &Query) -> Result<Lsn> {
    let text = query.value("read the server's position", &format!("SELECT {POSITION}")).await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or_default())
}

/// Asks the server for its identity. `stored` is the timeline of the stored offset; the server's
/// history is read only when it is on another one.
///
/// # Errors
/// Those of the queries and of the replication session.
pub(crate) async fn identify(query: &Query, settings: &Settings, stored: Option<u32>) -> Result<Server> {
    let sql = format!(
        "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid, pg_is_in_recovery(), {POSITION}
         FROM pg_database WHERE datname = current_database()"
    );
    let rows = query.rows("identify the server", &sql).await?;
    let column = |at: usize| rows.first().and_then(|row| row.get(at)).map(str::to_owned);
    let mut server = Server {
        database: column(0).unwrap_or_default(),
        timeline: 0,
        history: Vec::new(),
        end: column(2).and_then(|lsn| lsn.parse().ok()).unwrap_or_default(),
        in_recovery: column(1).as_deref() == Some("t"),
    };
    match written_timeline(query, server.in_recovery).await {
        Some(here) if stored.is_none_or(|stored| stored == here) => server.timeline = here,
        _ => read_timelines(settings, stored, &mut server).await?,
    }
    Ok(server)
}

/// The timeline in the name of the WAL file that is being written. That saves a session, which the
/// replication protocol would need. A standby writes none, and some hosted servers do not say.
async fn written_timeline(query: &Query, in_recovery: bool) -> Option<u32> {
    if in_recovery {
        return None;
    }
    let sql = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)";
    let hex = query.value("read the server's timeline", sql).await.ok()??;
    u32::from_str_radix(&hex, 16).ok()
}

/// Asks by the replication protocol, which also knows the timeline of a standby.
async fn read_timelines(settings: &Settings, stored: Option<u32>, server: &mut Server) -> Result<()> {
    let mut session = Replication::connect(settings, &settings.slot.name, Lsn::ZERO).await?;
    let rows = session.command("identify the system", "IDENTIFY_SYSTEM").await?;
    let timeline = rows.first().and_then(|row| row.get(1)?.as_deref()?.parse().ok());
    server.timeline =
        timeline.ok_or_else(|| Error::fatal("IDENTIFY_SYSTEM: the server named no timeline"))?;
    if server.timeline > 1 && stored.is_some_and(|stored| stored != server.timeline) {
        let sql = format!("TIMELINE_HISTORY {}", server.timeline);
        let rows = session.command("read the history of the server's timelines", &sql).await?;
        let text = rows.first().and_then(|row| row.get(1)?.clone()).unwrap_or_default();
        server.history = history(&text);
    }
    session.stop().await;
    Ok(())
}

/// The lines of a history file: a timeline, the position where it was left, and why. Source:
/// `readTimeLineHistory` in PostgreSQL's source.
fn history(text: &str) -> Vec<(u32, Lsn)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    text.lines().filter(|text| !text.trim_start().starts_with('#')).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_file_is_read() {
        let text = "1\t0/5000000\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2024-01-01 00:00:00+00\n";
        assert_eq!(history(text), [(1, Lsn::new(0x500_0000)), (2, Lsn::new(0x1_0000_00A0))]);
        assert_eq!(history(""), []);
    }
}
