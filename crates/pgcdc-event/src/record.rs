/// A number for a record that is on its way: counts up from zero in stream order.
///
/// Only the ledger gives them out; a delivery report carries one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// A topic that an output was told of: an index into its table, so that no record carries a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicId(pub u32);

/// A record header, as Kafka Connect's `SimpleHeaderConverter` would write its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The header's name.
    pub name: &'a str,
    /// The value's bytes; `None` is a header with a null value.
    pub value: Option<&'a [u8]>,
}

/// One record for an output, borrowed from the encoder's buffers.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it goes.
    pub topic: TopicId,
    /// The key; `None` for a table without one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers of this record, before those that every record of the stream carries.
    pub headers: &'a [Header<'a>],
    /// Whether the stream's constant headers (`__debezium.context.*`) follow.
    pub with_context: bool,
}
