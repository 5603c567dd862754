//! A sink of one's own: counts the changes of each table, in memory.
//!
//! ```text
//! cargo run -p pgcdc --example own_sink -- 127.0.0.1:9092 shop.public.orders
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what happens")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pgcdc::sinks::{Batch, ClientProperties, Outcome, Plan, Runner, Sink, SinkError, async_trait};
use tokio_util::sync::CancellationToken;

/// How many changes each table had.
#[derive(Debug, Default)]
struct Counts(Mutex<BTreeMap<String, u64>>);

#[async_trait]
impl Sink for Counts {
    /// Whether the store can be reached. Memory always can.
    async fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Writes a batch. What comes back decides the offset: `durable` lets it be committed, an error makes the batch come again.
    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in &batch.records {
            let table = record.change.source.table.as_deref().unwrap_or(&batch.partition.topic);
            *counts.entry(table.to_owned()).or_default() += 1;
        }
        println!("{}: {counts:?}", batch.partition);
        Ok(Outcome::durable())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(brokers), Some(topic)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: own_sink BROKERS TOPIC");
    };
    let kafka = ClientProperties::parse([("bootstrap.servers", brokers)])?;
    let runner = Runner::new(Arc::new(Counts::default()), Plan::new("counts", [topic]), kafka, "counts");

    // What the sink is doing, for anybody who watches: running, retrying since when and why, paused, failed.
    let mut status = runner.control().status();
    tokio::spawn(async move {
        while let Some(state) = status.changed().await {
            eprintln!("{state}");
        }
    });

    // Ctrl-C drains: batches in progress are finished, offsets committed, the group left.
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        token.cancel();
    });
    Ok(runner.run(stop).await?)
}
