//! Answers, read from their front.
//!
//! An answer begins with the number of its request and, where the version is flexible, tagged fields. What follows has no mark
//! of its version, so the version is kept with the request that waits. A field that nobody needs is read and dropped: only so
//! one gets to the next. Fields that a later broker adds come as tagged fields and are skipped.
//!
//! A number that a broker could only write by mistake, such as a negative length, counts as zero or ends the reading; no memory
//! is taken for a list before its elements are there.

use std::time::Duration;

use super::versions::{self, Told, Version};

/// An answer, read from its front. Methods return `None` when it is too short.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Answer<'a> {
    /// What is not read yet.
    rest: &'a [u8],
    /// The version of its request, which decides its fields.
    version: Version,
}

/// What the answer to `Produce` says beside the batches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Produced {
    /// How long the client is to send nothing.
    pub(in super::super) throttle: Option<Duration>,
    /// The brokers that lead now, each with id and address, where a batch went to the wrong one (KIP-951).
    pub(in super::super) brokers: Vec<(i32, String)>,
}

/// Who leads a partition, as a broker tells that does not lead it (KIP-951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct CurrentLeader {
    /// The leading broker's id.
    pub(in super::super) id: i32,
    /// Counts the partition's leaders (KIP-320).
    pub(in super::super) epoch: i32,
}

/// Brokers and topics of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Metadata {
    /// Each broker's id and address.
    pub(in super::super) brokers: Vec<(i32, String)>,
    /// The topics that were asked for, also those that are not there.
    pub(in super::super) topics: Vec<TopicMetadata>,
}

/// A topic and who leads its partitions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct TopicMetadata {
    /// The error code; zero for a topic that is there.
    pub(in super::super) error: i16,
    /// Its name.
    pub(in super::super) name: String,
    /// Tells the topic from an earlier one of the same name; `None` from brokers before Kafka 2.8.
    pub(in super::super) id: Option<u128>,
    /// Its partitions, in no order. A broker may leave some out.
    pub(in super::super) partitions: Vec<PartitionMetadata>,
}

/// A partition, and who leads it.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct PartitionMetadata {
    /// Its number within the topic, from zero.
    pub(in super::super) number: i32,
    /// The leading broker's id, if there is one.
    pub(in super::super) leader: Option<i32>,
    /// Counts the leaders; -1 from brokers that do not tell. It begins anew with a topic that is made anew.
    pub(in super::super) epoch: i32,
}

impl<'a> Answer<'a> {
    /// An answer to a request of this version, with its head. Returns the number that it repeats, too.
    pub(in super::super) fn new(bytes: &'a [u8], version: Version) -> Option<(i32, Self)> {
        let mut answer = Self { rest: bytes, version };
        let correlation = answer.i32()?;
        if version.flexible_head {
            answer.close()?;
        }
        Some((correlation, answer))
    }

    /// How long the client is to send nothing, if at all. Not for the answers that begin otherwise: those of `Produce`,
    /// `ApiVersions` and logins.
    pub(in super::super) fn throttle(mut self) -> Option<Duration> {
        pause(self.i32()?)
    }

    /// Reads the answer to `ApiVersions`.
    pub(in super::super) fn api_versions(mut self) -> Option<Told> {
        let error = self.i16()?;
        if error != 0 {
            // A broker without this version answers by version 0, and what it says more differs from release to release.
            return Some(Told { error, ..Told::default() });
        }
        let mut told = Told::default();
        for _ in 0..self.count()? {
            told.ranges.push((self.i16()?, self.i16()?, self.i16()?));
            self.close()?;
        }
        if self.version.number > 0 {
            let _throttled = self.i32()?;
        }
        /// The tagged field with the features that all brokers of the cluster have.
        const FINALIZED: u32 = 2;
        let version = self.version;
        self.tagged(|tag, bytes| {
            if tag == FINALIZED {
                told.transactions = (Self { rest: bytes, version }).features().unwrap_or(0);
            }
        })?;
        Some(told)
    }

    /// The level of the feature that tells how transactions work, out of a list of features.
    fn features(mut self) -> Option<i16> {
        let mut level = None;
        for _ in 0..self.count()? {
            let (name, most, _least) = (self.string()?, self.i16()?, self.i16()?);
            self.close()?;
            level = level.or(versions::transactions(name, most));
        }
        level
    }

    /// Reads the answer to `SaslHandshake`: error code, and the mechanisms that the broker has.
    pub(in super::super) fn sasl_handshake(mut self) -> Option<(i16, Vec<String>)> {
        let error = self.i16()?;
        let mut mechanisms = Vec::new();
        for _ in 0..self.count()? {
            mechanisms.push(self.string()?.to_owned());
        }
        Some((error, mechanisms))
    }

