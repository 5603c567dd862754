//! HTTP: one request per change.
//!
//! The body is the record's value as it is (Debezium's envelope, or the row when it is flattened),
//! without Connect's schema around it; tombstones are skipped. Headers say where it comes from:
//! `X-Pgcdc-Topic`, `X-Pgcdc-Partition`, `X-Pgcdc-Offset`, `X-Pgcdc-Key` (the key's JSON), and
//! `Idempotency-Key: <topic>-<partition>-<offset>`, the same for every repetition.
//!
//! Changes of one key are sent one after the other, in order; different keys at the same time (16 at
//! most per partition). A change is repeated until it is answered with 2xx: after 5xx, 429, a time-out
//! or a failed connection, with `Retry-After` honoured. Any other 4xx sends it to the dead letters.
//! Delivery is at least once: after a crash the last batch may come again.

mod config;
mod request;
mod retry_after;
#[cfg(test)]
mod tests;

pub use config::HttpConfig;
pub use request::Http;
