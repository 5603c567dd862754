//! How a missing topic is made.

use pgcdc_kafka::topics::TopicSpec;

use crate::config::TopicCreation;

/// A missing topic is made as its group in `topic.creation.*` says, else by the broker's defaults.
pub(super) fn topic_spec(creation: Option<&TopicCreation>, name: &str) -> TopicSpec {
    let mut spec = TopicSpec::new(name);
    if let Some(creation) = creation {
        let group = creation.of(name);
        spec.partitions = group.partitions;
        spec.replication_factor = group.replication_factor;
        spec.config.clone_from(&group.config);
    }
    spec
}
