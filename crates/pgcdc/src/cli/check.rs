use clap::Args;
use pgcdc_capture::preflight::{Severity, preflight};

use super::stream::Source;
use crate::printer::{self, paint};

/// Arguments of `pgcdc check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgcdc check --config connector.json --bootstrap-servers 127.0.0.1:9092
  pgcdc check --source postgres://postgres@localhost/shop --tables public.users

Properties that nobody knows are mistakes here; `pgcdc stream` only warns of them.
Exit code: 0 ready (warnings allowed), 1 something stands in the way, 2 wrong usage or configuration.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    from: Source,
}

/// Runs the checks and prints a line for each, with the SQL or the setting that mends what is wrong.
///
/// # Errors
/// When the configuration has a mistake (exit code 2), or a check found an error (exit code 1). Warnings are no error.
#[expect(clippy::print_stdout, reason = "the findings are this command's output")]
pub(crate) async fn run(args: CheckArgs) -> anyhow::Result<()> {
    let builder = args.from.builder()?.strict()?;
    let findings = preflight(builder.settings()).await;
    let mut errors = 0;
    for finding in &findings {
        let word = match finding.severity {
            Severity::Ok => paint("32", "ok"),
            Severity::Warning => paint("33", "warning"),
            Severity::Error => {
                errors += 1;
                paint("1;31", "error")
            }
        };
        println!("{word}: {}: {}", finding.subject, finding.message);
        if let Some(remedy) = &finding.remedy {
            println!("    {}", remedy.replace('\n', "\n    "));
        }
    }
    if errors > 0 {
        printer::write("\n");
        anyhow::bail!("{errors} of {} checks stand in the way of capture", findings.len());
    }
    Ok(())
}
