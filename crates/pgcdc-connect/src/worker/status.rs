//! What a connector shows: its state, its task's state and the trace of a failure, in Connect's words.

use pgcdc_lifecycle::{Failure, State};
use serde_json::{Value, json};

use super::{Connector, Worker};
use crate::{Config, Fault, Target, plugins};

/// A state in Connect's words, with the trace of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    state: &'static str,
    trace: Option<String>,
}

/// What a connector's class says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    /// `source` or `sink`; `unknown` for a class of another version.
    kind: &'static str,
    version: &'static str,
}

impl Class {
    pub(super) fn of(config: &Config) -> Self {
        let found = config.get("connector.class").and_then(plugins::connector);
        found.map_or(Self { kind: "unknown", version: "" }, |(kind, class)| Self {
            kind: kind.name(),
            version: plugins::version(class),
        })
    }
}

/// A connector and its task.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    class: Class,
    connector: Shown,
    task: Option<Shown>,
}

impl Snapshot {
    /// Whether the connector itself could not be started.
    pub(super) fn connector_failed(&self) -> bool {
        self.connector.state == "FAILED"
    }

    /// Whether its task has failed.
    pub(super) fn task_failed(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.state == "FAILED")
    }

    /// The same while it is restarted.
    pub(super) fn restarting(mut self, connector: bool, task: bool) -> Self {
        if connector {
            self.connector.state = "RESTARTING";
        }
        if let Some(shown) = self.task.as_mut().filter(|_| task) {
            shown.state = "RESTARTING";
        }
        self
    }
}

impl Connector {
    /// What it is doing now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let (order, seen) = (self.runner.order(), self.runner.seen());
        let plain = |state| Shown { state, trace: None };
        let class = Class::of(&order.config);
        if let (Some(failure), Target::Running) = (seen.failure, order.target) {
            let connector = Shown { state: "FAILED", trace: Some(failure) };
            return Snapshot { class, connector, task: None };
        }
        let task = match (seen.status.map(|status| status.now()), order.target) {
            (Some(state), _) => Some(shown(&state)),
            (None, Target::Stopped) => None,
            (None, Target::Paused) => order.has_task.then(|| plain("PAUSED")),
            (None, Target::Running) => order.has_task.then(|| plain("UNASSIGNED")),
        };
        Snapshot { class, connector: plain(order.target.name()), task }
    }
}

/// A task's state. One that tries again by itself is running for Connect; its trace says why it tries.
fn shown(state: &State) -> Shown {
    let (state, trace) = match state {
        State::Failed(failure) => ("FAILED", Some(trace(failure))),
        State::Retrying(retry) => ("RUNNING", Some(trace(&retry.failure))),
        State::Paused => ("PAUSED", None),
        _ => ("RUNNING", None),
    };
    Shown { state, trace }
}

fn trace(failure: &Failure) -> String {
    let hint = failure.hint.as_ref().map_or_else(String::new, |hint| format!("\n\thint: {hint}"));
    format!("{}{hint}\n", failure.error)
}

impl Worker {
    /// `GET /connectors/{name}/status`
    pub(crate) fn status(&self, name: &str) -> Result<Value, Fault> {
        let connector = self
            .get(name)
            .ok_or_else(|| Fault::not_found(format!("No status found for connector {name}")))?;
        Ok(self.status_of(name, connector.snapshot()))
    }

    pub(super) fn status_of(&self, name: &str, snapshot: Snapshot) -> Value {
        let Snapshot { class, connector, task } = snapshot;
        let tasks: Vec<Value> = task.iter().map(|task| self.state(Some(0), class, task)).collect();
        json!({"name": name, "connector": self.state(None, class, &connector), "tasks": tasks, "type": class.kind})
    }

    /// `GET /connectors/{name}/tasks/{id}/status`
    pub(crate) fn task_status(&self, name: &str, id: i64) -> Result<Value, Fault> {
        let snapshot = self.get(name).filter(|_| id == 0).map(|connector| connector.snapshot());
        let found = snapshot.and_then(|snapshot| Some((snapshot.class, snapshot.task?)));
        let (class, task) =
            found.ok_or_else(|| Fault::not_found(format!("No status found for task {name}-{id}")))?;
        Ok(self.state(Some(0), class, &task))
    }

    fn state(&self, id: Option<i64>, class: Class, shown: &Shown) -> Value {
        let mut state = json!({});
        if let Some(id) = id {
            state["id"] = id.into();
        }
        state["state"] = shown.state.into();
        state["worker_id"] = self.identity().worker_id.clone().into();
        // A connector that could not be started has no version in Connect either.
        let started = id.is_some() || shown.state != "FAILED";
        state["version"] = started.then_some(class.version).into();
        if let Some(trace) = &shown.trace {
            state["trace"] = trace.clone().into();
        }
        state
    }

    /// `GET /connectors/{name}`
    pub(crate) fn info(&self, name: &str) -> Result<Value, Fault> {
        let connector = self.known(name)?;
        let stored = connector.stored();
        Ok(self.info_of(name, &stored.config, connector.runner.order().has_task))
    }

    pub(super) fn info_of(&self, name: &str, config: &Config, has_task: bool) -> Value {
        let tasks: Vec<Value> = has_task.then(|| json!({"connector": name, "task": 0})).into_iter().collect();
        json!({"name": name, "config": self.shown(config), "tasks": tasks, "type": Class::of(config).kind})
    }

    /// `GET /connectors/{name}/config`
    pub(crate) fn configuration(&self, name: &str) -> Result<Value, Fault> {
        Ok(self.shown(&self.known(name)?.stored().config))
    }

    /// `GET /connectors/{name}/tasks`
    pub(crate) fn tasks(&self, name: &str) -> Result<Value, Fault> {
        let connector = self.known(name)?;
        if !connector.runner.order().has_task {
            return Ok(json!([]));
        }
        let mut config = connector.stored().config;
        if let Some((_, class)) = config.get("connector.class").and_then(plugins::connector) {
            config.set("task.class", &format!("{class}Task"));
        }
        Ok(json!([{"id": {"connector": name, "task": 0}, "config": self.shown(&config)}]))
    }

    /// The connector, or the error of most requests.
    pub(super) fn known(&self, name: &str) -> Result<std::sync::Arc<Connector>, Fault> {
        self.get(name).ok_or_else(|| Fault::not_found(format!("Connector {name} not found")))
    }
}
