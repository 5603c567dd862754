//! Says who reads from the slot. It may be the very connector whose configuration is checked, and
//! then nobody should end that process.

use super::Finding;
use crate::Result;
use crate::postgres::Query;

/// The finding about process `pid`, which reads from the slot or is making it. A slot that is being
/// made waits for older transactions to end; then the finding names them. Source: PostgreSQL
/// documentation, "The Cumulative Statistics System", view `pg_stat_activity`.
pub(super) async fn finding(query: &Query, subject: String, pid: i32) -> Result<Finding> {
    let sql = format!(
        "SELECT application_name, date_trunc('second', backend_start)::text, coalesce(host(client_addr), 'this host'),
                query LIKE 'CREATE_REPLICATION_SLOT%'
         FROM pg_stat_activity WHERE pid = {pid}"
    );
    let rows = query.rows("look who uses the slot", &sql).await?;
    let text = |at: usize| rows.first().and_then(|row| row.get(at)).unwrap_or_default();
    if text(0) != "pgcdc" {
        return Ok(Finding::error(
            subject,
            format!("is in use by process {pid} of the server ({})", text(0)),
            format!("SELECT pg_terminate_backend({pid});  -- or stop its reader"),
        ));
    }
    let who = format!("a pgcdc connected since {} from {}", text(1), text(2));
    if text(3) == "t" {
        let blockers = query.blockers(pid).await?;
        if let Some(first) = blockers.first() {
            let names: Vec<String> = blockers.iter().map(ToString::to_string).collect();
            return Ok(Finding::warning(
                subject,
                format!(
                    "is being made by process {pid} of the server, {who}, which waits for {}",
                    names.join("; ")
                ),
                first.remedy(),
            ));
        }
    }
    Ok(Finding::error(
        subject,
        format!("is in use by process {pid} of the server: {who}"),
        format!(
            "nothing, if that is this connector. Another one needs a slot.name of its own; a pgcdc that hangs is ended by \
             SELECT pg_terminate_backend({pid});"
        ),
    ))
}
