//! The key columns of tables, kept beside the offset so that they outlive the tables.
//!
//! A row that waits in the slot may belong to a table that is dropped before the row is read. For
//! most replica identities the stream does not say which columns were the key, and the catalog no
//! longer knows. Without its key a record would go to Kafka keyless, and compaction and sinks could
//! not match it with the table's other records. So keys are written beside the offset and read at
//! the next start.
//!
//! The connector loads them, [`Tables`](crate::tables::Tables) asks and teaches them as `Relation`
//! messages come, and a task beside the stream writes them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::offsets::OffsetStore;
use crate::postgres::Query;
use crate::{Error, Result};

/// How often new keys are written.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// The most bytes of keys that are written: a record of Kafka's default size (1 MiB) holds them.
/// When there are more, keys of a single column are left out: with replica identity `DEFAULT`, the
/// usual one, the stream itself tells them.
const MOST_BYTES: usize = 700 * 1024;

/// The keys of tables, by the table's oid: the names of the columns in the key's order. Clones
/// share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownKeys(Arc<Mutex<Inner>>);

/// What the clones share.
#[derive(Debug, Default)]
struct Inner {
    /// The database whose tables these are: an oid means another table elsewhere.
    database: String,
    /// The key's columns by the table's oid; an empty list for a table without a key.
    keys: HashMap<u32, Vec<Box<str>>>,
    /// Tables whose key was learnt in this run. The keys of all others are from an earlier run.
    seen: HashSet<u32>,
    /// Whether there is something to write.
    changed: bool,
}

impl KnownKeys {
    /// Reads the keys that an earlier run kept for `database`; none when nothing was kept, or for
    /// another database.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn load(store: &OffsetStore, database: &str) -> Result<Self> {
        let mut inner = Inner { database: database.to_owned(), ..Inner::default() };
        if let Some(value) = store.load_keys().await?
            && value["database"] == *database
        {
            inner.keys = value["keys"].as_str().and_then(read).unwrap_or_default();
        }
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    /// Adds the keys of tables that exist now and were not known. Keys that were known stay: rows
    /// that wait in the slot may be older than a change of the key.
    pub(crate) async fn add(&self, query: &Query, oids: impl Iterator<Item = u32>) -> Result<()> {
        let new: Vec<u32> = {
            let inner = self.lock();
            oids.filter(|oid| !inner.keys.contains_key(oid)).collect()
        };
        self.put(keys_now(query, &new).await?);
        Ok(())
    }

    /// Replaces the known keys by those that the tables have now. Only for a stream that has read
    /// all there is: otherwise rows that are older than a change of the key would get the new one.
    pub(crate) async fn refresh(&self, query: &Query) -> Result<()> {
        let all: Vec<u32> = self.lock().keys.keys().copied().collect();
        self.put(keys_now(query, &all).await?);
        Ok(())
    }

    fn put(&self, keys: HashMap<u32, Vec<Box<str>>>) {
        let mut inner = self.lock();
        for (oid, key) in keys {
            inner.put(oid, key);
        }
    }

    /// A table's key, empty when it is not known or the table has none; and whether it is from
    /// before this run.
    pub(crate) fn get(&self, oid: u32) -> (Vec<Box<str>>, bool) {
        let inner = self.lock();
        (inner.keys.get(&oid).cloned().unwrap_or_default(), !inner.seen.contains(&oid))
    }

    /// Notes what a table's key is from here on, as the stream or the catalog said it.
    pub(crate) fn learn(&self, oid: u32, key: Vec<Box<str>>) {
        let mut inner = self.lock();
        inner.seen.insert(oid);
        inner.put(oid, key);
    }

    /// Writes the keys if there is something new. After an error they count as new again.
    pub(crate) async fn save(&self, store: &OffsetStore) -> Result<()> {
        let value = {
            let mut inner = self.lock();
            if !std::mem::take(&mut inner.changed) {
                return Ok(());
            }
            inner.to_json()
        };
        let written = store.store_keys(value).await;
        if written.is_err() {
            self.lock().changed = true;
        }
        written
    }

    /// Writes new keys every few seconds. Never ends: it is run beside the stream and dropped with
    /// it.
    pub(crate) async fn keep(&self, store: &OffsetStore) {
        loop {
            tokio::time::sleep(WRITTEN_EVERY).await;
            self.save_or_warn(store).await;
        }
    }

