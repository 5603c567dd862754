//! The worker of one partition: takes batches from the queue, decodes them and has them written, in order. While one batch is
//! written, the next one is decoded.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use pgcdc_format::decode::Decoder;
use pgcdc_kafka::consumer::{Message, Partition, Records};
use pgcdc_metrics::Counter;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::driver::{Decoded, Driver, Written};
use crate::durable::{Durable, Taken};
use crate::order::history::{Fall, History};
use crate::{Error, Result};

/// A worker of one partition.
pub(crate) struct Worker {
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

/// Starts a worker, which tells `durable` of its batches; its failure goes to `failed`. It takes records, the history of the
/// partition before them, and a counter of the records that it reads.
pub(crate) fn spawn(
    driver: &Driver,
    partition: Partition,
    (mut records, history, read): (Records, History, Counter),
    batch_max: usize,
    durable: &Durable,
    failed: &mpsc::Sender<Error>,
) -> Worker {
    let stop = CancellationToken::new();
    let (driver, durable, failed, token) = (driver.clone(), durable.clone(), failed.clone(), stop.clone());
    let task = tokio::spawn(async move {
        let (partition, decoder) = (&partition, Mutex::default());
        let line = Line { driver: &driver, partition, stop: &token, decoder, read };
        let work = line.run(&mut records, batch_max, history, |written, taken| match written {
            Written::Durable(_) => durable.durable(partition, taken),
            Written::Accepted(_) => durable.accepted(partition, taken, &*driver.sink),
            Written::Stopped => {}
        });
        let what = || format!("sink {:?}: the worker of {partition}", driver.name);
        if let Err(error) = unless_it_panics(work, what).await {
            // One failure ends the session; those of other partitions add nothing.
            let _ = failed.try_send(error);
        }
    });
    Worker { stop, task }
}

/// Makes a panic an error that ends the sink. The panic's text is on stderr; it may quote a value, and is not repeated.
///
/// Nothing that the work used may be used after a panic.
pub(crate) async fn unless_it_panics(
    work: impl Future<Output = Result<()>>,
    what: impl FnOnce() -> String,
) -> Result<()> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(Error::fatal(format!("{} panicked: a defect", what()))))
}

/// The way of a partition's batches.
struct Line<'w> {
    driver: &'w Driver,
    partition: &'w Partition,
    stop: &'w CancellationToken,
    decoder: Mutex<Decoder>,
    /// Counts the records that were read.
    read: Counter,
}

/// What became of a batch.
struct Brought {
    written: Written,
    /// What is remembered of the partition after it.
    bookmark: String,
    /// How many records were given to the sink.
    records: u64,
    /// Why nothing behind it may be written.
    end: Option<Error>,
}

impl Brought {
    /// The batch comes again.
    fn stopped() -> Self {
        Self { written: Written::Stopped, bookmark: String::new(), records: 0, end: None }
    }
}

