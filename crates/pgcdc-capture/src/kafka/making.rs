//! Missing topics are made beside the stream.

use std::sync::Arc;

use futures_util::FutureExt as _;
use pgcdc_kafka::ClientProperties;
use pgcdc_kafka::topics::Topics;
use tokio::task::JoinHandle;

use super::error::kafka_error;
use super::topic_spec::topic_spec;
use crate::config::TopicCreation;
use crate::{Error, Result};

/// Makes missing topics: all that were asked for since the last request, with one request.
#[derive(Debug)]
pub(super) struct Making {
    properties: ClientProperties,
    creation: Option<TopicCreation>,
    /// One client for all requests: with one each, a thousand tables would make two thousand.
    topics: Option<Arc<Topics>>,
    wanted: Vec<String>,
    running: Option<JoinHandle<Result<Vec<There>>>>,
}

/// A topic that is there.
#[derive(Debug)]
pub(super) struct There {
    pub(super) name: String,
    /// How many bytes it takes in one batch, where the brokers tell.
    pub(super) most: Option<usize>,
}

impl Making {
    pub(super) fn new(properties: ClientProperties, creation: Option<TopicCreation>) -> Self {
        Self { properties, creation, topics: None, wanted: Vec::new(), running: None }
    }

    /// Asks for a topic, which must be there before a record goes to it.
    pub(super) fn want(&mut self, name: &str) {
        self.wanted.push(name.to_owned());
    }

    /// The topics that came to be there since the last call. Does not wait.
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
