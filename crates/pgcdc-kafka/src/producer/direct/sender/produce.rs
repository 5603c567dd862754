//! Batches: queued by partition, sent in requests that hold those of many partitions, and let go once they are durable.
//!
//! ```text enqueue ─▶ queue of its partition ─▶ list ─▶ ready list of the leader ─▶ choose ─▶ write_produce ─▶ connection ▲ │ │
//! refused: again, from the front ▼ └─────────────────────────────────── settle ◀──────────────────────────────── on_produce └─
//! durable ─▶ Event::Durable ``` All requests ask for acks=all: a broker answers when each replica in sync has the batch, or
//! says that there are too few of them. Numbers within a partition make repetitions harmless: the leader keeps those of the
//! last five batches of each producer (KIP-98, KAFKA-5494).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::batch::{self, Batch};
use super::super::broker::{Asked, Waiting};
use super::super::command::Event;
use super::super::connection::Segment;
use super::super::failure::{self, CONCURRENT_TRANSACTIONS, Outcome};
use super::super::options::Options;
use super::super::partition::Pending;
use super::super::protocol::{Answer, CurrentLeader, Head, Request, Version};
use super::super::state::Sender;
use super::super::timing::{BACKOFF, FORGOTTEN};
use super::connections::next_number;
use crate::{Code, Error};

/// Bytes of a request, unless one batch has more.
const REQUEST: usize = 1 << 20;
/// A batch of at most this is copied into its request rather than written by itself.
const COPIED: usize = 64 << 10;

impl Sender {
    /// Compresses a batch and puts it into its partition's queue.
    ///
    /// A topic whose brokers refused a large batch before gets smaller ones from then on: the batch is split before it is sent.
    pub(super) fn enqueue(&mut self, topic: usize, partition: usize, batch: Batch) {
        let at = self.topics[topic].partitions[partition];
        let before = batch.len();
        let (sealed, rest) =
            batch.seal(self.options.compression, self.transactional.is_some(), &mut self.scratch);
        let after = sealed.bytes.len();
        // From here on only the compressed bytes are in memory.
        self.queued.fetch_add(after, Ordering::Relaxed);
        self.queued.fetch_sub(before, Ordering::Relaxed);
        if rest.capacity() > 0 {
            let _ = self.events.send(Event::Spare(rest));
        }
        let pending = Pending::new(sealed, Instant::now());
        let pieces = match self.topics[topic].most {
            Some(most) if pending.bytes.len() > most => pending.pieces(most, self.transactional.is_some()),
            _ => return self.queue_or_keep(at, pending),
        };
        let bytes: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        self.queued.fetch_add(bytes.saturating_sub(after), Ordering::Relaxed);
        pieces.into_iter().for_each(|piece| self.queue_or_keep(at, piece));
    }

    /// Queues a batch of the open transaction, and keeps one of the next.
    fn queue_or_keep(&mut self, at: usize, pending: Pending) {
        if let Some(pending) = self.of_this_transaction(at, pending) {
            self.queue(at, pending);
        }
    }

    /// Puts a batch of the open transaction into its partition's queue.
    pub(super) fn queue(&mut self, at: usize, pending: Pending) {
        self.pending += 1;
        self.partitions[at].queue.push_back(pending);
        self.list(at);
    }

    /// Lets a partition's leader know that there is a batch for it, if one can be sent now.
    ///
    /// Without a leader, metadata is asked for. A partition that does not belong to the open transaction is added first, and is
    /// listed when it does.
    pub(super) fn list(&mut self, at: usize) {
        let partition = &mut self.partitions[at];
        if partition.listed.is_some() || !partition.has_more() {
            return;
        }
        if let Some(transactional) = &mut self.transactional
            && !transactional.admits(at, partition)
        {
            return;
        }
        let leader = self.brokers.iter_mut().find(|broker| Some(broker.id) == partition.leader);
        match leader {
            Some(broker) => {
                partition.listed = partition.leader;
                broker.ready.push_back(at);
            }
            None => self.want_metadata(),
        }
    }

