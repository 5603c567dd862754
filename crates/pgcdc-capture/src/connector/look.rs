//! Looks at slot, stored offset and server. Everything that [`decide`](super::decide::decide) needs
//! is read here, so that the decision itself can be tested without a server.

use crate::config::Settings;
use crate::offsets::{Offset, OffsetStore};
use crate::position::Server;
use crate::postgres::{Query, SlotState, identify_server, inspect_slot};
use crate::{Error, Result};

/// What is known at a start.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The connector's slot, if it exists.
    pub(crate) slot: Option<SlotState>,
    /// The connector's offset, if one is stored.
    pub(crate) stored: Option<Offset>,
    /// The server's identity, timeline and position.
    pub(crate) server: Server,
    /// Nobody configured the offset store. So it may hold an offset of another connector of the
    /// same name.
    pub(crate) implicit: bool,
}

/// Reads the slot, the stored offset and the server's identity. With exactly-once the offset is the
/// last committed one, which is only certain once an older instance is fenced.
///
/// # Errors
/// A configuration error when the slot is not one of ours; a transient one when another process
/// reads from it; and whatever keeps server or offsets from being read.
pub(super) async fn look(settings: &Settings, offsets: &OffsetStore, query: &Query) -> Result<Known> {
    let slot = inspect_slot(query, &settings.slot.name).await?;
    if let Some(slot) = &slot {
        is_usable(slot, settings)?;
    }
    let stored = match &settings.exactly_once {
        None => offsets.load().await?,
        Some(_) => {
            offsets.prepare().await?;
            offsets.load_committed().await?
        }
    };
    let timeline = stored.as_ref().and_then(Offset::timeline);
    let server = identify_server(query, settings, timeline).await?;
    Ok(Known { slot, stored, server, implicit: offsets.is_implicit() })
}

/// Refuses a slot of another kind, database or plug-in, and a slot that another process reads from.
/// The second may pass: the server takes a while to notice that a reader is dead.
fn is_usable(slot: &SlotState, settings: &Settings) -> Result<()> {
    let (name, dbname) = (&settings.slot.name, &settings.connection.dbname);
    if slot.kind != "logical" || slot.plugin != "pgoutput" || slot.database != *dbname {
        return Err(Error::configuration(format!(
            "replication slot {name} is a {} slot of plug-in {:?} in database {:?}, not one of pgoutput in {dbname}",
            slot.kind, slot.plugin, slot.database
        ))
        .with_hint(crate::preflight::other_slot_remedy(name)));
    }
    match slot.active_pid {
        None => Ok(()),
        Some(pid) => {
            Err(Error::transient(format!("replication slot {name} is in use by process {pid} of the server"))
                .with_hint(format!("stop its reader, or end it: SELECT pg_terminate_backend({pid})")))
        }
    }
}
