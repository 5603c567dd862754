//! The thread that sends: it compresses batches, numbers them, and sends each to its partition's leader until it is durable.
//!
//! One request holds batches of many partitions. Up to five batches of a partition are on their way, in order, over one
//! connection ([`Flow`](super::flow::Flow)). When a batch has to be sent again, those behind it are sent again, too. Each batch
//! keeps its sequence number, so the broker takes each once, and in order.
//!
//! This file has the loop; the handlers are in a file for each kind of request. What they change is a
//! [`Sender`](super::state::Sender).
//!
//! ```text Command News timers caller ──────────────▶ ┌──────────────────────────────────┐ ◀──── silent? idle? overdue? parked?
//! ◀────────────── │ Sender: partitions, brokers, txn │ Event └───────────────┬──────────────────┘ ▼ requests one task for each
//! connection ``` Everything here runs on one thread and nothing waits: a handler changes the state and returns, and
//! [`Sender::advance`] sends what the state asks for. So there are no locks, and a test can put any answer before any other.
//!
//! | what goes wrong | what follows | |---|---| | a broker refuses a batch for now, or moved | the batch is sent again with its
//! number, after those on their way are answered | | a connection is lost | all that was on its way over it is sent again; the
//! broker is tried again after 100 ms to 1 s | | a broker owes an answer for a second | others are asked whether they lead and
//! coordinate now; if so the connection is given up | | it owes a sign of life for three seconds | the connection is given up |
//! | it owes any answer for `request.timeout.ms` and five seconds | the connection is given up | | a batch is not durable
//! within `delivery.timeout.ms` | the producer ends with an error that waiting may mend | | a right, a topic or a number is
//! wrong | the producer ends with an error that says what to do |

mod connections;
mod errors;
mod metadata;
mod produce;
mod transaction;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::broker::{Asked, Broker, Link};
use super::command::{Command, Event, TAKE_OVER};
use super::connection::{News, Profile};
use super::counts::Counts;
use super::failure::{self, Outcome};
use super::options::Options;
use super::partition::{PartitionState, TopicState};
use super::protocol::{Answer, Request};
use super::state::{MetadataState, Sender};
use super::timing::{ASK_AGAIN, AWAY, BACKOFF, GRACE, IDLE_TICK, LIFE, TICK};
use super::transactional::Transactional;
use crate::{Code, Error};

/// Bytes that are compressed before requests are sent with what there is.
const AT_ONCE: usize = 256 << 10;

/// Sends until the producer is dropped, or can go on no more: then the last event says why.
pub(super) async fn run(
    options: Options,
    commands: mpsc::UnboundedReceiver<Command>,
    events: std_mpsc::Sender<Event>,
    shared: (Arc<AtomicUsize>, Arc<Counts>),
) {
    let (news, heard) = mpsc::unbounded_channel();
    let mut sender = Sender::new(options, events.clone(), shared, news, Instant::now());
    if let Err(error) = sender.work(commands, heard).await {
        // Nobody listens once the producer is gone.
        let _ = events.send(Event::Failed(error));
    }
}

