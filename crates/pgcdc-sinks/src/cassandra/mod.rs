//! Cassandra and ScyllaDB: idempotent upserts and deletes, ordered by the WAL.
//!
//! Every statement says `USING TIMESTAMP`, and the timestamp is the change's place in the order of commits
//! ([`order`](crate::order)): `max(source.sequence[0], source.lsn)`, shifted by ten bits, and in these bits the rank of a
//! change among those of its row that one transaction made before another one committed (24,576 of them; later changes
//! share the last rank). So the latest change of a row wins whatever the order in which statements arrive, and replays
//! change nothing; a batch's statements therefore run all at once. Snapshot rows are just below the first change that
//! the snapshot did not see. A delete wins a tie, which only the two halves of a changed primary key make, and these are
//! different rows. On ScyllaDB, which takes no timestamp of the far future, positions are not shifted, and there are 24
//! ranks.
//!
//! **Flattened records** go by the order of commits only if their deletes have a position too: with
//! `delete.tombstone.handling.mode=rewrite` (the row says `__deleted`) and
//! `add.fields=op,source.lsn,source.sequence,source.ts_us`. `op` tells snapshot rows, `source.sequence` the order of
//! transactions, `source.ts_us` a restored database; the sink warns at the first record that lacks the first two.
//! Tombstones behind such deletes change nothing. All other flattened records, and their tombstones, go by the offset of
//! the record, also when the rows carry a position: a tombstone never does. That is right as long as a row stays in its
//! partition and the topic is not made again; records that capture repeats after a crash undo later changes until these
//! are repeated too.
//!
//! **One clock**: a table is filled by one of the two. When the form of a topic changes, empty the table.
//!
//! **Positions that fall** (a database restored into a new cluster, a failover to a server that was behind, a topic that
//! another database takes over) are noticed, and the sink stops before the first record that would lose against what is
//! stored. `new_history = "continue"` takes it, and all that follows, for newer. What was seen is kept in the metadata of
//! the group's committed offsets: a sink with another `group.id` and an old table does not know it. Empty the table then.
//!
//! **Do not mix** writers: cells written with a wall-clock timestamp by somebody else compare with positions by accident.
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
pub(crate) use config::KEYS;
pub use write::Cassandra;
