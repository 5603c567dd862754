//! The consumer that latency is measured to: a thread that stamps each record's id the moment it has it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::traffic::Stamps;
use crate::printer;

/// Reads a topic until it is dropped.
pub(super) struct Consumer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    stamps: Mutex<Arc<Stamps>>,
}

impl Consumer {
    /// Begins to read `topic`, partition 0. Ids below `first` are of earlier runs and are ignored.
    pub(super) fn start(bootstrap: &str, topic: &str, first: i64) -> Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "bench-latency")
            .set("enable.auto.commit", "false")
            // The broker answers as soon as there is one byte; the wait is only how often it answers with nothing.
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", "100")
            .set("socket.nagle.disable", "true")
            .create()?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, 0, Offset::Beginning)?;
        consumer.assign(&from).with_context(|| format!("cannot read {topic}"))?;
        let stamps = Mutex::new(Stamps::new(first, 0));
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), stamps });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("consumer".to_owned())
            .spawn(move || read(&consumer, &theirs))
            .context("cannot start a thread")?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// From now on, arrivals are for `stamps`.
    pub(super) fn expect(&self, stamps: &Arc<Stamps>) {
        *self.shared.stamps.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(stamps);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(consumer: &BaseConsumer, shared: &Shared) {
    while !shared.stop.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                if let Some(id) = message.key().and_then(id) {
                    shared.stamps.lock().unwrap_or_else(PoisonError::into_inner).arrive(id);
                }
            }
            Some(Err(error)) => printer::say(&format!("the consumer: {error}")),
            None => {}
        }
    }
}

/// The id in a key `{"id":1}`, or in the payload that follows a schema.
fn id(key: &[u8]) -> Option<i64> {
    let key = std::str::from_utf8(key).ok()?;
    let (_, rest) = key.rsplit_once("\"id\":")?;
    rest.trim_end_matches('}').trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn ids_of_keys_with_and_without_schema() {
        assert_eq!(id(br#"{"id":4294967297}"#), Some(4_294_967_297));
        assert_eq!(id(br#"{"schema":{"fields":[{"field":"id"}]},"payload":{"id":7}}"#), Some(7));
        assert_eq!(id(b"null"), None);
    }
}
