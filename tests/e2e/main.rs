//! End to end: the pgcdc binary against real PostgreSQL and Kafka. Run by `cargo test -p pgcdc --test e2e`.
//!
//! One PostgreSQL and one Kafka serve the whole run; each test has a database, slot, publication and topic prefix of its
//! own, so that tests run side by side. What breaks a service, or fills its WAL, starts one for itself.

mod harness;
mod services;

mod avro;
mod brokers;
mod capture;
mod chaos;
mod cli;
mod connect;
mod connections;
mod oracle;
mod sinks;
mod takeover;
