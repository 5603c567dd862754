//! Reading alone: group member, queue, decoder, driver, and a sink that writes nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgcdc_kafka::ClientProperties;
use pgcdc_sinks::{Batch, Outcome, Plan, Sink, SinkError, run_with};
use tokio_util::sync::CancellationToken;

use crate::{Result, cpu_seconds};

#[derive(Debug)]
struct Nothing {
    rows: usize,
    seen: Mutex<Seen>,
    done: CancellationToken,
}

#[derive(Debug, Default)]
struct Seen {
    /// When the first batch came, and what was used by then.
    first: Option<(Instant, f64)>,
    /// Records after the first batch, and their bytes.
    rows: usize,
    all: usize,
    bytes: usize,
    last: Option<(Instant, f64)>,
}

#[async_trait]
impl Sink for Nothing {
    async fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu = || cpu_seconds().map_err(|error| SinkError::fatal(error.to_string()));
        // A store's sink would look at a column of each row, too.
        if let Some(row) =
            batch.records.iter().find(|r| r.change.after.as_ref().is_none_or(|r| r.get("id").is_none()))
        {
            return Err(SinkError::fatal(format!("record {} has no row with an id", row.position)));
        }
        seen.all += batch.records.len();
        if seen.first.is_none() {
            seen.first = Some((Instant::now(), cpu()?));
        } else {
            seen.rows += batch.records.len();
            seen.bytes += batch
                .records
                .iter()
                .map(|r| r.message.and_then(|m| m.value()).map_or(0, <[u8]>::len))
                .sum::<usize>();
        }
        if seen.all >= self.rows && seen.last.is_none() {
            seen.last = Some((Instant::now(), cpu()?));
            self.done.cancel();
        }
        Ok(Outcome::durable())
    }
}

pub(crate) async fn run(bootstrap: &str, topic: &str, rows: usize) -> Result<()> {
    let done = CancellationToken::new();
    let sink = Arc::new(Nothing { rows, seen: Mutex::default(), done: done.clone() });
    let plan = Plan { retry_max: Duration::from_secs(1), ..Plan::new("nothing", [topic]) };
    let kafka = ClientProperties::parse([("bootstrap.servers", bootstrap)])?;
    let group = format!("nothing-{}", std::process::id());
    let member = sink.clone();
    tokio::spawn(async move { run_with(member, plan, kafka, &group, done).await }).await??;
    let seen = sink.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some((begin, before)), Some((end, after))) = (seen.first, seen.last) else {
        return Err("the records did not come".into());
    };
    println!(
        "{}",
        serde_json::json!({
            "rows": seen.rows,
            "bytes": seen.bytes,
            "seconds": (end - begin).as_secs_f64(),
            "cpu": after - before,
        })
    );
    Ok(())
}
