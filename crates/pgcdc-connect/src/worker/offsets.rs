//! A connector's offsets, which REST shows, and changes while the connector is stopped.

use serde_json::{Value, json};

use super::{Connector, Worker};
use crate::{Fault, Offsets, Target};

impl Worker {
    /// `GET /connectors/{name}/offsets`
    pub(crate) async fn offsets(&self, name: &str) -> Result<Value, Fault> {
        let connector = self.known(name)?;
        let stored = self.engine.offsets(&connector.stored().config).await.map_err(Fault::internal)?;
        let pairs =
            stored.into_iter().map(|(partition, offset)| json!({"partition": partition, "offset": offset}));
        Ok(json!({"offsets": pairs.collect::<Vec<_>>()}))
    }

    /// `PATCH /connectors/{name}/offsets`, and `DELETE` for no changes at all.
    pub(crate) async fn change_offsets(&self, name: &str, changes: Option<Offsets>) -> Result<(), Fault> {
        // Nobody may start the connector meanwhile.
        let not_found = || Fault::not_found(format!("Connector {name} not found"));
        let (connector, _held) = self.hold(name).await.ok_or_else(not_found)?;
        connector.is_stopped(name).await?;
        let config = connector.stored().config;
        self.engine.change_offsets(&config, changes).await.map_err(Fault::internal)?;
        tracing::info!(connector = name, "the connector's offsets were changed by a request");
        Ok(())
    }
}

impl Connector {
    /// Makes sure that the connector is stopped, and has ended.
    async fn is_stopped(&self, name: &str) -> Result<(), Fault> {
        if self.stored().target != Target::Stopped {
            return Err(Fault::bad(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )));
        }
        if !self.runner.settled().await {
            return Err(Fault::new(
                409,
                format!(
                    "Connector {name} is being stopped: it still delivers what it has read. Try again in a moment"
                ),
            ));
        }
        Ok(())
    }
}
