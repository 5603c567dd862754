//! Bytes in, bytes out: pgoutput and COPY text from Postgres, Debezium's records to Kafka, and those records back for sinks.
//!
//! Pure: no I/O, no clock, no async. The hot path, `pgoutput bytes → record bytes`, is one function of this crate. So it can be
//! benchmarked, fuzzed and compared with recordings of real Debezium without a database or a broker.
//!
//! | step | module | from | to |
//! |---|---|---|---|
//! | 1 | [`pgoutput`], for snapshots [`copy`] | the server's bytes | a row whose columns are borrowed from them |
//! | 2 | [`types`] | a column's text form | its JSON or Avro, and its Connect schema |
//! | 3 | [`envelope`] | a change of a row | the key and value of one to three Kafka records |
//! | 4 | [`decode`] | a Kafka record | a change, for sinks |
//!
//! [`schema`] and [`avro`] are the two schema languages of step 3. [`names`], [`civil`], `json` (JSON text, appended) and
//! `java` (Java's own ways that show in records) serve several steps.
//!
//! Numbers on the wire of Postgres are big-endian, and times count microseconds from 2000-01-01. All times that this crate
//! hands out count from 1970-01-01 UTC; each field says in which unit.

pub mod avro;
pub mod civil;
pub mod copy;
pub mod decode;
pub mod envelope;
#[cfg(test)]
mod fuzz;
mod java;
mod json;
pub mod names;
pub mod pgoutput;
pub mod schema;
pub mod types;