    /// Writes new keys. A failure is a warning and no error, since only rows of dropped tables need
    /// them.
    pub(crate) async fn save_or_warn(&self, store: &OffsetStore) {
        if let Err(error) = self.save(store).await {
            warn(&error);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn(error: &Error) {
    tracing::warn!(%error, "the tables' keys could not be written: rows of a table that is dropped may lose their key after a restart");
}

impl Inner {
    /// Sets one table's key, and notes whether that is a change worth writing.
    fn put(&mut self, oid: u32, key: Vec<Box<str>>) {
        if self.keys.get(&oid).map_or(&[][..], Vec::as_slice) != key.as_slice() {
            self.keys.insert(oid, key);
            self.changed = true;
        }
    }

    /// The record's value: `{"database": "shop", "keys": "{\"16385\":[\"id\"]}"}`. The inner
    /// document is a text because Kafka Connect takes nothing but primitives in an offset.
    fn to_json(&self) -> Value {
        let all = self.keys.iter().filter(|(_, key)| !key.is_empty());
        let size: usize =
            all.clone().map(|(_, key)| 18 + key.iter().map(|name| name.len() + 5).sum::<usize>()).sum();
        let keys: Map<String, Value> = all
            .filter(|(_, key)| size < MOST_BYTES || key.len() > 1)
            .map(|(oid, key)| (oid.to_string(), json!(key)))
            .collect();

        json!({"database": self.database, "keys": Value::Object(keys).to_string()})
    }
}

/// The keys that tables have now, an empty one for a table without a key. The key is the primary
/// key, else the first unique index by name that is valid, not partial and without expressions, as
/// Debezium takes it. Tables that are gone are left out.
///
/// Source: PostgreSQL documentation, "System Catalogs": `pg_index` (`indkey` counts from 0 and
/// lists included columns behind the first `indnkeyatts`).
async fn keys_now(query: &Query, oids: &[u32]) -> Result<HashMap<u32, Vec<Box<str>>>> {
    let mut found: HashMap<u32, Vec<Box<str>>> = HashMap::new();
    if oids.is_empty() {
        return Ok(found);
    }
    let oids: Vec<String> = oids.iter().map(u32::to_string).collect();
    let sql = format!(
        "SELECT t.oid, a.attname FROM pg_class t
         LEFT JOIN LATERAL (
           SELECT i.indkey, i.indnkeyatts FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
           WHERE i.indrelid = t.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
           ORDER BY i.indisprimary DESC, c.relname LIMIT 1) i ON true
         LEFT JOIN LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k(attnum, at) ON true
         LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
         WHERE t.oid = ANY('{{{}}}'::oid[]) ORDER BY t.oid, k.at",
        oids.join(",")
    );
    for row in query.rows("read the tables' keys", &sql).await? {
        if let Some(Ok(oid)) = row.get(0).map(str::parse) {
            found.entry(oid).or_default().extend(row.get(1).map(Into::into));
        }
    }
    Ok(found)
}

/// Reads the inner document that [`Inner::to_json`] writes; `None` when it is not one.
fn read(text: &str) -> Option<HashMap<u32, Vec<Box<str>>>> {
    let keys: HashMap<String, Vec<Box<str>>> = serde_json::from_str(text).ok()?;
    Some(keys.into_iter().filter_map(|(oid, key)| Some((oid.parse().ok()?, key))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_outlive_a_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = OffsetStore::file("c", "p", folder.path().join("offsets.json"));
        let keys = KnownKeys::load(&store, "1/5").await.expect("nothing there");
        keys.learn(7, vec!["b".into(), "a".into()]);
        keys.learn(8, Vec::new());
        assert_eq!(keys.get(7), (vec!["b".into(), "a".into()], false));
        keys.save(&store).await.expect("written");
        let again = KnownKeys::load(&store, "1/5").await.expect("read");
        assert_eq!(again.get(7), (vec!["b".into(), "a".into()], true));
        assert_eq!(again.get(8), (Vec::new(), true));
        let other = KnownKeys::load(&store, "1/6").await.expect("read");
        assert_eq!(other.get(7), (Vec::new(), true), "another database's tables");
    }

    #[test]
    fn many_keys_still_fit_into_a_record() {
        let keys = KnownKeys::default();
        for oid in 1..60_000 {
            keys.learn(oid, vec!["identifier".into()]);
        }
        keys.learn(60_000, vec!["b".into(), "a".into()]);
        let text = keys.lock().to_json().to_string();
        assert!(text.len() < MOST_BYTES && text.contains("60000"), "{}", text.len());
    }
}
