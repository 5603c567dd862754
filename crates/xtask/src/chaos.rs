//! `chaos`: the end-to-end tests that break things at random, for as long as one likes.

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::cargo;

/// What is broken.
#[derive(Debug, Subcommand)]
pub(crate) enum Chaos {
    /// Kill connectors under random transactions; compare Kafka with what a second slot gives, at least once and exactly once
    Position(Options),
}

/// How long, and which choices.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds begin until so many minutes are over
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Transactions of a round
    #[arg(long, default_value_t = 10_000)]
    transactions: u64,
    /// Replays the choices of the run that printed this seed
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the test of that name with the time it is given.
pub(crate) fn run(chaos: &Chaos) -> Result<()> {
    let Chaos::Position(options) = chaos;
    let mut command = cargo::cargo(&[
        "test",
        "-p",
        "pgcdc",
        "--test",
        "e2e",
        "--",
        "--nocapture",
        "kafka_holds_what_a_second_slot_gives",
    ])?;
    command.env("PGCDC_ORACLE_MINUTES", options.minutes.to_string());
    command.env("PGCDC_ORACLE_TRANSACTIONS", options.transactions.to_string());
    if let Some(seed) = options.seed {
        command.env("PGCDC_SEED", seed.to_string());
    }
    let status = command.status().context("cannot run cargo")?;
    ensure!(
        status.success(),
        "Kafka and the second slot differ, see above; --seed replays the choices of the run"
    );
    Ok(())
}
