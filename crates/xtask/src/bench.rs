//! stub
use clap::Subcommand;
#[derive(Debug, Subcommand)]
pub(crate) enum Bench { Capture }
pub(crate) fn run(_: &Bench) -> anyhow::Result<()> { Ok(()) }
