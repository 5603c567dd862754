//! Running sinks: each in a task of its own, started again after a failure that passes, watched and paused from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcdc_kafka::ClientProperties;
use pgcdc_lifecycle::{Backoff, Failure, Orders, Reporter, State, Status, sleep};
use pgcdc_metrics::{ConsumerMetrics, Registry, SinkMetrics};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::driver::{Breaker, DeadLetters, Driver, Flood, Outage};
use crate::failure::SinkErrorKind;
use crate::order::NewHistory;
use crate::session::{Ended, Session};
use crate::store::Store;
use crate::{Config, Error, Result, Sink, SinkConfig};

/// How long a store may take to end its connections.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Runs every sink of the file until `shutdown`, which drains: batches in progress get a few seconds, offsets are committed,
/// groups left.
///
/// A sink that fails for good says so in the log and ends alone; the others go on until `shutdown`, or until they have failed
/// as well.
///
/// # Errors
/// The first sink's failure that no retry mends, once all sinks have ended.
///
/// ```no_run
/// use pgcdc_sinks::{Config, run};
/// use tokio_util::sync::CancellationToken;
/// # async fn example() -> Result<(), pgcdc_sinks::Error> {
/// let shutdown = CancellationToken::new();
/// let stop = shutdown.clone();
/// tokio::spawn(async move {
///     tokio::time::sleep(std::time::Duration::from_secs(60)).await;
///     stop.cancel();
/// });
/// let mut config = Config::read("sinks.toml".as_ref())?;
/// config.sinks.retain(|sink| sink.name != "top"); // all but one of the file
/// run(config, shutdown).await
/// # }
/// ```
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<()> {
    run_all(config.runners(), shutdown).await
}

/// As [`run`], for the [runners](Config::runners) of a file that are counted in a registry or watched.
///
/// # Errors
/// The first sink's failure that no retry mends, once all sinks have ended.
pub async fn run_all(runners: Vec<Runner>, shutdown: CancellationToken) -> Result<()> {
    let mut sinks = JoinSet::new();
    for runner in runners {
        let stop = shutdown.clone();
        sinks.spawn(async move { (runner.name().to_owned(), runner.run(stop).await) });
    }
    let mut result = Ok(());
    while let Some(ended) = sinks.join_next().await {
        let (name, error) = match ended {
            Ok((_, Ok(()))) => continue,
            Ok((name, Err(error))) => (name, error),
            Err(panic) => (String::new(), Error::fatal(format!("a sink's task was cut short: {panic}"))),
        };
        // The caller reports the first failure, when all sinks have ended; until then the log has it.
        if !sinks.is_empty() || result.is_err() {
            let (running, hint) = (sinks.len(), error.hint().unwrap_or_default());
            tracing::error!(sink = %name, error = %error.in_full(), hint, running, "a sink has failed and ended; the others go on, and the exit code will say that one failed");
        }
        result = result.and(Err(error));
    }
    result
}

/// Runs one sink, also one of your own, as a member of `group` until `stop`, which drains. Short for [`Runner`].
///
/// # Errors
/// The first failure that no retry mends.
///
/// ```no_run
/// use std::sync::Arc;
/// use pgcdc_sinks::{ClientProperties, Plan, Sink, run_with};
/// use tokio_util::sync::CancellationToken;
/// # async fn example(sink: Arc<dyn Sink>) -> Result<(), Box<dyn std::error::Error>> {
/// let kafka = ClientProperties::parse([("bootstrap.servers", "127.0.0.1:9092")])?;
/// let plan = Plan::new("mine", ["shop.public.users"]);
/// run_with(sink, plan, kafka, "shop-mine", CancellationToken::new()).await?;
/// # Ok(()) }
/// ```
pub async fn run_with(
    sink: Arc<dyn Sink>,
    plan: Plan,
    kafka: ClientProperties,
    group: &str,
    stop: CancellationToken,
) -> Result<()> {
    Runner::new(sink, plan, kafka, group).run(stop).await
}

impl Config {
    /// One runner for each sink, in the file's order. The consumer group of each is `<group.id>-<name>`. The log warns of
    /// properties in `[kafka]` that have no effect.
    #[must_use]
    pub fn runners(self) -> Vec<Runner> {
        for warning in self.kafka.warnings() {
            tracing::warn!("[kafka] {warning}");
        }
        let Self { kafka, group_id, sinks } = self;
        let runner = |sink: SinkConfig| {
            let (plan, group) = (Plan::from(&sink), format!("{group_id}-{}", sink.name));
            Runner::from(Source::Closed(sink.store), plan, kafka.clone(), &group)
        };
        sinks.into_iter().map(runner).collect()
    }
}

