//! The binary: `pgcdc stream`, `pgcdc sink`, `pgcdc check`.

mod cli;
mod printer;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
