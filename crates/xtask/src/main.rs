//! Commands for newcomers and developers, run as `cargo xtask …`.
//!
//! `up`, `down` and `status` are about real services ([`services`]); `demo` shows the whole way of the data and checks its end
//! ([`demo`]); `test` is what CI runs ([`suite`]); `conformance` compares pgcdc with Debezium, and `fuzz` gives its parsers bad
//! bytes; `bench` measures ([`bench`]). Only the testbed starts services, never this crate.

mod bench;
mod cargo;
mod chaos;
mod compose;
mod conformance;
mod demo;
mod fuzz;
mod printer;
mod services;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Commands for newcomers and developers of pgcdc",
    max_term_width = 110
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start PostgreSQL, Kafka, Cassandra and Redis, by Docker where an engine answers, else natively
    Up(services::Options),
    /// Stop what `up` started and remove its data
    Down(services::Options),
    /// Say what runs, and where
    Status(services::Options),
    /// Postgres → Kafka → Cassandra, Redis and HTTP with sample data, then compare each sink with Postgres row for row
    Demo(demo::Options),
    /// All that CI checks: format, lints, unit and doc tests, end-to-end tests on real services
    Test(suite::Options),
    /// Compare what pgcdc writes with recordings of the real Debezium, byte for byte; or record afresh
    Conformance(conformance::Options),
    /// Feed the parsers of what the server and Kafka send with changed inputs, for long
    Fuzz(fuzz::Options),
    /// Break things at random, for long: each run prints its seed
    #[command(subcommand)]
    Chaos(chaos::Chaos),
    /// Measure
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(options) => services::up(&options).map(|_| ()),
        Command::Down(options) => services::down(&options),
        Command::Status(options) => services::status(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => suite::run(&options),
        Command::Conformance(options) => conformance::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Chaos(chaos) => chaos::run(&chaos),
        Command::Bench(bench) => bench::run(&bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer::error(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
