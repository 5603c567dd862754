//! What a sink is given: records of one partition, in batches.

use pgcdc_format::decode::Change;
use pgcdc_kafka::consumer::{Message, Partition};

use crate::order::Order;

/// One change, with its place in the partition. It need not be a record of Kafka: a view's row has a position, a key and a
/// change, too.
///
/// ```
/// use pgcdc_sinks::decode::Decoder;
/// use pgcdc_sinks::{Message, Record};
///
/// let message = Message::new(7, Some(br#"{"id":1}"#), Some(br#"{"id":1,"name":"Ann"}"#));
/// let change = Decoder::default().decode(message.key(), message.value()).expect("a change");
/// let record = Record::of(&message, change);
/// let row = record.change.after.as_ref().expect("a row");
/// assert_eq!(row.field("name").and_then(|field| field.value.as_str().map(str::to_owned)).as_deref(), Some("Ann"));
/// assert_eq!((record.position, record.key), (7, Some(&br#"{"id":1}"#[..])));
/// ```
#[derive(Debug)]
pub struct Record<'a> {
    /// Where it stands in its partition: the offset of the Kafka record that it comes from. Positions never fall from one
    /// record to the next. Rows of a view that come from the same Kafka record have the same position, and become dead letters
    /// together.
    pub position: i64,
    /// The key as bytes; `None` for a row of a table without a key.
    pub key: Option<&'a [u8]>,
    /// What happened to which row.
    pub change: Change<'a>,
    /// Where the change stands among all changes of its source; `None` when the record carries no position in the WAL.
    pub order: Option<Order>,
    /// The Kafka record as it was read, with its headers and time; `None` for a view's row.
    pub message: Option<&'a Message>,
}

impl<'a> Record<'a> {
    /// The record of a Kafka message, still without its order.
    #[must_use]
    pub fn of(message: &'a Message, change: Change<'a>) -> Self {
        Self { position: message.offset, key: message.key(), change, order: None, message: Some(message) }
    }
}

/// Consecutive records of one partition, in order.
///
/// Positions may have gaps: compaction, Kafka's transactions, records that have become dead letters.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Where the records come from.
    pub partition: &'a Partition,
    /// The position after the last record. It becomes the committed offset once the batch is durable.
    pub next: i64,
    /// The records to be written. Empty when all of them have become dead letters.
    pub records: Vec<Record<'a>>,
    /// What pgcdc remembers of the partition beside `next`. A sink that stores offsets stores the bookmark in the same step,
    /// and tells it in [`Sink::bookmark`](crate::Sink::bookmark).
    pub bookmark: &'a str,
}