impl Line<'_> {
    /// Brings batches into the store until told to stop, and reports each that the sink has, in order.
    async fn run(
        &self,
        records: &mut Records,
        batch_max: usize,
        history: History,
        report: impl Fn(Written, Taken),
    ) -> Result<()> {
        let at_once = self.driver.sink.concurrent_batches().max(1);
        let mut under_way = FuturesOrdered::new();
        // Each batch gets the history from the batch before it, and hands it on when its own records are marked.
        let (first, mut handed_on) = oneshot::channel();
        let _ = first.send(history);
        // A turn for each of the last `at_once` batches. A new batch waits for the oldest of these turns.
        let mut turns = VecDeque::new();
        loop {
            let messages = if under_way.is_empty() {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Ok(()),
                    messages = records.next(batch_max) => messages,
                }
            } else if self.stop.is_cancelled() {
                Vec::new()
            } else {
                records.ready(batch_max)
            };
            if messages.is_empty() && under_way.is_empty() {
                return Ok(());
            }
            if !messages.is_empty() {
                self.read.inc_by(messages.len() as u64);
                let (done, turn) = oneshot::channel();
                turns.push_back(turn);
                let before = if turns.len() > at_once { turns.pop_front() } else { None };
                let (pass, next) = oneshot::channel();
                let history = (std::mem::replace(&mut handed_on, next), pass);
                under_way.push_back(self.bring(messages, history, before, done));
                // One batch more than are written: it is decoded meanwhile.
                if under_way.len() <= at_once {
                    continue;
                }
            }
            let Some(written) = under_way.next().await else { return Ok(()) };
            let ended = match written {
                Ok(Brought { written: Written::Stopped, end, .. }) => Some(end.map_or(Ok(()), Err)),
                Ok(Brought {
                    written: written @ (Written::Durable(next) | Written::Accepted(next)),
                    bookmark,
                    records,
                    end,
                }) => {
                    report(written, Taken { next, bookmark, records });
                    end.map(Err)
                }
                Err(error) => Some(Err(error)),
            };
            if let Some(ended) = ended {
                // The batches behind it do not count any more, but calls of the store in progress have their grace.
                self.stop.cancel();
                while under_way.next().await.is_some() {}
                return ended;
            }
        }
    }

    /// Decodes a batch, and writes it when the batch `before` it is.
    async fn bring(
        &self,
        messages: Vec<Message>,
        (history, pass): (oneshot::Receiver<History>, oneshot::Sender<History>),
        before: Option<oneshot::Receiver<()>>,
        done: oneshot::Sender<()>,
    ) -> Result<Brought> {
        let mut batch = Decoded::gradually(&messages, &self.decoder).await;
        // Without a history, the batch before this one was the last.
        let Ok(mut history) = history.await else { return Ok(Brought::stopped()) };
        let fallen = batch.mark(&mut history);
        let bookmark = batch.bookmark().to_owned();
        let end = fallen.map(|(offset, fall)| self.fallen(offset, fall));
        if end.is_none() {
            let _ = pass.send(history);
        }
        if batch.is_empty() {
            return Ok(Brought { end, ..Brought::stopped() });
        }
        if let Some(before) = before
            && before.await.is_err()
        {
            return Ok(Brought::stopped());
        }
        let records = batch.len() as u64;
        let written = self.driver.write(self.partition, batch, self.stop).await?;
        if written == Written::Stopped {
            return Ok(Brought::stopped());
        }
        let _ = done.send(());
        Ok(Brought { written, bookmark, records, end })
    }

    /// Why the record at `offset` and all behind it are not written.
    fn fallen(&self, offset: i64, fall: Fall) -> Error {
        let place = format!("sink {:?}, {} at offset {offset}", self.driver.name, self.partition);
        if fall == Fall::Topic {
            // The next session notices that the topic is another one.
            return Error::transient(format!("{place}: {fall}"));
        }
        Error::fatal(format!(
            "{place}: {fall}. With its own position it would lose against what is stored. Nothing from this record on was \
             written or committed. Either {}, and start again; or set new_history = \"continue\" for this sink: what comes \
             from here on is then newer than all that is stored, and rows that were deleted in between stay",
            self.driver.sink.how_to_begin_anew()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use pgcdc_kafka::consumer::{QueueSender, queue};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::driver::Rejections;
    use crate::driver::tests::driver;
    use crate::{Batch, Outcome, Sink, SinkError};

    /// Notes what is written, and says it is durable when the test lets it.
    #[derive(Debug)]
    struct Store {
        at_once: usize,
        begun: Mutex<Vec<i64>>,
        ended: Mutex<Vec<i64>>,
        allowed: Semaphore,
        /// For every second batch, where two may be under way.
        second: Semaphore,
        /// The batch that ends here fails for good.
        fails: Option<i64>,
    }

    #[async_trait]
    impl Sink for Store {
        async fn check(&self) -> Result<(), SinkError> {
            Ok(())
        }

        fn concurrent_batches(&self) -> usize {
            self.at_once
        }

        async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
            self.begun.lock().expect("no panic").push(batch.next);
            assert_ne!(batch.next, 1000, "as the test wants");
            let is_second = self.at_once > 1 && batch.next % 2 == 0;
            let allowed = if is_second { &self.second } else { &self.allowed };
            allowed.acquire().await.expect("open").forget();
            self.ended.lock().expect("no panic").push(batch.next);
            if self.fails == Some(batch.next) {
                return Err(SinkError::fatal("as the test wants"));
            }
            Ok(Outcome::durable())
        }
    }

    #[async_trait]
    impl Rejections for Store {
        async fn send(&self, _: &Partition, _: &Message, _: &str) -> Result<(), Error> {
            Ok(())
        }
    }

    fn store(at_once: usize, fails: Option<i64>) -> Arc<Store> {
        Arc::new(Store {
            at_once,
            begun: Mutex::default(),
            ended: Mutex::default(),
            allowed: Semaphore::new(0),
            second: Semaphore::new(0),
            fails,
        })
    }

    struct Bench {
        store: Arc<Store>,
        durable: Arc<Mutex<Vec<i64>>>,
        sender: QueueSender,
        task: JoinHandle<Result<()>>,
        stop: CancellationToken,
    }

    /// Batches of one record each.
    fn bench(at_once: usize, fails: Option<i64>) -> Bench {
        let store = store(at_once, fails);
        let driver = driver(&store);
        let (sender, mut records) = queue(10);
        for offset in 0..6 {
            sender.offer(Message::new(offset, None, Some(b"{\"id\":1}"))).expect("room");
        }
        let stop = CancellationToken::new();
        let durable: Arc<Mutex<Vec<i64>>> = Arc::default();
        let (token, told) = (stop.clone(), durable.clone());
        let task = tokio::spawn(async move {
            let partition = Partition { topic: "t".into(), id: 0 };
            let (decoder, read) = (Mutex::default(), Counter::default());
            let line = Line { driver: &driver, partition: &partition, stop: &token, decoder, read };
            let report = |_, taken: Taken| told.lock().expect("no panic").push(taken.next);
            line.run(&mut records, 1, History::default(), report).await
        });
        Bench { store, durable, sender, task, stop }
    }

    impl Bench {
        /// What has been begun and is durable once nothing moves any more.
        async fn seen(&self) -> (Vec<i64>, Vec<i64>) {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            (
                self.store.begun.lock().expect("no panic").clone(),
                self.durable.lock().expect("no panic").clone(),
            )
        }

        fn allow(&self) {
            self.store.allowed.add_permits(1);
        }
    }

    #[tokio::test]
    async fn one_at_a_time_unless_the_sink_takes_more() {
        let bench = bench(1, None);
        assert_eq!(bench.seen().await, (vec![1], vec![]));
        bench.allow();
        assert_eq!(bench.seen().await, (vec![1, 2], vec![1]));
        bench.store.allowed.add_permits(5);
        assert_eq!(bench.seen().await, (vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3, 4, 5, 6]));
        drop(bench.sender);
        bench.task.await.expect("no panic").expect("the end of the records");
    }

    /// The second is durable before the first, and is told after it; the third has to wait for the first.
    #[tokio::test]
    async fn two_at_a_time_are_told_in_order() {
        let bench = bench(2, None);
        bench.store.second.add_permits(6);
        let (mut begun, durable) = bench.seen().await;
        begun.sort_unstable();
        assert_eq!((begun, durable), (vec![1, 2], vec![]));
        bench.allow();
        let (begun, durable) = bench.seen().await;
        assert!(begun.contains(&3) && !begun.contains(&5), "{begun:?}");
        assert_eq!(durable, [1, 2]);
        bench.store.allowed.add_permits(5);
        let (_, durable) = bench.seen().await;
        assert_eq!(durable, [1, 2, 3, 4, 5, 6]);
        bench.stop.cancel();
        bench.task.await.expect("no panic").expect("stopped");
    }

    #[tokio::test]
    async fn nothing_is_durable_behind_a_batch_that_failed() {
        for at_once in [1, 2] {
            let bench = bench(at_once, Some(3));
            bench.store.allowed.add_permits(6);
            bench.store.second.add_permits(6);
            let (begun, durable) = bench.seen().await;
            assert_eq!(durable, [1, 2]);
            assert!(!begun.contains(&5), "{begun:?}");
            assert!(!bench.task.await.expect("no panic").expect_err("it failed").is_transient());
        }
    }

    /// The store may have it; whether it answered is what the circuit breaker has to know.
    #[tokio::test]
    async fn a_call_in_hand_ends_although_the_batch_before_it_failed() {
        let bench = bench(2, Some(1));
        let (mut begun, _) = bench.seen().await;
        begun.sort_unstable();
        assert_eq!(begun, [1, 2]);
        bench.allow();
        bench.seen().await;
        assert!(!bench.task.is_finished());
        bench.store.second.add_permits(1);
        assert!(!bench.task.await.expect("no panic").expect_err("it failed").is_transient());
        assert_eq!(*bench.store.ended.lock().expect("no panic"), [1, 2], "in this order, as allowed");
        assert!(bench.durable.lock().expect("no panic").is_empty());
    }

    #[tokio::test]
    async fn told_to_stop_it_takes_no_more() {
        let bench = bench(1, None);
        bench.seen().await;
        bench.stop.cancel();
        bench.allow();
        assert_eq!(bench.seen().await, (vec![1], vec![1]));
        bench.task.await.expect("no panic").expect("stopped");
    }

    #[tokio::test]
    async fn a_worker_that_panics_ends_its_sink() {
        let (sender, records) = queue(1);
        let (failed, mut failures) = mpsc::channel(1);
        let store = store(1, None);
        let driver = driver(&store);
        let partition = Partition { topic: "t".into(), id: 0 };
        let durable = Durable::new(Default::default(), Default::default());
        let intake = (records, History::default(), Counter::default());
        let _worker = spawn(&driver, partition, intake, 1, &durable, &failed);
        sender.offer(Message::new(999, None, Some(b"{}"))).expect("room");
        let told = tokio::time::timeout(Duration::from_secs(10), failures.recv()).await;
        let error = told.expect("in time").expect("a failure");
        assert!(!error.is_transient() && error.to_string().contains("panicked"), "{error}");
    }
}
