//! Up to where a store has each partition's records: what the member may commit.
//!
//! Workers report here, on their own threads, and the thread that polls commits. An offset never goes back: a report that is
//! older than one before is left out. A commit that fails is repeated with the next report, since what is committed may always
//! be less than what is durable, never more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::message::Partition;

/// Up to where each partition's records are durable in the store, and so may be committed.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// For each partition of the assignment how far it is; shared with the thread that polls, which commits it.
    durable: Arc<Mutex<HashMap<Partition, Durable>>>,
}

/// Up to where one partition's records are durable.
#[derive(Debug)]
struct Durable {
    /// The next offset to read.
    next: i64,
    /// What the owner wants to be told when the partition is next assigned.
    bookmark: String,
    /// Whether it was handed to the thread that commits.
    is_committed: bool,
}

impl Progress {
    /// Reports that every record below offset `next` is durable. `bookmark` is a short text that is committed with the offset, and
    /// comes back with the partition's next assignment.
    pub fn durable(&self, partition: &Partition, next: i64, bookmark: String) {
        let mut map = self.lock();
        let durable = Durable { next, bookmark, is_committed: false };
        match map.get_mut(partition) {
            Some(known) if known.next >= next => {}
            Some(known) => *known = durable,
            None => drop(map.insert(partition.clone(), durable)),
        }
    }

    /// What has become durable since the last call: partition, next offset to read, and bookmark.
    pub(super) fn take_uncommitted(&self) -> Vec<(Partition, i64, String)> {
        let mut map = self.lock();
        let open = map.iter_mut().filter(|(_, durable)| !durable.is_committed);
        open.map(|(partition, durable)| {
            durable.is_committed = true;
            (partition.clone(), durable.next, durable.bookmark.clone())
        })
        .collect()
    }

    /// Forgets partitions that are read by another member from now on.
    pub(super) fn forget(&self, partitions: &[Partition]) {
        let mut map = self.lock();
        map.retain(|partition, _| !partitions.contains(partition));
    }

    /// Nothing panics while the lock is held, so a poisoned one has sound contents.
    fn lock(&self) -> MutexGuard<'_, HashMap<Partition, Durable>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
