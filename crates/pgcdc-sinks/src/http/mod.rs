//! HTTP: one request per change.
//!
//! The body is the record's value as it is (Debezium's envelope, or the row when it is flattened),
//! without Connect's schema around it; tombstones are skipped. Headers say where it comes from:
//! `X-Pgcdc-Topic`, `X-Pgcdc-Partition`, `X-Pgcdc-Offset`, `X-Pgcdc-Key` (the key's JSON), and `Idempotency-Key`.
//!
//! `Idempotency-Key: <topic>-<position>-<hash>` is the same for every delivery of one change: when the sink repeats it,
//! when capture writes the record again after a crash, and in another consumer group. The hash is of source, table,
//! transaction, operation, key and row. The body of a repeat by capture may differ in `ts_ms` and `source.sequence`.
//! Records without a key, or without `source.lsn` (flattened ones that `add.fields` does not give it), have
//! `<topic>-<partition>-<offset>` instead: a repeat by capture then has another key, and a topic that is deleted and made
//! again has the old ones. Rows that one COPY writes twice, alike in every column, under a key that is not unique
//! (`message.key.columns`) have one key.
//!
//! Changes of one key are sent one after the other, in order; different keys at the same time (16 at
//! most per partition). A change is repeated until it is answered with 2xx, with `Retry-After` honoured.
//! Only answers about the content of the request (400, 409, 410, 413, 414, 415, 422) send it to the dead
//! letters: all others (an expired token, a wrong URL, a proxy's page, a redirect) say nothing about the
//! record, and the sink waits. `retry_status` and `reject_status` move a status to the other side.
//! Delivery is at least once: after a crash the last batch may come again.

mod config;
mod idempotency;
mod request;
mod retry_after;
#[cfg(test)]
mod tests;
mod verdict;

pub use config::HttpConfig;
pub(crate) use config::KEYS;
pub use request::Http;
pub use verdict::Statuses;
