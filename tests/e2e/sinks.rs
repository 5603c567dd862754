//! `pgcdc sink` against real Cassandra, Redis and HTTP: the suite that all sinks pass (`conformance`), each sink's own
//! promises, and the driver's.

mod cassandra;
mod clock;
mod config;
mod conformance;
mod driver;
mod ends;
mod http;
mod lake;
mod redis;
pub(crate) mod rig;
mod stores;
mod tls;
mod verdicts;
