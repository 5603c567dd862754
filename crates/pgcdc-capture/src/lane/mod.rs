//! The way from a change to whoever takes it. There are two, and the choice is made when the
//! connector is built:
//!
//! ```text
//!                 ┌▶ Records:  encode ─▶ batch ─▶ transforms ─▶ Kafka or standard output
//!  change ─▶ lane ┤
//!                 └▶ Events:   typed event ─▶ channel ─▶ the program that embeds capture
//! ```
//!
//! The stream and the snapshot call a [`Lane`] and do not ask which of the two it is. Only records
//! have topics, schemas, transforms, heartbeats, logical messages and transaction metadata, so all
//! of these are in [`record`] and its neighbours. For events the same calls do nothing.

mod change;
mod channel;
mod event;
mod messages;
mod numbering;
mod record;
mod sender;
mod typed;

use std::sync::Arc;
use std::time::Duration;

use pgcdc_event::{ChangeEvent, Lsn, RecordBatch, TopicId};
use pgcdc_format::envelope::{Context, RelationEncoder};

use crate::config::Settings;
use crate::destination::{Destination, TopicIds};
use crate::ledger::Ledger;
use crate::meters::Meters;
use crate::offsets::{Offset, OffsetStore, Pauses};
use crate::output::{Output, only_kafka};
use crate::tables::Tables;
use crate::{Error, Result};

pub(crate) use change::{LogicalMessage, RowChange, at};
pub(crate) use channel::{Acknowledged, EventChannel, EventReader, channel};
pub(crate) use event::EventLane;
pub(crate) use record::RecordLane;
pub(crate) use sender::GATHERED;

/// Where a lane leads. Made anew for each attempt, since a broken producer is replaced, not mended.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// To Kafka or standard output, as encoded records.
    Records(Output),
    /// To a program, as typed events.
    Events(EventChannel),
}

impl Outlet {
    /// The outlet that gives the guarantee which the settings ask for.
    ///
    /// # Errors
    /// When exactly-once is asked for and this is not Kafka, or Kafka refuses it.
    pub(crate) async fn guaranteed(self, settings: &Settings) -> Result<Self> {
        match self {
            Self::Records(output) => Ok(Self::Records(output.guaranteed(settings).await?)),
            Self::Events(_) if settings.exactly_once.is_some() => Err(only_kafka()),
            Self::Events(channel) => Ok(Self::Events(channel)),
        }
    }
}

/// The lane of one attempt. It owns the outbox, and with it the ledger. See the [module](self).
#[derive(Debug)]
pub(crate) enum Lane {
    /// Encodes.
    Records(Box<RecordLane>),
    /// Makes events.
    Events(Box<EventLane>),
}

/// What must go out before a lane takes the next change.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The batch of records: it is large enough, or must not hold more than one change.
    Batch,
    /// One event.
    Event(ChangeEvent),
}

/// Does the same with the outbox of either lane.
macro_rules! outbox {
    ($lane:expr, $outbox:ident => $do:expr) => {
        match $lane {
            Lane::Records(lane) => {
                let $outbox = &mut lane.sender.outbox;
                $do
            }
            Lane::Events(lane) => {
                let $outbox = &mut lane.outbox;
                $do
            }
        }
    };
}

impl Lane {
    /// A lane to `outlet`, for a slot whose reader confirmed everything up to `confirmed`.
    ///
    /// # Errors
    /// When transforms, converters or the schema registry are configured wrongly.
    pub(crate) fn new(
        outlet: Outlet,
        confirmed: Lsn,
        settings: &Arc<Settings>,
        metrics: &Arc<Meters>,
        tables: &mut Tables,
    ) -> Result<Self> {
        Ok(match outlet {
            Outlet::Records(output) => {
                Self::Records(Box::new(RecordLane::new(output, confirmed, settings, metrics, tables)?))
            }
            Outlet::Events(channel) => {
                Self::Events(Box::new(EventLane::new(channel, confirmed, Arc::clone(metrics))))
            }
        })
    }

    /// Whether a change shows every column of its table, also those that the column filters leave
    /// out of records.
    pub(crate) fn shows_all_columns(&self) -> bool {
        matches!(self, Self::Events(_))
    }

    /// Whether whole batches of records that were made elsewhere can be [sent](Self::send). Not
    /// when each change must go alone. The parallel snapshot asks.
    pub(crate) fn takes_batches(&self) -> bool {
        match self {
            Self::Records(lane) => !lane.counts_changes(),
            Self::Events(_) => false,
        }
    }

