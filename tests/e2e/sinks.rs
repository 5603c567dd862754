//! `pgcdc sink` against real Cassandra, Redis and HTTP: each sink's promises, and the driver's.

mod cassandra;
mod config;
mod driver;
mod http;
mod redis;
pub(crate) mod rig;
