//! Which statements go to the server in one request.
//!
//! Rows that lie on the same replicas share an unlogged batch of the protocol, which goes to one of these replicas. Requests are
//! most of what rows cost the driver, and much of what they cost the server. A batch is no transaction and need not be one: each
//! statement has its own timestamp and changes nothing when it is repeated.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use scylla::cluster::ClusterState;
use uuid::Uuid;

use super::config::CassandraConfig;
use super::table::Statement;

/// Bytes of a batch. Cassandra warns of larger ones (`batch_size_warn_threshold`).
const BYTES: usize = 5 * 1024;

/// Statements that go together.
pub(super) type Request = Vec<Statement>;

/// The nodes that hold a row, and where in them (ScyllaDB has a shard for each core), in order.
type Replicas = Vec<(Uuid, u32)>;

/// Puts statements together that have the same replicas in the preferred datacenter.
pub(super) struct Requests<'w> {
    config: &'w CassandraConfig,
    state: Arc<ClusterState>,
    /// Whether all rows have the same replica.
    one_place: bool,
    groups: Groups<Replicas, Statement>,
}

impl<'w> Requests<'w> {
    pub(super) fn new(config: &'w CassandraConfig, state: Arc<ClusterState>) -> Self {
        let one_place = matches!(state.get_nodes_info(), [node] if node.sharder().is_none());
        Self { config, state, one_place, groups: Groups::new(config.unlogged_batch_rows) }
    }

    /// Takes a statement; returns a request that is ready to be sent.
    pub(super) fn add(&mut self, statement: Statement) -> Option<Request> {
        let weight = statement.weight();
        let alone = self.config.unlogged_batch_rows < 2
            || weight > BYTES
            || statement.target.is_solitary.load(Relaxed);
        match if alone { None } else { self.replicas(&statement) } {
            Some(replicas) => self.groups.add(replicas, weight, statement),
            None => Some(vec![statement]),
        }
    }

    /// The requests that were not returned yet.
    pub(super) fn rest(self) -> impl Iterator<Item = Request> {
        self.groups.rest()
    }

    /// `None` when they are not known.
    fn replicas(&self, statement: &Statement) -> Option<Replicas> {
        if self.one_place {
            return Some(Replicas::new());
        }
        let prepared = statement.prepared();
        let token = prepared.calculate_token(&statement.values).ok()??;
        let table = prepared.get_table_spec()?;
        let held = self.state.get_token_endpoints(table.ks_name(), table.table_name(), token);
        let preferred = self.config.datacenter.as_deref();
        let near =
            held.iter().filter(|(node, _)| preferred.is_none() || node.datacenter.as_deref() == preferred);
        let mut replicas: Replicas = near.map(|(node, shard)| (node.host_id, *shard)).collect();
        replicas.sort_unstable();
        Some(replicas).filter(|replicas| !replicas.is_empty())
    }
}

/// Groups items of the same place, up to a number of items and [`BYTES`].
struct Groups<K, T> {
    /// Items that a group has at most.
    most: usize,
    /// Groups that still take items, each with its bytes.
    open: HashMap<K, (usize, Vec<T>)>,
}

impl<K: Eq + Hash, T> Groups<K, T> {
    fn new(most: usize) -> Self {
        Self { most, open: HashMap::new() }
    }

    /// Returns a group that takes no more.
    fn add(&mut self, place: K, bytes: usize, item: T) -> Option<Vec<T>> {
        let (weight, group) = self.open.entry(place).or_default();
        if *weight + bytes > BYTES && !group.is_empty() {
            *weight = bytes;
            return Some(mem::replace(group, vec![item]));
        }
        *weight += bytes;
        group.push(item);
        if group.len() < self.most {
            return None;
        }
        *weight = 0;
        Some(mem::take(group))
    }

    fn rest(self) -> impl Iterator<Item = Vec<T>> {
        self.open.into_values().map(|(_, group)| group).filter(|group| !group.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group<K: Eq + Hash, T>(items: impl Iterator<Item = (K, usize, T)>, most: usize) -> Vec<Vec<T>> {
        let mut groups = Groups::new(most);
        let mut all: Vec<_> =
            items.filter_map(|(place, bytes, item)| groups.add(place, bytes, item)).collect();
        all.extend(groups.rest());
        all
    }

    proptest! {
        #[test]
        fn a_group_has_one_place_and_keeps_to_the_limits(
            items in prop::collection::vec((0_u8..4, prop_oneof![1_usize..1_000, 1_000_usize..10_000]), 0..200),
            most in 1_usize..20,
        ) {
            let groups = group(items.iter().enumerate().map(|(at, &(place, bytes))| (place, bytes, at)), most);
            for group in &groups {
                prop_assert!((1..=most).contains(&group.len()));
                prop_assert!(group.iter().all(|at| items[*at].0 == items[group[0]].0));
                let bytes: usize = group.iter().map(|at| items[*at].1).sum();
                prop_assert!(bytes <= BYTES || group.len() == 1, "{bytes} bytes in {}", group.len());
            }
            // Each once, and those of a place in their order.
            for place in 0..4 {
                let here = |at: &usize| items[*at].0 == place;
                let grouped: Vec<usize> = groups.iter().flatten().copied().filter(here).collect();
                let wanted: Vec<usize> = (0..items.len()).filter(here).collect();
                prop_assert_eq!(grouped, wanted);
            }
        }
    }

    #[test]
    fn groups_are_filled() {
        let groups = group((0..25).map(|at| (at % 2, 100, at)), 10);
        let mut lengths: Vec<_> = groups.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [2, 3, 10, 10]);
        let sized: Vec<_> = group([100, 6_000, 100, 100].iter().map(|bytes| ((), *bytes, *bytes)), 10);
        assert_eq!(sized, [vec![100], vec![6_000], vec![100, 100]]);
    }
}
