//! `bench`: figures with the command that makes them, and what to compare them with in the same run.
//!
//! A further benchmark is a module with `Options` (clap's, [`Common`] flattened into them) and `run(&Options)`, and a line in
//! [`Bench`] and in [`run`]. [`lab`] starts the services, [`measure`] watches processes, [`report`] prints what came out.

mod bare;
mod capture;
mod chart;
mod debezium;
mod lab;
mod latency;
mod measure;
mod memory;
mod report;
mod scaling;
mod sinks;
mod snapshot;

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::{cargo, printer};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Drain a backlog: pgcdc beside pg_recvlogical, a bare librdkafka loop and Debezium, in turns
    Capture(capture::Options),
    /// The initial snapshot of a large table: pgcdc beside Debezium, and beside a bare COPY
    Snapshot(snapshot::Options),
    /// From commit to consumer at steady rates: pgcdc beside Debezium
    Latency(latency::Options),
    /// Write into Cassandra and Redis: `pgcdc sink` beside bare driver loops
    Sinks(sinks::Options),
    /// Cost as work grows: tables, columns, rows per transaction
    Scaling(scaling::Options),
    /// Peak memory: long backlogs, one large transaction, large rows
    Memory(memory::Options),
    /// The process that `capture` measures as the bare loop
    #[command(hide = true)]
    BareProducer(bare::Options),
}

/// What all benchmarks have in common.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// How often each contender runs; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=12))]
    pub(crate) rounds: u32,
    /// Contenders to leave out, separated by commas; a wrong name shows the right ones
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Leave Debezium out: no Kafka Connect is started
    #[arg(long)]
    pub(crate) no_debezium: bool,
    /// Skip the unmeasured first run of each contender
    #[arg(long)]
    pub(crate) no_warm_up: bool,
    /// Write all figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the medians into this file
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) chart: Option<PathBuf>,
    /// PostgreSQL's major version
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(14..=18))]
    pub(crate) postgres_version: u32,
    /// Measure this pgcdc rather than building one
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) pgcdc: Option<PathBuf>,
    /// A further property for pgcdc, key=value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Common {
    /// Says whether `contender`, one of `all`, is to run.
    ///
    /// # Errors
    /// When `--without` names something that is not there.
    pub(crate) fn wants(&self, contender: &str, all: &[&str]) -> Result<bool> {
        if let Some(unknown) = self.without.iter().find(|name| !all.contains(&name.as_str())) {
            anyhow::bail!("--without {unknown}: there is no such contender; choose from {}", all.join(", "));
        }
        let left_out = self.no_debezium && contender.starts_with("debezium");
        Ok(!left_out && !self.without.iter().any(|name| name == contender))
    }
}

/// Runs a benchmark, in a program with optimisations: contenders of ours (bare loops, clients, readers) are in this one.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    if cfg!(debug_assertions) {
        return run_optimised();
    }
    match bench {
        Bench::BareProducer(options) => bare::run(options),
        Bench::Capture(options) => capture::run(options),
        Bench::Snapshot(options) => snapshot::run(options),
        Bench::Latency(options) => latency::run(options),
        Bench::Sinks(options) => sinks::run(options),
        Bench::Scaling(options) => scaling::run(options),
        Bench::Memory(options) => memory::run(options),
    }
}

/// Builds this program with optimisations and becomes it.
fn run_optimised() -> Result<()> {
    printer::say("building xtask with optimisations");
    let built = cargo::cargo(&["build", "--quiet", "--release", "-p", "xtask"])?.status();
    anyhow::ensure!(built.context("cannot run cargo")?.success(), "cargo build -p xtask failed, see above");
    let program = cargo::target_dir()?.join("release/xtask");
    let error = Command::new(&program).args(std::env::args_os().skip(1)).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}
