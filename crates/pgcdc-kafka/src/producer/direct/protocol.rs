//! The requests that a producer needs, and their answers.
//!
//! Source: Kafka's documentation, "Protocol Guide". Versions that every broker since 2.1 (2018) understands, 4.x included.

use std::time::Duration;

/// `Produce` version 7.
const PRODUCE: (i16, i16) = (0, 7);
/// `Metadata` version 4.
const METADATA: (i16, i16) = (3, 4);
/// `FindCoordinator` version 1.
const FIND_COORDINATOR: (i16, i16) = (10, 1);
/// `InitProducerId` version 1.
const INIT_PRODUCER_ID: (i16, i16) = (22, 1);
/// `AddPartitionsToTxn` version 1.
const ADD_PARTITIONS: (i16, i16) = (24, 1);
/// `EndTxn` version 1.
const END: (i16, i16) = (26, 1);
/// `ApiVersions` version 0, which every broker understands.
const API_VERSIONS: (i16, i16) = (18, 0);
/// `SaslHandshake` version 1.
const SASL_HANDSHAKE: (i16, i16) = (17, 1);
/// `SaslAuthenticate` version 1, or 0 where the broker has no other.
pub(super) const SASL_AUTHENTICATE: (i16, i16) = (36, 1);

/// Number, name and version of each request that every producer may send.
pub(super) const APIS: &[(i16, &str, i16)] = &[
    (PRODUCE.0, "Produce", PRODUCE.1),
    (METADATA.0, "Metadata", METADATA.1),
    (FIND_COORDINATOR.0, "FindCoordinator", FIND_COORDINATOR.1),
    (INIT_PRODUCER_ID.0, "InitProducerId", INIT_PRODUCER_ID.1),
    (ADD_PARTITIONS.0, "AddPartitionsToTxn", ADD_PARTITIONS.1),
    (END.0, "EndTxn", END.1),
];

/// `FindCoordinator` asks for the coordinator of transactions, not of a consumer group.
const TRANSACTION: u8 = 1;

/// A request being written. Its first four bytes are its size, which [`finish`](Self::finish) fills in.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
}

impl Request {
    fn new((key, version): (i16, i16), correlation: i32, client: &str) -> Self {
        let mut request = Self { bytes: vec![0; 4] };
        request.i16(key).i16(version).i32(correlation).string(client);
        request
    }

    /// Asks which versions of which requests the broker takes. Complete.
    pub(super) fn api_versions(correlation: i32, client: &str) -> Self {
        Self::new(API_VERSIONS, correlation, client).finished()
    }

    /// Begins a login by a mechanism. Complete.
    pub(super) fn sasl_handshake(correlation: i32, client: &str, mechanism: &str) -> Self {
        let mut request = Self::new(SASL_HANDSHAKE, correlation, client);
        request.string(mechanism);
        request.finished()
    }

    /// Carries a message of a login. Complete.
    pub(super) fn sasl_authenticate(correlation: i32, client: &str, version: i16, message: &[u8]) -> Self {
        let mut request = Self::new((SASL_AUTHENTICATE.0, version), correlation, client);
        request.i32(count(message.len())).bytes.extend_from_slice(message);
        request.finished()
    }

    /// Asks for a producer id and epoch. With a transactional id and its timeout in milliseconds, the producer that had the id
    /// before is fenced.
    pub(super) fn init_producer_id(
        correlation: i32,
        client: &str,
        transactional: Option<(&str, i32)>,
    ) -> Self {
        let mut request = Self::new(INIT_PRODUCER_ID, correlation, client);
        // Without a transactional id the timeout means nothing.
        let (id, timeout_ms) = transactional.map_or((None, i32::MAX), |(id, timeout)| (Some(id), timeout));
        request.nullable(id).i32(timeout_ms);
        request
    }

    /// Asks which broker coordinates the transactions of an id.
    pub(super) fn find_coordinator(correlation: i32, client: &str, id: &str) -> Self {
        let mut request = Self::new(FIND_COORDINATOR, correlation, client);
        request.string(id).bytes.push(TRANSACTION);
        request
    }

