//! Being written.

use anyhow::{Result, bail};

/// How to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: super::Common,
}

pub(super) fn run(options: &Options) -> Result<()> {
    bail!("not there yet: {:?}", options.common.rounds)
}
