//! Waits until other sessions see what a streamed transaction did to the catalog.
//!
//! A commit is in the WAL, and a walsender sends it, a moment before other sessions see it. So rows
//! may arrive here before queries see the table or type that the same transaction created for them.
//! With synchronous replication that moment lasts until the standby has answered. Source: the
//! PostgreSQL manual, "Synchronous Replication".

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Query, quote_literal};
use crate::{Error, Result};

/// How long to wait for a transaction to become visible.
const LIMIT: Duration = Duration::from_secs(30);
/// The pauses between two questions grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Waits until transaction `xid` of `slot`'s stream is visible to `query`'s session. False when it
/// is not visible within [`LIMIT`], or when its commit waits for this connector.
///
/// # Errors
/// Those of the query; a fatal one when the server's answer is malformed.
pub(super) async fn wait_for(query: &Query, slot: &str, xid: u32) -> Result<bool> {
    let deadline = Instant::now() + LIMIT;
    let mut pause = Duration::from_millis(1);
    let mut asked = false;
    loop {
        let snapshot =
            query.value("ask which transactions are running", "SELECT txid_current_snapshot()").await?;
        let snapshot = snapshot.unwrap_or_default();
        let visible = is_visible(xid, &snapshot).ok_or_else(|| {
            Error::fatal(format!("PostgreSQL described its running transactions as {snapshot:?}"))
        })?;
        if visible {
            return Ok(true);
        }
        // The commit may wait for this very connector, as a synchronous standby. Then we must not
        // wait for the commit.
        let ours =
            pause >= LONGEST_PAUSE && !std::mem::replace(&mut asked, true) && is_standby(query, slot).await?;
        if ours || Instant::now() + pause > deadline {
            tracing::warn!(
                xid,
                "a transaction that is in the WAL is not visible yet, since its commit waits for {}: keys, defaults and \
                 nullability of its tables are read as they were before it",
                if ours { "this connector, a synchronous standby" } else { "a synchronous standby" }
            );
            return Ok(false);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether commits wait for the reader of a slot, which is so when it is named in
/// `synchronous_standby_names`.
async fn is_standby(query: &Query, slot: &str) -> Result<bool> {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid
         WHERE s.slot_name = {} AND r.sync_state IN ('sync', 'quorum')",
        quote_literal(slot)
    );
    Ok(query.value("ask who commits wait for", &sql).await?.is_some_and(|count| count != "0"))
}

/// Whether a transaction that has ended is visible in a snapshot, which is written
/// `xmin:xmax:xip,…` with ids of 64 bits. `None` when the text is not a snapshot. Source:
/// PostgreSQL documentation, "Transaction ID and Snapshot Information Functions".
fn is_visible(xid: u32, snapshot: &str) -> Option<bool> {
    let mut parts = snapshot.splitn(3, ':');
    let _xmin: u64 = parts.next()?.parse().ok()?;
    let xmax: u64 = parts.next()?.parse().ok()?;
    let running = parts.next()?;
    // The stream has only the lower 32 bits of an id. As in PostgreSQL's own comparison, two ids
    // are at most half a turn apart.
    let ahead = (xmax as u32).wrapping_sub(xid);
    if ahead == 0 || ahead > u32::MAX / 2 {
        return Some(false);
    }
    let Some(full) = xmax.checked_sub(ahead.into()) else { return Some(false) };
    for other in running.split(',').filter(|other| !other.is_empty()) {
        if other.parse::<u64>().ok()? == full {
            return Some(false);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::is_visible;

    #[test]
    fn a_transaction_is_visible_when_it_is_below_xmax_and_not_running() {
        assert_eq!(is_visible(9, "10:10:"), Some(true));
        assert_eq!(is_visible(10, "10:10:"), Some(false));
        assert_eq!(is_visible(12, "10:15:10,12"), Some(false));
        assert_eq!(is_visible(11, "10:15:10,12"), Some(true));
        assert_eq!(is_visible(17, "10:15:10,12"), Some(false));
    }

    /// 4294967296 is the first of the second epoch.
    #[test]
    fn numbers_wrap() {
        assert_eq!(is_visible(u32::MAX, "4294967300:4294967300:"), Some(true));
        assert_eq!(is_visible(u32::MAX, "4294967295:4294967300:4294967295"), Some(false));
        assert_eq!(is_visible(3, "4294967299:4294967300:4294967299"), Some(false));
        assert_eq!(is_visible(3, "4294967295:4294967300:4294967295"), Some(true));
        assert_eq!(is_visible(5, "4294967300:4294967300:"), Some(false));
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        for text in ["", "1", "1:2", "a:2:", "1:b:", "1:5:x"] {
            assert_eq!(is_visible(3, text), None, "{text}");
        }
    }
}
