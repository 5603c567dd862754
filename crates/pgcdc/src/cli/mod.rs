//! The command line: one file a command; arguments typed first, then resolved, then acted on.

mod check;
mod completions;
mod connector;
mod format;
mod listen;
mod progress;
mod serve;
mod sink;
mod slot;
mod stream;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::printer;
use crate::telemetry::{self, LogFormat};

/// Postgres change data capture without a JVM.
///
/// Captures a database's changes as Debezium does, and takes them from Kafka into stores.
#[derive(Debug, Parser)]
#[command(name = "pgcdc", version, arg_required_else_help = true, propagate_version = true)]
struct Cli {
    /// How log lines on standard error look.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Capture a Postgres database's changes and write them to Kafka.
    Stream(stream::StreamArgs),
    /// Take changes from Kafka into Cassandra, Redis or an HTTP endpoint.
    Sink(sink::SinkArgs),
    /// Answer Kafka Connect's REST interface and run its Postgres connectors.
    Serve(serve::ServeArgs),
    /// Say what stands in the way of capture, and the SQL that mends it.
    Check(check::CheckArgs),
    /// List, drop and advance the replication slots of a server.
    Slot(slot::SlotArgs),
    /// List, pause, resume, stop, restart and delete the connectors of a Kafka Connect worker.
    Connector(connector::ConnectorArgs),
    /// Print a shell's completions.
    Completions(completions::CompletionsArgs),
}

/// Parses, runs, and says how it went: 0 ok, 1 failed, 2 wrong usage or configuration.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    telemetry::start(cli.log_format);
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    if let Command::Completions(args) = command {
        return completions::run(&args);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let shutdown = CancellationToken::new();
    let result = runtime.block_on(async {
        tokio::spawn(signals(shutdown.clone()));
        match command {
            Command::Stream(args) => stream::run(args, shutdown).await,
            Command::Sink(args) => sink::run(args, shutdown).await,
            Command::Serve(args) => serve::run(args, shutdown).await,
            Command::Check(args) => check::run(args).await,
            Command::Slot(args) => slot::run(args).await,
            Command::Connector(args) => connector::run(args).await,
            Command::Completions(_) => Ok(()),
        }
    });
    // Blocking calls of a client library must not hold the process up.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

/// The first SIGTERM or SIGINT asks to stop; the second ends the process.
async fn signals(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    for count in 0.. {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if count > 0 {
            std::process::exit(1);
        }
        tracing::info!("stopping: what was read is delivered and acknowledged first");
        shutdown.cancel();
    }
}

/// A number of seconds, with a fraction or without.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A mistake in how a command was used, found after its arguments were parsed.
#[derive(Debug)]
struct Usage {
    message: String,
    hint: String,
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Usage {}

fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Usage { message: message.into(), hint: hint.into() }.into()
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let capture = error.downcast_ref::<pgcdc_capture::Error>();
    if capture.is_some_and(pgcdc_capture::Error::is_closed) {
        return ExitCode::SUCCESS;
    }
    let used = error.downcast_ref::<Usage>();
    let hint = used
        .map(|usage| usage.hint.as_str())
        .or_else(|| capture.and_then(pgcdc_capture::Error::hint))
        .or_else(|| error.downcast_ref::<pgcdc_sinks::Error>().and_then(pgcdc_sinks::Error::hint));
    printer::error(error, hint);
    let configuration = used.is_some()
        || capture.is_some_and(pgcdc_capture::Error::is_configuration)
        || error.downcast_ref::<pgcdc_sinks::Error>().is_some_and(pgcdc_sinks::Error::is_configuration);
    ExitCode::from(if configuration { 2 } else { 1 })
}
