//! The thread that sends: compresses batches, numbers them, and asks the partition's leader again until they are durable.
//!
//! One request holds batches of many partitions. A partition has a few on their way, in order, over one
//! connection; when one has to be sent again, those behind it wait, and are sent again, too. A batch keeps its number, so the
//! broker takes each once, and in order.

mod connections;
mod metadata;
mod produce;
mod transaction;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::transaction::Transactional;
use super::command::{Command, Event, TAKE_OVER};
use super::connection::News;
use super::failure::{self, Fate};
use super::options::Options;
use super::protocol::{Answer, Request};
use super::state::{Asked, Broker, Part, Topic};
use crate::{Code, Error};

/// Requests with batches on their way to one broker.
const REQUESTS: usize = 5;
/// Bytes of a request, unless one batch has more.
const REQUEST: usize = 1 << 20;
/// A batch of at most this is copied into its request rather than written by itself.
const COPIED: usize = 64 << 10;
/// How much longer than a broker may take for a request its answer may.
const GRACE: Duration = Duration::from_secs(5);
/// A partition that was quiet for so long is one that its broker may have forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// How long a leader may be out of reach before brokers are asked again who leads.
const AWAY: Duration = Duration::from_secs(1);
/// Before something that failed is tried again.
const BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
/// The same where it is likely to be a matter of moments; it doubles each time.
const SOON: Duration = Duration::from_millis(2);
/// How often to look at what waits, and how often when nothing does.
const TICK: Duration = Duration::from_millis(50);
const IDLE_TICK: Duration = Duration::from_secs(5);
/// How long brokers may not know a topic that was there before.
const UNKNOWN: Duration = Duration::from_secs(30);
/// The same for a topic of which they say that it does not exist: whoever uses this producer makes it again.
const GONE: Duration = Duration::from_secs(10);

/// See the [module](self).
pub(super) struct Sender {
    options: Options,
    events: std_mpsc::Sender<Event>,
    queued: Arc<AtomicUsize>,
    news: mpsc::UnboundedSender<News>,
    topics: Vec<Topic>,
    by_name: HashMap<String, usize>,
    parts: Vec<Part>,
    /// The first is whoever of `bootstrap.servers` answers.
    brokers: Vec<Broker>,
    /// Which of `bootstrap.servers` is asked next.
    bootstrap: usize,
    /// Connections so far.
    links: u64,
    correlation: i32,
    /// What transactions need beside the rest.
    transactional: Option<Transactional>,
    /// Batches that are not durable, of the open transaction where there is one.
    pending: usize,
    /// The producer's id and epoch.
    identity: Option<(i64, i16)>,
    /// It was asked for; else when to ask.
    identity_asked: bool,
    identity_at: Instant,
    /// Brokers and leaders are to be asked for, not before this time; and how often in a row they were not told.
    metadata_wanted: Option<Instant>,
    metadata_tries: u32,
    metadata_asked: bool,
    /// All topics are to be asked for, not only those whose leaders are unknown.
    metadata_of_all: bool,
    metadata_at: Instant,
    /// Partitions that are to be tried again at a time.
    parked: Vec<(Instant, usize)>,
    /// Memory to compress into.
    scratch: Vec<u8>,
}

impl Sender {
    /// Runs until the producer is dropped, or can go on no more.
    pub(super) async fn run(
        options: Options,
        commands: mpsc::UnboundedReceiver<Command>,
        events: std_mpsc::Sender<Event>,
        queued: Arc<AtomicUsize>,
    ) {
        let told = events.clone();
        if let Err(error) = Self::work(options, commands, events, queued).await {
            // Nobody listens once the producer is gone.
            let _ = told.send(Event::Failed(error));
        }
    }

    async fn work(
        options: Options,
        mut commands: mpsc::UnboundedReceiver<Command>,
        events: std_mpsc::Sender<Event>,
        queued: Arc<AtomicUsize>,
    ) -> Result<(), Error> {
        let (news, mut heard) = mpsc::unbounded_channel();
        let now = Instant::now();
        let first = Broker::new(-1, String::new(), now);
        let transactional =
            options.transactional.as_ref().map(|(id, timeout)| Transactional::new(id.clone(), *timeout, now));
        let mut sender = Self {
            options,
            transactional,
            pending: 0,
            events,
            queued,
            news,
            topics: Vec::new(),
            by_name: HashMap::new(),
            parts: Vec::new(),
            brokers: vec![first],
            bootstrap: 0,
            links: 0,
            correlation: 0,
            identity: None,
            identity_asked: false,
            identity_at: now,
            metadata_wanted: Some(now),
            metadata_tries: 0,
            metadata_asked: false,
            metadata_of_all: false,
            metadata_at: now,
            parked: Vec::new(),
            scratch: Vec::new(),
        };
        let mut looked = now;
        loop {
            let tick = sender.patience(Instant::now());
            tokio::select! {
                command = commands.recv() => {
                    let Some(command) = command else { return Ok(()) };
                    let mut bytes = sender.take(command);
                    // What is ready goes before all is.
                    while bytes < REQUEST / 4 && let Ok(command) = commands.try_recv() {
                        bytes += sender.take(command);
                    }
                }
                Some(news) = heard.recv() => {
                    sender.on_news(news)?;
                    while let Ok(news) = heard.try_recv() {
                        sender.on_news(news)?;
                    }
                }
                () = tokio::time::sleep(tick) => {}
            }
            let now = Instant::now();
            if now.duration_since(looked) >= TICK {
                looked = now;
                sender.look(now)?;
            }
            sender.advance(now);
        }
    }

