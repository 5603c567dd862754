//! Batches: queued by partition, sent in requests that hold those of many partitions, and let go once they are durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::batch::{self, Batch};
use super::super::command::Event;
use super::super::connection::Segment;
use super::super::failure::{self, Fate};
use super::super::options::Options;
use super::super::protocol::{Answer, Request};
use super::super::state::{Asked, Pending, Waiting};
use super::{BACKOFF, COPIED, FORGOTTEN, REQUEST, Sender};
use crate::{Code, Error};

impl Sender {
    pub(super) fn enqueue(&mut self, topic: usize, partition: usize, batch: Batch) {
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

    pub(super) fn queue(&mut self, part: usize, pending: Pending) {
        self.pending += 1;
        self.parts[part].queue.push_back(pending);
        self.list(part);
    }

    /// Lets a partition's broker know that there is something for it.
    pub(super) fn list(&mut self, at: usize) {
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

    pub(super) fn on_produce(
        &mut self,
        mut parts: Vec<(usize, u64)>,
        answer: Answer<'_>,
    ) -> Result<(), Error> {
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
    pub(super) fn part_of(&self, topic: &str, partition: i32) -> Option<usize> {
        let topic = self.topics.get(*self.by_name.get(topic)?)?;
        topic.parts.get(usize::try_from(partition).ok()?).copied()
    }

    /// Partitions as requests list them: those of a topic together.
    pub(super) fn by_topic<'a>(&self, parts: &'a mut [usize]) -> Vec<&'a [usize]> {
        parts.sort_unstable_by_key(|part| self.parts[*part].topic);
        parts.chunk_by(|a, b| self.parts[*a].topic == self.parts[*b].topic).collect()
    }

    /// Lets go what is durable of a partition, and sends on.
    pub(super) fn settle(&mut self, at: usize, now: Instant) {
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

    /// One request with the batches of as many partitions as fit.
    pub(super) fn produce(&mut self, at: usize, identity: (i64, i16), now: Instant) {
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
                    batch::number(bytes, identity, part.sequence);
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
