//! Connectors and sinks watched over HTTP: `/metrics`, `/healthz`, `/readyz` and `/status`.
//!
//! A [`Watch`] holds a registry of metrics and the states of whatever runs in this process. [`Watch::router`] answers the four
//! paths from them, for a server that has others as well; [`serve`] is a small server for a process that has none.
//!
//! ```text
//! Registry ──────────────▶ /metrics
//! Status of a connector ─┬▶ /readyz   200, or 503 and the reason
//! Status of a sink ──────┴▶ /status   JSON
//! ```
//!
//! The answers have names of tables, slots, topics and hosts, and error texts. They have no row, no password and no property's
//! value, and no path changes anything.
//!
//! ```no_run
//! # async fn example(status: pgcdc_lifecycle::Status) -> std::io::Result<()> {
//! use std::time::Duration;
//! use pgcdc_metrics::Registry;
//! use pgcdc_watch::{Kind, Watch, serve};
//!
//! let watch = Watch::new(Registry::new(), Duration::from_secs(60));
//! watch.add(Kind::Connector, "shop", status);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9464").await?;
//! serve(listener, watch.router()).await;
//! # Ok(()) }
//! ```

mod ready;
mod routes;
mod server;
mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pgcdc_lifecycle::Status;
use pgcdc_metrics::Registry;

pub use server::serve;

/// What is watched. Connectors come before sinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Postgres to Kafka.
    Connector,
    /// Kafka to a store.
    Sink,
}

impl Kind {
    /// The word for it, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Sink => "sink",
        }
    }
}

/// The connectors and sinks of a process. Clones watch the same ones.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    registry: Registry,
    /// How long one that ran may try again by itself before it no longer counts as ready.
    unready_after: Duration,
    states: RwLock<BTreeMap<(Kind, String), Status>>,
}

impl Watch {
    /// A watch of nothing yet. What is [added](Self::add) later must count in `registry`, under the same name. One that fails and
    /// tries again by itself counts as ready for `unready_after`, counted from its first failure.
    #[must_use]
    pub fn new(registry: Registry, unready_after: Duration) -> Self {
        Self(Arc::new(Watched { registry, unready_after, states: RwLock::default() }))
    }

    /// Watches a connector or a sink; one of the same name is watched no longer.
    pub fn add(&self, kind: Kind, name: &str, status: Status) {
        let mut states = self.0.states.write().unwrap_or_else(PoisonError::into_inner);
        states.insert((kind, name.to_owned()), status);
    }

    /// Watches it no longer. Its metrics stay until [`Registry::forget_capture`] or [`Registry::forget_sink`].
    pub fn remove(&self, kind: Kind, name: &str) {
        let mut states = self.0.states.write().unwrap_or_else(PoisonError::into_inner);
        states.remove(&(kind, name.to_owned()));
    }

    /// Everything that is watched, as it is now.
    fn look(&self) -> Vec<ready::Look> {
        let states = self.0.states.read().unwrap_or_else(PoisonError::into_inner);
        let look = |((kind, name), status): (&(Kind, String), &Status)| {
            ready::Look::at(*kind, name, status.present(), self.0.unready_after)
        };
        states.iter().map(look).collect()
    }
}

#[cfg(test)]
mod tests;
