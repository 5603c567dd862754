//! Requests, written field by field.
//!
//! ```text size │ number of the request │ its version │ correlation │ client.id │ tagged fields │ fields of the request 4 2 2 4
//! 2 + bytes 0 or 1 byte ``` Numbers are big-endian. A request is written into one buffer from front to end;
//! [`Request::produce`] leaves out large batches, which are sent from where they are, and its pieces come one after the other
//! over the wire.

use super::versions::{
    ADD_PARTITIONS, API_VERSIONS, FIND_COORDINATOR, INIT_PRODUCER_ID, METADATA, SASL_AUTHENTICATE,
    SASL_HANDSHAKE, Version, Versions,
};

/// `FindCoordinator` asks for the coordinator of transactions, not of a consumer group.
const TRANSACTION: u8 = 1;
/// How a client calls itself in its first request, for the broker's own statistics (KIP-511).
const SOFTWARE: [&str; 2] = ["pgcdc", env!("CARGO_PKG_VERSION")];

/// A request being written. Its first four bytes are its size, which [`finish`](Self::finish) fills in.
#[derive(Debug)]
pub(in super::super) struct Request {
    /// What is written so far, from the size on.
    pub(in super::super) bytes: Vec<u8>,
    /// Which form it has.
    version: Version,
}

/// What all requests have in front: their number, which the answer repeats, and the `client.id`.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Head<'a> {
    /// The request's number.
    pub(in super::super) correlation: i32,
    /// The `client.id`.
    pub(in super::super) client: &'a str,
}

impl Request {
    /// Begins a request: room for its size, and its head.
    fn new(version: Version, head: Head<'_>) -> Self {
        let mut request = Self { bytes: vec![0; 4], version };
        request.i16(version.key).i16(version.number).i32(head.correlation);
        // The client's id keeps the old form in every version, since a broker must read the head of versions that it does not have.
        request.i16(short(head.client)).bytes.extend_from_slice(head.client.as_bytes());
        request.close();
        request
    }

    /// The version that it is written in, which its answer has, too.
    pub(in super::super) const fn version(&self) -> Version {
        self.version
    }

    /// Asks which versions of which requests the broker takes. Complete.
    pub(in super::super) fn api_versions(head: Head<'_>, version: Version) -> Self {
        debug_assert_eq!(version.key, API_VERSIONS.newest().key);
        let mut request = Self::new(version, head);
        if version.number >= 3 {
            SOFTWARE.iter().for_each(|text| {
                request.string(text);
            });
            request.close();
        }
        request.finished()
    }

    /// Begins a login by a mechanism. Complete.
    pub(in super::super) fn sasl_handshake(head: Head<'_>, mechanism: &str) -> Self {
        let mut request = Self::new(SASL_HANDSHAKE.newest(), head);
        request.string(mechanism);
        request.finished()
    }

    /// Carries a message of a login. Complete.
    pub(in super::super) fn sasl_authenticate(head: Head<'_>, versions: Versions, message: &[u8]) -> Self {
        let mut request = Self::new(versions.of(SASL_AUTHENTICATE), head);
        request.size(message.len()).bytes.extend_from_slice(message);
        request.close();
        request.finished()
    }

    /// Asks for a producer id and epoch. With a transactional id and its timeout in milliseconds, the producer that had the id
    /// before is fenced.
    pub(in super::super) fn init_producer_id(
        head: Head<'_>,
        versions: Versions,
        transactional: Option<(&str, i32)>,
    ) -> Self {
        let mut request = Self::new(versions.of(INIT_PRODUCER_ID), head);
        // Without a transactional id the timeout means nothing.
        let (id, timeout_ms) = transactional.map_or((None, i32::MAX), |(id, timeout)| (Some(id), timeout));
        request.nullable(id).i32(timeout_ms);
        if request.version.number >= 3 {
            // The id and epoch so far, of a producer that asks for the next epoch. This one asks once.
            request.i64(-1).i16(-1);
        }
        request.close();
        request
    }

    /// Asks which broker coordinates the transactions of an id.
    pub(in super::super) fn find_coordinator(head: Head<'_>, versions: Versions, id: &str) -> Self {
        let mut request = Self::new(versions.of(FIND_COORDINATOR), head);
        if request.version.number >= 4 {
            request.bytes.push(TRANSACTION);
            request.list(1).string(id);
        } else {
            request.string(id).bytes.push(TRANSACTION);
        }
        request.close();
        request
    }

    /// Adds partitions to a transaction, grouped by topic.
    pub(in super::super) fn add_partitions(
        head: Head<'_>,
        versions: Versions,
        id: &str,
        (producer, epoch): (i64, i16),
        topics: &[(String, Vec<i32>)],
    ) -> Self {
        let mut request = Self::new(versions.of(ADD_PARTITIONS), head);
        request.string(id).i64(producer).i16(epoch).list(topics.len());
        for (name, partitions) in topics {
            request.string(name).list(partitions.len());
            for partition in partitions {
                request.i32(*partition);
            }
            request.close();
        }
        request.close();
        request
    }

    /// Commits or aborts a transaction. `version` is [`Versions::end`].
    pub(in super::super) fn end(
        head: Head<'_>,
        version: Version,
        id: &str,
        (producer, epoch): (i64, i16),
        commit: bool,
    ) -> Self {
        let mut request = Self::new(version, head);
        request.string(id).i64(producer).i16(epoch).bytes.push(u8::from(commit));
        request.close();
        request
    }

