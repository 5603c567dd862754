//! Sets replica identities, if `replica.identity.autoset.values` asks for it.
//!
//! The replica identity decides how much of the old row an update or delete sends. Source:
//! PostgreSQL documentation, `ALTER TABLE`, clause `REPLICA IDENTITY`.

use pgcdc_event::ReplicaIdentity;

use super::{CapturedTable, Query, quote_identifier};
use crate::Result;
use crate::config::IdentityRule;

/// Gives the captured tables the replica identities that `replica.identity.autoset.values` wants.
/// Called at each start, before the snapshot. When a table cannot be altered, an error is logged
/// and the table stays as it is, as with Debezium.
///
/// # Errors
/// When the session breaks.
pub(crate) async fn set(query: &Query, rules: &[IdentityRule], tables: &mut [CapturedTable]) -> Result<()> {
    for table in tables {
        let name = table.name.to_string();
        let mut found = rules.iter().filter(|rule| rule.tables.matches(&name));
        let Some(rule) = found.next() else { continue };
        if found.next().is_some() {
            tracing::error!(table = name, "more than one entry of replica.identity.autoset.values matches");
            continue;
        }
        if table.identity == rule.identity && index(query, table).await? == rule.index {
            continue;
        }
        let identity = match (&rule.index, rule.identity) {
            (Some(index), _) => format!("USING INDEX {}", quote_identifier(index)),
            (None, ReplicaIdentity::Full) => "FULL".to_owned(),
            (None, ReplicaIdentity::Nothing) => "NOTHING".to_owned(),
            (None, _) => "DEFAULT".to_owned(),
        };
        let sql = format!("ALTER TABLE {} REPLICA IDENTITY {identity}", table.name.quoted());
        match query.execute("replica.identity.autoset.values", &sql).await {
            Ok(()) => {
                tracing::info!(sql, "replica identity set");
                table.identity = rule.identity;
            }
            Err(error) if !error.is_transient() => {
                tracing::error!(%error, sql, "the replica identity stays as it is; run this as the table's owner");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The name of the index that is a table's replica identity; `None` when the identity is not an index.
async fn index(query: &Query, table: &CapturedTable) -> Result<Option<String>> {
    if table.identity != ReplicaIdentity::Index {
        return Ok(None);
    }
    let sql = format!(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = {} AND i.indisreplident",
        table.oid
    );
    query.value("look up the replica identity's index", &sql).await
}
