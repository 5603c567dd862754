//! The replication slots of a server, for a person who looks after them. `pgcdc slot` prints and
//! changes them.
//!
//! A slot holds back the removal of WAL until its reader has confirmed it. So a slot that nobody
//! reads fills the server's disk, and a slot that is dropped or advanced loses the changes that its
//! reader has not had: both are for a person to decide.

use pgcdc_event::Lsn;

use crate::config::Connection;
use crate::postgres::{Query, ServerSlot, current_position, drop_when_free, quote_literal, server_slots};
use crate::{Error, Result};

/// The plug-in of the slots that pgcdc reads.
const PLUGIN: &str = "pgoutput";

/// A replication slot, as `pg_replication_slots` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Its name.
    pub name: String,
    /// The plug-in that decodes for it; `None` for a physical slot.
    pub plugin: Option<String>,
    /// The database of a logical slot.
    pub database: Option<String>,
    /// The server's process that reads it now.
    pub active_pid: Option<i32>,
    /// The first position of which the server keeps WAL for it.
    pub restart_lsn: Option<Lsn>,
    /// The position that its reader confirmed last.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// Bytes of WAL from `restart_lsn` to the end of the server's WAL.
    pub retained_bytes: Option<u64>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// Whether it decodes prepared transactions when they are prepared; PostgreSQL 14 and later.
    pub two_phase: Option<bool>,
    /// Whether it is kept on standbys, too; PostgreSQL 17 and later.
    pub failover: Option<bool>,
}

/// What an advance of a slot skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The position that the slot's reader has confirmed.
    pub from: Lsn,
    /// The position from which it is to go on.
    pub to: Lsn,
}

impl Skipped {
    /// Bytes of WAL between the two.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.to.as_u64().saturating_sub(self.from.as_u64())
    }
}

/// A session that looks after the slots of a server.
#[derive(Debug)]
pub struct Slots {
    query: Query,
}

impl Slots {
    /// Connects to the database.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the login.
    pub async fn connect(connection: &Connection) -> Result<Self> {
        Ok(Self { query: Query::connect(connection).await? })
    }

    /// All slots of the server, by their names.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn list(&self) -> Result<Vec<SlotInfo>> {
        Ok(server_slots(&self.query).await?.into_iter().map(SlotInfo::from).collect())
    }

    /// The slot of this name.
    ///
    /// # Errors
    /// When there is none.
    pub async fn find(&self, name: &str) -> Result<SlotInfo> {
        let slots = self.list().await?;
        let others: Vec<String> = slots.iter().map(|slot| slot.name.clone()).collect();
        slots.into_iter().find(|slot| slot.name == name).ok_or_else(|| {
            let hint = match others.len() {
                0 => "the server has no slots".to_owned(),
                _ => format!("the server's slots are {}", others.join(", ")),
            };
            Error::fatal(format!("slot {name:?} does not exist")).with_hint(hint)
        })
    }

    /// Drops a slot. With `force` its reader's session is ended first, if it has one.
    ///
    /// # Errors
    /// When the slot [may not be dropped](may_drop), is gone, or gets a reader again at once.
    pub async fn drop(&self, slot: &SlotInfo, force: bool) -> Result<()> {
        if !force {
            may_drop(slot)?;
        }
        let name = &slot.name;
        if let Some(pid) = slot.active_pid {
            let sql = format!("SELECT pg_terminate_backend({pid})");
            self.query.rows(&format!("end the reader of slot {name}"), &sql).await?;
        }
        if drop_when_free(&self.query, name).await? {
            return Ok(());
        }
        let again = self.find(name).await?;
        let reader = again.active_pid.map_or_else(String::new, |pid| format!(" by process {pid}"));
        Err(Error::fatal(format!("slot {name} is still read{reader}"))
            .with_hint("stop the connector that reads it, then drop the slot again"))
    }

    /// What an advance to `to` skips. Looks only.
    ///
    /// # Errors
    /// When the slot cannot be advanced to there.
    pub async fn skipped(&self, slot: &SlotInfo, to: Lsn) -> Result<Skipped> {
        let here = self.query.value("ask for the database", "SELECT current_database()").await?;
        may_advance(slot, to, here.as_deref(), current_position(&self.query).await?)
    }

    /// Advances a slot to `to`; returns the position at which it is then.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn advance(&self, slot: &SlotInfo, to: Lsn) -> Result<Lsn> {
        let name = &slot.name;
        let sql = format!(
            "SELECT end_lsn FROM pg_replication_slot_advance({}, {})",
            quote_literal(name),
            quote_literal(&to.to_string())
        );
        let end = self.query.value(&format!("advance slot {name}"), &sql).await?;
        Ok(end.and_then(|end| end.parse().ok()).unwrap_or_default())
    }
}

