//! Changes as typed events, to a program that embeds capture.

use std::sync::Arc;

use pgcdc_event::{ChangeEvent, Lsn};

use super::channel::EventChannel;
use crate::Result;
use crate::meters::Meters;
use crate::outbox::{Outbox, ROOM};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct EventLane {
    pub(super) outbox: Outbox<EventChannel>,
}

impl EventLane {
    pub(super) fn new(channel: EventChannel, confirmed: Lsn, metrics: Arc<Meters>) -> Self {
        Self { outbox: Outbox::new(channel, confirmed, metrics) }
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
