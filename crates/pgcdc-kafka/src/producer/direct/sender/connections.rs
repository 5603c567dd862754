//! Connections to brokers: opened when there is something to send, used for requests, and lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::broker::{Asked, Broker, Link, Waiting};
use super::super::connection::{Connection, News, Segment};
use super::super::failure;
use super::super::protocol::{API_VERSIONS, Answer, Head, Request, Versions};
use super::super::state::Sender;
use super::super::timing::{BACKOFF, DOUBTFUL, REFUSED, REMIND};
use crate::Error;

impl Sender {
    /// Takes in what a connection reports: it is open, it has an answer, or it is lost.
    pub(super) fn on_news(&mut self, news: News) -> Result<(), Error> {
        match news {
            News::Up(number, versions) => {
                self.options.let_in.note();
                if self.refusal_told.take().is_some() {
                    tracing::info!("a Kafka broker lets this client in again");
                }
                if let Some(link) = self.broker_of(number).and_then(|broker| broker.link.as_mut()) {
                    link.versions = Some(versions);
                }
                Ok(())
            }
            News::Lost(number, error) => {
                self.on_lost(number, &error);
                Ok(())
            }
            News::Doubtful(number, error) => self.on_doubt(number, error),
            News::Refused(number, error) => self.on_refused(number, error),
            News::Answer(number, bytes) => self.on_answer(number, &bytes),
        }
    }

    /// Takes in a connection that was lost as if `security.protocol` were wrong. A broker that is being stopped hangs up, too, so
    /// it is tried again for a few seconds, and for ever once a broker has let the client in.
    fn on_doubt(&mut self, number: u64, error: Error) -> Result<(), Error> {
        if !self.options.let_in.ever() {
            let now = Instant::now();
            let since = *self.doubtful_since.get_or_insert(now);
            if now.duration_since(since) > DOUBTFUL {
                return Err(error);
            }
        }
        self.on_lost(number, &std::io::Error::other(error));
        Ok(())
    }

    /// Takes in a connection that was refused. A client that was never let in has a mistake in its properties, and ends. One that was
    /// let in before tries again for some minutes, since somebody may be changing a password.
    fn on_refused(&mut self, number: u64, error: Error) -> Result<(), Error> {
        let now = Instant::now();
        if !self.options.let_in.bears_refusal(now) {
            return Err(error);
        }
        let Some(broker) = self.broker_of(number) else { return Ok(()) };
        let (id, address) = (broker.id, broker.address.clone());
        if self.refusal_told.is_none_or(|at| now.duration_since(at) > REMIND) {
            failure::warn_of_refusal(&address, &error);
            self.refusal_told = Some(now);
        }
        self.on_lost(number, &std::io::Error::other(error));
        if let Some(broker) = self.brokers.iter_mut().find(|broker| broker.id == id) {
            broker.not_before = now + REFUSED;
        }
        Ok(())
    }

    /// Gives an answer to the handler of the oldest request over this connection.
    fn on_answer(&mut self, number: u64, bytes: &[u8]) -> Result<(), Error> {
        let Some(broker) = self.broker_of(number) else { return Ok(()) };
        broker.failures = 0;
        let Some(link) = &mut broker.link else { return Ok(()) };
        link.heard = Instant::now();
        let waiting = link.waiting.pop_front().ok_or_else(failure::malformed)?;
        let answer = Answer::new(bytes, waiting.version).filter(|(number, _)| *number == waiting.correlation);
        let (_, answer) = answer.ok_or_else(failure::malformed)?;
        if !matches!(waiting.asked, Asked::Life | Asked::Produce(_)) {
            self.on_throttle(number, answer.throttle());
        }
        match waiting.asked {
            Asked::Identity => self.on_identity(answer),
            Asked::Metadata => self.on_metadata(answer),
            Asked::Produce(batches) => self.on_produce(number, batches, answer),
            Asked::Coordinator => self.on_coordinator(answer),
            Asked::Join(partitions) => self.on_join(partitions, answer),
            Asked::End => self.on_end(answer),
            Asked::Life => Ok(()),
        }
    }

    /// Takes in how long a broker wants nothing to be sent.
    pub(super) fn on_throttle(&mut self, number: u64, pause: Option<Duration>) {
        let Some(pause) = pause else { return };
        let Some(broker) = self.broker_of(number) else { return };
        let Some(link) = &mut broker.link else { return };
        let until = Instant::now() + pause;
        if until > link.throttled {
            let (broker, ms) = (&broker.address, pause.as_millis());
            tracing::info!(broker, ms, "a broker makes this client wait: its quota is used up");
            link.throttled = until;
        }
    }

    /// The broker that the connection with this number goes to; `None` when the connection was given up.
    pub(super) fn broker_of(&mut self, number: u64) -> Option<&mut Broker> {
        let is_it = |broker: &&mut Broker| broker.link.as_ref().is_some_and(|link| link.number == number);
        self.brokers.iter_mut().find(is_it)
    }