/// How a sink is run, whatever its store.
///
/// ```
/// use std::time::Duration;
/// use pgcdc_sinks::Plan;
///
/// let plan = Plan { batch_max: 2000, max_dead_letters: Some(0), ..Plan::new("mine", ["shop.public.users"]) };
/// assert_eq!((plan.retry_initial, plan.retry_max), (Duration::from_millis(200), Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name, for logs and dead letters.
    pub name: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// How many records it gets in one batch at most. A batch is smaller when fewer records are there: nothing waits for a batch
    /// to fill.
    pub batch_max: usize,
    /// First wait between two tries at most, doubled after each failure. The wait itself is random below it.
    pub retry_initial: Duration,
    /// Longest wait between two tries. A sink that ran longer than this before its membership failed begins with the first wait
    /// again.
    pub retry_max: Duration,
    /// How many records of a partition in a row may become dead letters; the next one ends the sink. `None`: any number.
    pub max_dead_letters: Option<u64>,
    /// What it does when the source's positions begin anew.
    pub new_history: NewHistory,
}

impl Plan {
    /// A plan with the defaults of the configuration file.
    #[must_use]
    pub fn new(name: &str, topics: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            name: name.to_owned(),
            topics: topics.into_iter().map(Into::into).collect(),
            batch_max: 500,
            retry_initial: crate::config::RETRY_INITIAL,
            retry_max: crate::config::RETRY_MAX,
            max_dead_letters: None,
            new_history: NewHistory::default(),
        }
    }
}

impl From<&SinkConfig> for Plan {
    fn from(config: &SinkConfig) -> Self {
        Self {
            name: config.name.clone(),
            topics: config.topics.clone(),
            batch_max: config.batch_max,
            retry_initial: config.retry_initial,
            retry_max: config.retry_max,
            max_dead_letters: config.max_dead_letters,
            new_history: config.new_history,
        }
    }
}

/// Where the sink comes from.
#[derive(Debug)]
enum Source {
    /// A store that is opened when the runner begins.
    Closed(Arc<dyn Store>),
    /// A sink that its owner has opened.
    Open(Arc<dyn Sink>),
}

/// One sink, ready to run.
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_sinks::Error> {
/// use pgcdc_sinks::Config;
/// use tokio_util::sync::CancellationToken;
///
/// let stop = CancellationToken::new();
/// for runner in Config::read("sinks.toml".as_ref())?.runners() {
///     let (control, stop) = (runner.control(), stop.clone());
///     tokio::spawn(async move {
///         let mut status = control.status();
///         while let Some(state) = status.changed().await {
///             println!("{state}");
///         }
///     });
///     tokio::spawn(runner.run(stop));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Runner {
    source: Source,
    plan: Plan,
    /// Properties of the clients, `group.id` among them.
    kafka: ClientProperties,
    /// The consumer group, for the log.
    group: String,
    /// Counters; of no registry unless [`with_metrics`](Self::with_metrics) says otherwise.
    metrics: (SinkMetrics, ConsumerMetrics),
    /// Tells the state to those who watch `control`'s.
    reporter: Arc<Reporter>,
    /// The handle of which [`control`](Self::control) gives clones.
    control: Control,
}

/// Watches and pauses a sink from outside. Clones control the same sink.
///
/// ```
/// use std::sync::Arc;
/// use pgcdc_sinks::{ClientProperties, Plan, Runner, Sink};
/// # fn example(sink: Arc<dyn Sink>, kafka: ClientProperties) {
/// let runner = Runner::new(sink, Plan::new("mine", ["shop.public.users"]), kafka, "shop-mine");
/// let control = runner.control();
/// control.pause(); // before it runs: it begins paused, and joins no group
/// println!("{}", control.status().now());
/// control.resume();
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Control {
    status: Status,
    /// Whether the sink is to pause.
    pause: watch::Sender<bool>,
}

impl Control {
    /// What the sink is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Asks the sink to pause; returns at once. The sink finishes what it has in hand, commits, and leaves its group. Other
    /// processes of the group go on, and take its partitions.
    pub fn pause(&self) {
        self.pause.send_replace(true);
    }

    /// Ends a pause: the sink joins its group again. Does nothing when there is no pause.
    pub fn resume(&self) {
        self.pause.send_replace(false);
    }
}

