//! `fuzz`: the parsers on changed seeds, for as long as one likes.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::cargo;

/// How long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Minutes for each of the targets; they run at the same time
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Only targets whose name contains this
    target: Option<String>,
}

/// Runs the targets (all at once, fewer than eight) of `pgcdc-format/src/fuzz.rs`, optimised but with the checks of arithmetic.
pub(crate) fn run(options: &Options) -> Result<()> {
    let name = format!("fuzz::{}", options.target.as_deref().unwrap_or_default());
    let arguments = [
        "test",
        "--profile",
        "fuzz",
        "-p",
        "pgcdc-format",
        "--lib",
        &name,
        "--",
        "--nocapture",
        "--test-threads=8",
    ];
    let status = cargo::cargo(&arguments)?
        .env("PGCDC_FUZZ_SECONDS", (options.minutes * 60).to_string())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "an input failed: its bytes are above; add them to crates/pgcdc-format/fuzz");
    Ok(())
}
