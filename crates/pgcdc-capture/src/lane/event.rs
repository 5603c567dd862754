//! Changes as typed events, to a program that embeds capture. They need no encoding, so this lane
//! is little more than its outbox.

use std::sync::Arc;

use pgcdc_event::{ChangeEvent, Lsn};

use super::channel::EventChannel;
use crate::Result;
use crate::meters::Meters;
use crate::outbox::{Outbox, ROOM};

/// The lane of events. See the [module](self).
#[derive(Debug)]
pub(crate) struct EventLane {
    /// The channel, with the ledger of this attempt.
    pub(super) outbox: Outbox<EventChannel>,
}

impl EventLane {
    /// A lane for a slot whose reader confirmed everything up to `confirmed`.
    pub(super) fn new(channel: EventChannel, confirmed: Lsn, metrics: Arc<Meters>) -> Self {
        Self { outbox: Outbox::new(channel, confirmed, metrics) }
    }

    /// Hands an event over. While the channel is full it waits, and nothing is read meanwhile: that
    /// holds the server back.
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
