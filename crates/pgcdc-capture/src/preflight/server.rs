//! Checks the server's version and settings, and whether the role may replicate.

use super::Finding;
use crate::Result;
use crate::config::Settings;
use crate::postgres::{Query, Replication, inspect_slot, quote_identifier};

/// What the other checks need to know about the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// Whether it is a standby, where slots can be made but no publications.
    pub(super) standby: bool,
    /// Whether the role's sessions are read-only (`default_transaction_read_only`).
    pub(super) read_only: bool,
}

/// Checks version and `wal_level`, and whether the server has a slot and a walsender to spare.
/// Source: PostgreSQL documentation, "Logical Decoding Concepts" and "Replication" (settings of
/// sending servers).
pub(super) async fn server(
    settings: &Settings,
    query: &Query,
    findings: &mut Vec<Finding>,
) -> Result<Server> {
    let rows = query
        .rows(
            "read the server's settings",
            "SELECT current_setting('wal_level'), current_setting('max_wal_senders')::int,
                    (SELECT count(*) FROM pg_stat_replication),
                    current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots),
                    current_setting('server_version_num')::int, current_setting('server_version'),
                    pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'",
        )
        .await?;
    let row = rows.first();
    let text = |at: usize| row.and_then(|row| row.get(at)).unwrap_or("");
    let number = |at: usize| text(at).parse::<i64>().unwrap_or(0);
    let server = Server { standby: text(7) == "t", read_only: text(8) == "t" };
    let version = text(6);
    findings.push(match number(5) {
        ..140_000 => {
            Finding::error("server", format!("PostgreSQL {version} is too old"), "use PostgreSQL 14 or later")
        }
        140_000..160_000 if server.standby => Finding::error(
            "server",
            format!("is a standby, and PostgreSQL {version} cannot decode changes on a standby"),
            "set database.hostname to the primary, or use PostgreSQL 16 or later",
        ),
        _ => Finding::ok("server", format!("PostgreSQL {version}")),
    });
    findings.push(if text(0) == "logical" {
        Finding::ok("wal_level", "logical")
    } else {
        Finding::error(
            "wal_level",
            format!("is {}, must be logical", text(0)),
            "ALTER SYSTEM SET wal_level = logical;  -- then restart the server",
        )
    });
    let slot_exists = inspect_slot(query, &settings.slot.name).await?.is_some();
    // A walsender is always needed. A slot is needed for the stream if the connector's does not
    // exist, and for a snapshot in any case: beside an existing slot it takes a temporary one.
    let needs = [true, !slot_exists || settings.snapshot.mode.reads_rows()];
    for ((name, limit, used), needed) in
        [("max_wal_senders", 1, 2), ("max_replication_slots", 3, 4)].into_iter().zip(needs)
    {
        let (limit, used) = (number(limit), number(used));
        let full = format!("all {limit} are in use");
        let remedy = format!("ALTER SYSTEM SET {name} = {};  -- then restart the server", limit + 10);
        findings.push(match (used < limit, needed) {
            (true, _) => Finding::ok(name, format!("{used} of {limit} in use")),
            (false, true) => Finding::error(name, format!("{full}: the connector cannot start"), remedy),
            (false, false) => Finding::warning(name, full, remedy),
        });
    }
    Ok(server)
}

/// Checks whether the role may replicate, and whether a replication connection can be opened:
/// `pg_hba.conf` and poolers may refuse it although the role may.
pub(super) async fn role(settings: &Settings, query: &Query, findings: &mut Vec<Finding>) -> Result<()> {
    let user = &settings.connection.user;
    let may = query
        .value(
            "read the role",
            "SELECT rolsuper OR rolreplication
                 OR coalesce((SELECT pg_has_role(r.oid, 'USAGE') FROM pg_roles r WHERE r.rolname = 'rds_replication'), false)
             FROM pg_roles WHERE rolname = current_user",
        )
        .await?;
    if may.as_deref() != Some("t") {
        findings.push(Finding::error(
            "role",
            format!("{user} may not replicate"),
            format!("ALTER ROLE {} REPLICATION;", quote_identifier(user)),
        ));
        return Ok(());
    }
    findings.push(match Replication::connect(settings, &settings.slot.name, pgcdc_event::Lsn::ZERO).await {
        Ok(session) => {
            session.stop().await;
            Finding::ok("role", format!("{user} may replicate"))
        }
        Err(error) => Finding::failure("replication connection", &error),
    });
    Ok(())
}