/// Whether a slot may be dropped without force: nobody reads it, and it is one of ours.
///
/// # Errors
/// Says what speaks against it.
pub fn may_drop(slot: &SlotInfo) -> Result<()> {
    let name = &slot.name;
    if let Some(pid) = slot.active_pid {
        return Err(Error::fatal(format!("slot {name} is read by process {pid} of the server"))
            .with_hint("stop the connector that reads it first; --force ends the session of its reader"));
    }
    match slot.plugin.as_deref() {
        Some(PLUGIN) => Ok(()),
        plugin => {
            let whose = plugin.map_or_else(
                || format!("slot {name} is a physical one, which a standby or a backup reads"),
                |plugin| format!("slot {name} is decoded by {plugin}, so pgcdc does not read it"),
            );
            Err(Error::fatal(whose).with_hint("--force drops it nevertheless"))
        }
    }
}

/// What an advance skips. `here` is the session's database, `end` the end of the server's WAL.
fn may_advance(slot: &SlotInfo, to: Lsn, here: Option<&str>, end: Lsn) -> Result<Skipped> {
    let name = &slot.name;
    let refused = |message: String, hint: String| Err(Error::fatal(message).with_hint(hint));
    let Some(from) = slot.confirmed_flush_lsn else {
        let hint = "pgcdc reads logical slots only".to_owned();
        return refused(format!("slot {name} has no confirmed position: it is a physical one"), hint);
    };
    if let Some(pid) = slot.active_pid {
        let hint = "stop the connector that reads it first".to_owned();
        return refused(format!("slot {name} is read by process {pid} of the server"), hint);
    }
    if slot.wal_status.as_deref() == Some("lost") {
        let hint = "drop it; the connector makes another one, and needs a new snapshot".to_owned();
        return refused(format!("slot {name} is lost: the server has removed WAL that it needs"), hint);
    }
    if slot.database.as_deref() != here {
        let database = slot.database.as_deref().unwrap_or_default();
        let hint = format!("connect to {database}: a slot is advanced in its own database");
        return refused(format!("slot {name} belongs to database {database}"), hint);
    }
    if to < from {
        let hint = "a slot never goes back; to read the rows again, take a snapshot".to_owned();
        return refused(format!("slot {name} is at {from} already, which is behind {to}"), hint);
    }
    if to > end {
        let hint = format!("the last position is {end}");
        return refused(format!("{to} is beyond the end of the server's WAL"), hint);
    }
    Ok(Skipped { from, to })
}

impl From<ServerSlot> for SlotInfo {
    fn from(slot: ServerSlot) -> Self {
        let ServerSlot { name, two_phase, failover, state } = slot;
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            name,
            plugin: some(state.plugin),
            database: some(state.database),
            active_pid: state.active_pid,
            restart_lsn: state.restart,
            confirmed_flush_lsn: state.confirmed,
            retained_bytes: state.retained_bytes.map(|bytes| u64::try_from(bytes).unwrap_or(0)),
            wal_status: state.wal_status,
            two_phase,
            failover,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> SlotInfo {
        SlotInfo {
            name: "s".into(),
            plugin: Some("pgoutput".into()),
            database: Some("shop".into()),
            active_pid: None,
            restart_lsn: Some(Lsn::new(50)),
            confirmed_flush_lsn: Some(Lsn::new(100)),
            retained_bytes: Some(150),
            wal_status: Some("reserved".into()),
            two_phase: Some(false),
            failover: None,
        }
    }

    #[test]
    fn only_an_idle_slot_of_ours_is_dropped_without_force() {
        assert!(may_drop(&slot()).is_ok());
        for (slot, expect) in [
            (SlotInfo { active_pid: Some(7), ..slot() }, "slot s is read by process 7 of the server"),
            (SlotInfo { plugin: Some("wal2json".into()), ..slot() }, "slot s is decoded by wal2json"),
            (SlotInfo { plugin: None, ..slot() }, "slot s is a physical one"),
        ] {
            let error = may_drop(&slot).expect_err("refused");
            assert!(error.to_string().contains(expect), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("--force")), "{error}");
        }
    }

    #[test]
    fn an_advance_goes_forward_within_the_server_s_wal() {
        let advance = |slot: &SlotInfo, to: u64| may_advance(slot, Lsn::new(to), Some("shop"), Lsn::new(200));
        let skipped = advance(&slot(), 180).expect("allowed");
        assert_eq!((skipped.from, skipped.to, skipped.bytes()), (Lsn::new(100), Lsn::new(180), 80));
        assert_eq!(advance(&slot(), 100).map(|skipped| skipped.bytes()).ok(), Some(0));
        for (slot, to, expect) in [
            (slot(), 99, "is at 0/64 already"),
            (slot(), 201, "beyond the end"),
            (SlotInfo { active_pid: Some(7), ..slot() }, 180, "is read by process 7"),
            (SlotInfo { wal_status: Some("lost".into()), ..slot() }, 180, "is lost"),
            (SlotInfo { database: Some("other".into()), ..slot() }, 180, "belongs to database other"),
            (SlotInfo { confirmed_flush_lsn: None, ..slot() }, 180, "it is a physical one"),
        ] {
            let error = advance(&slot, to).expect_err("refused");
            assert!(error.to_string().contains(expect), "{error}");
        }
    }
}
