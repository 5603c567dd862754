//! Checks the replication slot: whether it is one of ours to use, whether it still has its WAL, and
//! whether somebody reads from it.

use super::Finding;
use crate::Result;
use crate::config::Settings;
use crate::postgres::{Query, inspect_slot, quote_literal};

/// The way out when the slot is of another kind, database or plug-in. A start uses the same words.
pub(crate) fn other_slot_remedy(name: &str) -> String {
    format!(
        "set slot.name to another name; or, if nobody reads this one any more, drop it: SELECT pg_drop_replication_slot({});",
        quote_literal(name)
    )
}

/// Adds the finding about the slot. A slot that does not exist is fine: the first start makes it.
pub(super) async fn slot(settings: &Settings, query: &Query, findings: &mut Vec<Finding>) -> Result<()> {
    let name = &settings.slot.name;
    let subject = format!("slot {name}");
    let drop = format!("SELECT pg_drop_replication_slot({});", quote_literal(name));
    let Some(state) = inspect_slot(query, name).await? else {
        findings.push(Finding::ok(subject, "does not exist; it is made at the first start"));
        return Ok(());
    };
    if state.kind != "logical" || state.plugin != "pgoutput" || state.database != settings.connection.dbname {
        findings.push(Finding::error(
            subject,
            format!(
                "is a {} slot of plug-in {:?} in database {:?}; a pgoutput slot in {} is needed",
                state.kind, state.plugin, state.database, settings.connection.dbname
            ),
            other_slot_remedy(name),
        ));
        return Ok(());
    }
    if let Some(lost) = state.lost() {
        findings.push(Finding::error(
            subject,
            lost.of_the_slot(),
            format!("{drop}  -- and start with snapshot.mode=when_needed"),
        ));
    } else if let Some(pid) = state.active_pid {
        findings.push(super::holder::finding(query, subject, pid).await?);
    } else {
        let kept = state.retained_bytes.unwrap_or(0) / (1024 * 1024);
        let at = state.confirmed.map_or_else(|| "nowhere".to_owned(), |lsn| lsn.to_string());
        findings.push(Finding::ok(subject, format!("free, confirmed up to {at}, keeps {kept} MiB of WAL")));
    }
    Ok(())
}
