//! Ranks of tied changes: changes of one transaction that all have the same number.
//!
//! The records of a transaction stand one behind the other in a partition. A rank holds for a stretch of them in which
//! no key comes twice; where one does, the next stretch begins, with the next rank. So two changes of one key never have
//! the same rank, and the later one has the higher. The ranks follow from the records alone, read in their order.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// Keys that a stretch has at most, so that memory is bounded: half a megabyte.
const STRETCH: usize = 1 << 16;

/// The ranks of one partition.
#[derive(Debug)]
pub(super) struct Ties {
    /// The number that the changes have.
    position: u64,
    rank: u32,
    /// Hashes of the keys of this stretch. Two keys with the same hash only begin a stretch too early.
    seen: HashSet<u64>,
    hasher: RandomState,
    most: usize,
}

impl Default for Ties {
    fn default() -> Self {
        Self { position: 0, rank: 0, seen: HashSet::new(), hasher: RandomState::new(), most: STRETCH }
    }
}

impl Ties {
    /// Goes on within a transaction of which the records so far have at most this rank.
    pub(super) fn resume(position: u64, rank: u32) -> Self {
        Self { position, rank: rank.saturating_add(1), ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn with_stretches_of(most: usize) -> Self {
        Self::default().with_most(most)
    }

    #[cfg(test)]
    pub(super) fn with_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Where the last tied change stood, and its rank.
    pub(super) fn last(&self) -> (u64, u32) {
        (self.position, self.rank)
    }

    /// The rank of the next tied change.
    pub(super) fn rank(&mut self, position: u64, key: &[u8]) -> u32 {
        if position != self.position {
            (self.position, self.rank) = (position, 0);
            self.begin();
        }
        let key = self.hasher.hash_one(key);
        if self.seen.len() >= self.most.max(1) || !self.seen.insert(key) {
            self.rank = self.rank.saturating_add(1);
            self.begin();
            self.seen.insert(key);
        }
        self.rank
    }

    /// Begins a stretch. A set that has grown is let go: clearing it would cost as much as it had room for.
    fn begin(&mut self) {
        if self.seen.capacity() > 1024 { self.seen = HashSet::new() } else { self.seen.clear() }
    }
}
