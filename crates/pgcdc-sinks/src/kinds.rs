//! The table of stores: one row each.
//!
//! To add a store, write its folder and add a row here. The row's keys go to CONFIGURATION.md.

use std::sync::Arc;

use crate::store::{Kind, Store};

/// A parsed configuration as the table's `parse` returns it.
fn store<S: Store>(config: Option<S>) -> Option<Arc<dyn Store>> {
    config.map(|config| Arc::new(config) as _)
}

/// The stores that this build knows.
pub const KINDS: &[Kind] = &[
    #[cfg(feature = "cassandra")]
    Kind {
        name: "cassandra",
        about: "Upserts and deletes the row in a table of Cassandra or ScyllaDB, with the change's place in the order of commits as timestamp.",
        batch_max: 8000,
        keys: crate::cassandra::KEYS,
        parse: |section| store(crate::cassandra::CassandraConfig::parse(section)),
    },
    #[cfg(feature = "redis")]
    Kind {
        name: "redis",
        about: "Keeps a sorted set equal to the sum of a column by member, over a sliding window of time.",
        batch_max: 8000,
        keys: crate::redis::KEYS,
        parse: |section| store(crate::redis::RedisConfig::parse(section)),
    },
    #[cfg(feature = "http")]
    Kind {
        name: "http",
        about: "Sends a request for each change; requests of one key go out one after the other.",
        batch_max: 500,
        keys: crate::http::KEYS,
        parse: |section| store(crate::http::HttpConfig::parse(section)),
    },
];

/// The row of a name; `None` for a store that this build does not know, since its feature is off or there is no such store.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pgcdc_config::{Section, TomlFile};

    use super::*;

    /// Each key that a store reads is described, and no other one.
    #[test]
    fn the_table_has_the_keys_that_are_read() {
        for kind in KINDS {
            let (file, mut mistakes) = (TomlFile::default(), Vec::new());
            let mut section = Section::new("", file.root(), &mut mistakes);
            let _ = (kind.parse)(&mut section);
            let read: BTreeSet<&str> = section.known().iter().copied().collect();
            let described: BTreeSet<&str> =
                kind.keys.iter().filter_map(|key| key.name.split('.').next()).collect();
            assert_eq!(described, read, "{}", kind.name);
            for key in kind.keys {
                assert!(key.about.ends_with('.') && key.about.len() < 300, "{}: {}", kind.name, key.name);
            }
            // A key without a default is missed, and no other one.
            for key in kind.keys.iter().filter(|key| !key.name.contains('.')) {
                let missed = mistakes
                    .iter()
                    .any(|mistake| mistake.message.starts_with(&format!("{:?} is missing", key.name)));
                assert_eq!(missed, key.default == "required", "{}: {}", kind.name, key.name);
            }
        }
    }

    #[test]
    fn names_stand_once() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
    }
}