    /// Adds partitions to a transaction, grouped by topic.
    pub(super) fn add_partitions(
        correlation: i32,
        client: &str,
        id: &str,
        (producer, epoch): (i64, i16),
        topics: &[(String, Vec<i32>)],
    ) -> Self {
        let mut request = Self::new(ADD_PARTITIONS, correlation, client);
        request.string(id).i64(producer).i16(epoch).i32(count(topics.len()));
        for (name, partitions) in topics {
            request.string(name).i32(count(partitions.len()));
            for partition in partitions {
                request.i32(*partition);
            }
        }
        request
    }

    /// Commits or aborts a transaction.
    pub(super) fn end(
        correlation: i32,
        client: &str,
        id: &str,
        (producer, epoch): (i64, i16),
        commit: bool,
    ) -> Self {
        let mut request = Self::new(END, correlation, client);
        request.string(id).i64(producer).i16(epoch).bytes.push(u8::from(commit));
        request
    }

    /// Asks for all brokers and for these topics. The brokers do not create a topic that is missing.
    pub(super) fn metadata<'a>(
        correlation: i32,
        client: &str,
        topics: impl ExactSizeIterator<Item = &'a str>,
    ) -> Self {
        let mut request = Self::new(METADATA, correlation, client);
        request.i32(count(topics.len()));
        for topic in topics {
            request.string(topic);
        }
        request.bytes.push(0);
        request
    }

    /// Begins a request with batches. Call [`topic`](Self::topic) for each of the `topics`, and after it
    /// [`batch`](Self::batch) for each of its partitions.
    pub(super) fn produce(
        correlation: i32,
        client: &str,
        transactional_id: Option<&str>,
        timeout_ms: i32,
        topics: usize,
    ) -> Self {
        let mut request = Self::new(PRODUCE, correlation, client);
        // -1: acks=all.
        request.nullable(transactional_id).i16(-1).i32(timeout_ms).i32(count(topics));
        request
    }

    /// Appends a topic's name, and how many of its partitions follow.
    pub(super) fn topic(&mut self, name: &str, partitions: usize) {
        self.string(name).i32(count(partitions));
    }

    /// Appends a partition and the size of its batch. The batch's bytes come next.
    pub(super) fn batch(&mut self, partition: i32, size: usize) {
        self.i32(partition).i32(count(size));
    }

    /// The request with its size, when all of it is here.
    pub(super) fn finished(mut self) -> Self {
        self.finish(self.bytes.len());
        self
    }

    /// Fills in the request's size. `all` is its length in bytes, the size field and bytes that are kept elsewhere included.
    pub(super) fn finish(&mut self, all: usize) {
        let size = count(all.saturating_sub(4)).to_be_bytes();
        self.bytes[..4].copy_from_slice(&size);
    }

    /// Appends a number.
    fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a text, or a null.
    fn nullable(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.i16(-1),
        }
    }

    /// Appends a text after its length.
    fn string(&mut self, text: &str) -> &mut Self {
        // Topics have at most 249 bytes, and ids are cut before.
        self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// An answer, read from its front. Methods return `None` when it is too short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a>(pub(super) &'a [u8]);

impl<'a> Answer<'a> {
    /// The next number.
    pub(super) fn i16(&mut self) -> Option<i16> {
        self.0.split_off(..2)?.first_chunk().map(|two| i16::from_be_bytes(*two))
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.0.split_off(..4)?.first_chunk().map(|four| i32::from_be_bytes(*four))
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.0.split_off(..8)?.first_chunk().map(|eight| i64::from_be_bytes(*eight))
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0.split_off(..bytes).map(|_| ())
    }

    /// The next text; empty for a null.
    fn string(&mut self) -> Option<&'a str> {
        let length = self.i16()?;
        let bytes = self.0.split_off(..usize::try_from(length).unwrap_or(0))?;
        std::str::from_utf8(bytes).ok()
    }

    /// The number of elements that follow; none for a null list.
    fn count(&mut self) -> Option<usize> {
        Some(usize::try_from(self.i32()?).unwrap_or(0))
    }

    /// Skips a list of four-byte numbers.
    fn numbers(&mut self) -> Option<()> {
        let count = self.count()?;
        self.skip(count.checked_mul(4)?)
    }

    /// How long the client is to send nothing, if at all. The number is at the front of each answer, and at the end of one to
    /// [`Request::produce`].
    pub(super) fn throttle(mut self, produce: bool) -> Option<Duration> {
        if produce {
            self.skip(self.0.len().checked_sub(4)?)?;
        }
        let ms = u64::try_from(self.i32()?).ok().filter(|ms| *ms > 0)?;
        Some(Duration::from_millis(ms))
    }

    /// Reads the answer to [`Request::api_versions`]: error code, and number, least and greatest version of each request.
    pub(super) fn api_versions(mut self) -> Option<(i16, Vec<Range>)> {
        let error = self.i16()?;
        let mut ranges = Vec::new();
        for _ in 0..self.count()? {
            ranges.push((self.i16()?, self.i16()?, self.i16()?));
        }
        Some((error, ranges))
    }

    /// Reads the answer to [`Request::sasl_handshake`]: error code, and the mechanisms that the broker has.
    pub(super) fn sasl_handshake(mut self) -> Option<(i16, Vec<String>)> {
        let error = self.i16()?;
        let mut mechanisms = Vec::new();
        for _ in 0..self.count()? {
            mechanisms.push(self.string()?.to_owned());
        }
        Some((error, mechanisms))
    }

    /// Reads the answer to [`Request::sasl_authenticate`]: error code, its text, the broker's message, and how many milliseconds
    /// the session lasts (0: without end).
    pub(super) fn sasl_authenticate(mut self, version: i16) -> Option<(i16, Option<String>, &'a [u8], i64)> {
        let (error, text) = (self.i16()?, self.string()?);
        let text = Some(text.to_owned()).filter(|text| !text.is_empty());
        let size = self.count()?;
        let message = self.0.split_off(..size)?;
        let lifetime = if version > 0 { self.i64()? } else { 0 };
        Some((error, text, message, lifetime))
    }

    /// Reads the answer to [`Request::init_producer_id`]: error code, producer id and epoch.
    pub(super) fn init_producer_id(mut self) -> Option<(i16, i64, i16)> {
        let _throttled = self.i32()?;
        Some((self.i16()?, self.i64()?, self.i16()?))
    }

    /// Reads the answer to [`Request::find_coordinator`]: error code, and the coordinator's id and address.
    pub(super) fn find_coordinator(mut self) -> Option<(i16, i32, String)> {
        let _throttled = self.i32()?;
        let (error, _message) = (self.i16()?, self.string()?);
        let (id, host, port) = (self.i32()?, self.string()?, self.i32()?);
        Some((error, id, format!("{host}:{port}")))
    }

    /// Reads the answer to [`Request::add_partitions`]: topic, partition and its error code, for each partition.
    pub(super) fn add_partitions(mut self, mut each: impl FnMut(&str, i32, i16)) -> Option<()> {
        let _throttled = self.i32()?;
        for _ in 0..self.count()? {
            let topic = self.string()?;
            for _ in 0..self.count()? {
                let (partition, error) = (self.i32()?, self.i16()?);
                each(topic, partition, error);
            }
        }
        Some(())
    }

    /// Reads the answer to [`Request::end`]: the error code.
    pub(super) fn end(mut self) -> Option<i16> {
        let _throttled = self.i32()?;
        self.i16()
    }

    /// Reads the answer to [`Request::produce`]: topic, partition and error code, for each batch.
    pub(super) fn produce(mut self, mut each: impl FnMut(&str, i32, i16)) -> Option<()> {
        for _ in 0..self.count()? {
            let topic = self.string()?;
            for _ in 0..self.count()? {
                let (partition, error) = (self.i32()?, self.i16()?);
                // Offset, time of append, first offset.
                self.skip(24)?;
                each(topic, partition, error);
            }
        }
        Some(())
    }

    /// Reads the answer to [`Request::metadata`].
    pub(super) fn metadata(mut self) -> Option<Metadata> {
        let _throttled = self.i32()?;
        let mut metadata = Metadata::default();
        for _ in 0..self.count()? {
            let (id, host, port) = (self.i32()?, self.string()?.to_owned(), self.i32()?);
            let _rack = self.string()?;
            metadata.brokers.push((id, format!("{host}:{port}")));
        }
        let _cluster = self.string()?;
        let _controller = self.i32()?;
        for _ in 0..self.count()? {
            let (error, name) = (self.i16()?, self.string()?.to_owned());
            self.skip(1)?;
            let mut leaders = Vec::new();
            for _ in 0..self.count()? {
                let (error, partition, leader) = (self.i16()?, self.i32()?, self.i32()?);
                self.numbers()?;
                self.numbers()?;
                leaders.push((partition, (error == 0 && leader >= 0).then_some(leader)));
            }
            metadata.topics.push(TopicMetadata { error, name, leaders });
        }
        Some(metadata)
    }
}

