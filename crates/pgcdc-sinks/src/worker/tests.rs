//! The worker against a store that waits for the test.

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
        (self.store.begun.lock().expect("no panic").clone(), self.durable.lock().expect("no panic").clone())
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
