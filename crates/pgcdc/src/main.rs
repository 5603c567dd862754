//! The binary: `pgcdc stream`, `pgcdc sink`, `pgcdc check`.

mod cli;
mod memory;
mod printer;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    memory::give_large_pieces_back();
    cli::main()
}
