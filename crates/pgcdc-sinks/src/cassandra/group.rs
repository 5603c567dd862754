//! Which statements go to the server in one request, and sending them.
//!
//! Rows of the same replicas share an unlogged batch: the driver sends it to one of these, which would have got each of
//! them anyway. A request less a row is most of what a row costs the driver, and much of what it costs the server. The
//! batch is no transaction and need not be one: each statement has its own timestamp and changes nothing when repeated.

use std::mem;

use scylla::client::session::Session;
use scylla::cluster::ClusterState;
use scylla::errors::ExecutionError;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use uuid::Uuid;

use super::table::Statement;
use super::write::classify;
use crate::{Rejected, SinkError};

/// Cassandra warns of larger batches (`batch_size_warn_threshold`).
const BYTES: usize = 5 * 1024;

/// Statements of one request.
pub(super) type Request = Vec<Statement>;

/// The nodes that hold a row, and where in them (ScyllaDB has a shard for each core), in order.
type Replicas = Vec<(Uuid, u32)>;

/// Puts statements together that have the same replicas in the preferred datacenter, `most` at a time.
pub(super) fn requests(
    state: &ClusterState,
    keyspace: &str,
    datacenter: Option<&str>,
    statements: Vec<Statement>,
    most: usize,
) -> Vec<Request> {
    let one_place = matches!(state.get_nodes_info(), [node] if node.sharder().is_none());
    let replicas = |statement: &Statement| -> Option<Replicas> {
        let table = statement.prepared().get_table_spec()?.table_name();
        let token = state.compute_token(keyspace, table, &statement.partition_key()).ok()?;
        let held = state.get_token_endpoints(keyspace, table, token);
        let near = held
            .iter()
            .filter(|(node, _)| datacenter.is_none_or(|dc| node.datacenter.as_deref() == Some(dc)));
        let mut replicas: Replicas = near.map(|(node, shard)| (node.host_id, *shard)).collect();
        replicas.sort_unstable();
        Some(replicas).filter(|replicas| !replicas.is_empty())
    };
    let place = |statement: &Statement| {
        if one_place {
            Place::Known(Replicas::new())
        } else {
            replicas(statement).map_or(Place::Unknown, Place::Known)
        }
    };
    group(statements.into_iter().map(|statement| (place(&statement), statement.weight(), statement)), most)
}

#[derive(Debug)]
enum Place {
    Known(Replicas),
    /// Equal to no other.
    Unknown,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Known(one), Self::Known(other)) if one == other)
    }
}

/// Items of the same place together, up to `most` and [`BYTES`]. One that is larger goes alone.
fn group<K: PartialEq, T>(items: impl Iterator<Item = (K, usize, T)>, most: usize) -> Vec<Vec<T>> {
    let mut groups = Vec::new();
    let mut open: Vec<(K, usize, Vec<T>)> = Vec::new();
    for (place, bytes, item) in items {
        match open.iter_mut().find(|(other, ..)| *other == place) {
            None => open.push((place, bytes, vec![item])),
            Some((_, weight, group)) if group.len() < most && *weight + bytes <= BYTES => {
                *weight += bytes;
                group.push(item);
            }
            Some((_, weight, group)) => {
                *weight = bytes;
                groups.push(mem::replace(group, vec![item]));
            }
        }
    }
    groups.extend(open.into_iter().map(|(.., group)| group));
    groups
}

/// Executes the statements of a request; returns those that can never be.
pub(super) async fn send(session: &Session, request: Request) -> Result<Vec<Rejected>, SinkError> {
    if request.len() > 1 {
        match together(session, &request).await {
            Ok(()) => return Ok(Vec::new()),
            // One of them is at fault; which, only the server knows.
            Err(error) => classify(&error).map(drop)?,
        }
    }
    let mut rejected = Vec::new();
    for Statement { offset, target, is_upsert, values } in request {
        let prepared = if is_upsert { &target.upsert } else { &target.delete };
        if let Err(error) = session.execute_unpaged(prepared, values).await {
            rejected.push(Rejected { offset, reason: classify(&error)? });
        }
    }
    Ok(rejected)
}

async fn together(session: &Session, request: &[Statement]) -> Result<(), ExecutionError> {
    let prepared = request.iter().map(|one| BatchStatement::PreparedStatement(one.prepared().clone()));
    let mut batch = Batch::new_with_statements(BatchType::Unlogged, prepared.collect());
    batch.set_is_idempotent(true);
    if let Some(consistency) = request.first().and_then(|one| one.prepared().get_consistency()) {
        batch.set_consistency(consistency);
    }
    let values: Vec<_> = request.iter().map(|one| &one.values).collect();
    session.batch(&batch, values).await.map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 3, 2]);
        assert_eq!(group([(Place::Unknown, 1, ()), (Place::Unknown, 1, ())].into_iter(), 10).len(), 2);
    }
}
