//! The beginning of a snapshot: slot, session, and the tables that are in it.
//!
//! `CREATE_REPLICATION_SLOT … (SNAPSHOT 'export')` gives two things that belong together: a
//! position in the WAL, and the name of a snapshot of the database at exactly this position. Rows
//! are read under the snapshot and changes from the position, so nothing is missing and nothing
//! comes twice. Source: PostgreSQL documentation, "Streaming Replication Protocol", and
//! `SET TRANSACTION SNAPSHOT`.

use pgcdc_event::Lsn;

use super::statements::import;
use crate::config::{PublicationMode, Settings};
use crate::postgres::{
    CapturedTable, ExportedSlot, NewSlot, Query, Replication, RowReader, captured_tables, drop_when_free,
    ensure_publication, inspect_publication, set_identities,
};
use crate::{Error, Result, SqlState};

/// How many times the slot is made anew because a table was created meanwhile that the publication
/// did not have.
const MOST_TRIES: u32 = 10;

/// A snapshot that can be read. It ends when `session` or `reader` does.
pub(crate) struct Begun {
    /// The session that made the slot. The snapshot lives as long as this session runs no other command.
    pub(crate) session: Replication,
    /// The slot, with the position of the snapshot.
    pub(crate) made: ExportedSlot,
    /// The name under which other sessions import the snapshot.
    pub(crate) name: String,
    /// A session that sees the snapshot.
    pub(crate) reader: RowReader,
    /// The tables that are in it.
    pub(crate) tables: Vec<CapturedTable>,
}

/// Makes a slot and opens the snapshot that the server exports with it.
///
/// The tables are listed in the snapshot itself. So it also has tables that were created after
/// `listed`, the list that the publication was made from. Such a table is added to the publication,
/// and then the slot is made anew: the stream has no changes of a table from before it was
/// published.
///
/// # Errors
/// Those of the server; a transient one when tables are created faster than this follows.
pub(crate) async fn begin(
    query: &Query,
    settings: &Settings,
    listed: &[CapturedTable],
    slot: NewSlot<'_>,
) -> Result<Begun> {
    let mut listed = listed.to_vec();
    for _ in 0..MOST_TRIES {
        let mut session = Replication::connect(settings, &settings.slot.name, Lsn::ZERO).await?;
        let made = ExportedSlot::create(&mut session, slot).await?;
        let Some(name) = made.snapshot.clone() else {
            return Err(Error::fatal("the server exported no snapshot with the new slot"));
        };
        let mut reader = RowReader::connect(&settings.connection).await?;
        reader.execute("import the snapshot", &import(&name)).await?;
        let mut tables = captured_tables(&mut reader, settings).await?;
        let Some(published) = publish_new(query, settings, &listed, &mut tables).await? else {
            return Ok(Begun { session, made, name, reader, tables });
        };
        listed = published;
        reader.close().await;
        session.stop().await;
        if !slot.temporary {
            drop_when_free(query, slot.name).await?;
        }
    }
    Err(Error::transient("tables are made faster than publication and snapshot can follow")
        .with_hint("publication.autocreate.mode=all_tables has every table at once"))
}

/// Creates or alters the publication as the settings want it. When one of `tables` was dropped
/// since they were listed, lists them again.
///
/// # Errors
/// Those of the server; a transient one when tables are dropped faster than this follows.
pub(crate) async fn publish(
    query: &Query,
    settings: &Settings,
    tables: &mut Vec<CapturedTable>,
) -> Result<()> {
    for _ in 0..MOST_TRIES {
        match ensure_publication(query, &settings.publication, tables).await {
            Ok(done) => {
                if let Some(sql) = done {
                    tracing::info!(sql, "publication made");
                }
                return Ok(());
            }
            Err(error) if error.sqlstate() == Some(SqlState::UNDEFINED_TABLE) => {
                *tables = captured_tables(&mut &*query, settings).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::transient("tables are dropped faster than a publication of them can be made"))
}

/// Gives the snapshot's tables that are not in `listed` their replica identity, and adds them to a
/// publication of our own. Returns the list that the publication was then made from; `None` when
/// the publication did not have to change.
async fn publish_new(
    query: &Query,
    settings: &Settings,
    listed: &[CapturedTable],
    tables: &mut [CapturedTable],
) -> Result<Option<Vec<CapturedTable>>> {
    let is_new = |table: &CapturedTable| !listed.iter().any(|other| other.oid == table.oid);
    if !tables.iter().any(is_new) {
        return Ok(None);
    }
    set_identities(query, &settings.identities, tables).await?;
    let publication = &settings.publication;
    if publication.autocreate != PublicationMode::Filtered
        || !tables.iter().any(|table| table.published && is_new(table))
        || inspect_publication(query, &publication.name).await?.is_some_and(|state| state.all_tables)
    {
        return Ok(None);
    }
    // The tables of now, not of the snapshot: some may have been dropped.
    let mut now = captured_tables(&mut &*query, settings).await?;
    tracing::info!("tables were made meanwhile: they are published, and the snapshot begins anew");
    publish(query, settings, &mut now).await?;
    Ok(Some(now))
}