    /// Sends a batch of records and clears it.
    ///
    /// # Errors
    /// Those of the output; and always for a lane that does not [take batches](Self::takes_batches)
    /// because it carries events.
    pub(crate) async fn send(&mut self, batch: &mut RecordBatch) -> Result<()> {
        match self {
            Self::Records(lane) => lane.send(batch).await,
            Self::Events(_) => Err(Error::fatal("records were made for a program that takes events")),
        }
    }

    /// The ledger, to read what is confirmed and what is in flight.
    pub(crate) fn ledger(&self) -> &Ledger {
        match self {
            Self::Records(lane) => lane.sender.outbox.ledger(),
            Self::Events(lane) => lane.outbox.ledger(),
        }
    }

    /// Takes one change of the stream; `encoder` is that of its table. When the answer is `Some`,
    /// it must be [sent](Self::send_waiting) before the next change.
    ///
    /// Not async: most changes only fill a batch, and a future for each of them would cost more
    /// than the rest of the way.
    #[inline]
    pub(crate) fn change(
        &mut self,
        encoder: &mut RelationEncoder,
        change: RowChange<'_>,
        context: Context<'_>,
    ) -> Result<Option<Waiting>> {
        match self {
            Self::Records(lane) => {
                lane.encode(encoder, change, context)?;
                Ok(lane.is_due().then_some(Waiting::Batch))
            }
            Self::Events(_) => {
                let event = typed::change(encoder.relation(), change, &context)
                    .map_err(|error| at(context.lsn, error))?;
                Ok(Some(Waiting::Event(event)))
            }
        }
    }

    /// Passes over a change that Debezium has written, before pgcdc took over. It counts as written
    /// in the offset and in the numbers of its transaction. Programs that take events keep their
    /// own position, and have no Debezium before them.
    pub(crate) fn pass_over(
        &mut self,
        encoder: &mut RelationEncoder,
        change: RowChange<'_>,
        context: Context<'_>,
    ) -> Result<()> {
        match self {
            Self::Records(lane) => lane.pass_over(encoder, change, context),
            Self::Events(_) => Ok(()),
        }
    }

    /// The same for a logical message.
    pub(crate) async fn pass_over_message(
        &mut self,
        message: LogicalMessage<'_>,
        context: Context<'_>,
        tables: &mut Tables,
    ) -> Result<()> {
        match self {
            Self::Records(lane) => lane.pass_over_message(message, context, tables).await,
            Self::Events(_) => Ok(()),
        }
    }

    /// Sends what [`change`](Self::change) answered.
    pub(crate) async fn send_waiting(&mut self, waiting: Waiting) -> Result<()> {
        match (self, waiting) {
            (Self::Events(lane), Waiting::Event(event)) => lane.send(event).await,
            (Self::Records(lane), _) => lane.send_gathered().await,
            (Self::Events(_), Waiting::Batch) => Ok(()),
        }
    }

    /// Takes a logical message; true when a record was made of it. Events have none.
    pub(crate) async fn message(
        &mut self,
        message: LogicalMessage<'_>,
        context: Context<'_>,
        tables: &mut Tables,
    ) -> Result<bool> {
        match self {
            Self::Records(lane) => lane.message(message, context, tables).await.map(|()| true),
            Self::Events(_) => Ok(false),
        }
    }

    /// Notes the name that a table has from now on.
    pub(crate) fn announce(&mut self, oid: u32, schema: &str, table: &str) {
        if let Self::Records(lane) = self {
            lane.announce(oid, schema, table);
        }
    }

    /// Sends a heartbeat, if this lane carries records.
    pub(crate) async fn heartbeat(&mut self, tables: &mut Tables) -> Result<()> {
        match self {
            Self::Records(lane) => lane.heartbeat(tables).await,
            Self::Events(_) => Ok(()),
        }
    }

