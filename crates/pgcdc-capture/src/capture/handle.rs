//! The handle on a capture that runs: its state, its metrics, and the orders to pause, resume and
//! stop.
//!
//! Nothing here talks to Postgres or Kafka. Each order is a flag that the connector's thread looks
//! at, and each answer is a value that this thread has written.

use std::sync::Arc;

use pgcdc_lifecycle::Status;
use pgcdc_metrics::{CaptureMetrics, Registry};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::meters::Meters;
use crate::{Error, Result};

/// A running capture. It runs on a thread of its own, whatever runtime the caller has. Dropping the
/// handle stops it, without waiting for the end.
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// use pgcdc_capture::Capture;
/// let mut capture = Capture::from_file("connector.json".as_ref(), &[])?.to_kafka()?;
/// tokio::signal::ctrl_c().await.expect("a signal handler");
/// capture.stop();
/// capture.finished().await
/// # }
/// ```
#[derive(Debug)]
pub struct Capture {
    /// Handles of the metrics, shared with the connector, which counts in them.
    pub(super) metrics: Arc<Meters>,
    /// The registry of these metrics, to write them as text.
    pub(super) registry: Registry,
    /// The reading end of the connector's state.
    pub(super) status: Status,
    /// True: the connector is to pause. Read by the connector between transactions and between
    /// attempts.
    pub(super) pause: watch::Sender<bool>,
    /// Cancelled: the connector is to stop. It is the caller's own token, if
    /// [`shutdown`](crate::CaptureBuilder::shutdown) was called.
    pub(super) shutdown: CancellationToken,
    /// How the thread ended; `None` once [`finished`](Capture::finished) has told it.
    pub(super) result: Option<oneshot::Receiver<Result<()>>>,
}

impl Capture {
    /// What capture has done so far: handles that may be read from any thread at any time.
    #[must_use]
    pub fn metrics(&self) -> &CaptureMetrics {
        &self.metrics.capture
    }

    /// The registry that capture counts in; [`Registry::encode`] writes the text of a `/metrics`
    /// endpoint.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What capture is doing: a state to read and to wait for. See [`Status`] for an example.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Asks capture to pause, as Kafka Connect pauses a connector; returns at once. Capture
    /// delivers and confirms the changes that it has read, then ends the replication session, and
    /// the state becomes [`Paused`](crate::State::Paused). The slot stays where it is. Nothing is
    /// lost, but the server keeps its WAL for the slot meanwhile.
    ///
    /// The stream pauses between two transactions. A transaction that takes longer than ten seconds
    /// is left in its middle and read again after the pause. A snapshot that has begun is taken to
    /// its end first.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), pgcdc_capture::Error> {
    /// use pgcdc_capture::{Capture, State};
    /// let capture = Capture::from_file("connector.json".as_ref(), &[])?.to_kafka()?;
    /// capture.pause();
    /// capture.status().wait_for(|state| *state == State::Paused).await;
    /// // Nothing is read, and the slot is free.
    /// capture.resume();
    /// # Ok(()) }
    /// ```
    pub fn pause(&self) {
        self.pause.send_replace(true);
    }

    /// Ends a pause: the stream goes on from the position that was confirmed last. Without a pause
    /// it does nothing.
    pub fn resume(&self) {
        self.pause.send_replace(false);
    }

    /// Asks capture to stop; returns at once. Capture first delivers and confirms the changes that
    /// it has read. [`finished`](Self::finished) waits for that.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits until capture has ended. It ends when it is stopped, when it fails for good, and when
    /// [`until_idle`](crate::CaptureBuilder::until_idle) was asked for and nothing changes.
    ///
    /// # Errors
    /// The failure that ended capture. It is told once: a second call answers `Ok`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the capture running.
    pub async fn finished(&mut self) -> Result<()> {
        let Some(result) = &mut self.result else { return Ok(()) };
        let ended = result.await;
        self.result = None;
        ended.unwrap_or_else(|_| Err(Error::fatal("the capture thread ended without a result")))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
