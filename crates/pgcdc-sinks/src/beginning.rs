//! Where reading a partition begins, and the history that goes on from there.

use std::collections::HashMap;

use pgcdc_kafka::ClientProperties;
use pgcdc_kafka::consumer::{Partition, Start};
use pgcdc_kafka::topics::Topics;

use crate::driver::Driver;
use crate::failure::SinkErrorKind;
use crate::order::NewHistory;
use crate::order::history::History;
use crate::{Error, Result};

/// Where partitions begin, for one membership in the group.
pub(crate) struct Beginnings<'s> {
    kafka: &'s ClientProperties,
    /// Topic → its id.
    ids: HashMap<String, Option<String>>,
}

impl<'s> Beginnings<'s> {
    /// For one membership; topics' ids are asked for once in it.
    pub(crate) fn new(kafka: &'s ClientProperties) -> Self {
        Self { kafka, ids: HashMap::new() }
    }

    /// Where to begin, when the sink says `start` and the group has committed this `bookmark`.
    ///
    /// Offsets of a topic that was deleted and made again mean nothing: records below them would be left out. Where the group
    /// keeps the offsets, the topic is read from its beginning; where the store keeps them, this is an error that says what to
    /// do.
    pub(crate) async fn of(
        &mut self,
        driver: &Driver,
        partition: &Partition,
        start: Start,
        bookmark: Option<String>,
    ) -> Result<(Start, History)> {
        let by_group = start == Start::Committed;
        let bookmark = if by_group { bookmark } else { driver.sink.bookmark(partition) };
        let policy = if driver.sink.compares_orders() { driver.new_history } else { NewHistory::Continue };
        let mut history = History::resume(bookmark.as_deref(), policy);
        let id = self.id(&partition.topic).await?;
        let known = std::mem::replace(history.topic(), id.clone());
        let is_another = known.is_some() && id.is_some() && known != id;
        if !is_another {
            if id.is_none() {
                *history.topic() = known;
            }
            return Ok((start, history));
        }
        if !by_group {
            if driver.new_history == NewHistory::Stop {
                return Err(Error::fatal(format!(
                    "sink {:?}, {partition}: the topic was deleted and made again, so that the offset which the store holds \
                     means nothing. Either {}, and start again; or set new_history = \"continue\" for this sink: the topic is \
                     then read from its beginning into what is stored",
                    driver.name,
                    driver.sink.how_to_begin_anew()
                )));
            }
            let rewound = driver.sink.rewind(partition, &history.bookmark()).await;
            rewound.map_err(|error| {
                let text = format!("sink {:?}, {partition}: {error}", driver.name);
                if error.kind == SinkErrorKind::Fatal { Error::fatal(text) } else { Error::transient(text) }
            })?;
        }
        tracing::warn!(sink = %driver.name, %partition, "the topic was deleted and made again: it is read from its beginning");
        Ok((Start::Beginning, history))
    }

    /// A topic's id, which another topic of the same name does not have; `None` where the broker is too old to tell.
    async fn id(&mut self, topic: &str) -> Result<Option<String>> {
        if let Some(id) = self.ids.get(topic) {
            return Ok(id.clone());
        }
        // No other part of a sink needs an admin client, so it lives only for this question.
        let id = Topics::new(self.kafka)?.id(topic).await?;
        self.ids.insert(topic.to_owned(), id.clone());
        Ok(id)
    }
}
