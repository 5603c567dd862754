//! `bench`: figures with the command that makes them and the physical limit beside them.

mod capture;
mod measure;
mod report;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Drain a backlog: `pgcdc stream` into Kafka beside `pg_recvlogical` into /dev/null, in turns
    Capture(CaptureOptions),
}

/// How to measure capture.
#[derive(Debug, Clone, Args)]
pub(crate) struct CaptureOptions {
    /// Rows of the backlog, about 300 bytes each, in transactions of 1000
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(1000..))]
    rows: u32,
    /// How often each program drains it
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=12))]
    rounds: u32,
    /// Writes all figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// PostgreSQL's major version
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(14..=18))]
    postgres_version: u32,
    /// Connect schemas in keys and values
    #[arg(long)]
    schemas: bool,
    /// Further connector properties, key=value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Capture(options) => capture::run(options),
    }
}