    /// Notes that a transaction begins, whose commit record starts at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        outbox!(self, outbox => outbox.begin(commit));
    }

    /// Notes that the transaction is complete; `end` is the position behind its commit record.
    /// Everything of it must have been [flushed](Self::flush).
    pub(crate) fn commit(&mut self, end: Lsn) -> Result<()> {
        outbox!(self, outbox => outbox.commit(end))
    }

    /// Whether the begin and the end of a transaction have records: `provide.transaction.metadata`.
    pub(crate) fn tells_transactions(&self) -> bool {
        match self {
            Self::Records(lane) => lane.tells_transactions(),
            Self::Events(_) => false,
        }
    }

    /// Sends the record of a transaction's begin, if it has one. `told` says that Debezium has
    /// written that record.
    pub(crate) async fn tell_begin(
        &mut self,
        context: Context<'_>,
        told: bool,
        tables: &mut Tables,
    ) -> Result<()> {
        match self {
            Self::Records(lane) => lane.tell_begin(&context, told, tables).await,
            Self::Events(_) => Ok(()),
        }
    }

    /// Sends the record of a transaction's end, if it has one.
    pub(crate) async fn tell_end(&mut self, context: Context<'_>) -> Result<()> {
        match self {
            Self::Records(lane) => lane.tell_end(&context).await,
            Self::Events(_) => Ok(()),
        }
    }

    /// Notes that the server has nothing more for us up to `end`.
    pub(crate) fn idle(&mut self, end: Lsn) {
        outbox!(self, outbox => outbox.idle(end));
    }

    /// Bytes of records that wait for more before they are sent.
    pub(crate) fn gathered(&self) -> usize {
        match self {
            Self::Records(lane) => lane.gathered(),
            Self::Events(_) => 0,
        }
    }

    /// Hands over everything that was gathered.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        match self {
            Self::Records(lane) => lane.flush().await,
            Self::Events(_) => Ok(()),
        }
    }

    /// See [`Destination::send_now`].
    pub(crate) fn send_now(&mut self) -> Result<bool> {
        outbox!(self, outbox => outbox.destination.send_now(false))
    }

    /// See [`Outbox::poll`](crate::outbox::Outbox::poll).
    pub(crate) fn poll(&mut self) -> Result<()> {
        outbox!(self, outbox => outbox.poll())
    }

    /// See [`Outbox::stream_from`](crate::outbox::Outbox::stream_from).
    pub(crate) fn stream_from(&mut self, store: &OffsetStore, offset: Offset, durable: bool, pauses: Pauses) {
        outbox!(self, outbox => outbox.stream_from(store, offset, durable, pauses));
    }

    /// See [`Outbox::confirmable`](crate::outbox::Outbox::confirmable).
    pub(crate) fn confirmable(&mut self) -> Result<Lsn> {
        outbox!(self, outbox => outbox.confirmable())
    }

    /// See [`Outbox::acknowledged`](crate::outbox::Outbox::acknowledged).
    pub(crate) fn acknowledged(&mut self) -> Lsn {
        outbox!(self, outbox => outbox.acknowledged())
    }

    /// See [`Outbox::finish`](crate::outbox::Outbox::finish).
    pub(crate) async fn finish(&mut self) -> Result<Lsn> {
        outbox!(self, outbox => outbox.finish().await)
    }

    /// See [`Outbox::settle`](crate::outbox::Outbox::settle).
    pub(crate) async fn settle(&mut self) -> Result<()> {
        outbox!(self, outbox => outbox.settle().await)
    }

    /// Whether everything that is handed over gets delivered without anything behind it. A program
    /// that takes events need not: it may acknowledge a batch only when the batch is full.
    pub(crate) fn delivers_by_itself(&self) -> bool {
        matches!(self, Self::Records(_))
    }

    /// Waits until nothing is in flight, so that a large row is in memory alone. Events are not
    /// copied on their way, and nothing is waited for.
    pub(crate) async fn make_way(&mut self) -> Result<()> {
        if self.delivers_by_itself() { self.settle().await } else { Ok(()) }
    }

    /// See [`Outbox::settle_complete`](crate::outbox::Outbox::settle_complete).
    pub(crate) async fn settle_complete(&mut self, limit: Duration) -> Result<bool> {
        outbox!(self, outbox => outbox.settle_complete(limit).await)
    }

    /// See [`Outbox::store`](crate::outbox::Outbox::store).
    pub(crate) async fn store(&mut self, offsets: &OffsetStore, offset: &Offset) -> Result<()> {
        outbox!(self, outbox => outbox.store(offsets, offset).await)
    }

    /// Whether the reader is gone, so that nothing more will be acknowledged.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Records(_) => false,
            Self::Events(lane) => lane.outbox.destination.is_gone(),
        }
    }

    /// Gives up what is not durable: an open Kafka transaction is aborted. For the end of a failed
    /// attempt, so that readers of the topics need not wait for the transaction's timeout.
    pub(crate) async fn close(self) {
        match self {
            Self::Records(lane) => {
                if let Output::ExactlyOnce(output) = lane.sender.outbox.close().await {
                    output.abort().await;
                }
            }
            Self::Events(lane) => drop(lane.outbox.close().await),
        }
    }
}

impl TopicIds for Lane {
    /// Events have no topics: all of them get the same number, which nobody reads.
    fn topic(&mut self, name: &str) -> TopicId {
        match self {
            Self::Records(lane) => lane.sender.outbox.destination.topic(name),
            Self::Events(_) => TopicId(0),
        }
    }
}
