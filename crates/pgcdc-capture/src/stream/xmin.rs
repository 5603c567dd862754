//! `xmin.fetch.interval.ms`: the slot's `catalog_xmin`, read now and then for the source block.
//!
//! Readers of Debezium's records use it to tell which transactions were visible. It is only as
//! fresh as the interval.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::beside::Beside;
use crate::config::Settings;
use crate::postgres::{Query, quote_literal};
use crate::{Error, Result};

/// The stored number when there is no xmin: more than any transaction's number, which has 32 bits.
const NONE: u64 = u64::MAX;

/// What the query is for, in errors.
const WHAT: &str = "read the slot's xmin";

/// The slot's xmin, as it was when it was last read. `None` when the interval is zero, the default.
#[derive(Debug, Default)]
pub(super) struct Xmin(Option<Reading>);

/// The task that reads, and where it leaves the number.
#[derive(Debug)]
struct Reading {
    /// Written by the task, read for each transaction; [`NONE`] for no number.
    last: Arc<AtomicU64>,
    /// Ended with the stream.
    task: JoinHandle<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Xmin {
    /// Reads xmin for the first time, and from then on in a task of its own.
    ///
    /// # Errors
    /// When the first query fails.
    pub(super) async fn start(settings: &Settings, query: &Query) -> Result<Self> {
        let Some(interval) = settings.xmin_interval else { return Ok(Self::default()) };
        let sql = format!(
            "SELECT catalog_xmin FROM pg_replication_slots WHERE slot_name = {}",
            quote_literal(&settings.slot.name)
        );
        let first = query.value(WHAT, &sql).await?;
        let last = Arc::new(AtomicU64::new(number(first.as_deref())));
        let session = Beside::new(settings.connection.clone());
        let task = tokio::spawn(keep(Arc::clone(&last), interval, session, sql));
        Ok(Self(Some(Reading { last, task })))
    }

    /// The number that was read last.
    #[inline]
    pub(super) fn now(&self) -> Option<u32> {
        self.0.as_ref().and_then(|reading| u32::try_from(reading.last.load(Ordering::Relaxed)).ok())
    }
}

/// Reads xmin at the interval, for ever. A failure leaves the number as it is; the first of a row
/// is a warning.
async fn keep(last: Arc<AtomicU64>, interval: Duration, mut session: Beside, sql: String) {
    let mut failed = false;
    loop {
        tokio::time::sleep(interval).await;
        match session.rows(WHAT, &sql).await {
            Ok(rows) => {
                last.store(number(rows.first().and_then(|row| row.get(0))), Ordering::Relaxed);
                failed = false;
            }
            Err(error) if !failed => {
                failed = true;
                say(&error);
            }
            Err(_) => {}
        }
    }
}

/// Logs a failure.
fn say(error: &Error) {
    tracing::warn!(%error, hint = error.hint(), "source.xmin stays as it is; capture goes on");
}

/// An xid's text as the stored number.
fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse::<u32>().ok()).map_or(NONE, u64::from)
}
