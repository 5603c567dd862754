use std::ops::Range;
use std::sync::Arc;

/// A topic that an output was told of: an index into its table, so that no record carries a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicId(pub u32);

/// Records on their way to an output: one buffer, and ranges into it.
///
/// An encoder appends, an output reads, [`clear`](Self::clear) keeps the memory for the next
/// change. Nothing is allocated per record once the buffers have grown.
#[derive(Debug, Default)]
pub struct RecordBatch {
    bytes: Vec<u8>,
    records: Vec<Spans>,
    headers: Vec<(HeaderName, Option<Range<usize>>)>,
}

#[derive(Debug)]
struct Spans {
    topic: TopicId,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
    context_at: Option<usize>,
    partition: Option<i32>,
    timestamp_ms: Option<i64>,
}

/// A place in a [`RecordBatch`] to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    records: usize,
    headers: usize,
}

/// A header's name: Debezium's own are static, configured ones shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderName {
    /// A name known at compile time.
    Static(&'static str),
    /// A configured name.
    Shared(Arc<str>),
}

impl HeaderName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Shared(name) => name,
        }
    }
}

/// One record of a [`RecordBatch`], borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it goes.
    pub topic: TopicId,
    /// The key; `None` for a table without one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Before which of its own headers the stream's constant ones (`__debezium.context.*`) stand;
    /// `None` when it carries none of those.
    pub context_at: Option<usize>,
    /// The partition, where a transform has chosen one.
    pub partition: Option<i32>,
    /// Milliseconds since 1970, where a transform has set them; the output's own time otherwise.
    pub timestamp_ms: Option<i64>,
    bytes: &'a [u8],
    headers: &'a [(HeaderName, Option<Range<usize>>)],
}

impl<'a> Record<'a> {
    /// The record's own headers in order: name, and value (`None` is a null value).
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let bytes = self.bytes;
        self.headers
            .iter()
            .map(move |(name, value)| (name.as_str(), value.clone().map(|range| &bytes[range])))
    }

    /// Whether it has headers of its own.
    #[must_use]
    pub const fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }
}

impl RecordBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the records; keeps the memory, unless one huge row had made it large.
    pub fn clear(&mut self) {
        const KEPT: usize = 1 << 20;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.records.clear();
        self.headers.clear();
    }

    /// The buffer, to append a key, a value or a header's value to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The number of bytes appended so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of a range that was appended before.
    #[must_use]
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Adds a header to the record that [`push`](Self::push) completes next.
    pub fn header(&mut self, name: HeaderName, value: Option<Range<usize>>) {
        self.headers.push((name, value));
    }

    /// How many headers the record that is pushed next has so far.
    #[must_use]
    pub fn open_headers(&self) -> usize {
        self.headers.len() - self.records.last().map_or(0, |record| record.headers.end)
    }

    /// Completes a record of ranges that were appended before. `context_at` is the place of the
    /// stream's constant headers among the record's own.
    pub fn push(
        &mut self,
        topic: TopicId,
        key: Option<Range<usize>>,
        value: Option<Range<usize>>,
        context_at: Option<usize>,
    ) {
        let from = self.records.last().map_or(0, |record| record.headers.end);
        let headers = from..self.headers.len();
        let (partition, timestamp_ms) = (None, None);
        self.records.push(Spans { topic, key, value, headers, context_at, partition, timestamp_ms });
    }

    /// Appends a copy of another batch's record.
    pub fn copy(&mut self, record: &Record<'_>) {
        let bytes = &mut self.bytes;
        let mut append = |part: &[u8]| {
            let from = bytes.len();
            bytes.extend_from_slice(part);
            from..bytes.len()
        };
        let key = record.key.map(&mut append);
        let value = record.value.map(&mut append);
        for (name, range) in record.headers {
            let range = range.clone().map(|range| append(&record.bytes[range]));
            self.headers.push((name.clone(), range));
        }
        self.push(record.topic, key, value, record.context_at);
        self.place(record.partition, record.timestamp_ms);
    }

    /// Gives the record that was pushed last a partition and a time of its own.
    pub fn place(&mut self, partition: Option<i32>, timestamp_ms: Option<i64>) {
        if let Some(record) = self.records.last_mut() {
            (record.partition, record.timestamp_ms) = (partition, timestamp_ms);
        }
    }

    /// The present end of the batch.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), records: self.records.len(), headers: self.headers.len() }
    }

    /// Forgets everything that was appended since a mark, headers without a record too.
    pub fn rewind(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.records.truncate(mark.records);
        self.headers.truncate(mark.headers);
    }

    /// How many records are complete.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A complete record by its position.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Record<'_>> {
        let spans = self.records.get(at)?;
        Some(Record {
            topic: spans.topic,
            key: spans.key.clone().map(|range| &self.bytes[range]),
            value: spans.value.clone().map(|range| &self.bytes[range]),
            context_at: spans.context_at,
            partition: spans.partition,
            timestamp_ms: spans.timestamp_ms,
            bytes: &self.bytes,
            headers: &self.headers[spans.headers.clone()],
        })
    }

    /// The complete records in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_has_its_own_headers() {
        let mut batch = RecordBatch::new();
        batch.buffer().extend_from_slice(b"kvh");
        batch.push(TopicId(0), Some(0..1), Some(1..2), Some(0));
        batch.header(HeaderName::Static("h"), Some(2..3));
        batch.push(TopicId(1), Some(0..1), None, None);
        let headers: Vec<Vec<_>> = batch.iter().map(|record| record.headers().collect()).collect();
        assert_eq!(headers, [vec![], vec![("h", Some(&b"h"[..]))]]);
        assert_eq!(batch.get(1).and_then(|record| record.value), None);
        let mark = batch.mark();
        batch.buffer().push(b'x');
        batch.header(HeaderName::Static("of nobody"), None);
        batch.rewind(mark);
        batch.push(TopicId(2), None, None, None);
        assert_eq!((batch.position(), batch.get(2).map(|record| record.has_headers())), (3, Some(false)));
        let mut copies = RecordBatch::new();
        batch.iter().for_each(|record| copies.copy(&record));
        assert_eq!(copies.len(), batch.len());
        for (copy, record) in copies.iter().zip(batch.iter()) {
            assert_eq!((copy.topic, copy.key, copy.value), (record.topic, record.key, record.value));
            assert_eq!(copy.headers().collect::<Vec<_>>(), record.headers().collect::<Vec<_>>());
            assert_eq!(copy.context_at, record.context_at);
        }
    }
}
