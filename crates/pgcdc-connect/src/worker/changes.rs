//! The changes that requests ask for. Those of one connector come one after the other, so that what was stored last is what
//! runs. Connectors do not wait for each other.

use std::sync::{Arc, PoisonError};

use serde_json::Value;

use super::{Connector, Worker};
use crate::{Config, Fault, Stored, Target};

/// How `PUT /connectors/{name}/config` ended.
#[derive(Debug)]
pub(crate) enum Written {
    /// The connector was made.
    Created(Value),
    /// It has another configuration now.
    Changed(Value),
}

/// The end of the message about a configuration with errors.
const ENDPOINT: &str = "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`";

impl Worker {
    /// `POST /connectors`
    pub(crate) async fn create(&self, name: &str, config: Config, target: Target) -> Result<Value, Fault> {
        let config = named(name, config)?;
        self.check(&config).await?;
        let (answer, connector) = self.add(name, config, target).await?;
        connector.runner.settled().await;
        Ok(answer)
    }

    /// `PUT /connectors/{name}/config`
    pub(crate) async fn put(&self, name: &str, config: Config) -> Result<Written, Fault> {
        let mut config = named(name, config)?;
        if let Some(connector) = self.get(name) {
            config = config.unmasked(&connector.stored().config);
        }
        self.check(&config).await?;
        if let Some((connector, _held)) = self.hold(name).await {
            return Ok(Written::Changed(self.configure(name, &connector, config).await?));
        }
        let (answer, connector) = self.add(name, config, Target::Running).await?;
        connector.runner.settled().await;
        Ok(Written::Created(answer))
    }

    /// `PATCH /connectors/{name}/config`
    pub(crate) async fn patch(&self, name: &str, patch: &Config) -> Result<Value, Fault> {
        let former = self.known(name)?.stored().config;
        let config = former.patched(patch).unmasked(&former);
        self.check(&config).await.map_err(|fault| {
            let unknown = fault.message.starts_with("Failed to find any class");
            // Connect puts the Java class of the error before this message.
            let java = if unknown { "org.apache.kafka.connect.errors.ConnectException: " } else { "" };
            Fault::new(fault.code, format!("{java}{}", fault.message))
        })?;
        let (connector, _held) = self.hold(name).await.ok_or_else(|| not_found(name))?;
        self.configure(name, &connector, config).await
    }

    /// `DELETE /connectors/{name}`
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Fault> {
        let (connector, _held) = self.hold(name).await.ok_or_else(|| not_found(name))?;
        let mut leaving = self.leaving.lock().await;
        self.store.delete(name).await?;
        self.write().remove(name);
        tracing::info!(connector = name, "the connector is deleted; its slot, publication and offsets stay");
        leaving.retain(|_, task| !task.is_finished());
        if let Some(task) = connector.runner.end() {
            leaving.insert(name.to_owned(), task);
        }
        Ok(())
    }

    /// `PUT /connectors/{name}/pause`, `…/resume` and `…/stop`
    pub(crate) async fn aim(&self, name: &str, target: Target) -> Result<(), Fault> {
        let unknown = || Fault::not_found(format!("Unknown connector {name}"));
        let (connector, _held) = self.hold(name).await.ok_or_else(unknown)?;
        let former = connector.stored();
        let has_task = match target {
            Target::Running => true,
            Target::Paused => former.has_task,
            Target::Stopped => false,
        };
        let stored = Stored { target, has_task, ..former.clone() };
        if stored != former {
            self.keep(&connector, stored).await?;
            tracing::info!(connector = name, state = target.name(), "the connector's state is ordered");
        }
        connector.runner.give(|order| (order.target, order.has_task) = (target, has_task)).await;
        Ok(())
    }

    /// `POST /connectors/{name}/restart`: the connector's status while it is restarted.
    pub(crate) async fn restart(&self, name: &str, task: bool, only_failed: bool) -> Result<Value, Fault> {
        let unknown = || Fault::not_found(format!("Unknown connector: {name}"));
        let (connector, _held) = self.hold(name).await.ok_or_else(unknown)?;
        let snapshot = connector.snapshot();
        let restart_connector = !only_failed || snapshot.connector_failed();
        let restart_task = task && (!only_failed || snapshot.task_failed());
        // A connector without its task is nothing that runs here, unless it could not be started.
        let again = restart_task || (restart_connector && snapshot.connector_failed());
        let status = self.status_of(name, snapshot.restarting(restart_connector, restart_task));
        if again {
            connector.runner.give(|order| order.run += 1).await;
        }
        Ok(status)
    }

    /// `POST /connectors/{name}/tasks/{id}/restart`
    pub(crate) async fn restart_task(&self, name: &str, id: i64) -> Result<(), Fault> {
        let unknown = || Fault::not_found(format!("Unknown connector: {name}"));
        let (connector, _held) = self.hold(name).await.ok_or_else(unknown)?;
        if id != 0 || !connector.runner.order().has_task {
            return Err(Fault::not_found(format!("Unknown task: {name}-{id}")));
        }
        connector.runner.give(|order| order.run += 1).await;
        Ok(())
    }

    /// Refuses a configuration with errors.
    async fn check(&self, config: &Config) -> Result<(), Fault> {
        let validation = self.validate(config).await?;
        let errors: Vec<&str> = validation.errors().collect();
        if errors.is_empty() {
            return Ok(());
        }
        Err(Fault::bad(format!(
            "Connector configuration is invalid and contains the following {} error(s):\n{}\n{ENDPOINT}",
            errors.len(),
            errors.join("\n")
        )))
    }

    /// Adds a connector. Its answer has no task, as Connect answers before there is one.
    async fn add(
        &self,
        name: &str,
        config: Config,
        target: Target,
    ) -> Result<(Value, Arc<Connector>), Fault> {
        let mut leaving = self.leaving.lock().await;
        if self.get(name).is_some() {
            return Err(Fault::new(409, format!("Connector {name} already exists")));
        }
        let has_task = target == Target::Running;
        let stored = Stored { name: name.to_owned(), config, target, has_task };
        self.store.put(&stored).await?;
        tracing::info!(connector = name, state = target.name(), "the connector is made");
        let answer = self.info_of(name, &stored.config, false);
        let connector = Connector::start(Arc::clone(&self.engine), stored, leaving.remove(name));
        self.write().insert(name.to_owned(), Arc::clone(&connector));
        Ok((answer, connector))
    }

    /// Gives a connector another configuration.
    async fn configure(&self, name: &str, connector: &Connector, config: Config) -> Result<Value, Fault> {
        let former = connector.stored();
        let changed = former.config != config;
        self.keep(connector, Stored { config: config.clone(), ..former }).await?;
        if changed {
            tracing::info!(connector = name, "the connector has another configuration");
        }
        let answer = self.info_of(name, &config, connector.runner.order().has_task);
        connector.runner.give(|order| order.config = config).await;
        Ok(answer)
    }

    /// Stores a connector, then remembers what is stored.
    async fn keep(&self, connector: &Connector, stored: Stored) -> Result<(), Fault> {
        self.store.put(&stored).await?;
        *connector.stored.write().unwrap_or_else(PoisonError::into_inner) = stored;
        Ok(())
    }
}

fn not_found(name: &str) -> Fault {
    Fault::not_found(format!("Connector {name} not found"))
}

/// The configuration with the connector's name in it.
fn named(name: &str, mut config: Config) -> Result<Config, Fault> {
    match config.get("name") {
        Some(other) if other != name => Err(Fault::bad(format!(
            "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
        ))),
        _ => {
            config.set("name", name);
            Ok(config)
        }
    }
}
