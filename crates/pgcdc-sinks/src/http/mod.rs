//! HTTP: one request per change.
//!
//! The body is the record's value as it is (Debezium's envelope, or the row when it is flattened),
//! without Connect's schema around it; tombstones are skipped. Headers say where it comes from:
//! `X-Pgcdc-Topic`, `X-Pgcdc-Partition`, `X-Pgcdc-Offset`, `X-Pgcdc-Key` (the key's JSON), and
//! `Idempotency-Key: <topic>-<partition>-<offset>`, the same for every repetition.
//!
//! Changes of one key are sent one after the other, in order; different keys at the same time (16 at
//! most per partition). A change is repeated until it is answered with 2xx, with `Retry-After` honoured.
//! Only answers about the content of the request (400, 409, 410, 413, 414, 415, 422) send it to the dead
//! letters: all others (an expired token, a wrong URL, a proxy's page, a redirect) say nothing about the
//! record, and the sink waits. `retry_status` and `reject_status` move a status to the other side.
//! Delivery is at least once: after a crash the last batch may come again.

mod config;
mod request;
mod retry_after;
#[cfg(test)]
mod tests;
mod verdict;

pub use config::HttpConfig;
pub use request::Http;
pub use verdict::Statuses;
