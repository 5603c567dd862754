//! A worker that answers Kafka Connect's REST interface and runs pgcdc's connectors in Connect's place.
//!
//! ```text
//!  curl, kcctl, Kafka UI ─▶ server ─▶ rest (one file for each group of paths) ─▶ Worker ─▶ Engine ─▶ pgcdc-capture
//!                         (limits, access)                                          └────▶ Store (configurations, states)
//! ```
//!
//! - [`Worker`] holds the connectors. Each has a task of its own that starts, pauses and stops it, so that no connector waits
//!   for another one.
//! - [`Engine`] says how connectors are checked and run. [`Sources`] runs Postgres connectors, [`Sinks`] runs sinks, and [`Both`]
//!   looks at the class that a configuration names.
//! - [`Store`] keeps what must outlive the process; [`Folder`] keeps it in a directory.
//! - [`router`] is the REST interface; [`serve`] listens with limits on headers, bodies and connections.
//!
//! The answers follow Kafka Connect 4.3.1 with Debezium 3.7.0, whose recorded answers the tests replay.

mod access;
mod config;
mod engine;
mod fault;
mod loggers;
mod plugins;
mod properties;
mod rest;
mod server;
mod store;
mod worker;

pub use access::Access;
pub use config::Config;
pub use engine::{Both, Engine, Finding, Offsets, Running, Sinks, Sources};
pub use fault::Fault;
pub use loggers::{Level, Loggers};
pub use properties::{WorkerProperties, ask_cluster_id};
pub use rest::router;
pub use server::{Limits, serve};
pub use store::{Folder, Store, StoreError, Stored, Target};
pub use worker::{Identity, Worker};