    fn patience(&self, now: Instant) -> Duration {
        let tick = if self.is_busy() { TICK } else { IDLE_TICK };
        let metadata = self.metadata_wanted.filter(|at| *at > now).map_or(tick, |at| at - now);
        let tick = tick.min(metadata);
        self.transactional.as_ref().map_or(tick, |transactional| tick.min(transactional.patience(now)))
    }

    fn is_busy(&self) -> bool {
        self.identity.is_none()
            || self.metadata_wanted.is_some()
            || self.metadata_asked
            || !self.parked.is_empty()
            || self.transactional.as_ref().is_some_and(Transactional::is_busy)
            || self.brokers.iter().any(Broker::is_busy)
    }

    /// Returns the bytes that were compressed.
    fn take(&mut self, command: Command) -> usize {
        match command {
            Command::Topic(name) => {
                self.by_name.insert(name.clone(), self.topics.len());
                self.topics.push(Topic { name, parts: Vec::new(), unknown: None });
                self.metadata_wanted = Some(Instant::now());
                0
            }
            Command::Batch { topic, partition, batch } => {
                let bytes = batch.len();
                self.enqueue(topic, partition, batch);
                bytes
            }
            Command::TakeOver => {
                self.take_over();
                0
            }
            Command::Commit => {
                self.end_transaction(true);
                0
            }
            Command::Abort => {
                self.end_transaction(false);
                0
            }
        }
    }

    /// Looks at the time: what has waited too long, and what is to be tried again.
    fn look(&mut self, now: Instant) -> Result<(), Error> {
        // A broker answers in order, each within the limit it was told.
        let limit = self.options.request_timeout + GRACE;
        let late = |broker: &Broker| {
            let link = broker.link.as_ref()?;
            let since = link.waiting.front()?.since.max(link.heard);
            (now.duration_since(since) > limit).then_some(link.number)
        };
        let late: Vec<u64> = self.brokers.iter().filter_map(late).collect();
        for number in late {
            self.on_lost(number, &std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
        }
        let is_away = |broker: &Broker| {
            !broker.ready.is_empty()
                && broker.link.as_ref().is_none_or(|link| !link.up && now.duration_since(link.heard) > AWAY)
        };
        if self.metadata_wanted.is_none() && self.brokers.iter().any(is_away) {
            self.metadata_of_all = true;
            self.metadata_wanted = Some(now + AWAY);
        }
        let mut again = Vec::new();
        self.parked.retain(|(at, part)| {
            let wait = *at > now;
            if !wait {
                again.push(*part);
            }
            wait
        });
        for part in again {
            self.parts[part].parked = false;
            self.list(part);
        }
        if now.duration_since(self.metadata_at) > self.options.metadata_age {
            self.metadata_at = now;
            self.metadata_of_all = true;
            self.metadata_wanted.get_or_insert(now);
        }
        let oldest = |part: &Part| {
            let since = part.queue.front()?.since;
            (now.duration_since(since) > self.options.delivery_timeout).then_some(part.topic)
        };
        if let Some(topic) = self.parts.iter().find_map(oldest) {
            return Err(failure::undelivered(&self.topics[topic].name, Code::MessageTimedOut));
        }
        self.transactional.as_ref().map_or(Ok(()), |transactional| transactional.look(now))
    }

    fn on_identity(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.identity_asked = false;
        let (error, id, epoch) = answer.init_producer_id().ok_or_else(failure::malformed)?;
        match failure::fate(error) {
            Fate::Done => {
                tracing::debug!(id, epoch, "producer's id");
                self.identity = Some((id, epoch));
                if self.transactional.is_some() {
                    let _ = self.events.send(Event::Ready);
                }
            }
            Fate::Again | Fate::NotLeader => match &mut self.transactional {
                Some(transactional) => transactional.again(error),
                None => self.identity_at = Instant::now() + BACKOFF,
            },
            Fate::Failed(code) if self.transactional.is_some() => {
                return Err(failure::refused(TAKE_OVER, code));
            }
            Fate::Failed(code) => return Err(failure::refused("get a producer's id", code)),
        }
        Ok(())
    }

    /// Asks and sends what can be now.
    fn advance(&mut self, now: Instant) {
        self.advance_transaction(now);
        let may_ask = self.transactional.is_none() && self.identity.is_none();
        if may_ask && !self.identity_asked && self.identity_at <= now {
            let client = self.options.client_id.clone();
            self.identity_asked = self.ask_any(now, Asked::Identity, |correlation| {
                Request::init_producer_id(correlation, &client, None)
            });
        }
        if !self.metadata_asked && self.metadata_wanted.is_some_and(|at| at <= now) {
            let client = self.options.client_id.clone();
            let names: Vec<String> = self.topics_to_ask_for().map(str::to_owned).collect();
            let ask = |correlation| Request::metadata(correlation, &client, names.iter().map(String::as_str));
            if self.ask_any(now, Asked::Metadata, ask) {
                self.metadata_of_all = false;
                self.metadata_asked = true;
                self.metadata_wanted = None;
            }
        }
        let Some(identity) = self.identity else { return };
        for at in 0..self.brokers.len() {
            while !self.brokers[at].ready.is_empty() {
                let broker = &mut self.brokers[at];
                match &broker.link {
                    None => {
                        self.connect(at, now);
                        break;
                    }
                    Some(link) if !link.up || link.requests() >= REQUESTS => break,
                    Some(_) => self.produce(at, identity, now),
                }
            }
        }
    }
}
