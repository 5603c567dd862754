//! Takes batches of records through the transforms to the output.

use pgcdc_event::RecordBatch;

use crate::Result;
use crate::outbox::Outbox;
use crate::output::Output;
use crate::stage::Stage;

/// Bytes of records that are gathered before they go to the output: enough that a hand-over costs
/// little for each record.
pub(crate) const GATHERED: usize = 64 * 1024;

/// The last part of the lane of records.
#[derive(Debug)]
pub(super) struct RecordSender {
    /// The output with the ledger.
    pub(super) outbox: Outbox<Output>,
    /// The connector's transforms, if the encoder does not do them itself.
    stage: Option<Box<Stage>>,
}

impl RecordSender {
    /// A sender to an outbox, through a stage if there is one.
    pub(super) fn new(outbox: Outbox<Output>, stage: Option<Stage>) -> Self {
        Self { outbox, stage: stage.map(Box::new) }
    }

    /// Whether a batch should be sent after a change: it is large enough, or changes are counted.
    #[inline]
    pub(super) fn is_due(&self, batch: &RecordBatch) -> bool {
        batch.position() >= GATHERED || self.outbox.counts_changes()
    }

    /// Sends the records of a batch, if it holds any, and clears it.
    pub(super) async fn flush(&mut self, batch: &mut RecordBatch) -> Result<()> {
        // Without a record there is no change to count.
        if batch.is_empty() { Ok(()) } else { self.send(batch).await }
    }

    /// Sends the records of some changes and clears the batch; the records of exactly one change
    /// when [changes are counted](Outbox::counts_changes). A change that an earlier run has
    /// committed is skipped.
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