    /// Forgets a connection that is gone. Requests that were on their way over it are sent again.
    pub(super) fn on_lost(&mut self, number: u64, error: &std::io::Error) {
        let now = Instant::now();
        let (least, most) = self.options.reconnect;
        let Some(broker) = self.broker_of(number) else { return };
        let Some(link) = broker.link.take() else { return };
        if link.is_idle() && broker.ready.is_empty() {
            // A broker closes connections that nobody uses. The next request opens one.
            tracing::debug!(broker = broker.address, %error, "a connection that was not used is gone");
            self.bootstrap += usize::from(broker.id < 0);
            return;
        }
        // With jitter, so that many clients do not come back at the same moment.
        let pause = (least * 2_u32.pow(broker.failures)).min(most).mul_f64(0.8 + 0.4 * fastrand::f64());
        broker.not_before = now + pause;
        broker.failures = (broker.failures + 1).min(8);
        let first = broker.failures == 1;
        let (id, address) = (broker.id, broker.address.clone());
        for at in std::mem::take(&mut broker.ready) {
            self.partitions[at].listed = None;
            self.parked.push((now + BACKOFF, at));
        }
        if let Some(transactional) = &mut self.transactional {
            transactional.on_lost(id, now);
        }
        for waiting in link.waiting {
            self.on_unanswered(waiting.asked, now);
        }
        if id < 0 {
            self.bootstrap += 1;
        }
        if first {
            tracing::warn!(broker = address, %error, "no connection to a Kafka broker; it is tried again");
        }
        self.metadata.of_all = true;
        self.want_metadata();
    }

    /// Sends again what a request asked for whose answer will not come.
    fn on_unanswered(&mut self, asked: Asked, now: Instant) {
        match asked {
            Asked::Identity => self.identity_asked = false,
            Asked::Life => {}
            Asked::Metadata => {
                self.metadata.asked = false;
                self.want_metadata();
            }
            Asked::Produce(batches) => {
                for (at, _) in batches {
                    self.partitions[at].flow.on_failed();
                    self.settle(at, now + BACKOFF);
                }
            }
            other => {
                if let Some(transactional) = &mut self.transactional {
                    transactional.on_unanswered(other);
                }
            }
        }
    }

    /// Sends a request to any broker. False when none is connected yet: then one of `bootstrap.servers` is connected to.
    pub(super) fn ask_any(
        &mut self,
        now: Instant,
        asked: Asked,
        request: impl FnOnce(Head<'_>, Versions) -> Request,
    ) -> bool {
        // The broker with the fewest requests, and none that owes an answer for long. Brokers with equally many take turns, since one
        // may be cut off from the others.
        let count = self.brokers.len();
        let turn = self.correlation.unsigned_abs() as usize;
        let waiting = |at: &usize| {
            let broker = Some(&self.brokers[*at]).filter(|broker| !broker.is_silent(now));
            let link = broker.and_then(|broker| broker.link.as_ref()).filter(|link| link.is_up());
            link.map(|link| link.waiting.len())
        };
        let up = (0..count).map(|at| (at + turn) % count).filter(|at| waiting(at).is_some());
        let Some(at) = up.min_by_key(waiting) else {
            // A server of `bootstrap.servers` knows the brokers' addresses even after all of them have changed.
            if self.brokers[0].link.is_none() {
                let servers = &self.options.bootstrap;
                self.brokers[0].address = servers[self.bootstrap % servers.len()].clone();
                self.connect(0, now);
            }
            // That server may be the very broker that is away, so one more is tried.
            let trying = |at: &usize| self.brokers[*at].link.as_ref().is_some_and(|link| !link.is_up());
            let mut others = (1..count).map(|at| 1 + (at + turn + self.bootstrap) % (count - 1));
            if !(1..count).any(|at| trying(&at))
                && let Some(other) = others.find(|at| self.brokers[*at].link.is_none())
            {
                self.connect(other, now);
            }
            return false;
        };
        self.ask(at, now, asked, request);
        true
    }

    /// Sends a request to a broker that is connected.
    pub(super) fn ask(
        &mut self,
        at: usize,
        now: Instant,
        asked: Asked,
        request: impl FnOnce(Head<'_>, Versions) -> Request,
    ) {
        self.ask_for_life(at, now);
        let correlation = next_number(self.correlation);
        self.correlation = correlation;
        let head = Head { correlation, client: &self.options.client_id };
        let Some(link) = &mut self.brokers[at].link else { return };
        let Some(versions) = link.versions else { return };
        let request = request(head, versions).finished();
        link.waiting.push_back(Waiting { correlation, asked, version: request.version(), since: now });
        link.connection.send(vec![Segment::Own(request.bytes)]);
    }

    /// Asks for a sign of life before a request that goes over a connection which was quiet for long. A request with batches may
    /// rightly take half a minute, so its own silence would tell too late that the connection is dead.
    pub(super) fn ask_for_life(&mut self, at: usize, now: Instant) {
        let Some(link) = self.brokers[at].link.as_mut().filter(|link| link.is_doubtful(now)) else { return };
        let correlation = next_number(self.correlation);
        self.correlation = correlation;
        let (head, version) = (Head { correlation, client: &self.options.client_id }, API_VERSIONS.oldest());
        let request = Request::api_versions(head, version);
        link.waiting.push_back(Waiting { correlation, asked: Asked::Life, version, since: now });
        link.connection.send(vec![Segment::Own(request.bytes)]);
    }

    /// Begins to connect to a broker, unless it failed a moment ago.
    pub(super) fn connect(&mut self, at: usize, now: Instant) {
        let broker = &mut self.brokers[at];
        if broker.not_before > now {
            return;
        }
        self.links += 1;
        let connection = Connection::open(
            self.links,
            broker.address.clone(),
            Arc::clone(&self.profile),
            self.news.clone(),
        );
        broker.link = Some(Link {
            number: self.links,
            connection,
            versions: None,
            heard: now,
            throttled: now,
            waiting: VecDeque::new(),
        });
    }
}

/// The number of the next request. Negative numbers are those of logins.
pub(super) const fn next_number(last: i32) -> i32 {
    last.wrapping_add(1) & i32::MAX
}
