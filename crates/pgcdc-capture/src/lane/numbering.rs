//! The numbers that `provide.transaction.metadata` gives to a transaction's changes, and their
//! sums.
//!
//! Debezium puts `total_order` and `data_collection_order` into each change, and the counts of all
//! tables into the record of the transaction's end. The tables' order there is the iteration order
//! of a Java `HashMap`, which is reproduced so that records are equal byte for byte.

use std::collections::HashMap;

use pgcdc_event::{Lsn, TableName};
use pgcdc_format::envelope::Ordinal;

/// How Debezium names the collection of a logical message in that map: Java's default way to print
/// an object, whose hash follows the `@`. Each message is a collection of its own.
const MESSAGE: &str =
    "io.debezium.connector.postgresql.LogicalDecodingMessageMonitor$LogicalDecodingMessageId@";

/// The number of buckets of a new `HashMap` in Java.
const FIRST_CAPACITY: usize = 16;

/// Counts the changes of one transaction after the other. Pure.
#[derive(Debug)]
pub(super) struct Numbering {
    /// Changes of the open transaction so far.
    total: u64,
    /// Its tables and messages, in the order of their first change.
    collections: Vec<Collection>,
    /// The index of a table in `collections`, by the oid that rows carry.
    by_oid: HashMap<u32, usize>,
    /// Buckets of Java's map. A map that has grown keeps its buckets when it is cleared, as
    /// Debezium does between transactions.
    capacity: usize,
}

/// A table, or a logical message.
#[derive(Debug)]
struct Collection {
    /// `schema.table`, or a name made from [`MESSAGE`].
    name: String,
    /// Java's hash of the name, spread as `HashMap.hash` does.
    hash: u32,
    /// Its changes so far.
    count: u64,
}

impl Default for Numbering {
    fn default() -> Self {
        Self { total: 0, collections: Vec::new(), by_oid: HashMap::new(), capacity: FIRST_CAPACITY }
    }
}

impl Numbering {
    /// A transaction begins: everything is counted from zero.
    pub(super) fn begin(&mut self) {
        self.total = 0;
        self.collections.clear();
        self.by_oid.clear();
    }

    /// Notes that a table was announced, perhaps under another name. Under one name the count goes
    /// on.
    pub(super) fn announce(&mut self, oid: u32, schema: &str, table: &str) {
        self.by_oid.remove(&oid);
        if !self.collections.is_empty()
            && let Some(at) = self.position(&TableName::new(schema, table).to_string())
        {
            self.by_oid.insert(oid, at);
        }
    }

    /// The number that the next change of a table gets, if it counts.
    pub(super) fn next(&self, oid: u32) -> Ordinal {
        let before = self.by_oid.get(&oid).map_or(0, |&at| self.collections[at].count);
        Ordinal { total: self.total + 1, of_table: before + 1 }
    }

    /// Counts changes of a table.
    pub(super) fn count(&mut self, oid: u32, table: &TableName, changes: u64) {
        if changes == 0 {
            return;
        }
        let at = match self.by_oid.get(&oid) {
            Some(&at) => at,
            None => {
                let at = self.place(table.to_string());
                self.by_oid.insert(oid, at);
                at
            }
        };
        self.collections[at].count += changes;
        self.total += changes;
    }

    /// Counts a logical message, and gives its number.
    pub(super) fn message(&mut self, lsn: Lsn) -> Ordinal {
        // Java prints the object's identity hash there. We take the message's position, which is the same
        // after a restart.
        let at = self.place(format!("{MESSAGE}{:x}", lsn.as_u64() & 0x7fff_ffff));
        self.collections[at].count += 1;
        self.total += 1;
        Ordinal { total: self.total, of_table: self.collections[at].count }
    }

    /// How many changes there were in all.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many changes each table had, in the order in which Java's `HashMap` iterates.
    pub(super) fn sums(&self) -> Vec<(&str, u64)> {
        let mut ordered: Vec<&Collection> = self.collections.iter().collect();
        ordered.sort_by_key(|collection| collection.hash as usize & (self.capacity - 1)); // stable
        ordered.into_iter().map(|collection| (&*collection.name, collection.count)).collect()
    }

    /// The index of a name in `collections`.
    fn position(&self, name: &str) -> Option<usize> {
        self.collections.iter().position(|collection| collection.name == name)
    }

    /// The index of a name in `collections`; a new name is added.
    fn place(&mut self, name: String) -> usize {
        if let Some(at) = self.position(&name) {
            return at;
        }
        let hash = java_hash(&name);
        self.collections.push(Collection { name, hash: hash ^ (hash >> 16), count: 0 });

        while self.collections.len() > self.capacity / 4 * 3 {
            self.capacity *= 2;
        }
        self.collections.len() - 1
    }
}

/// Java's `String.hashCode`.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> TableName {
        let (schema, table) = name.split_once('.').expect("schema.table");
        TableName::new(schema, table)
    }

    #[test]
    fn numbers_and_sums_as_recorded() {
        let mut numbering = Numbering::default();
        for _ in 0..2 {
            numbering.begin();
            let tables = [(1, "s1.t"), (2, "s2.t"), (3, "public.t"), (1, "s1.t"), (2, "s2.t")];
            let numbers: Vec<(u64, u64)> = tables
                .iter()
                .map(|(oid, name)| {
                    let ordinal = numbering.next(*oid);
                    numbering.count(*oid, &table(name), 1);
                    (ordinal.total, ordinal.of_table)
                })
                .collect();
            assert_eq!(numbers, [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]);
            assert_eq!(numbering.total(), 5);
            assert_eq!(numbering.sums(), [("s2.t", 2), ("s1.t", 2), ("public.t", 1)]);
        }
    }

    #[test]
    fn what_is_skipped_does_not_count_and_a_changed_key_counts_twice() {
        let mut numbering = Numbering::default();
        numbering.begin();
        numbering.count(1, &table("public.t"), 0);
        assert_eq!(numbering.sums(), []);
        numbering.count(1, &table("public.t"), 2);
        assert_eq!(numbering.next(1), Ordinal { total: 3, of_table: 3 });
    }

    #[test]
    fn each_message_is_a_collection_of_its_own() {
        let mut numbering = Numbering::default();
        numbering.begin();
        assert_eq!(numbering.message(Lsn::new(7)), Ordinal { total: 1, of_table: 1 });
        assert_eq!(numbering.message(Lsn::new(8)), Ordinal { total: 2, of_table: 1 });
        assert!(numbering.sums().iter().all(|(name, count)| name.starts_with(MESSAGE) && *count == 1));
    }

    #[test]
    fn a_renamed_table_counts_under_its_new_name() {
        let mut numbering = Numbering::default();
        numbering.begin();
        numbering.count(1, &table("public.a"), 1);
        numbering.announce(1, "public", "a");
        assert_eq!(numbering.next(1), Ordinal { total: 2, of_table: 2 });
        numbering.announce(1, "public", "b");
        assert_eq!(numbering.next(1), Ordinal { total: 2, of_table: 1 });
        numbering.count(1, &table("public.b"), 1);
        assert_eq!(numbering.sums().len(), 2);
    }

    #[test]
    fn java_s_hashes() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("é"), 233);
    }
}
