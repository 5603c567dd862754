//! `chaos`: the end-to-end tests that break things at random, for as long as one likes.

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::cargo;

/// The thing that a test breaks.
#[derive(Debug, Subcommand)]
pub(crate) enum Chaos {
    /// Kill connectors under random transactions; compare Kafka with what a second slot gives, at least once and exactly once
    Position(Options),
    /// Kill, stop, freeze, fill and cut off three brokers under load; compare the topic with what was committed; then time a fail-over
    Brokers(BrokerOptions),
}

/// How long, and which of the four combinations.
#[derive(Debug, Args)]
pub(crate) struct BrokerOptions {
    /// Rounds begin until so many minutes are over
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Replays the choices of the run that printed this seed
    #[arg(long)]
    seed: Option<u64>,
    /// Kafka transactions
    #[arg(long)]
    exactly_once: bool,
    /// TLS, and a login by SCRAM
    #[arg(long)]
    tls: bool,
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
    match chaos {
        Chaos::Position(options) => position(options),
        Chaos::Brokers(options) => brokers(options),
    }
}

fn position(options: &Options) -> Result<()> {
    let environment = [
        ("PGCDC_ORACLE_MINUTES", options.minutes.to_string()),
        ("PGCDC_ORACLE_TRANSACTIONS", options.transactions.to_string()),
    ];
    test("kafka_holds_what_a_second_slot_gives", &environment, options.seed)
        .context("Kafka and the second slot differ, see above; --seed replays the choices of the run")
}

fn brokers(options: &BrokerOptions) -> Result<()> {
    let flag = |set: bool| u8::from(set).to_string();
    let environment = [
        ("PGCDC_BROKERS_MINUTES", options.minutes.to_string()),
        ("PGCDC_BROKERS_EXACTLY_ONCE", flag(options.exactly_once)),
        ("PGCDC_BROKERS_TLS", flag(options.tls)),
    ];
    test("each_change_is_there_once_or_more", &environment, options.seed)
        .context("the topic and the history differ, see above; --seed replays the choices of the run")?;
    test("brokers::failover::", &[("PGCDC_FAILOVER_MS", "1000".to_owned())], None)
        .context("records wait too long for a new leader, see above")
}

fn test(name: &str, environment: &[(&str, String)], seed: Option<u64>) -> Result<()> {
    let arguments = ["test", "-p", "pgcdc", "--test", "e2e", "--", "--nocapture", name];
    let mut command = cargo::cargo(&arguments)?;
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    if let Some(seed) = seed {
        command.env("PGCDC_SEED", seed.to_string());
    }
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "the test {name} failed");
    Ok(())
}
