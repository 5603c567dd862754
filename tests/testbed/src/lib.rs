//! Starts and stops the real services that end-to-end tests, benchmarks and the demo run against.
//!
//! What it is: PostgreSQL, Apache Kafka, Apache Cassandra, Redis and a schema registry as native processes on 127.0.0.1,
//! each in a directory of its own, stopped by process id. Beside them the tools tests need: an HTTP endpoint that records
//! and can be told to fail, a TCP proxy that cuts and holds connections, and a guard around child processes. What it is not:
//! a mock. Nothing here imitates a service, and nothing of it ships in the product.
//!
//! ```no_run
//! use pgcdc_testbed::{Kafka, KafkaOptions, Postgres, PostgresOptions, Scratch};
//!
//! # fn main() -> anyhow::Result<()> {
//! let scratch = Scratch::new("readme")?;
//! let postgres = Postgres::start(scratch.join("pg"), 0, PostgresOptions::default())?; // port 0: any free one
//! let mut kafka = Kafka::start(scratch.join("kafka"), 0, KafkaOptions::default())?;
//! postgres.create_database("shop")?;
//! postgres.sql("shop", "CREATE TABLE t (id int PRIMARY KEY)")?;
//! println!("{} {}", postgres.url("shop"), kafka.bootstrap());
//! kafka.kill9()?;
//! kafka.restart()?; // same port, same data
//! # Ok(())
//! # } // dropped: both are stopped and the scratch directory is removed
//! ```
//!
//! A service that its owner does not stop, because the owner was killed or keeps it in a `static`, is stopped by a
//! watchdog process that notices the owner's end; set `PGCDC_KEEP=1` to keep directories for a look at the logs.

pub mod cache;
pub mod cassandra;
pub mod certificates;
pub mod clusters;
pub mod connect;
pub mod daemon;
pub mod disk;
pub mod fault_proxy;
pub mod http_receiver;
pub mod kafka;
pub mod kfake;
pub mod load;
pub mod locale;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod python;
pub mod redis;
pub mod registry;
pub mod scratch;
pub mod secure;
pub mod signal;
pub mod tools;
mod watchdog;

pub use cassandra::{Cassandra, CassandraOptions, CassandraTls};
pub use certificates::Authority;
pub use clusters::{CassandraRing, ClusterOptions, KafkaCluster};
/// One HTTP request to a port of this machine, JSON in and out: the status and the body.
pub use connect::rest::request;
pub use connect::{Connect, ConnectOptions};
pub use disk::SmallDisk;
pub use fault_proxy::FaultProxy;
pub use http_receiver::{HttpReceiver, Request, Response};
pub use kafka::{Kafka, KafkaOptions};
pub use kfake::Kfake;
pub use postgres::{Postgres, PostgresClient, PostgresOptions};
pub use process::Process;
pub use redis::{Redis, RedisClient, RedisOptions};
pub use registry::Registry;
pub use scratch::Scratch;
pub use secure::{Listener, Security};
