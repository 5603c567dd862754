use std::collections::HashMap;
use std::hash::Hash;

/// Keeps the most recently used results, as Connect's `LRUCache` does.
///
/// Some of Debezium's transforms cache results by a key that does not determine the result. A record then depends on what
/// is still in the cache, so the cache's size is part of the behaviour.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    /// How many results are kept.
    room: usize,
    /// Counts uses; an entry's number is the count at its last use.
    clock: u64,
    entries: HashMap<K, (u64, V)>,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    /// An empty memory for at least one result.
    pub(crate) fn new(room: usize) -> Self {
        Self { room: room.max(1), clock: 0, entries: HashMap::new() }
    }

    /// A remembered result, which thereby becomes the most recent one.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        self.clock += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value)
    }

    /// Remembers a result. When there is no room, the least recently used one is forgotten; finding it looks at all entries.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.clock += 1;
        if self.entries.len() >= self.room && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(key, (self.clock, value));
    }

    /// A remembered result, or a new one, which is remembered unless it is an error.
    pub(crate) fn get_or<E>(&mut self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        V: Clone,
    {
        if let Some(known) = self.get(key) {
            return Ok(known.clone());
        }
        let value = compute()?;
        self.put(key.clone(), value.clone());
        Ok(value)
    }
}
