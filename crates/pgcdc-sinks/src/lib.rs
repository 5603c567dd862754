//! Kafka to stores: Cassandra, Redis and HTTP, each record once or repeatably.
//!
//! The second half of pgcdc. It reads Debezium's records from Kafka, whoever wrote them, and knows
//! nothing of Postgres or of capture: Kafka is the only interface between the two.
//!
//! The way of a record: a [`Runner`] joins the consumer group and gives each partition to a worker. The worker decodes a batch
//! and gives it to the [`driver`]. The driver calls the [`Sink`] until the sink has the batch (retries with back-off and jitter,
//! a circuit breaker), and sends records that can never be written to the dead letter topic. The offset is committed when the
//! batch is durable.
//!
//! To add a store, write a folder with its configuration and its [`Sink`], and add a row to [`kinds`]. What a sink must keep to
//! stands at the trait.
//!
//! | to | begin at |
//! |---|---|
//! | run the sinks of a file | [`Config::read`] and [`run`] |
//! | watch or pause one of them | [`Config::runners`], [`Runner::control`] |
//! | run a sink of your own | [`Sink`], [`Plan`], [`Runner::new`] |
//! | know which of two changes is later | [`order`] |
//! | know what happens to a failed batch | [`driver`] |
//!
//! **Consumer groups.** Every sink has a group of its own, `<group.id>-<sink name>`. So it keeps its own progress, and gets all
//! records of its topics although other sinks of the file read the same topics. A store that is down stops its own sink only.
//! Several processes with the same file share the partitions.
//!
//! ```no_run
//! use pgcdc_sinks::{Config, run};
//! use tokio_util::sync::CancellationToken;
//! # async fn example() -> Result<(), pgcdc_sinks::Error> {
//! let config = Config::read("sinks.toml".as_ref())?;
//! run(config, CancellationToken::new()).await?;
//! # Ok(()) }
//! ```

#[cfg(not(any(feature = "cassandra", feature = "redis", feature = "http")))]
compile_error!("pgcdc-sinks without a store is nothing: enable one of the features cassandra, redis, http");

mod beginning;
mod config;
pub mod driver;
mod durable;
mod error;
mod failure;
#[cfg(any(feature = "cassandra", feature = "redis"))]
mod hints;
pub mod kinds;
pub mod order;
mod record;
mod runner;
mod session;
mod sink;
mod store;
mod tls;
mod worker;

#[cfg(feature = "cassandra")]
pub mod cassandra;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "redis")]
pub mod redis;

pub use config::{Config, SinkConfig, reference};
pub use error::Error;
pub use failure::SinkError;
pub use order::NewHistory;
pub use record::{Batch, Record};
pub use runner::{Control, Plan, Runner, run, run_all, run_with};
pub use sink::{Outcome, Rejected, Sink};
pub use store::{Key, Kind, Store};
pub use tls::Tls;

// What a sink of one's own needs beside the above.
pub use async_trait::async_trait;
pub use pgcdc_format::decode;
pub use pgcdc_kafka::ClientProperties;
pub use pgcdc_kafka::consumer::{Message, Partition, Start};
pub use pgcdc_lifecycle::{Failure, Retry, State, Status};
pub use pgcdc_metrics::Registry;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
