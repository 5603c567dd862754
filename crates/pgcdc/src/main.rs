//! The binary: `pgcdc stream`, `pgcdc sink`, `pgcdc check`.

mod cli;
mod printer;
mod telemetry;

use std::process::ExitCode;

/// Of librdkafka, too: each record is half a dozen pieces of memory, freed in an order of their own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
