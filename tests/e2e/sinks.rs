//! `pgcdc sink` against real Cassandra, Redis and HTTP: each sink's promises, and the driver's.

mod cassandra;
mod clock;
mod config;
mod driver;
mod ends;
mod http;
mod redis;
pub(crate) mod rig;
mod tls;
mod verdicts;