    /// Reads the answer to `SaslAuthenticate`: error code, its text, the broker's message, and how many milliseconds the session
    /// lasts (0: without end).
    pub(in super::super) fn sasl_authenticate(mut self) -> Option<(i16, Option<String>, &'a [u8], i64)> {
        let (error, text) = (self.i16()?, self.string()?);
        let text = Some(text.to_owned()).filter(|text| !text.is_empty());
        let size = self.count()?;
        let message = self.rest.split_off(..size)?;
        let lifetime = if self.version.number > 0 { self.i64()? } else { 0 };
        Some((error, text, message, lifetime))
    }

    /// Reads the answer to `InitProducerId`: error code, producer id and epoch.
    pub(in super::super) fn init_producer_id(mut self) -> Option<(i16, i64, i16)> {
        let _throttled = self.i32()?;
        Some((self.i16()?, self.i64()?, self.i16()?))
    }

    /// Reads the answer to `FindCoordinator`: error code, and the coordinator's id and address.
    pub(in super::super) fn find_coordinator(mut self) -> Option<(i16, i32, String)> {
        let _throttled = self.i32()?;
        if self.version.number >= 4 {
            // A list with an element for each id that was asked for: one.
            let (_count, _key) = (self.count().filter(|count| *count > 0)?, self.string()?);
            let (id, host, port) = (self.i32()?, self.string()?, self.i32()?);
            return Some((self.i16()?, id, format!("{host}:{port}")));
        }
        let (error, _message) = (self.i16()?, self.string()?);
        let (id, host, port) = (self.i32()?, self.string()?, self.i32()?);
        Some((error, id, format!("{host}:{port}")))
    }

    /// Reads the answer to `AddPartitionsToTxn`: topic, partition and its error code, for each partition.
    pub(in super::super) fn add_partitions(mut self, mut each: impl FnMut(&str, i32, i16)) -> Option<()> {
        let _throttled = self.i32()?;
        for _ in 0..self.count()? {
            let topic = self.string()?;
            for _ in 0..self.count()? {
                let (partition, error) = (self.i32()?, self.i16()?);
                self.close()?;
                each(topic, partition, error);
            }
            self.close()?;
        }
        Some(())
    }

    /// Reads the answer to `EndTxn`: the error code, and the producer id and epoch of the next transaction, when they change.
    pub(in super::super) fn end(mut self) -> Option<(i16, Option<(i64, i16)>)> {
        let _throttled = self.i32()?;
        let error = self.i16()?;
        if self.version.number < 5 {
            return Some((error, None));
        }
        let (id, epoch) = (self.i64()?, self.i16()?);
        Some((error, (id >= 0).then_some((id, epoch))))
    }

    /// Reads the answer to `Produce`: for each batch topic, partition, error code, and who leads where the broker does not.
    pub(in super::super) fn produce(
        mut self,
        mut each: impl FnMut(&str, i32, i16, Option<CurrentLeader>),
    ) -> Option<Produced> {
        /// The tagged field of a partition that names its leader, and that of the answer with the leaders' addresses.
        const LEADER: u32 = 0;
        let version = self.version;
        for _ in 0..self.count()? {
            let topic = self.string()?;
            for _ in 0..self.count()? {
                let (partition, error) = (self.i32()?, self.i16()?);
                // Offset, time of append, first offset.
                self.skip(24)?;
                if version.number >= 8 {
                    self.refused_records()?;
                }
                let mut leader = None;
                self.tagged(|tag, bytes| {
                    if tag == LEADER {
                        leader = (Self { rest: bytes, version }).current_leader();
                    }
                })?;
                each(topic, partition, error, leader);
            }
            self.close()?;
        }
        let mut produced = Produced { throttle: pause(self.i32()?), brokers: Vec::new() };
        self.tagged(|tag, bytes| {
            if tag == LEADER {
                produced.brokers = (Self { rest: bytes, version }).brokers().unwrap_or_default();
            }
        })?;
        Some(produced)
    }

    /// Skips which records of a batch were refused, and why (KIP-467): the error code decides.
    fn refused_records(&mut self) -> Option<()> {
        for _ in 0..self.count()? {
            let (_number, _message) = (self.i32()?, self.string()?);
            self.close()?;
        }
        self.string().map(|_| ())
    }

    /// Reads the tagged field of a partition that names its leader; `None` when the broker does not know it either.
    fn current_leader(mut self) -> Option<CurrentLeader> {
        let (id, epoch) = (self.i32()?, self.i32()?);
        (id >= 0).then_some(CurrentLeader { id, epoch })
    }

