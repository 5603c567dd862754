//! The handle on a capture that runs.

use std::sync::Arc;

use pgcdc_lifecycle::Status;
use pgcdc_metrics::{CaptureMetrics, Registry};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::meters::Meters;
use crate::{Error, Result};

/// A running capture. It runs on a thread of its own, whatever the caller's runtime does.
#[derive(Debug)]
pub struct Capture {
    pub(super) metrics: Arc<Meters>,
    pub(super) registry: Registry,
    pub(super) status: Status,
    pub(super) pause: watch::Sender<bool>,
    pub(super) shutdown: CancellationToken,
    /// How it ended; `None` once that was told.
    pub(super) result: Option<oneshot::Receiver<Result<()>>>,
}

impl Capture {
    /// What it has done so far: handles to read from any thread at any time.
    #[must_use]
    pub fn metrics(&self) -> &CaptureMetrics {
        &self.metrics.capture
    }

    /// The registry that it counts in; [`Registry::encode`] writes the text of a `/metrics` endpoint.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What it is doing: a state to read and to wait for. See [`Status`] for an example.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Asks it to pause, as Kafka Connect pauses a connector; returns at once. What was read is delivered and confirmed,
    /// then the replication session ends and the state is [`Paused`](crate::State::Paused). The slot stays where it is and
    /// keeps the server's WAL, so that nothing is lost.
    ///
    /// The stream pauses between two transactions; a transaction that takes longer than ten seconds is left in its middle
    /// and read again after the pause. A snapshot that has begun is taken to its end first.
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

    /// Ends a pause: the stream goes on from the position that was confirmed last. Does nothing when there is no pause.
    pub fn resume(&self) {
        self.pause.send_replace(false);
    }

    /// Asks it to stop. It first delivers and confirms all changes that it has read.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits until it has ended. It does not end by itself, unless that was [asked for](crate::CaptureBuilder::until_idle).
    ///
    /// # Errors
    /// Why it ended, when it was not asked to. Told once.
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
