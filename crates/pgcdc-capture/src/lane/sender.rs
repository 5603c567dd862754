//! Batches of records through the transforms and to the output.

use pgcdc_event::RecordBatch;

use crate::Result;
use crate::outbox::Outbox;
use crate::output::Output;
use crate::stage::Stage;

/// Bytes of records that are gathered before they go to the output.
pub(crate) const GATHERED: usize = 64 * 1024;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct RecordSender {
    pub(super) outbox: Outbox<Output>,
    /// The connector's transforms, where the encoder does not do them itself.
    stage: Option<Box<Stage>>,
}

impl RecordSender {
    pub(super) fn new(outbox: Outbox<Output>, stage: Option<Stage>) -> Self {
        Self { outbox, stage: stage.map(Box::new) }
    }

    /// Whether a batch should go out after a change: it is much, or changes are counted.
    #[inline]
    pub(super) fn is_due(&self, batch: &RecordBatch) -> bool {
        batch.position() >= GATHERED || self.outbox.counts_changes()
    }

    /// Sends the records of a batch, if it holds any, and clears it.
    pub(super) async fn flush(&mut self, batch: &mut RecordBatch) -> Result<()> {
        // Without a record there is no change to count.
        if batch.is_empty() { Ok(()) } else { self.send(batch).await }
    }

    /// Sends the records of some changes, or of one where [changes are counted](Outbox::counts_changes), and clears the
    /// batch.
    pub(super) async fn send(&mut self, batch: &mut RecordBatch) -> Result<()> {
        if self.outbox.skips() {
            batch.clear();
            return Ok(());
        }
        self.send_beside(batch).await?;
        self.outbox.change();
        Ok(())
    }

    /// Sends records that have no position in the stream (heartbeats), and clears the batch.
    pub(super) async fn send_beside(&mut self, batch: &mut RecordBatch) -> Result<()> {
        self.outbox.room().await?;
        if let Some(stage) = &mut self.stage {
            stage.run(batch, &mut self.outbox.destination).await?;
        }
        self.outbox.hand_over(batch).await
    }
}