    /// Reads a list of brokers: each one's id and address.
    fn brokers(&mut self) -> Option<Vec<(i32, String)>> {
        let mut brokers = Vec::new();
        for _ in 0..self.count()? {
            let (id, host, port) = (self.i32()?, self.string()?, self.i32()?);
            let _rack = self.string()?;
            self.close()?;
            brokers.push((id, format!("{host}:{port}")));
        }
        Some(brokers)
    }

    /// Reads the answer to `Metadata`.
    pub(in super::super) fn metadata(mut self) -> Option<Metadata> {
        let _throttled = self.i32()?;
        let brokers = self.brokers()?;
        let (_cluster, _controller) = (self.string()?, self.i32()?);
        let mut topics = Vec::new();
        for _ in 0..self.count()? {
            topics.push(self.topic()?);
        }
        Some(Metadata { brokers, topics })
    }

    /// Reads a topic with its partitions.
    fn topic(&mut self) -> Option<TopicMetadata> {
        let version = self.version.number;
        let (error, name) = (self.i16()?, self.string()?.to_owned());
        let id = if version >= 10 { Some(self.u128()?).filter(|id| *id != 0) } else { None };
        // Whether it is one of Kafka's own.
        self.skip(1)?;
        let mut partitions = Vec::new();
        for _ in 0..self.count()? {
            let (error, number, leader) = (self.i16()?, self.i32()?, self.i32()?);
            let epoch = if version >= 7 { self.i32()? } else { -1 };
            // Replicas, those that are in sync, and from version 5 on those that are away.
            for _ in 0..if version >= 5 { 3 } else { 2 } {
                self.numbers()?;
            }
            self.close()?;
            let leader = (error == 0 && leader >= 0).then_some(leader);
            partitions.push(PartitionMetadata { number, leader, epoch });
        }
        if version >= 8 {
            let _allowed_operations = self.i32()?;
        }
        self.close()?;
        Some(TopicMetadata { error, name, id, partitions })
    }

    /// The next number.
    fn i16(&mut self) -> Option<i16> {
        self.rest.split_off(..2)?.first_chunk().map(|two| i16::from_be_bytes(*two))
    }

    /// The next number of four bytes.
    fn i32(&mut self) -> Option<i32> {
        self.rest.split_off(..4)?.first_chunk().map(|four| i32::from_be_bytes(*four))
    }

    /// The next number of eight bytes.
    fn i64(&mut self) -> Option<i64> {
        self.rest.split_off(..8)?.first_chunk().map(|eight| i64::from_be_bytes(*eight))
    }

    /// The next sixteen bytes: a topic's id.
    fn u128(&mut self) -> Option<u128> {
        self.rest.split_off(..16)?.first_chunk().map(|all| u128::from_be_bytes(*all))
    }

    /// A number of variable length: seven bits a byte, the low ones first.
    fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self.rest.split_off_first()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Leaves bytes out.
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest.split_off(..bytes).map(|_| ())
    }

    /// The next text; empty for a null.
    fn string(&mut self) -> Option<&'a str> {
        let length =
            if self.version.flexible { self.count()? } else { usize::try_from(self.i16()?).unwrap_or(0) };
        std::str::from_utf8(self.rest.split_off(..length)?).ok()
    }

    /// The number of elements or bytes that follow; none for a null list.
    fn count(&mut self) -> Option<usize> {
        if self.version.flexible {
            return usize::try_from(self.varint()?).ok().map(|count| count.saturating_sub(1));
        }
        Some(usize::try_from(self.i32()?).unwrap_or(0))
    }

    /// Skips a list of four-byte numbers.
    fn numbers(&mut self) -> Option<()> {
        let count = self.count()?;
        self.skip(count.checked_mul(4)?)
    }

    /// Skips the tagged fields at the end of a structure, where it has such.
    fn close(&mut self) -> Option<()> {
        self.tagged(|_, _| {})
    }

    /// Reads the tagged fields at the end of a structure, where it has such: each one's number and bytes.
    fn tagged(&mut self, mut each: impl FnMut(u32, &'a [u8])) -> Option<()> {
        if !self.version.flexible {
            return Some(());
        }
        for _ in 0..self.varint()? {
            let (tag, size) = (self.varint()?, self.varint()?);
            each(tag, self.rest.split_off(..usize::try_from(size).ok()?)?);
        }
        Some(())
    }
}

/// A pause that a broker asks for, in milliseconds.
fn pause(ms: i32) -> Option<Duration> {
    u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
