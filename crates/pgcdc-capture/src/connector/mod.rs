//! One connector's life: look, take a snapshot if one is due, stream; after a failure that may
//! pass, again.
//!
//! ```text
//!           ┌──────────── transient error: back-off with jitter ────────────┐
//!           ▼                                                               │
//!  look ─▶ decide ─▶ prepare ─▶ snapshot? ─▶ stream ─▶ stop, idle or pause ─┴▶ drained
//!           ▲                                                                    │
//!           └──────────────────────────── resume ◀───────────────────────────────┘
//! ```
//!
//! Each step is a file: [`look`] reads slot, offset and server; [`decide`] is pure and chooses what
//! to do; `prepare` makes slot and tables ready; `snapshot` takes a snapshot; `stream` runs the
//! stream and drains it. [`backoff`] says how long to wait after a failure. An attempt shares
//! nothing with the one before, except the metrics, the reader of typed events, and what is stored.

mod backoff;
mod decide;
mod look;
mod parts;
mod prepare;
mod snapshot;
mod stream;

use std::time::{Duration, SystemTime};

use pgcdc_lifecycle::{Retry, State};

use self::backoff::{Backoff, Streaming};
use crate::config::Settings;
use crate::lane::Outlet;
use crate::postgres::{Query, publication_gaps, set_identities};
use crate::snapshot::publish;
use crate::stream::Ended;
use crate::{Error, Result};

use self::prepare::Prepared;

pub(crate) use self::parts::Connector;

impl Connector {
    /// Runs until stopped, idle, or a failure that does not pass, and reports the end to whoever
    /// watches the state. `make_outlet` is called for each attempt, since a broken producer is
    /// replaced, not mended.
    ///
    /// # Errors
    /// The failure that ended it; a [closed](Error::is_closed) reader is one, too.
    pub(crate) async fn run(&self, make_outlet: impl FnMut(&Settings) -> Result<Outlet>) -> Result<()> {
        let result = self.attempts(make_outlet).await;
        // A reader that went away ends a capture without a failure.
        let failure = result.as_ref().err().filter(|error| !error.is_closed());
        self.status.ended(failure.map(Into::into));
        result
    }

    /// Attempt after attempt, with pauses between. A transient error ends it only after
    /// `errors.max.retries` failures in a row.
    async fn attempts(&self, mut make_outlet: impl FnMut(&Settings) -> Result<Outlet>) -> Result<()> {
        let mut backoff = Backoff::new(self.settings.retry.wait);
        let mut since = SystemTime::now();
        loop {
            if self.orders.is_paused() && !self.pause().await {
                return Ok(());
            }
            self.status.tries();
            let before = self.metrics.capture.confirmed_lsn.get();
            let streaming = Streaming::default();
            let error = match Box::pin(self.attempt(&mut make_outlet, &streaming)).await {
                Ok(Ended::Paused) => continue,
                Ok(Ended::Done | Ended::Stopped) => return Ok(()),
                Err(error) if !error.is_transient() || self.orders.is_stopped() => return Err(error),
                Err(error) => error,
            };
            let confirmed = self.metrics.capture.confirmed_lsn.get() > before;
            let failures = backoff.failed(streaming.duration(), confirmed);
            if self.settings.retry.max_retries.is_some_and(|most| failures > most) {
                return Err(error);
            }
            if failures == 1 {
                since = SystemTime::now();
            }
            if !self.wait(&error, backoff.pause(), failures, since).await {
                return Ok(());
            }
        }
    }

    /// Waits until the owner resumes; false when it stops the connector instead.
    async fn pause(&self) -> bool {
        let mut orders = self.orders.clone();
        self.status.set(State::Paused);
        tracing::info!(slot = self.settings.slot.name, "paused");
        tokio::select! {
            biased;
            () = self.orders.stopped() => false,
            () = orders.resumed() => {
                tracing::info!(slot = self.settings.slot.name, "resumed");
                true
            }
        }
    }

    /// Waits before the next attempt, and says why in log, metrics and state; false when the owner
    /// stops the connector meanwhile. An order to pause ends the wait.
    async fn wait(&self, error: &Error, pause: Duration, failures: u32, since: SystemTime) -> bool {
        self.metrics.capture.restarts.inc(&error.cause());
        tracing::warn!(
            error = %error,
            hint = error.hint(),
            failures_in_a_row = failures,
            retries_at_most = self.settings.retry.max_retries,
            again_in_ms = pause.as_millis(),
            "connector failed; it starts again"
        );
        let next = SystemTime::now().checked_add(pause);
        self.status.set(State::Retrying(Retry { failure: error.into(), since, failures, next }));
        let mut orders = self.orders.clone();
        tokio::select! {
            biased;
            () = self.orders.stopped() => false,
            () = orders.paused() => true,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// One attempt, from the first connection to an end or an error. An order to stop ends it at
    /// any await before the stream. An order to pause does not interrupt a snapshot: it would have
    /// to be taken again, and its rows would come twice.
    async fn attempt(
        &self,
        make_outlet: &mut impl FnMut(&Settings) -> Result<Outlet>,
        streaming: &Streaming,
    ) -> Result<Ended> {
        let work = async {
            let outlet = make_outlet(&self.settings)?;
            self.begin(outlet).await
        };
        let prepared = tokio::select! {
            biased;
            () = self.orders.stopped() => return Ok(Ended::Stopped),
            prepared = work => prepared?,
        };
        match prepared {
            None => Ok(Ended::Done),
            Some(prepared) => Box::pin(self.stream(prepared, streaming)).await,
        }
    }

    /// Everything before the stream: tables, publication, replica identities, then
    /// [`prepare`](Self::prepare).
    async fn begin(&self, outlet: Outlet) -> Result<Option<Prepared>> {
        // The URL may name several servers; another one may be the primary now.
        self.settings.connection.chosen.forget();
        let query = Query::connect(&self.settings.connection).await?;
        let mut captured = self.captured(&query).await?;
        publish(&query, &self.settings, &mut captured).await?;
        for gap in publication_gaps(&query, &self.settings, &captured).await? {
            let publication = &self.settings.publication.name;
            tracing::warn!(hint = gap.remedy, "publication {publication} {}", gap.what);
        }
        set_identities(&query, &self.settings.identities, &mut captured).await?;
        let outlet = outlet.guaranteed(&self.settings).await?;
        self.prepare(query, captured, outlet).await
    }
}
