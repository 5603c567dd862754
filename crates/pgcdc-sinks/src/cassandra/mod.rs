//! Cassandra and ScyllaDB: idempotent upserts and deletes, ordered by the WAL.
//!
//! Every statement says `USING TIMESTAMP`, and the timestamp is the change's LSN (a byte position,
//! far below 2⁶³). So the latest change of a row wins whatever the order in which statements arrive,
//! and replays change nothing; a batch's statements therefore run all at once. Changes of one row have
//! rising LSNs, snapshot rows carry the snapshot's, which is below any later change's. A delete wins a
//! tie, which only the two halves of a changed primary key make, and these are different rows.
//!
//! **Flattened records** have an LSN only if `add.fields` names it (`lsn` or `source.lsn`). Without one
//! the offset of the record stands in: right as long as a row stays in its partition and the topic is
//! not made again. A tombstone of a topic whose rows carry LSNs gets the highest LSN seen before it by
//! this process; if it is the very first record after a start, its delete is lost. So where rows carry
//! LSNs use `delete.tombstone.handling.mode=rewrite`, which gives deletes an LSN of their own.
//!
//! **Do not mix** writers: cells written with a wall-clock timestamp by somebody else are above every
//! LSN. The same holds for a source database whose LSNs began anew (restored from a dump): empty the
//! table first.
//!
//! **Columns** go by name to the target's columns and by the target's type; columns that the target
//! lacks are skipped, columns that the record lacks and unchanged TOAST values are left unset, NULL
//! deletes the cell. Lists should be `frozen`: Cassandra appends to others on a replay.

mod config;
mod create;
mod map;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub use config::CassandraConfig;
pub use write::Cassandra;