    /// Takes in which batches the leader has, and which have to be sent again.
    ///
    /// A batch that the answer leaves out counts as refused. One that the leader has already (`DUPLICATE_SEQUENCE_NUMBER`)
    /// counts as taken: the first answer to it was lost.
    ///
    /// # Errors When a batch can never be taken, for instance since the user has no right to the topic, or the broker does not
    /// know the producer any more. The producer ends then; what was not durable is sent by the next one.
    pub(super) fn on_produce(
        &mut self,
        connection: u64,
        asked: Vec<(usize, u64)>,
        answer: Answer<'_>,
    ) -> Result<(), Error> {
        let now = Instant::now();
        let mut unanswered = asked.clone();
        let (mut failed, mut moved, mut busy) = (None, Vec::new(), false);
        let read = answer.produce(|topic, partition, error, leader| {
            let Some(at) = self.partition_of(topic, partition) else { return };
            let Some(place) = unanswered.iter().position(|(asked, _)| *asked == at) else { return };
            match failure::outcome(error) {
                Outcome::Done => {
                    let (_, number) = unanswered.swap_remove(place);
                    let partition = &mut self.partitions[at];
                    partition.flow.on_taken(now);
                    if let Some(pending) = partition.batch(number) {
                        pending.durable = true;
                    }
                }
                Outcome::Again => {
                    tracing::debug!(error, "a batch is sent again");
                    busy |= error == CONCURRENT_TRANSACTIONS;
                }
                Outcome::NotLeader => {
                    tracing::debug!(error, "a batch is sent again, to whoever leads its partition");
                    self.partitions[at].leader = None;
                    moved.extend(leader.map(|leader| (at, leader)));
                }
                Outcome::Failed(Code::MessageSizeTooLarge) if self.on_too_large(unanswered[place]) => {}
                // It came behind a batch that has to be sent again.
                Outcome::Failed(Code::OutOfOrderSequenceNumber) if self.partitions[at].flow.is_draining() => {
                }
                Outcome::Failed(code) => {
                    failed.get_or_insert_with(|| self.refused_batch(at, code, error));
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let produced = read.ok_or_else(failure::malformed)?;
        self.on_throttle(connection, produced.throttle);
        self.on_brokers(produced.brokers, now);
        for (at, _) in unanswered {
            self.partitions[at].flow.on_failed();
            self.want_metadata();
        }
        let pause = if busy { self.pause_of_a_transaction() } else { BACKOFF };
        moved.retain(|(at, CurrentLeader { id, epoch })| self.on_leader(*at, Some(*id), *epoch));
        for (at, _) in asked {
            // A leader that was named is gone to at once (KIP-951).
            let is_named = moved.iter().any(|(moved, _)| *moved == at);
            self.settle(at, if is_named { now } else { now + pause });
        }
        Ok(())
    }

    /// Remembers that brokers refuse batches of this size. Batches that are larger than half of it are split before they are sent
    /// again. False for a batch of one record, which cannot be split.
    fn on_too_large(&mut self, (at, number): (usize, u64)) -> bool {
        let partition = &mut self.partitions[at];
        let topic = &mut self.topics[partition.topic];
        let Some(batch) = partition.batch(number).filter(|batch| batch.count > 1) else { return false };
        let (size, half) = (batch.bytes.len(), batch.bytes.len() / 2);
        tracing::debug!(topic = topic.name, size, "a batch is too large for its topic: it is split");
        topic.most = Some(topic.most.map_or(half, |most| most.min(half)));
        true
    }

    /// The error of a batch that no leader will ever take.
    #[cold]
    fn refused_batch(&self, at: usize, code: Code, error: i16) -> Error {
        let code = match code {
            // Nobody can take the id of a producer without transactions: the broker has forgotten it, and a new producer
            // gets another.
            Code::InvalidProducerEpoch if self.transactional.is_none() => Code::UnknownProducerId,
            code => code,
        };
        let partition = &self.partitions[at];
        let topic = &self.topics[partition.topic].name;
        tracing::warn!(topic, partition = partition.number, error, "a broker refuses a batch");
        self.undelivered(topic, code)
    }

    /// The index of a partition that an answer names.
    pub(super) fn partition_of(&self, topic: &str, partition: i32) -> Option<usize> {
        let topic = self.topics.get(*self.by_name.get(topic)?)?;
        topic.partitions.get(usize::try_from(partition).ok()?).copied()
    }

    /// Groups partitions by their topic, as requests list them.
    pub(super) fn by_topic<'a>(&self, partitions: &'a mut [usize]) -> Vec<&'a [usize]> {
        partitions.sort_unstable_by_key(|at| self.partitions[*at].topic);
        partitions.chunk_by(|a, b| self.partitions[*a].topic == self.partitions[*b].topic).collect()
    }

    /// Lets durable batches at the front of a partition's queue go, and sends on: the next batch, or, not before `again`, all again
    /// from the front when one failed.
    pub(super) fn settle(&mut self, at: usize, again: Instant) {
        let partition = &mut self.partitions[at];
        while partition.queue.front().is_some_and(|first| first.durable)
            && let Some(done) = partition.queue.pop_front()
        {
            partition.done += 1;
            partition.sent = partition.sent.saturating_sub(1);
            self.pending -= 1;
            self.queued.fetch_sub(done.bytes.len(), Ordering::Relaxed);
            self.counts.durable(done.bytes.len());
            let _ = self.events.send(Event::Durable(done.handles));
        }
        if partition.flow.park(again) {
            partition.sent = 0;
            if let Some(most) = self.topics[partition.topic].most {
                let (batches, bytes) = partition.split(most, self.transactional.is_some());
                self.pending += batches;
                self.queued.fetch_add(bytes, Ordering::Relaxed);
            }
            self.parked.push((again, at));
        } else {
            self.list(at);
        }
    }

    /// Sends one request with the batches of as many partitions as fit.
    ///
    /// Nothing is sent while the connection is not open. Each partition gives its first batch that was not sent, and waits in
    /// the list for the next request if it has more: so a busy table does not hold up the others.
    pub(super) fn produce(&mut self, at: usize, identity: (i64, i16), now: Instant) {
        let Some(versions) = self.brokers[at].link.as_ref().and_then(|link| link.versions) else { return };
        let mut chosen = self.choose(at, now);
        if chosen.is_empty() {
            return;
        }
        let version = versions.produce(self.joins_by_itself());
        let segments = self.write_produce(&mut chosen, identity, version);
        let numbers = chosen.iter().map(|at| {
            let partition = &self.partitions[*at];
            (*at, partition.done + partition.sent as u64 - 1)
        });
        let asked = Asked::Produce(numbers.collect());
        // Those with another batch wait for the next request.
        chosen.into_iter().for_each(|partition| self.list(partition));
        let correlation = self.correlation;
        self.ask_for_life(at, now);
        if let Some(link) = &mut self.brokers[at].link {
            link.waiting.push_back(Waiting { correlation, asked, version, since: now });
            link.connection.send(segments);
            self.counts.request();
        }
    }

    /// Takes partitions out of a broker's list, one batch each, until a request is full.
    ///
    /// A request has at least one batch, however large.
    fn choose(&mut self, at: usize, now: Instant) -> Vec<usize> {
        let (mut chosen, mut size) = (Vec::new(), 0);
        let broker = &mut self.brokers[at];
        while let Some(&next) = broker.ready.front() {
            let partition = &mut self.partitions[next];
            partition.flow.forget(now, FORGOTTEN);
            let bytes = partition.queue.get(partition.sent).map_or(0, |pending| pending.bytes.len());
            if size > 0 && size + bytes > REQUEST {
                break;
            }
            broker.ready.pop_front();
            partition.listed = None;
            if partition.leader != Some(broker.id) || !partition.has_more() {
                // It has moved or waits since it was listed. It is listed again when that changes, or at the next look.
                self.parked.push((now, next));
                continue;
            }
            size += bytes;
            partition.flow.on_sent();
            partition.sent += 1;
            chosen.push(next);
        }
        chosen
    }

    /// Writes a request with the last batch of each partition that counts as sent, and groups `chosen` by topic.
    ///
    /// A batch gets its number here, when it is sent for the first time. Small batches are copied into the request; large ones
    /// are sent from where they are, so the request comes in pieces.
    fn write_produce(
        &mut self,
        chosen: &mut [usize],
        identity: (i64, i16),
        version: Version,
    ) -> Vec<Segment> {
        let by_topic = self.by_topic(chosen);
        self.correlation = next_number(self.correlation);
        let timeout = i32::try_from(self.options.request_timeout.as_millis()).unwrap_or(i32::MAX);
        let Options { client_id, transactional, .. } = &self.options;
        let id = transactional.as_ref().map(|(id, _)| id.as_str());
        let head = Head { correlation: self.correlation, client: client_id };
        let mut request = Request::produce(head, version, id, timeout, by_topic.len());
        let (mut segments, mut all) = (Vec::new(), 0);
        for same in by_topic {
            let topic = self.partitions[same[0]].topic;
            request.topic(&self.topics[topic].name, same.len());
            for at in same {
                let partition = &mut self.partitions[*at];
                let Some(batch) = partition.queue.get_mut(partition.sent - 1) else { continue };
                if batch.numbered {
                    self.counts.retry();
                } else {
                    batch.numbered = true;
                    let bytes: &mut Vec<u8> = Arc::make_mut(&mut batch.bytes);
                    batch::number(bytes, identity, partition.sequence);
                    partition.sequence = partition.sequence.wrapping_add(batch.count) & i32::MAX;
                }
                request.batch(partition.number, batch.bytes.len());
                if batch.bytes.len() <= COPIED {
                    request.bytes.extend_from_slice(&batch.bytes);
                } else {
                    all += request.bytes.len() + batch.bytes.len();
                    segments.push(Segment::Own(std::mem::take(&mut request.bytes)));
                    segments.push(Segment::Batch(Arc::clone(&batch.bytes)));
                }
                request.close();
            }
            request.close();
        }
        request.close();
        all += request.bytes.len();
        segments.push(Segment::Own(request.bytes));
        if let Some(Segment::Own(first)) = segments.first_mut() {
            first[..4].copy_from_slice(&u32::try_from(all - 4).unwrap_or(0).to_be_bytes());
        }
        segments
    }
}
