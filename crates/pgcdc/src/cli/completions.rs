use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Prints a completion script.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgcdc completions bash > /etc/bash_completion.d/pgcdc")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the script to standard output.
pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    clap_complete::generate(args.shell, &mut super::Cli::command(), "pgcdc", &mut std::io::stdout());
    Ok(())
}
