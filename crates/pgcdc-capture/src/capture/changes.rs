//! Changes as values, for a program that embeds capture.
//!
//! [`Changes`] is the reader's end of a bounded channel; the other end is the event lane on the
//! capture thread (`lane/channel.rs`). The channel counts the changes that it hands out. An
//! acknowledgement is such a count, and the lane's outbox turns it into a position for Postgres.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use pgcdc_event::{ChangeEvent, Lsn};

use super::handle::Capture;
use crate::Result;
use crate::lane::{Acknowledged, EventReader};

/// The stream of changes for a program that embeds capture. It is a [`Stream`] of [`ChangeEvent`],
/// and has [`next`](Self::next) of its own for programs without the `futures` crate.
///
/// A change counts as acknowledged when the next one is asked for, or after
/// [`confirm`](Self::confirm). Postgres is told once all changes of a transaction are acknowledged;
/// until then a crash brings the whole transaction again. A program that works on several changes
/// at once takes [`by_receipt`](Self::by_receipt) and acknowledges them itself.
///
/// Dropping it stops the capture, and so does [`close`](Self::close), which also waits until
/// everything that was acknowledged is confirmed to Postgres.
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// use pgcdc_capture::Capture;
/// let mut changes = Capture::builder("postgres://postgres@localhost/shop", &["public.users"])?.changes()?;
/// while let Some(change) = changes.next().await {
///     println!("{:?} {:?}", change.operation, change.get("id"));
///     if change.get("name") == Some("enough") {
///         break;
///     }
/// }
/// changes.confirm();
/// changes.close().await
/// # }
/// ```
#[derive(Debug)]
pub struct Changes {
    /// The reader's end of the channel; it also holds the count of acknowledged changes.
    events: EventReader,
    /// The position of the change that was handed out last; zero before the first. For receipts.
    lsn: Lsn,
    /// The capture that feeds it; dropped, and so stopped, with it.
    capture: Capture,
}

/// Stands for a change and for all changes before it. [Acknowledging](Acknowledger::acknowledge) it
/// says that they all are processed.
///
/// Receipts are ordered like the changes, so that the latest of several is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    /// How many changes had been handed out, this one included.
    number: u64,
    /// The position that [`Receipt::lsn`] shows; acknowledging does not use it.
    lsn: Lsn,
}

/// Acknowledges changes from any task or thread. Clones acknowledge the same changes.
///
/// For a program that gives changes to several workers and reads on meanwhile:
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// # async fn store(change: pgcdc_event::ChangeEvent) {}
/// use pgcdc_capture::Capture;
/// let builder = Capture::builder("postgres://postgres@localhost/shop", &["public.users"])?;
/// let mut changes = builder.changes()?.by_receipt();
/// let acknowledger = changes.acknowledger();
/// let (sender, mut work) = tokio::sync::mpsc::channel(100);
/// tokio::spawn(async move {
///     while let Some((change, receipt)) = work.recv().await {
///         store(change).await;
///         acknowledger.acknowledge(receipt);
///     }
/// });
/// while let Some(change) = changes.next().await {
///     if sender.send((change, changes.receipt())).await.is_err() {
///         break;
///     }
/// }
/// # Ok(()) }
/// ```
///
/// With more than one worker, acknowledge the latest receipt *before* the earliest change that is
/// still being worked on.
#[derive(Clone, Debug)]
pub struct Acknowledger(Acknowledged);

impl Receipt {
    /// The position of the change in the WAL; of a snapshot's row, the position of the snapshot.
    /// Postgres is told of it once its whole transaction is acknowledged.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }
}

impl Acknowledger {
    /// Says that the change of this receipt, and every change before it, is processed. The order of
    /// the calls does not matter: the latest receipt counts. Never waits.
    pub fn acknowledge(&self, receipt: Receipt) {
        self.0.acknowledge(receipt.number);
    }
}

impl Changes {
    pub(super) fn new(events: EventReader, capture: Capture) -> Self {
        Self { events, lsn: Lsn::ZERO, capture }
    }

    /// Leaves every acknowledgement to the program. Without this, asking for the next change
    /// acknowledges the one before. With it only [`Acknowledger::acknowledge`] and
    /// [`confirm`](Self::confirm) do: take the [`receipt`](Self::receipt) after each change.
    ///
    /// The capture never waits for an acknowledgement, so a program may gather a batch for as long
    /// as it likes. A snapshot counts as taken only when all its rows are acknowledged; before, the
    /// next start takes it again. Store what there is when nothing comes for a while:
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), pgcdc_capture::Error> {
    /// # async fn store(batch: &[pgcdc_event::ChangeEvent]) {}
    /// # use pgcdc_capture::Capture;
    /// # let builder = Capture::builder("postgres://postgres@localhost/shop", &["public.users"])?;
    /// use std::time::Duration;
    /// let mut changes = builder.changes()?.by_receipt();
    /// let acknowledger = changes.acknowledger();
    /// let mut batch = Vec::new();
    /// loop {
    ///     let next = tokio::time::timeout(Duration::from_millis(100), changes.next()).await;
    ///     let (quiet, ended) = (next.is_err(), matches!(next, Ok(None)));
    ///     batch.extend(next.ok().flatten());
    ///     if !batch.is_empty() && (batch.len() == 100 || quiet || ended) {
    ///         store(&batch).await;
    ///         acknowledger.acknowledge(changes.receipt());
    ///         batch.clear();
    ///     }
    ///     if ended {
    ///         return changes.finished().await;
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn by_receipt(mut self) -> Self {
        self.events.acknowledge_by_hand();
        self
    }

    /// The receipt of the change that was handed out last. Before the first change it acknowledges nothing.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        Receipt { number: self.events.handed(), lsn: self.lsn }
    }

    /// A handle that acknowledges receipts while changes are read elsewhere.
    #[must_use]
    pub fn acknowledger(&self) -> Acknowledger {
        Acknowledger(self.events.acknowledged())
    }

    /// The capture that these changes come from: its state, its metrics, and the orders to pause or stop.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Waits for the end of the capture and says why it ended. Call it after [`next`](Self::next)
    /// has returned `None`. Called earlier it stops the capture: changes that were not acknowledged
    /// come again at the next start.
    ///
    /// # Errors
    /// The failure that ended capture; none when it was stopped.
    pub async fn finished(&mut self) -> Result<()> {
        self.events.close();
        self.capture.stop();
        match self.capture.finished().await {
            // The reader that went away is this one.
            Err(error) if error.is_closed() => Ok(()),
            ended => ended,
        }
    }

    /// Stops the capture, and waits until the acknowledged changes are confirmed to Postgres and
    /// the session has ended. Changes that were not acknowledged come again at the next start.
    ///
    /// # Errors
    /// The failure that had ended capture before.
    pub async fn close(mut self) -> Result<()> {
        self.finished().await
    }

    /// The next change; `None` when capture has ended. While capture is paused, the next one comes
    /// after it is resumed.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<ChangeEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Acknowledges every change that was handed out so far.
    pub fn confirm(&mut self) {
        self.events.confirm();
    }
}

impl Stream for Changes {
    type Item = ChangeEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChangeEvent>> {
        let next = self.events.poll_next(cx);
        if let Poll::Ready(Some(event)) = &next {
            self.lsn = event.source.lsn;
        }
        next
    }
}
