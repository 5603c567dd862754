//! Changes as encoded records, to Kafka or standard output.
//!
//! This is the hot path: `encode` runs once a row and only appends bytes to the batch. Everything
//! that may wait (the registry, transforms, the output) happens when the batch is sent.

use std::sync::Arc;

use pgcdc_event::{Lsn, Mark, Operation, RecordBatch};
use pgcdc_format::envelope::{Change, Context, EncodeError, RelationEncoder, RowRef};
use pgcdc_format::pgoutput::RelationIdentity;

use super::change::{LogicalMessage, RowChange};
use super::messages::Messages;
use super::sender::RecordSender;
use crate::Result;
use crate::config::Settings;
use crate::meters::Meters;
use crate::outbox::Outbox;
use crate::output::Output;
use crate::postgres::Replication;
use crate::stage::Stage;
use crate::tables::Tables;
use crate::tolerance::Tolerance;

/// Encodes changes into a batch. The batch is sent when it is large enough and at each commit: the
/// ledger must have counted a transaction's records before it hears of its end.
#[derive(Debug)]
pub(crate) struct RecordLane {
    /// Transforms, and the outbox.
    pub(super) sender: RecordSender,
    /// Records that were encoded and not sent.
    batch: RecordBatch,
    /// Encodes records that belong to no table, and numbers changes within a transaction.
    messages: Messages,
    /// Decides what to do with a row that cannot become a record.
    tolerance: Tolerance,
}

impl RecordLane {
    /// A lane to `output`. Also switches `tables` to Avro, if a converter writes it.
    ///
    /// # Errors
    /// When transforms, converters or the registry are configured wrongly.
    pub(super) fn new(
        output: Output,
        confirmed: Lsn,
        settings: &Arc<Settings>,
        metrics: &Arc<Meters>,
        tables: &mut Tables,
    ) -> Result<Self> {
        let tolerance = tables.tolerance.clone();
        let stage = Stage::new(settings, tolerance.clone())?;
        tables.write_avro()?;
        Ok(Self {
            sender: RecordSender::new(Outbox::new(output, confirmed, Arc::clone(metrics)), stage),
            batch: RecordBatch::new(),
            messages: Messages::new(Arc::clone(settings), tables)?,
            tolerance,
        })
    }

    /// Whether each change must be sent alone. See [`Outbox::counts_changes`].
    pub(super) fn counts_changes(&self) -> bool {
        self.sender.outbox.counts_changes()
    }

    /// Bytes of records that wait in the batch.
    pub(crate) fn gathered(&self) -> usize {
        self.batch.position()
    }

    /// The batch itself, for rows that a snapshot encodes.
    pub(crate) fn batch(&mut self) -> &mut RecordBatch {
        &mut self.batch
    }

