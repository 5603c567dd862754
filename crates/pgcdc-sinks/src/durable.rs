//! From durable in the store to committed in Kafka: batches that a sink has accepted wait here until they are durable.
//!
//! Offsets rise: a batch is reported only when all batches before it are durable. A sink may make a later batch durable
//! first, or half of one; neither is reported before its time. What is reported is committed by the consumer, at its next
//! poll.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgcdc_kafka::consumer::{Partition, Progress};
use pgcdc_metrics::SinkMetrics;

use crate::Sink;

/// A batch that the sink has taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The position after its last record.
    pub(crate) next: i64,
    /// What is remembered of the partition there.
    pub(crate) bookmark: String,
    /// How many records it has.
    pub(crate) records: u64,
}

/// What one membership's workers tell of their batches. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Durable {
    /// Where the consumer reads what it may commit.
    progress: Progress,
    /// Counts batches when they are durable, not when they are accepted.
    metrics: SinkMetrics,
    /// Accepted batches of each partition that are not durable yet, in order.
    waiting: Arc<Mutex<HashMap<Partition, VecDeque<Taken>>>>,
}

impl Durable {
    /// Of one membership: what another one had in hand comes again.
    pub(crate) fn new(progress: Progress, metrics: SinkMetrics) -> Self {
        Self { progress, metrics, waiting: Arc::default() }
    }

    /// Notes that a batch is durable, and with it all that the partition's sink accepted before.
    pub(crate) fn durable(&self, partition: &Partition, taken: Taken) {
        if let Some(waiting) = self.waiting().get_mut(partition) {
            waiting.drain(..).for_each(|before| self.count(&before));
        }
        self.count(&taken);
        self.progress.durable(partition, taken.next, taken.bookmark);
    }

    /// Notes that a batch is in the sink's hands.
    pub(crate) fn accepted(&self, partition: &Partition, taken: Taken, sink: &dyn Sink) {
        self.waiting().entry(partition.clone()).or_default().push_back(taken);
        self.settle(partition, sink);
    }

    /// Asks the sink how far a partition is durable, and reports the batches up to there.
    fn settle(&self, partition: &Partition, sink: &dyn Sink) {
        let Some(to) = sink.durable_to(partition) else { return };
        let mut waiting = self.waiting();
        let Some(waiting) = waiting.get_mut(partition) else { return };
        let mut last = None;
        while waiting.front().is_some_and(|taken| taken.next <= to) {
            let Some(taken) = waiting.pop_front() else { break };
            self.count(&taken);
            last = Some(taken);
        }
        if let Some(Taken { next, bookmark, .. }) = last {
            self.progress.durable(partition, next, bookmark);
        }
    }

    /// The same for all partitions that wait.
    pub(crate) fn settle_all(&self, sink: &dyn Sink) {
        let partitions: Vec<Partition> = self.waiting().keys().cloned().collect();
        for partition in &partitions {
            self.settle(partition, sink);
        }
    }

    /// Whether a sink has batches in hand that are not durable.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting().values().any(|waiting| !waiting.is_empty())
    }

    /// Forgets a partition: its batches that are not durable are read again, by this process or another one.
    pub(crate) fn forget(&self, partition: &Partition) {
        self.waiting().remove(partition);
    }

    fn count(&self, taken: &Taken) {
        self.metrics.records.inc_by(taken.records);
        self.metrics.batches.inc();
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Partition, VecDeque<Taken>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::{Batch, Outcome, SinkError};

    /// Is durable up to what the test says.
    #[derive(Debug, Default)]
    struct To(AtomicI64);

    #[async_trait]
    impl Sink for To {
        async fn check(&self) -> Result<(), SinkError> {
            Ok(())
        }

        async fn write(&self, _: &Batch<'_>) -> Result<Outcome, SinkError> {
            unreachable!("nothing is written")
        }

        fn durable_to(&self, _: &Partition) -> Option<i64> {
            Some(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn a_batch_is_reported_when_all_of_it_is_durable() {
        let (sink, partition) = (To::default(), Partition { topic: "t".into(), id: 0 });
        let metrics = SinkMetrics::default();
        let durable = Durable::new(Progress::default(), metrics.clone());
        let taken = |next| Taken { next, bookmark: String::new(), records: 10 };
        for next in [10, 20, 30] {
            durable.accepted(&partition, taken(next), &sink);
        }
        assert_eq!((metrics.batches.get(), durable.is_waiting()), (0, true));
        sink.0.store(25, Ordering::Relaxed);
        durable.settle_all(&sink);
        assert_eq!((metrics.batches.get(), metrics.records.get()), (2, 20), "the third is durable by half");
        durable.durable(&partition, taken(40));
        assert_eq!((metrics.batches.get(), durable.is_waiting()), (4, false), "durability is cumulative");
        durable.accepted(&partition, taken(50), &sink);
        durable.forget(&partition);
        assert!(!durable.is_waiting());
    }
}
