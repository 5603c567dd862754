//! A connector's own task: it starts, pauses and stops the connector as it is ordered, so that nobody else waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgcdc_lifecycle::{State, Status};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Order;
use crate::{Config, Engine, Running, Stored, Target};

/// How long a request waits until its order has been carried out. It is answered then in any case.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
/// The same for a pause, which first delivers what was read.
const PAUSE_LIMIT: Duration = Duration::from_secs(2);

/// What everybody may see of the task.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The connector that runs, or has ended by itself.
    pub(super) status: Option<Status>,
    /// Why it could not be started.
    pub(super) failure: Option<String>,
}

/// The ordering end of a connector's task.
#[derive(Debug)]
pub(super) struct Runner {
    orders: watch::Sender<Order>,
    seen: Arc<Mutex<Seen>>,
    /// The order that was carried out last.
    done: watch::Receiver<Option<Order>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Runner {
    /// Starts the task of a connector; it begins when `former`, the task of a deleted connector of the same name, has ended.
    pub(super) fn start(engine: Arc<dyn Engine>, stored: &Stored, former: Option<JoinHandle<()>>) -> Self {
        let first = Order {
            config: stored.config.clone(),
            target: stored.target,
            has_task: stored.has_task,
            run: 0,
            end: false,
        };
        let (orders, receiver) = watch::channel(first);
        let (sender, done) = watch::channel(None);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let body = Body {
            name: stored.name.clone(),
            engine,
            orders: receiver,
            done: sender,
            seen: Arc::clone(&seen),
            live: None,
        };
        let task = tokio::spawn(body.run(former));
        Self { orders, seen, done, task: Mutex::new(Some(task)) }
    }

    /// What the task shows.
    pub(super) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// The latest order.
    pub(super) fn order(&self) -> Order {
        self.orders.borrow().clone()
    }

    /// Gives an order that is made from the latest one, and waits until it has been carried out, for a few seconds at most.
    pub(super) async fn give(&self, change: impl FnOnce(&mut Order)) {
        self.orders.send_modify(change);
        self.settled().await;
    }

    /// Waits until the latest order has been carried out, for a few seconds at most. Returns whether it has been.
    pub(super) async fn settled(&self) -> bool {
        let wanted = self.order();
        let mut done = self.done.clone();
        let settled = done.wait_for(|order| order.as_ref() == Some(&wanted));
        if !matches!(tokio::time::timeout(SETTLE_LIMIT, settled).await, Ok(Ok(_))) {
            return false;
        }
        if wanted.target == Target::Paused
            && let Some(mut status) = self.seen().status
        {
            let paused = status.wait_for(|state| *state == State::Paused);
            let _ = tokio::time::timeout(PAUSE_LIMIT, paused).await;
        }
        true
    }

    /// Asks the task to end, and returns it; `None` when that was done before.
    pub(super) fn end(&self) -> Option<JoinHandle<()>> {
        self.orders.send_modify(|order| order.end = true);
        lock(&self.task).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task.
struct Body {
    name: String,
    engine: Arc<dyn Engine>,
    orders: watch::Receiver<Order>,
    done: watch::Sender<Option<Order>>,
    seen: Arc<Mutex<Seen>>,
    live: Option<Live>,
}

/// A connector that was started.
struct Live {
    running: Box<dyn Running>,
    config: Config,
    run: u64,
}

impl Body {
    async fn run(mut self, former: Option<JoinHandle<()>>) {
        if let Some(former) = former {
            let _ = former.await;
        }
        loop {
            let order = self.orders.borrow_and_update().clone();
            self.carry_out(&order).await;
            let end = order.end;
            self.done.send_replace(Some(order));
            // The worker that is gone gives no more orders.
            if end || self.orders.changed().await.is_err() {
                break;
            }
        }
        self.stop().await;
    }

    async fn carry_out(&mut self, order: &Order) {
        let stale = |live: &Live| {
            order.end
                || order.target == Target::Stopped
                || order.run != live.run
                || order.config != live.config
        };
        if self.live.as_ref().is_some_and(stale) {
            self.stop().await;
        }
        lock(&self.seen).failure = None;
        if order.end {
            return;
        }
        match (order.target, &self.live) {
            (Target::Stopped, _) | (Target::Paused, None) => {}
            (Target::Paused, Some(live)) => live.running.pause(),
            (Target::Running, Some(live)) => live.running.resume(),
            (Target::Running, None) => self.begin(order),
        }
    }

    fn begin(&mut self, order: &Order) {
        match self.engine.start(&order.config) {
            Ok(running) => {
                tracing::info!(connector = self.name, "the connector is started");
                lock(&self.seen).status = Some(running.status());
                self.live = Some(Live { running, config: order.config.clone(), run: order.run });
            }
            Err(failure) => {
                tracing::error!(connector = self.name, "the connector cannot be started: {failure}");
                lock(&self.seen).failure = Some(failure);
            }
        }
    }

    async fn stop(&mut self) {
        let Some(mut live) = self.live.take() else { return };
        live.running.stop();
        live.running.ended().await;
        tracing::info!(connector = self.name, "the connector is stopped");
        lock(&self.seen).status = None;
    }
}
