use std::sync::Arc;

use futures_util::FutureExt as _;
use pgcdc_kafka::ClientProperties;
use pgcdc_kafka::topics::{TopicSpec, Topics};
use tokio::task::JoinHandle;

use super::kafka::kafka_error;
use crate::config::TopicCreation;
use crate::{Error, Result};

/// Makes missing topics beside the stream: all that are wanted by then with one request.
#[derive(Debug)]
pub(super) struct Making {
    properties: ClientProperties,
    creation: Option<TopicCreation>,
    /// One client for all of them: a thousand tables would make two thousand.
    topics: Option<Arc<Topics>>,
    wanted: Vec<String>,
    running: Option<JoinHandle<Result<Vec<There>>>>,
}

/// A topic that is there.
#[derive(Debug)]
pub(super) struct There {
    pub(super) name: String,
    /// Bytes that it takes in one batch, where the brokers tell.
    pub(super) most: Option<usize>,
}

impl Making {
    pub(super) fn new(properties: ClientProperties, creation: Option<TopicCreation>) -> Self {
        Self { properties, creation, topics: None, wanted: Vec::new(), running: None }
    }

    /// The topic must be there before a record goes to it.
    pub(super) fn want(&mut self, name: &str) {
        self.wanted.push(name.to_owned());
    }

    /// The topics that are there now, as far as they were not told before. Does not wait.
    pub(super) fn poll(&mut self) -> Result<Vec<There>> {
        let Some(running) = &mut self.running else {
            if !self.wanted.is_empty() {
                self.begin()?;
            }
            return Ok(Vec::new());
        };
        let Some(ended) = running.now_or_never() else { return Ok(Vec::new()) };
        self.running = None;
        match ended {
            Ok(there) => there,
            Err(error) => Err(Error::transient("topics could not be made").with_source(error)),
        }
    }

    fn begin(&mut self) -> Result<()> {
        let topics = match &self.topics {
            Some(topics) => Arc::clone(topics),
            None => {
                Arc::clone(self.topics.insert(Arc::new(Topics::new(&self.properties).map_err(kafka_error)?)))
            }
        };
        let names = std::mem::take(&mut self.wanted);
        let specs = names.iter().map(|name| topic_spec(self.creation.as_ref(), name)).collect();
        self.running = Some(tokio::spawn(async move {
            for name in topics.ensure_all(specs).await.map_err(kafka_error)? {
                tracing::info!(topic = name, "created topic");
            }
            let limits = topics.batch_limits(&names).await;
            let there = |name: String| There { most: limits.get(&name).copied(), name };
            Ok(names.into_iter().map(there).collect())
        }));
        Ok(())
    }
}

/// How a missing topic is made: as its group in `topic.creation.*` says, else by the broker's defaults.
pub(crate) fn topic_spec(creation: Option<&TopicCreation>, name: &str) -> TopicSpec {
    let mut spec = TopicSpec::new(name);
    if let Some(creation) = creation {
        let group = creation.of(name);
        spec.partitions = group.partitions;
        spec.replication_factor = group.replication_factor;
        spec.config.clone_from(&group.config);
    }
    spec
}
