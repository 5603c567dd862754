//! What must outlive the worker: which connectors there are, their configurations, and what each is meant to do.

mod folder;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::Config;

pub use folder::Folder;

/// What a connector is meant to do. A request sets it, and a restart of the worker keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Capture.
    Running,
    /// Capture no more for now; the task stays.
    Paused,
    /// No task at all; offsets may be changed.
    Stopped,
}

impl Target {
    /// The name in Connect's answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// The target of a name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Running, Self::Paused, Self::Stopped]
            .into_iter()
            .find(|it| it.name().eq_ignore_ascii_case(name))
    }
}

/// A connector as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its name in the paths of the REST interface.
    pub name: String,
    /// Its configuration, with references to config providers as they were written.
    pub config: Config,
    /// What it is meant to do.
    pub target: Target,
    /// Whether it has a task. It gets one when it runs for the first time, and loses it when it is stopped.
    pub has_task: bool,
}

impl Stored {
    /// `{"name","config","target_state","has_task"}`
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "config": self.config.to_json(),
            "target_state": self.target.name(),
            "has_task": self.has_task,
        })
    }

    /// `None` when a member is missing or of another kind.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            name: value.get("name")?.as_str()?.to_owned(),
            config: Config::from_json(value.get("config")?.as_object()?.clone()).ok()?,
            target: Target::parse(value.get("target_state")?.as_str()?)?,
            has_task: value.get("has_task")?.as_bool()?,
        })
    }
}

/// Why something could not be stored or read: what, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Keeps connectors. A change is durable when its call returns. Changes of one connector come one after the other; those of
/// several may come at the same time.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads all connectors. Called once, before any change.
    async fn load(&self) -> Result<Vec<Stored>, StoreError>;

    /// Adds a connector, or replaces the one of its name.
    async fn put(&self, connector: &Stored) -> Result<(), StoreError>;

    /// Takes a connector away.
    async fn delete(&self, name: &str) -> Result<(), StoreError>;
}
