//! The worker: it holds the connectors, keeps the store up to date, and has each connector run as it is meant to.
//!
//! ```text
//! request ─▶ Worker (one change at a time) ─▶ Store, durable ─▶ order ─▶ the connector's own task ─▶ Engine
//!                                                                            │
//! request ─▶ Worker (reads, without waiting) ◀──────── what is seen ◀────────┘
//! ```

mod changes;
mod offsets;
mod runner;
mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use crate::loggers::Loggers;
use crate::plugins::{self, Validation};
use crate::{Config, Engine, Fault, Store, StoreError, Stored, Target};

pub(crate) use changes::Written;
use runner::Runner;

/// How long the end of the worker waits for its connectors to deliver and confirm.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// What a worker says of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `host:port`, by which other workers and people know this one.
    pub worker_id: String,
    /// What `GET /` shows as the commit.
    pub commit: String,
    /// The Kafka cluster's id, once it is known.
    pub cluster_id: Arc<OnceLock<String>>,
    /// Whether answers show `********` in place of literal secrets.
    pub mask_secrets: bool,
}

/// A worker. Share it with [`router`](crate::router).
pub struct Worker {
    identity: Identity,
    engine: Arc<dyn Engine>,
    store: Arc<dyn Store>,
    loggers: Loggers,
    /// The connectors by name. Held for moments only, never while something is awaited.
    connectors: RwLock<BTreeMap<String, Arc<Connector>>>,
    /// Held by the one who adds or takes away a connector. Inside are deleted connectors that still deliver what they have
    /// read: one that is made anew under the name waits for it.
    leaving: Mutex<BTreeMap<String, JoinHandle<()>>>,
}

/// A connector as the worker knows it.
#[derive(Debug)]
struct Connector {
    stored: RwLock<Stored>,
    runner: Runner,
    /// Held by the request that changes this connector.
    changing: Arc<Mutex<()>>,
}

impl Connector {
    fn start(engine: Arc<dyn Engine>, stored: Stored, former: Option<JoinHandle<()>>) -> Arc<Self> {
        let runner = Runner::start(engine, &stored, former);
        Arc::new(Self { stored: RwLock::new(stored), runner, changing: Arc::default() })
    }

    fn stored(&self) -> Stored {
        self.stored.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Worker {
    /// Reads the store, and starts the connectors that are meant to run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(
        identity: Identity,
        engine: Arc<dyn Engine>,
        store: Arc<dyn Store>,
        loggers: Loggers,
    ) -> Result<Arc<Self>, StoreError> {
        let mut connectors = BTreeMap::new();
        for stored in store.load().await? {
            let name = stored.name.clone();
            tracing::info!(connector = name, state = stored.target.name(), "the connector is in the store");
            connectors.insert(name, Connector::start(Arc::clone(&engine), stored, None));
        }
        Ok(Arc::new(Self {
            identity,
            engine,
            store,
            loggers,
            connectors: RwLock::new(connectors),
            leaving: Mutex::new(BTreeMap::new()),
        }))
    }

    /// Stops all connectors and waits for them. The store keeps what each is meant to do.
    pub async fn close(&self) {
        let mut leaving = self.leaving.lock().await;
        let connectors = std::mem::take(&mut *self.write());
        let mut ends: Vec<_> = std::mem::take(&mut *leaving).into_values().collect();
        for connector in connectors.values() {
            ends.extend(connector.runner.end());
        }
        let all = async {
            for end in ends {
                let _ = end.await;
            }
        };
        if tokio::time::timeout(CLOSE_LIMIT, all).await.is_err() {
            tracing::warn!("a connector has not stopped within {} s", CLOSE_LIMIT.as_secs());
        }
    }

    /// What it says of itself.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The log's levels.
    pub(crate) fn loggers(&self) -> &Loggers {
        &self.loggers
    }

    /// The connectors' names, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// A connector's configuration for answers.
    pub(crate) fn shown(&self, config: &Config) -> serde_json::Value {
        if self.identity.mask_secrets { config.masked().to_json() } else { config.to_json() }
    }

    /// Checks a configuration as `PUT …/config/validate` does.
    ///
    /// # Errors
    /// When it names no connector.
    pub(crate) async fn validate(&self, config: &Config) -> Result<Validation, Fault> {
        let Some(class) = config.get("connector.class") else {
            return Err(Fault::bad(format!("Connector config {} contains no connector type", config.java())));
        };
        if plugins::connector(class.trim()).is_none() {
            return Err(Fault::bad(plugins::refused(class)));
        }
        let findings = self.engine.validate(config).await;
        Ok(plugins::validate(config, findings))
    }

    /// The topics that a connector has written to since it was started.
    pub(crate) fn topics(&self, name: &str) -> Vec<String> {
        self.get(name).map_or_else(Vec::new, |connector| self.engine.topics(&connector.stored().config))
    }

    fn get(&self, name: &str) -> Option<Arc<Connector>> {
        self.read().get(name).cloned()
    }

    /// A connector for somebody who changes it; `None` when there is none, or it is deleted while we wait for another request.
    async fn hold(&self, name: &str) -> Option<(Arc<Connector>, OwnedMutexGuard<()>)> {
        let connector = self.get(name)?;
        let held = Arc::clone(&connector.changing).lock_owned().await;
        let current = self.get(name).is_some_and(|current| Arc::ptr_eq(&current, &connector));
        current.then_some((connector, held))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Connector>>> {
        self.connectors.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Arc<Connector>>> {
        self.connectors.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::internal(error.to_string())
    }
}

/// What a connector's task shall do.
#[derive(Clone, Debug, PartialEq)]
struct Order {
    config: Config,
    target: Target,
    has_task: bool,
    /// Counts the restarts that were asked for.
    run: u64,
    /// The connector goes away, or the worker ends.
    end: bool,
}