/// A request's number, and the least and the greatest version that a broker takes.
pub(super) type Range = (i16, i16, i16);

/// Brokers and topics of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Each broker's id and address.
    pub(super) brokers: Vec<(i32, String)>,
    pub(super) topics: Vec<TopicMetadata>,
}

/// A topic and who leads its partitions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TopicMetadata {
    /// The error code; zero for a topic that is there.
    pub(super) error: i16,
    pub(super) name: String,
    /// Each partition's number, and its leader's id if it has one.
    pub(super) leaders: Vec<(i32, Option<i32>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_and_none_of_its_beginnings() {
        let mut bytes = vec![0; 4];
        let put =
            |bytes: &mut Vec<u8>, more: &[&[u8]]| more.iter().for_each(|more| bytes.extend_from_slice(more));
        put(&mut bytes, &[&[0, 0, 0, 1], &[0, 0, 0, 7], &[0, 1], b"h", &[0, 0, 0x23, 0x84], &[0xff, 0xff]]);
        put(&mut bytes, &[&[0xff, 0xff], &[0, 0, 0, 7]]);
        put(&mut bytes, &[&[0, 0, 0, 1], &[0, 0], &[0, 2], b"ab", &[0], &[0, 0, 0, 2]]);
        put(&mut bytes, &[&[0, 0], &[0, 0, 0, 1], &[0, 0, 0, 7], &[0, 0, 0, 1, 0, 0, 0, 7], &[0, 0, 0, 0]]);
        put(&mut bytes, &[&[0, 5], &[0, 0, 0, 0], &[0xff; 4], &[0, 0, 0, 0], &[0, 0, 0, 0]]);
        let metadata = Answer(&bytes).metadata().unwrap();
        assert_eq!(metadata.brokers, [(7, "h:9092".to_owned())]);
        let leaders = vec![(1, Some(7)), (0, None)];
        assert_eq!(metadata.topics, [TopicMetadata { error: 0, name: "ab".to_owned(), leaders }]);
        for end in 0..bytes.len() {
            assert_eq!(Answer(&bytes[..end]).metadata(), None);
        }
    }

    #[test]
    fn a_request_has_its_size_in_front() {
        let mut request = Request::produce(5, "me", None, 30_000, 1);
        request.topic("t", 1);
        request.batch(3, 100);
        let length = request.bytes.len();
        request.finish(length + 100);
        assert_eq!(request.bytes[..4], u32::try_from(length + 96).unwrap().to_be_bytes());
        assert_eq!(request.bytes[4..16], [0, 0, 0, 7, 0, 0, 0, 5, 0, 2, b'm', b'e']);
    }
}
