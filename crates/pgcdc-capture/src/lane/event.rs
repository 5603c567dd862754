//! Changes as typed events, to a program that embeds capture.

use std::sync::Arc;

use pgcdc_event::{ChangeEvent, Lsn};
use pgcdc_format::envelope::{Context, RelationEncoder};

use super::change::{RowChange, at};
use super::channel::EventChannel;
use super::typed;
use crate::Result;
use crate::metrics::Metrics;
use crate::outbox::{Outbox, ROOM};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct EventLane {
    pub(super) outbox: Outbox<EventChannel>,
}

impl EventLane {
    pub(super) fn new(channel: EventChannel, confirmed: Lsn, metrics: Arc<Metrics>) -> Self {
        Self { outbox: Outbox::new(channel, confirmed, metrics) }
    }

    /// Hands a change of the stream over.
    pub(super) async fn change(
        &mut self,
        encoder: &RelationEncoder,
        change: RowChange<'_>,
        context: &Context<'_>,
    ) -> Result<()> {
        let event =
            typed::change(encoder.relation(), change, context).map_err(|error| at(context.lsn, error))?;
        self.send(event).await
    }

    /// Hands an event over. Waits while the channel is full, which is all that holds the server back.
    pub(crate) async fn send(&mut self, event: ChangeEvent) -> Result<()> {
        let sequence = self.outbox.sequence();
        let mut waiting = Some(event);
        while let Some(event) = waiting.take() {
            waiting = self.outbox.destination.send(event, sequence)?;
            if waiting.is_some() {
                self.outbox.poll()?;
                tokio::time::sleep(ROOM).await;
            }
        }
        self.outbox.sent(1);
        Ok(())
    }
}