impl Runner {
    /// A runner of a sink of your own, as a member of the consumer group `group`.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>, plan: Plan, kafka: ClientProperties, group: &str) -> Self {
        Self::from(Source::Open(sink), plan, kafka, group)
    }

    fn from(source: Source, plan: Plan, mut kafka: ClientProperties, group: &str) -> Self {
        kafka.set("group.id", group);
        let (reporter, status) = Reporter::new();
        let control = Control { status, pause: watch::Sender::new(false) };
        let (group, metrics) = (group.to_owned(), Default::default());
        Self { source, plan, kafka, group, metrics, reporter: Arc::new(reporter), control }
    }

    /// The sink's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Counts in a registry, under the sink's name.
    #[must_use]
    pub fn with_metrics(mut self, registry: &Registry) -> Self {
        self.metrics = (registry.sink(&self.plan.name), registry.consumer(&self.plan.name));
        self
    }

    /// Watches and pauses it, also before and after it runs.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Runs until `stop`, which drains: batches in progress get a few seconds, offsets are committed, the group left.
    ///
    /// # Errors
    /// The first failure that no retry mends.
    ///
    /// # Cancel safety
    /// Dropping the future ends the sink without a last commit: what was not committed is read again.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let orders = Orders::by(stop, &self.control.pause);
        let result = self.open_and_work(orders).await;
        self.reporter.ended(result.as_ref().err().map(Failure::from));
        result
    }

    /// Opens the store, works until the end, and closes the store, which gets [`CLOSE_LIMIT`] for that.
    async fn open_and_work(&self, orders: Orders) -> Result<()> {
        let outage = Outage::reporting(Arc::clone(&self.reporter));
        let Some(sink) = self.open(&orders, &outage).await? else { return Ok(()) };
        let (plan, metrics) = (&self.plan, &self.metrics.0);
        let driver = Driver {
            name: plan.name.as_str().into(),
            sink: Arc::clone(&sink),
            rejections: Arc::new(DeadLetters::new(&plan.name, &self.kafka)),
            breaker: Arc::new(Breaker::counted(metrics.breaker_open.clone())),
            outage: Arc::new(outage),
            flood: Arc::new(Flood::new(plan.max_dead_letters)),
            retry_initial: plan.retry_initial,
            retry_max: plan.retry_max,
            new_history: plan.new_history,
            metrics: metrics.clone(),
        };
        tracing::info!(sink = %plan.name, group = self.group, topics = ?plan.topics, "sink started");
        let result = self.sessions(&driver, orders).await;
        if tokio::time::timeout(CLOSE_LIMIT, sink.close()).await.is_err() {
            tracing::warn!(sink = %plan.name, "the store does not answer; its connections are given up");
        }
        tracing::info!(sink = %plan.name, "sink ended");
        result
    }

    /// Opens the store, again and again while it is not there; `None` when told to stop.
    ///
    /// # Errors
    /// When the store refuses what the configuration says.
    async fn open(&self, orders: &Orders, outage: &Outage) -> Result<Option<Arc<dyn Sink>>> {
        let store = match &self.source {
            Source::Open(sink) => return Ok(Some(Arc::clone(sink))),
            Source::Closed(store) => store,
        };
        let mut backoff = Backoff::new(self.plan.retry_initial, self.plan.retry_max);
        let now = tokio::time::Instant::now;
        loop {
            if !self.rest(orders).await {
                return Ok(None);
            }
            let error = match store.open().await {
                Ok(sink) => {
                    outage.left(None, now());
                    return Ok(Some(sink));
                }
                Err(error) => error,
            };
            if error.kind == SinkErrorKind::Fatal {
                return Err(Error::fatal(format!("sink {:?}: {error}", self.plan.name)).with_hint(error.hint));
            }
            let wait = backoff.pause();
            if let Some(since) = outage.failed(None, &(&error).into(), wait, now()) {
                let hint = error.hint.as_deref().unwrap_or_default();
                tracing::warn!(sink = %self.plan.name, for_s = since.as_secs(), error = %error, hint, "the store is not there; trying again");
            }
            if !sleep(wait, orders.shutdown()).await {
                return Ok(None);
            }
        }
    }

    /// Memberships one after the other, until told to stop or a failure that does not pass.
    async fn sessions(&self, driver: &Driver, orders: Orders) -> Result<()> {
        let plan = &self.plan;
        let session =
            Session { driver, topics: &plan.topics, batch_max: plan.batch_max, metrics: &self.metrics.1 };
        let mut backoff = Backoff::new(plan.retry_initial, plan.retry_max);
        loop {
            if !self.rest(&orders).await {
                return Ok(());
            }
            let began = Instant::now();
            let ended = session.run(&self.kafka, &orders).await;
            if orders.is_stopped() {
                self.reporter.set(State::Stopping);
            }
            let error = match ended {
                Ok(Ended::Paused) => continue,
                Ok(Ended::Stopped) => return Ok(()),
                Err(error) if !error.is_transient() || orders.is_stopped() => return Err(error),
                Err(error) => error,
            };
            if began.elapsed() > plan.retry_max {
                backoff.reset(); // it had begun well; another trouble ended it
            }
            let wait = backoff.pause();
            self.reporter.failed((&error).into(), wait);
            tracing::warn!(sink = %plan.name, error = %error.in_full(), hint = error.hint().unwrap_or_default(), wait_ms = wait.as_millis(), "starting the sink again");
            if !sleep(wait, orders.shutdown()).await {
                return Ok(());
            }
        }
    }

    /// Waits while the sink is to pause; `false` when told to stop.
    async fn rest(&self, orders: &Orders) -> bool {
        if !orders.is_paused() {
            return !orders.is_stopped();
        }
        self.reporter.set(State::Paused);
        tracing::info!(sink = %self.plan.name, "paused");
        let mut resumed = orders.clone();
        tokio::select! {
            biased;
            () = orders.stopped() => return false,
            () = resumed.resumed() => {}
        }
        self.reporter.set(State::Starting);
        tracing::info!(sink = %self.plan.name, "resumed");
        true
    }
}