    /// Asks for all brokers and for these topics. The brokers do not create a topic that is missing.
    pub(in super::super) fn metadata<'a>(
        head: Head<'_>,
        versions: Versions,
        topics: impl ExactSizeIterator<Item = &'a str>,
    ) -> Self {
        let mut request = Self::new(versions.of(METADATA), head);
        let version = request.version.number;
        request.list(topics.len());
        for topic in topics {
            if version >= 10 {
                // No id: the topic is asked for by its name.
                request.bytes.extend_from_slice(&[0; 16]);
            }
            request.string(topic).close();
        }
        // Do not create topics; do not tell what this client may do: with the cluster (8 to 10), with the topics (8 and later).
        let flags = if version < 8 { 1 } else { 2 + usize::from(version < 11) };
        request.bytes.extend_from_slice(&[0; 3][..flags]);
        request.close();
        request
    }

    /// Begins a request with batches. For each of the `topics` call [`topic`](Self::topic), then for each of its partitions
    /// [`batch`](Self::batch) and, behind the batch's bytes, [`close`](Self::close). Each topic ends with another
    /// [`close`](Self::close), and so does the request. `version` is [`Versions::produce`].
    pub(in super::super) fn produce(
        head: Head<'_>,
        version: Version,
        transactional_id: Option<&str>,
        timeout_ms: i32,
        topics: usize,
    ) -> Self {
        let mut request = Self::new(version, head);
        // -1: acks=all.
        request.nullable(transactional_id).i16(-1).i32(timeout_ms).list(topics);
        request
    }

    /// Appends a topic's name, and how many of its partitions follow.
    pub(in super::super) fn topic(&mut self, name: &str, partitions: usize) {
        self.string(name).list(partitions);
    }

    /// Appends a partition and the size of its batch in bytes. The batch comes next.
    pub(in super::super) fn batch(&mut self, partition: i32, size: usize) {
        self.i32(partition).size(size);
    }

    /// Ends a structure: with no tagged fields, where it has such.
    pub(in super::super) fn close(&mut self) {
        if self.version.flexible {
            self.bytes.push(0);
        }
    }

    /// The request with its size, when all of it is here.
    pub(in super::super) fn finished(mut self) -> Self {
        self.finish(self.bytes.len());
        self
    }

    /// Fills in the request's size. `all` is its length in bytes, the size field and bytes that are kept elsewhere included.
    pub(in super::super) fn finish(&mut self, all: usize) {
        let size = count(all.saturating_sub(4)).to_be_bytes();
        self.bytes[..4].copy_from_slice(&size);
    }

    /// Appends a number of two bytes.
    fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a number of four bytes.
    fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a number of eight bytes.
    fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends how many elements a list has.
    fn list(&mut self, elements: usize) -> &mut Self {
        self.size(elements)
    }

    /// Appends the length of bytes that follow.
    fn size(&mut self, bytes: usize) -> &mut Self {
        if self.version.flexible { self.varint(bytes + 1) } else { self.i32(count(bytes)) }
    }

    /// Appends a text, or a null.
    fn nullable(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None if self.version.flexible => self.varint(0),
            None => self.i16(-1),
        }
    }

    /// Appends a text after its length.
    fn string(&mut self, text: &str) -> &mut Self {
        if self.version.flexible {
            self.varint(text.len() + 1);
        } else {
            self.i16(short(text));
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends a number in as many bytes as it needs, seven bits each, the low ones first.
    fn varint(&mut self, value: usize) -> &mut Self {
        let mut rest = value;
        while rest >= 0x80 {
            self.bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
        self
    }
}

/// The length of a text. Topics have at most 249 bytes, and ids are cut before.
fn short(text: &str) -> i16 {
    i16::try_from(text.len()).unwrap_or(i16::MAX)
}

/// A count as the old form has it.
fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::versions::PRODUCE;
    use super::*;

    const HEAD: Head<'_> = Head { correlation: 5, client: "me" };

    #[test]
    fn a_request_has_its_size_in_front() {
        let mut request = Request::produce(HEAD, PRODUCE.oldest(), None, 30_000, 1);
        request.topic("t", 1);
        request.batch(3, 100);
        let length = request.bytes.len();
        request.finish(length + 100);
        assert_eq!(request.bytes[..4], u32::try_from(length + 96).unwrap().to_be_bytes());
        assert_eq!(request.bytes[4..16], [0, 0, 0, 7, 0, 0, 0, 5, 0, 2, b'm', b'e']);
    }

    #[test]
    fn a_flexible_request_has_short_lengths_and_ends_its_structures() {
        let mut request = Request::produce(HEAD, PRODUCE.version(9), Some("tx"), 1, 1);
        request.topic("t", 1);
        request.batch(3, 200);
        request.bytes.extend([7; 200]);
        (0..3).for_each(|_| request.close());
        let head = [0, 0, 0, 9, 0, 0, 0, 5, 0, 2, b'm', b'e', 0];
        let body = [3, b't', b'x', 0xff, 0xff, 0, 0, 0, 1, 2, 2, b't', 2, 0, 0, 0, 3, 201, 1];
        assert_eq!(request.bytes[4..17], head);
        assert_eq!(request.bytes[17..36], body);
        assert_eq!(request.bytes[request.bytes.len() - 4..], [7, 0, 0, 0]);
    }
}
