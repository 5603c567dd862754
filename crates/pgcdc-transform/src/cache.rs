use std::collections::HashMap;
use std::hash::Hash;

/// Keeps the most recently used results, as Connect's `LRUCache` does.
///
/// Some of Debezium's transforms cache results by a key that does not determine the result. A record then depends on what
/// is still in the cache, so the cache's size is part of the behaviour.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    room: usize,
    clock: u64,
    entries: HashMap<K, (u64, V)>,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    pub(crate) fn new(room: usize) -> Self {
        Self { room: room.max(1), clock: 0, entries: HashMap::new() }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        self.clock += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value)
    }

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
