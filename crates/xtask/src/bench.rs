//! `bench`: measures pgcdc beside other programs in the same run, and prints the figures.
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

/// The options that all benchmarks have.
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
    /// The contenders (or cases) that `--without` does not name.
    ///
    /// # Errors
    /// When `--without` has a name that is none of them.
    pub(crate) fn choose<T>(
        &self,
        all: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> &'static str,
    ) -> Result<Vec<T>> {
        let all: Vec<T> = all.into_iter().collect();
        let mut names: Vec<_> = all.iter().map(&name).collect();
        names.dedup();
        if let Some(unknown) = self.without.iter().find(|name| !names.contains(&name.as_str())) {
            anyhow::bail!(
                "--without {unknown}: there is no such contender; choose from {}",
                names.join(", ")
            );
        }
        let left_out = |name: &str| {
            self.no_debezium && name.starts_with("debezium") || self.without.iter().any(|left| left == name)
        };
        Ok(all.into_iter().filter(|one| !left_out(name(one))).collect())
    }
}

/// Runs a benchmark, in a program with optimisations: some contenders (bare loops, clients, readers) are parts of this program.
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
