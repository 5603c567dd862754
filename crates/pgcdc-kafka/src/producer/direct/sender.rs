//! The thread that sends: compresses batches, numbers them, and asks the partition's leader again until they are durable.
//!
//! One request holds batches of many partitions. A partition has a few on their way, in order, over one
//! connection; when one has to be sent again, those behind it wait, and are sent again, too. A batch keeps its number, so the
//! broker takes each once, and in order.

mod metadata;
mod transaction;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::transaction::Transactional;
use super::batch::Batch;
use super::connection::{Connection, News, Segment};
use super::failure::{self, Fate};
use super::protocol::{Answer, Request};
use super::state::{Asked, Broker, Link, Part, Pending, Topic, Waiting};
use super::{Command, Event, Options, TAKE_OVER};
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
                    sender.hear(news)?;
                    while let Ok(news) = heard.try_recv() {
                        sender.hear(news)?;
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

    fn enqueue(&mut self, topic: usize, partition: usize, batch: Batch) {
        let part = self.topics[topic].parts[partition];
        let before = batch.len();
        let (sealed, rest) =
            batch.seal(self.options.compress, self.transactional.is_some(), &mut self.scratch);
        let after = sealed.bytes.len();
        // What is left of it is in memory, no more.
        self.queued.fetch_add(after, Ordering::Relaxed);
        self.queued.fetch_sub(before, Ordering::Relaxed);
        if rest.capacity() > 0 {
            let _ = self.events.send(Event::Spare(rest));
        }
        let pending = Pending {
            bytes: Arc::new(sealed.bytes),
            count: sealed.count,
            handles: sealed.handles,
            since: Instant::now(),
            numbered: false,
            durable: false,
        };
        if let Some(pending) = self.of_this_transaction(part, pending) {
            self.queue(part, pending);
        }
    }

    fn queue(&mut self, part: usize, pending: Pending) {
        self.pending += 1;
        self.parts[part].queue.push_back(pending);
        self.list(part);
    }

    /// Lets a partition's broker know that there is something for it.
    fn list(&mut self, at: usize) {
        let part = &mut self.parts[at];
        if part.listed || !part.has_more() {
            return;
        }
        if let Some(transactional) = &mut self.transactional
            && !transactional.admits(at, part)
        {
            return;
        }
        let broker = self.brokers.iter_mut().find(|broker| Some(broker.id) == part.leader);
        match broker {
            Some(broker) => {
                part.listed = true;
                broker.ready.push_back(at);
            }
            None => self.want_metadata(),
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
            self.lost(number, &std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
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

    fn hear(&mut self, news: News) -> Result<(), Error> {
        match news {
            News::Up(number) => {
                if let Some(link) = self.broker_of(number).and_then(|broker| broker.link.as_mut()) {
                    link.up = true;
                }
                Ok(())
            }
            News::Lost(number, error) => {
                self.lost(number, &error);
                Ok(())
            }
            News::Answer(number, bytes) => {
                let Some(broker) = self.broker_of(number) else { return Ok(()) };
                broker.failures = 0;
                let Some(link) = &mut broker.link else { return Ok(()) };
                link.heard = Instant::now();
                let mut answer = Answer(&bytes);
                let correlation = answer.i32();
                let Some(waiting) =
                    link.waiting.pop_front().filter(|waiting| Some(waiting.correlation) == correlation)
                else {
                    return Err(failure::malformed());
                };
                match waiting.asked {
                    Asked::Identity => self.identified(answer),
                    Asked::Metadata => self.informed(answer),
                    Asked::Produce(parts) => self.produced(parts, answer),
                    Asked::Coordinator => self.found(answer),
                    Asked::Join(parts) => self.joined(parts, answer),
                    Asked::End => self.ended(answer),
                }
            }
        }
    }

    /// Whose connection that is.
    fn broker_of(&mut self, number: u64) -> Option<&mut Broker> {
        let is_it = |broker: &&mut Broker| broker.link.as_ref().is_some_and(|link| link.number == number);
        self.brokers.iter_mut().find(is_it)
    }

    /// A connection is gone; what was on its way over it is sent again.
    fn lost(&mut self, number: u64, error: &std::io::Error) {
        let now = Instant::now();
        let Some(broker) = self.broker_of(number) else { return };
        let Some(link) = broker.link.take() else { return };
        broker.not_before = now + (BACKOFF * 2_u32.pow(broker.failures)).min(LONGEST_BACKOFF);
        broker.failures = (broker.failures + 1).min(8);
        let first = broker.failures == 1;
        let (id, address) = (broker.id, broker.address.clone());
        let busy = !link.waiting.is_empty() || !broker.ready.is_empty() || !link.up;
        for at in std::mem::take(&mut broker.ready) {
            self.parts[at].listed = false;
            self.parked.push((now + BACKOFF, at));
        }
        if let Some(transactional) = &mut self.transactional {
            transactional.lost(id, now);
        }
        for waiting in link.waiting {
            match waiting.asked {
                Asked::Identity => self.identity_asked = false,
                Asked::Metadata => {
                    self.metadata_asked = false;
                    self.want_metadata();
                }
                Asked::Produce(parts) => {
                    for (at, _) in parts {
                        let part = &mut self.parts[at];
                        part.in_flight -= 1;
                        if part.again() {
                            self.parked.push((now + BACKOFF, at));
                        }
                    }
                }
                other => {
                    if let Some(transactional) = &mut self.transactional {
                        transactional.unanswered(other);
                    }
                }
            }
        }
        if id < 0 {
            self.bootstrap += 1;
        }
        if busy {
            if first {
                tracing::warn!(broker = address, %error, "no connection to a Kafka broker; it is tried again");
            }
            self.metadata_of_all = true;
            self.want_metadata();
        }
    }

    fn identified(&mut self, answer: Answer<'_>) -> Result<(), Error> {
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

    fn produced(&mut self, mut parts: Vec<(usize, u64)>, answer: Answer<'_>) -> Result<(), Error> {
        let now = Instant::now();
        let asked_for: Vec<usize> = parts.iter().map(|(part, _)| *part).collect();
        let mut failed = None;
        let read = answer.produce(|topic, partition, error| {
            let Some(at) = self.part_of(topic, partition) else { return };
            let Some(asked) = parts.iter().position(|(part, _)| *part == at) else { return };
            let part = &mut self.parts[at];
            match failure::fate(error) {
                Fate::Done => {
                    let (_, number) = parts.swap_remove(asked);
                    part.in_flight -= 1;
                    part.proven = !part.again;
                    part.answered = Some(now);
                    let pending = number
                        .checked_sub(part.done)
                        .and_then(|at| part.queue.get_mut(usize::try_from(at).ok()?));
                    if let Some(pending) = pending {
                        pending.durable = true;
                    }
                }
                Fate::Again => tracing::debug!(error, "a batch is sent again"),
                Fate::NotLeader => {
                    tracing::debug!(error, "a batch is sent again, to whoever leads its partition");
                    part.leader = None;
                }
                // What is behind one that has to be sent again.
                Fate::Failed(Code::OutOfOrderSequenceNumber) if part.again => {}
                Fate::Failed(code) => {
                    let code = match code {
                        // Nobody takes the id of a producer without transactions: the broker has forgotten it, and
                        // a new producer gets another.
                        Code::InvalidProducerEpoch if self.transactional.is_none() => Code::UnknownProducerId,
                        code => code,
                    };
                    let name = &self.topics[part.topic].name;
                    tracing::warn!(topic = name, partition, error, "a broker refuses a batch");
                    failed.get_or_insert_with(|| failure::undelivered(name, code));
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.ok_or_else(failure::malformed)?;
        // Those that are left have to be sent again.
        for (at, _) in parts {
            let part = &mut self.parts[at];
            part.in_flight -= 1;
            part.again = true;
            self.want_metadata();
        }
        asked_for.into_iter().for_each(|part| self.settle(part, now));
        Ok(())
    }

    /// The place of a partition that an answer names.
    fn part_of(&self, topic: &str, partition: i32) -> Option<usize> {
        let topic = self.topics.get(*self.by_name.get(topic)?)?;
        topic.parts.get(usize::try_from(partition).ok()?).copied()
    }

    /// Partitions as requests list them: those of a topic together.
    fn by_topic<'a>(&self, parts: &'a mut [usize]) -> Vec<&'a [usize]> {
        parts.sort_unstable_by_key(|part| self.parts[*part].topic);
        parts.chunk_by(|a, b| self.parts[*a].topic == self.parts[*b].topic).collect()
    }

    /// Lets go what is durable of a partition, and sends on.
    fn settle(&mut self, at: usize, now: Instant) {
        let part = &mut self.parts[at];
        while part.queue.front().is_some_and(|first| first.durable)
            && let Some(done) = part.queue.pop_front()
        {
            part.done += 1;
            part.sent = part.sent.saturating_sub(1);
            self.pending -= 1;
            self.queued.fetch_sub(done.bytes.len(), Ordering::Relaxed);
            let _ = self.events.send(Event::Durable(done.handles));
        }
        if !part.again {
            self.list(at);
        } else if part.again() {
            self.parked.push((now + BACKOFF, at));
        }
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

    /// Asks whoever is connected; false when nobody is, yet.
    fn ask_any(&mut self, now: Instant, asked: Asked, request: impl FnOnce(i32) -> Request) -> bool {
        // Whoever has least to do; among equals they take turns, as one may be cut off from the others.
        let count = self.brokers.len();
        let turn = self.correlation.unsigned_abs() as usize;
        let waiting = |at: &usize| {
            let link = self.brokers[*at].link.as_ref().filter(|link| link.up);
            link.map(|link| link.waiting.len())
        };
        let up = (0..count).map(|at| (at + turn) % count).filter(|at| waiting(at).is_some());
        let Some(at) = up.min_by_key(waiting) else {
            // The bootstrap servers know where everybody is, even when nobody is where he was.
            if self.brokers[0].link.is_none() {
                let servers = &self.options.bootstrap;
                self.brokers[0].address = servers[self.bootstrap % servers.len()].clone();
                self.connect(0, now);
            }
            return false;
        };
        self.ask(at, now, asked, request);
        true
    }

    /// Asks one that is connected.
    fn ask(&mut self, at: usize, now: Instant, asked: Asked, request: impl FnOnce(i32) -> Request) {
        self.correlation = self.correlation.wrapping_add(1);
        let mut request = request(self.correlation);
        request.finish(request.bytes.len());
        if let Some(link) = &mut self.brokers[at].link {
            link.waiting.push_back(Waiting { correlation: self.correlation, asked, since: now });
            link.connection.send(vec![Segment::Own(request.bytes)]);
        }
    }

    fn connect(&mut self, at: usize, now: Instant) {
        let broker = &mut self.brokers[at];
        if broker.not_before > now {
            return;
        }
        self.links += 1;
        let connection = Connection::open(self.links, broker.address.clone(), self.news.clone());
        broker.link =
            Some(Link { number: self.links, connection, up: false, heard: now, waiting: VecDeque::new() });
    }

    /// One request with the batches of as many partitions as fit.
    fn produce(&mut self, at: usize, identity: (i64, i16), now: Instant) {
        let (mut parts, mut size) = (Vec::new(), 0);
        let broker = &mut self.brokers[at];
        while let Some(&next) = broker.ready.front() {
            let part = &mut self.parts[next];
            if part.answered.is_some_and(|at| part.in_flight == 0 && now.duration_since(at) > FORGOTTEN) {
                part.proven = false;
            }
            let bytes = part.queue.get(part.sent).map_or(0, |pending| pending.bytes.len());
            if size > 0 && size + bytes > REQUEST {
                break;
            }
            broker.ready.pop_front();
            part.listed = false;
            if part.leader != Some(broker.id) || !part.has_more() {
                // It has moved, or waits: whoever changes that lists it again.
                self.parked.push((now, next));
                continue;
            }
            size += bytes;
            part.in_flight += 1;
            part.sent += 1;
            parts.push(next);
        }
        if parts.is_empty() {
            return;
        }
        let by_topic = self.by_topic(&mut parts);
        self.correlation = self.correlation.wrapping_add(1);
        let timeout = i32::try_from(self.options.request_timeout.as_millis()).unwrap_or(i32::MAX);
        let Options { client_id, transactional, .. } = &self.options;
        let id = transactional.as_ref().map(|(id, _)| id.as_str());
        let mut request = Request::produce(self.correlation, client_id, id, timeout, by_topic.len());
        let (mut segments, mut all) = (Vec::new(), 0);
        for same in by_topic {
            let topic = self.parts[same[0]].topic;
            request.topic(&self.topics[topic].name, same.len());
            for at in same {
                let part = &mut self.parts[*at];
                let Some(first) = part.queue.get_mut(part.sent - 1) else { continue };
                if !first.numbered {
                    first.numbered = true;
                    let bytes: &mut Vec<u8> = Arc::make_mut(&mut first.bytes);
                    super::batch::number(bytes, identity, part.sequence);
                    part.sequence = part.sequence.wrapping_add(first.count) & i32::MAX;
                }
                request.batch(part.number, first.bytes.len());
                if first.bytes.len() <= COPIED {
                    request.bytes.extend_from_slice(&first.bytes);
                } else {
                    all += request.bytes.len() + first.bytes.len();
                    segments.push(Segment::Own(std::mem::take(&mut request.bytes)));
                    segments.push(Segment::Batch(Arc::clone(&first.bytes)));
                }
            }
        }
        all += request.bytes.len();
        segments.push(Segment::Own(request.bytes));
        if let Some(Segment::Own(first)) = segments.first_mut() {
            first[..4].copy_from_slice(&u32::try_from(all - 4).unwrap_or(0).to_be_bytes());
        }
        let numbers = parts.iter().map(|at| (*at, self.parts[*at].done + self.parts[*at].sent as u64 - 1));
        let asked = Asked::Produce(numbers.collect());
        // With what they have beyond that.
        parts.into_iter().for_each(|part| self.list(part));
        if let Some(link) = &mut self.brokers[at].link {
            link.waiting.push_back(Waiting { correlation: self.correlation, asked, since: now });
            link.connection.send(segments);
        }
    }
}
