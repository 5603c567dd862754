//! Bytes in, bytes out: pgoutput and COPY text from Postgres, Debezium's JSON to Kafka and back.
//!
//! Pure: no I/O, no clock, no async. `pgoutput bytes → record bytes` is one function of this crate,
//! which is why it can be benchmarked, fuzzed and compared with recordings of real Debezium
//! without a database or a broker.
//!
//! Path of the data: [`pgoutput`] (and [`copy`] for snapshots) borrow a row from the wire's bytes;
//! [`types`] turns each column's text form into its JSON; [`envelope`] joins them to a record.
//! [`decode`] goes the other way, for sinks.

pub mod avro;
pub mod civil;
pub mod copy;
pub mod decode;
pub mod envelope;
#[cfg(test)]
mod fuzz;
pub mod names;
pub mod pgoutput;
pub mod schema;
pub mod types;
