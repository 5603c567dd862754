//! What `cargo xtask bench sinks` compares `pgcdc sink` with: loops around the stores' drivers that write the same
//! statements, from rows that are in memory already, and the reading alone.
//!
//! ```text
//! bare consume   BOOTSTRAP TOPIC ROWS                 the sinks' own path with a sink that writes nothing
//! bare cassandra BOOTSTRAP TOPIC ROWS NODE  LEVELS    LEVELS is TASKSxIN_FLIGHT, separated by commas, or
//!                                                     TASKSxIN_FLIGHTxROWS, with unlogged batches of so many rows
//! bare redis     BOOTSTRAP TOPIC ROWS URL   LEVELS    LEVELS is BATCHxIN_FLIGHT
//! ```
//!
//! The topic has one partition and holds records of sql/engagement's `engagement_events`. Each result is a line of JSON.
#![allow(clippy::print_stdout, reason = "results go to stdout")]

mod cassandra;
mod consume;
mod redis;

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

pub(crate) type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // As `pgcdc sink` has it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments[..] {
        ["consume", bootstrap, topic, rows] => {
            runtime.block_on(consume::run(bootstrap, topic, rows.parse()?))
        }
        ["cassandra", bootstrap, topic, rows, node, levels] => {
            let rows = records(bootstrap, topic, rows.parse()?)?;
            runtime.block_on(cassandra::run(&rows, node, &parse_levels(levels)?))
        }
        ["redis", bootstrap, topic, rows, url, levels] => {
            let rows = records(bootstrap, topic, rows.parse()?)?;
            runtime.block_on(redis::run(&rows, topic, url, &parse_levels(levels)?))
        }
        _ => Err("usage: see the head of examples/bare/main.rs".into()),
    }
}

/// How much is under way: `4x100`, or `4x100x10` with a third number that is 1 otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Level {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) third: usize,
}

/// `4x100,8x100`.
fn parse_levels(text: &str) -> Result<Vec<Level>> {
    let level = |part: &str| {
        let numbers: Vec<usize> = part.split('x').map(str::parse).collect::<Result<_, _>>()?;
        match numbers[..] {
            [first, second] => Ok(Level { first, second, third: 1 }),
            [first, second, third] if third > 0 => Ok(Level { first, second, third }),
            _ => Err("a level is NUMBERxNUMBER or NUMBERxNUMBERxNUMBER".into()),
        }
    };
    text.split(',').map(level).collect()
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.first, self.second)?;
        if self.third > 1 { write!(f, "x{}", self.third) } else { Ok(()) }
    }
}

/// The values of the topic's first records.
fn records(bootstrap: &str, topic: &str, rows: usize) -> Result<Vec<Vec<u8>>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    let mut records = Vec::with_capacity(rows);
    while records.len() < rows {
        match consumer.poll(Duration::from_secs(30)) {
            Some(message) => records.extend(message?.payload().map(<[u8]>::to_vec)),
            None => return Err(format!("{topic} has only {} of {rows} records", records.len()).into()),
        }
    }
    Ok(records)
}

/// CPU seconds of this process so far.
pub(crate) fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // utime and stime, in Linux' ticks of 10 ms.
    Ok((ticks(11) + ticks(12)) / 100.0)
}
