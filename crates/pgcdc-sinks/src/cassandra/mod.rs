//! Cassandra and ScyllaDB: idempotent upserts and deletes, ordered by the WAL.
//!
//! Every statement says `USING TIMESTAMP`, and the timestamp is the change's LSN (a byte position,
//! far below 2⁶³). So the latest change of a row wins whatever the order in which statements arrive,
//! and replays change nothing; a batch's statements therefore run all at once. Changes of one row have
//! rising LSNs; snapshot rows get one less than the snapshot's, at which the first change may begin. A
//! delete wins a tie, which only the two halves of a changed primary key make, and these are different
//! rows.
//!
//! **Flattened records** go by their LSN only if their deletes have one too: with
//! `delete.tombstone.handling.mode=rewrite` (the row says `__deleted`) and `add.fields` naming `lsn` or
//! `source.lsn`, best with `op`, which tells snapshot rows. Tombstones behind such deletes change nothing.
//! All other flattened records, and their tombstones, go by the offset of the record, also when the rows
//! carry an LSN: a tombstone never does. That is right as long as a row stays in its partition and the topic
//! is not made again; records that capture repeats after a crash undo later changes until these are
//! repeated too.
//!
//! **One clock**: a table is filled by one of the two. When the form of a topic changes, empty the table.
//!
//! **Do not mix** writers: cells written with a wall-clock timestamp by somebody else are above every
//! LSN. The same holds for a source database whose LSNs began anew (restored from a dump): empty the
//! table first.
//!
//! **Requests** are unlogged batches of rows that lie on the same nodes, ten at most and no more than 5 KiB, so that
//! neither another node nor a warning in Cassandra's log comes of it (`unlogged_batch_rows`; 1 sends each row by itself).
//! Rows with collections that are not frozen, and those of a keyspace of tablets, always go by themselves.
//!
//! **Columns** go by name to the target's columns and by the target's type; columns that the target
//! lacks are skipped, columns that the record lacks and unchanged TOAST values are left unset, NULL
//! deletes the cell. Lists should be `frozen`: Cassandra appends to others on a replay.

mod cells;
mod clock;
mod config;
mod create;
mod flight;
mod group;
mod map;
mod table;
#[cfg(test)]
mod tests;
mod verdict;
mod write;

pub use config::CassandraConfig;
pub use write::Cassandra;