    /// Sends what was gathered.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.sender.flush(&mut self.batch).await
    }

    /// Sends a batch that another thread has filled, behind what was gathered here; clears it.
    pub(crate) async fn send(&mut self, batch: &mut RecordBatch) -> Result<()> {
        self.flush().await?;
        self.sender.send(batch).await
    }

    /// Whether the batch must be sent after a change: it is large enough, or each change goes
    /// alone. A batch of [`Replication::LARGE`] or more is left to the caller. The caller first
    /// frees the message's memory, since sending copies the record.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.batch.position() < Replication::LARGE && self.sender.is_due(&self.batch)
    }

    /// Sends what was gathered if [`is_due`](Self::is_due) says so.
    pub(super) async fn send_gathered(&mut self) -> Result<()> {
        if self.is_due() { self.sender.send(&mut self.batch).await } else { Ok(()) }
    }

    /// Sends the batch after a row of a snapshot, if it is large enough or each change goes alone.
    #[inline]
    pub(crate) async fn send_due(&mut self) -> Result<()> {
        if self.sender.is_due(&self.batch) { self.sender.send(&mut self.batch).await } else { Ok(()) }
    }

    /// Appends the records of a change to the batch: none, or up to three when an update changes
    /// the key.
    ///
    /// # Errors
    /// When a value cannot be converted and the record may not be left out.
    #[inline]
    pub(super) fn encode(
        &mut self,
        encoder: &mut RelationEncoder,
        change: RowChange<'_>,
        mut context: Context<'_>,
    ) -> Result<()> {
        let RowChange { operation, before, after, .. } = change;
        let oid = encoder.relation().oid;
        context.ordinal = self.messages.ordinal(oid);
        let old = before.map(|(kind, tuple)| (RowRef::Wire(tuple), kind == RelationIdentity::Row));
        let change = match (operation, old, after) {
            (Operation::Truncate, ..) => Change::Truncate,
            (_, None, Some(new)) if operation == Operation::Create => {
                Change::Insert { new: RowRef::Wire(new) }
            }
            (_, old, Some(new)) => Change::Update { old, new: RowRef::Wire(new) },
            (_, Some((old, _)), None) => Change::Delete { old },
            (_, None, None) => return Ok(()),
        };
        let mark = self.batch.mark();
        match encoder.encode(change, &context, &mut self.batch) {
            Ok(counted) => {
                self.messages.count(oid, &encoder.relation().name, counted);
                Ok(())
            }
            Err(error) => {
                self.batch.rewind(mark);
                self.refuse(context.lsn, error)
            }
        }
    }

    /// See [`Lane::pass_over`](super::Lane::pass_over). The change is encoded all the same, since
    /// only then it is known whether it has records, and so counts.
    #[cold]
    pub(super) fn pass_over(
        &mut self,
        encoder: &mut RelationEncoder,
        change: RowChange<'_>,
        context: Context<'_>,
    ) -> Result<()> {
        let mark = self.batch.mark();
        self.encode(encoder, change, context)?;
        self.take_back(mark);
        Ok(())
    }

    /// The same for a logical message, which is encoded to get its number in the transaction.
    #[cold]
    pub(super) async fn pass_over_message(
        &mut self,
        message: LogicalMessage<'_>,
        context: Context<'_>,
        tables: &mut Tables,
    ) -> Result<()> {
        let topic = self.messages.logical_topic(tables, &mut self.sender.outbox.destination).await?;
        let mark = self.batch.mark();
        self.messages.logical(topic, message, context, &mut self.batch)?;
        self.take_back(mark);
        Ok(())
    }

    /// Takes the records of one change out of the batch again. If it had any, it counts as written.
    fn take_back(&mut self, mark: Mark) {
        let before = self.batch.len();
        self.batch.rewind(mark);
        if self.batch.len() < before {
            self.sender.outbox.change();
        }
    }

    /// A row that cannot become a record: it is left out if `errors.tolerance` allows that, else it
    /// is an error.
    #[cold]
    fn refuse(&self, lsn: Lsn, error: EncodeError) -> Result<()> {
        if error.is_of_values() && self.tolerance.leaves_out(&error.to_string(), "the row has no record") {
            return Ok(());
        }
        Err(self.tolerance.refusal(&format!("replication stream at {lsn}"), error))
    }

    /// See [`Lane::announce`](super::Lane::announce).
    pub(super) fn announce(&mut self, oid: u32, schema: &str, table: &str) {
        self.messages.announce(oid, schema, table);
    }

    /// See [`Lane::tells_transactions`](super::Lane::tells_transactions).
    pub(super) fn tells_transactions(&self) -> bool {
        self.messages.tells_transactions()
    }

    /// Sends the record of a transaction's begin, unless it was `told` before.
    pub(super) async fn tell_begin(
        &mut self,
        context: &Context<'_>,
        told: bool,
        tables: &mut Tables,
    ) -> Result<()> {
        let mark = self.batch.mark();
        let output = &mut self.sender.outbox.destination;
        if !self.messages.begin(context, tables, output, &mut self.batch).await? {
            return Ok(());
        }
        if told {
            self.take_back(mark);
            return Ok(());
        }
        self.send_gathered().await
    }

    /// Sends the record of its end, with the sums of its changes.
    pub(super) async fn tell_end(&mut self, context: &Context<'_>) -> Result<()> {
        if self.messages.end(context, &mut self.batch)? { self.flush().await } else { Ok(()) }
    }

    /// Sends a logical message. One outside of transactions has a position of its own, so what was
    /// gathered is sent before it.
    pub(super) async fn message(
        &mut self,
        message: LogicalMessage<'_>,
        context: Context<'_>,
        tables: &mut Tables,
    ) -> Result<()> {
        let topic = self.messages.logical_topic(tables, &mut self.sender.outbox.destination).await?;
        if !message.transactional {
            self.flush().await?;
            self.sender.outbox.outside(message.lsn);
        }
        self.messages.logical(topic, message, context, &mut self.batch)?;
        self.send_gathered().await
    }

    /// Sends a heartbeat. It has no position in the stream, so it goes beside the count of changes.
    pub(super) async fn heartbeat(&mut self, tables: &mut Tables) -> Result<()> {
        self.flush().await?;
        self.messages.heartbeat(tables, &mut self.sender.outbox.destination, &mut self.batch).await?;
        self.sender.send_beside(&mut self.batch).await
    }
}
