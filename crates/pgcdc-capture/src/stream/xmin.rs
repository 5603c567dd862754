//! `xmin.fetch.interval.ms`: the slot's `catalog_xmin`, read now and then for the source block.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::beside::Beside;
use crate::config::Settings;
use crate::postgres::{Query, quote_literal};
use crate::{Error, Result};

/// The value when none was read: more than any transaction's number.
const NONE: u64 = u64::MAX;

const WHAT: &str = "read the slot's xmin";

/// The slot's xmin, as it was when it was read last. `None` throughout where nobody asks for it.
#[derive(Debug, Default)]
pub(super) struct Xmin(Option<Reading>);

#[derive(Debug)]
struct Reading {
    last: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Xmin {
    /// Reads it for the first time, and from then on in a task of its own.
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

    /// What was read last.
    #[inline]
    pub(super) fn now(&self) -> Option<u32> {
        self.0.as_ref().and_then(|reading| u32::try_from(reading.last.load(Ordering::Relaxed)).ok())
    }
}

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

fn say(error: &Error) {
    tracing::warn!(%error, hint = error.hint(), "source.xmin stays as it is; capture goes on");
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse::<u32>().ok()).map_or(NONE, u64::from)
}