impl Sender {
    fn new(
        options: Options,
        events: std_mpsc::Sender<Event>,
        (queued, counts): (Arc<AtomicUsize>, Arc<Counts>),
        news: mpsc::UnboundedSender<News>,
        now: Instant,
    ) -> Self {
        let transactional = options.transactional.as_ref();
        let transactional = transactional.map(|(id, timeout)| Transactional::new(id.clone(), *timeout, now));
        let Options { client_id, security, keepalive, .. } = &options;
        let profile =
            Profile { client_id: client_id.clone(), security: security.clone(), keepalive: *keepalive };
        Self {
            options,
            profile: Arc::new(profile),
            doubtful_since: None,
            refusal_told: None,
            asked_around: now,
            events,
            queued,
            counts,
            news,
            topics: Vec::new(),
            by_name: HashMap::new(),
            partitions: Vec::new(),
            brokers: vec![Broker::new(-1, String::new(), now)],
            bootstrap: 0,
            links: 0,
            correlation: 0,
            transactional,
            pending: 0,
            identity: None,
            identity_asked: false,
            identity_at: now,
            metadata: MetadataState::new(now),
            parked: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes commands and answers as they come. Returns when the caller's half is gone.
    async fn work(
        &mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut heard: mpsc::UnboundedReceiver<News>,
    ) -> Result<(), Error> {
        let mut looked = Instant::now();
        loop {
            let tick = self.patience(Instant::now());
            // Nothing is lost when an arm is dropped: both channels keep what was not received.
            tokio::select! {
                command = commands.recv() => {
                    let Some(command) = command else { return Ok(()) };
                    let mut bytes = self.on_command(command);
                    while bytes < AT_ONCE && let Ok(command) = commands.try_recv() {
                        bytes += self.on_command(command);
                    }
                }
                Some(news) = heard.recv() => {
                    self.on_news(news)?;
                    while let Ok(news) = heard.try_recv() {
                        self.on_news(news)?;
                    }
                }
                () = tokio::time::sleep(tick) => {}
            }
            let now = Instant::now();
            if now.duration_since(looked) >= TICK {
                looked = now;
                self.look(now)?;
            }
            self.resume_parked(now);
            self.advance(now);
        }
    }

    /// How long to wait when neither a command nor an answer comes.
    fn patience(&self, now: Instant) -> Duration {
        let tick = if self.is_busy() { TICK } else { IDLE_TICK };
        let metadata = self.metadata.wanted.filter(|at| *at > now).map_or(tick, |at| at - now);
        let parked = self.parked.iter().map(|(at, _)| at.saturating_duration_since(now)).min();
        let tick = tick.min(metadata).min(parked.unwrap_or(tick));
        self.transactional.as_ref().map_or(tick, |transactional| tick.min(transactional.patience(now)))
    }

    /// Whether something is on its way, or waits to be: then the queues are looked at often.
    fn is_busy(&self) -> bool {
        self.identity.is_none()
            || self.metadata.wanted.is_some()
            || self.metadata.asked
            || !self.parked.is_empty()
            || self.transactional.as_ref().is_some_and(Transactional::is_busy)
            || self.brokers.iter().any(Broker::is_busy)
    }

    /// Takes in a command. Returns the bytes that were compressed for it.
    fn on_command(&mut self, command: Command) -> usize {
        match command {
            Command::Topic(name) => {
                self.by_name.insert(name.clone(), self.topics.len());
                self.topics.push(TopicState {
                    name,
                    partitions: Vec::new(),
                    id: None,
                    most: None,
                    unknown: None,
                });
                self.metadata.wanted = Some(Instant::now());
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

    /// Finds what has waited too long, and what is to be tried again.
    ///
    /// # Errors When a batch waited for longer than `delivery.timeout.ms`, or a transaction took longer to end than
    /// `transaction.timeout.ms`.
    fn look(&mut self, now: Instant) -> Result<(), Error> {
        self.drop_silent_connections(now);
        self.close_idle_connections(now);
        self.ask_about_silent_brokers(now);
        self.look_for_lost_leaders(now);
        if now.duration_since(self.metadata.at) > self.options.metadata_age {
            self.metadata.at = now;
            self.metadata.of_all = true;
            self.metadata.wanted.get_or_insert(now);
        }
        let overdue = |partition: &PartitionState| {
            let since = partition.queue.front()?.since;
            (now.duration_since(since) > self.options.delivery_timeout).then_some(partition.topic)
        };
        if let Some(topic) = self.partitions.iter().find_map(overdue) {
            return Err(self.undelivered(&self.topics[topic].name, Code::MessageTimedOut));
        }
        self.transactional.as_ref().map_or(Ok(()), |transactional| transactional.look(now))
    }

    /// Gives up connections over which an answer is overdue. A broker answers in order, each request within the time that
    /// it was given, and a sign of life at once.
    fn drop_silent_connections(&mut self, now: Instant) {
        let limit = self.options.request_timeout + GRACE;
        let silent = |broker: &Broker| {
            let link = broker.link.as_ref()?;
            let (silence, asked) = link.silence(now)?;
            let limit = if matches!(asked, Asked::Life) { LIFE } else { limit };
            (silence > limit).then_some(link.number)
        };
        let silent: Vec<u64> = self.brokers.iter().filter_map(silent).collect();
        for number in silent {
            self.on_lost(number, &std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
            // What happened to one connection may have happened to all that were not used since.
            for broker in &mut self.brokers {
                broker.link.take_if(|link| link.is_doubtful(now));
            }
        }
    }

    /// Closes connections over which nothing went for `connections.max.idle.ms`, before the broker does it.
    fn close_idle_connections(&mut self, now: Instant) {
        let Some(limit) = self.options.idle else { return };
        for broker in self.brokers.iter_mut().filter(|broker| broker.ready.is_empty()) {
            let is_old = |link: &mut Link| link.is_idle() && now.duration_since(link.heard) > limit;
            if broker.link.take_if(is_old).is_some() {
                tracing::debug!(broker = broker.address, "closed a connection that was not used");
            }
        }
    }

    /// Asks other brokers who leads, and who coordinates, while a broker owes an answer: it may be frozen or cut off, and another may
    /// have taken its place. A request that is on its way to such a broker is not waited for.
    fn ask_about_silent_brokers(&mut self, now: Instant) {
        let silent = |broker: &Broker| broker.is_silent(now);
        if now.duration_since(self.asked_around) < ASK_AGAIN || !self.brokers.iter().any(silent) {
            return;
        }
        self.asked_around = now;
        let links = self
            .brokers
            .iter()
            .filter(|broker| broker.is_silent(now))
            .filter_map(|broker| broker.link.as_ref());
        for waiting in links.flat_map(|link| &link.waiting) {
            // An answer that comes late is taken in all the same: every broker may be slow.
            match waiting.asked {
                Asked::Metadata => self.metadata.asked = false,
                Asked::Coordinator => {
                    if let Some(transactional) = &mut self.transactional {
                        transactional.coordinator_asked = false;
                    }
                }
                _ => {}
            }
        }
        self.metadata.of_all = true;
        self.metadata.wanted.get_or_insert(now);
        self.look_for_another_coordinator(now);
    }

    /// Asks who leads when a leader with something to send to has been out of reach for a while.
    fn look_for_lost_leaders(&mut self, now: Instant) {
        let is_away = |broker: &Broker| {
            let is_down = |link: &Link| !link.is_up() && now.duration_since(link.heard) > AWAY;
            !broker.ready.is_empty() && broker.link.as_ref().is_none_or(is_down)
        };
        if self.metadata.wanted.is_none() && self.brokers.iter().any(is_away) {
            self.metadata.of_all = true;
            self.metadata.wanted = Some(now + ASK_AGAIN);
        }
    }

    /// Sends on to partitions whose pause is over.
    fn resume_parked(&mut self, now: Instant) {
        if self.parked.is_empty() {
            return;
        }
        let mut due = Vec::new();
        self.parked.retain(|(at, partition)| {
            if *at <= now {
                due.push(*partition);
            }
            *at > now
        });
        for partition in due {
            self.partitions[partition].flow.resume(now);
            self.list(partition);
        }
    }

    /// Takes in the producer's id and epoch.
    ///
    /// # Errors When brokers refuse it: the user has no right to the transactional id, or the timeout is larger than brokers
    /// allow.
    fn on_identity(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.identity_asked = false;
        let (error, id, epoch) = answer.init_producer_id().ok_or_else(failure::malformed)?;
        match failure::outcome(error) {
            Outcome::Done => {
                tracing::debug!(id, epoch, "producer's id");
                self.identity = Some((id, epoch));
                self.choose_how_to_join();
                if self.transactional.is_some() {
                    let _ = self.events.send(Event::Ready);
                }
            }
            Outcome::Again | Outcome::NotLeader => match &mut self.transactional {
                Some(transactional) => transactional.on_retry(error),
                None => self.identity_at = Instant::now() + BACKOFF,
            },
            Outcome::Failed(code) if self.transactional.is_some() => {
                return Err(self.refused(TAKE_OVER, code));
            }
            Outcome::Failed(code) => return Err(self.refused("get a producer's id", code)),
        }
        Ok(())
    }

    /// Sends all requests that can be sent now.
    ///
    /// Requests of transactions and for metadata come first: batches may wait for what they tell. A batch needs the producer's
    /// id, since its number counts within it (KIP-98).
    fn advance(&mut self, now: Instant) {
        self.advance_transaction(now);
        let may_ask = self.transactional.is_none() && self.identity.is_none();
        if may_ask && !self.identity_asked && self.identity_at <= now {
            self.identity_asked = self.ask_any(now, Asked::Identity, |head, versions| {
                Request::init_producer_id(head, versions, None)
            });
        }
        self.advance_metadata(now);
        let Some(identity) = self.identity else { return };
        for at in 0..self.brokers.len() {
            while !self.brokers[at].ready.is_empty() {
                match &self.brokers[at].link {
                    None => {
                        self.connect(at, now);
                        break;
                    }
                    Some(link) if !link.has_room(now) => break,
                    Some(_) => self.produce(at, identity, now),
                }
            }
        }
    }
}
