//! librdkafka's producer, in a form that never blocks and allocates nothing per record: polled by its owner's own loop,
//! with a plain number as each record's handle.

mod client;
mod reports;
mod transactions;

pub(crate) use self::client::Librdkafka;
pub(crate) use self::reports::Reports;
pub(super) use self::transactions::Transactions;
pub(super) use crate::native::{Headers, TopicHandle};
