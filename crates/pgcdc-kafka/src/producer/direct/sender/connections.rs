//! The connections to brokers: opened when there is something to send, asked, and lost.

use std::collections::VecDeque;
use std::time::Instant;

use super::super::connection::{Connection, News, Segment};
use super::super::failure;
use super::super::protocol::{Answer, Request};
use super::super::state::{Asked, Broker, Link, Waiting};
use super::{BACKOFF, LONGEST_BACKOFF, Sender};
use crate::Error;

impl Sender {
    pub(super) fn on_news(&mut self, news: News) -> Result<(), Error> {
        match news {
            News::Up(number) => {
                if let Some(link) = self.broker_of(number).and_then(|broker| broker.link.as_mut()) {
                    link.up = true;
                }
                Ok(())
            }
            News::Lost(number, error) => {
                self.on_lost(number, &error);
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
                    Asked::Identity => self.on_identity(answer),
                    Asked::Metadata => self.on_metadata(answer),
                    Asked::Produce(parts) => self.on_produce(parts, answer),
                    Asked::Coordinator => self.on_coordinator(answer),
                    Asked::Join(parts) => self.on_join(parts, answer),
                    Asked::End => self.on_end(answer),
                }
            }
        }
    }

    /// Whose connection that is.
    pub(super) fn broker_of(&mut self, number: u64) -> Option<&mut Broker> {
        let is_it = |broker: &&mut Broker| broker.link.as_ref().is_some_and(|link| link.number == number);
        self.brokers.iter_mut().find(is_it)
    }

    /// A connection is gone. The batches that were on their way over it are sent again.
    pub(super) fn on_lost(&mut self, number: u64, error: &std::io::Error) {
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

    /// Asks whoever is connected; false when nobody is, yet.
    pub(super) fn ask_any(
        &mut self,
        now: Instant,
        asked: Asked,
        request: impl FnOnce(i32) -> Request,
    ) -> bool {
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
    pub(super) fn ask(
        &mut self,
        at: usize,
        now: Instant,
        asked: Asked,
        request: impl FnOnce(i32) -> Request,
    ) {
        self.correlation = self.correlation.wrapping_add(1);
        let mut request = request(self.correlation);
        request.finish(request.bytes.len());
        if let Some(link) = &mut self.brokers[at].link {
            link.waiting.push_back(Waiting { correlation: self.correlation, asked, since: now });
            link.connection.send(vec![Segment::Own(request.bytes)]);
        }
    }

    pub(super) fn connect(&mut self, at: usize, now: Instant) {
        let broker = &mut self.brokers[at];
        if broker.not_before > now {
            return;
        }
        self.links += 1;
        let connection = Connection::open(self.links, broker.address.clone(), self.news.clone());
        broker.link =
            Some(Link { number: self.links, connection, up: false, heard: now, waiting: VecDeque::new() });
    }
}
