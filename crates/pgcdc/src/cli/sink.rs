use std::path::PathBuf;

use clap::Args;
use pgcdc_sinks::{Config, Runner};
use pgcdc_watch::Kind;
use tokio_util::sync::CancellationToken;

use super::listen::Listen;

/// The end of `pgcdc sink --help`: a whole file, and what becomes of a record that a store refuses.
const EXAMPLES: &str = "\
Examples:
  pgcdc sink --config sinks.toml
  pgcdc sink --config sinks.toml --sink top        (one sink of the file)
  pgcdc sink --config sinks.toml --check           (read the file, touch nothing)
  pgcdc sink --config sinks.toml --listen 127.0.0.1:9465

FILE is TOML:
  [kafka]
  \"bootstrap.servers\" = \"127.0.0.1:9092\"
  \"group.id\" = \"engagement\"                 # the group of sink NAME is engagement-NAME

  [[sink]]
  name = \"events\"
  type = \"cassandra\"
  topics = [\"shop.public.users\"]
  contact_points = [\"127.0.0.1:9042\"]
  keyspace = \"shop\"
  create = true                              # make keyspace and table when they are missing
  # table, replication, consistency, username, password, datacenter, unlogged_batch_rows = 10 (or 5 KiB)
  # tls = { ca = \"/ca.pem\", certificate = \"/me.pem\", key = \"/me.key\", verify_hostname = true }; http, redis: too

  [[sink]]
  name = \"top\"
  type = \"redis\"
  topics = [\"shop.public.events\"]
  url = \"redis://127.0.0.1:6379\"
  leaderboard = { key = \"top_10m\", member = \"user_id\", score = \"ms\", window = \"10m\", time = \"ts\" }

  [[sink]]
  name = \"api\"
  type = \"http\"
  topics = [\"shop.public.users\"]
  url = \"http://127.0.0.1:5000/api\"
  # method, timeout = \"10s\", headers = { Authorization = \"Bearer ${env:TOKEN}\" }
  # retry_status = [409], reject_status = [404]

Every sink also takes batch.max (500; cassandra: 8000), retry.initial (\"200ms\") and retry.max (\"30s\").
Any text may have ${env:NAME}, ${file:/path:key} (of a .properties file), ${file:/path} and ${dir:/path:file}.

What says nothing about a record (an expired token, a missing table or right, a store that is down or full) is waited for:
tried again with growing pauses, told in the log, nothing committed. Records that can never be written because of what they
hold go to <topic>.dlq, with headers that say why. Of HTTP's answers that are 400, 409, 410, 413, 414, 415 and 422; all others
are waited for. max_dead_letters = N ends a sink when more than N records of a partition in a row cannot be written.

A sink that fails for good is told in the log and ends alone; the others go on, and the exit code is 1 once they end, too.
Exit code: 0 stopped, 1 failed, 2 wrong usage or configuration.";

/// Arguments of `pgcdc sink`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SinkArgs {
    /// The sinks, as TOML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Run only the sinks of these names.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    sink: Vec<String>,

    /// Say whether the file is right, and stop.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    listen: Listen,
}

/// Runs the sinks of a file until told to stop, or only the ones that `--sink` names.
///
/// # Errors
/// A mistake in the file or a name that no sink has (exit code 2); the first failure of a sink, once all have ended (1).
pub(crate) async fn run(args: SinkArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut config = Config::read(&args.config)?;
    if !args.sink.is_empty() {
        let known: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
        if let Some(unknown) = args.sink.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(super::usage(
                format!("{} has no sink named {unknown:?}", args.config.display()),
                format!("its sinks are {}", known.join(", ")),
            ));
        }
        config.sinks.retain(|sink| args.sink.contains(&sink.name));
    }
    if args.check {
        tracing::info!(sinks = config.sinks.len(), "the configuration is right");
        return Ok(());
    }
    let listening = args.listen.start().await?;
    let counted = |runner: Runner| runner.with_metrics(listening.registry());
    let runners: Vec<Runner> = config.runners().into_iter().map(counted).collect();
    for runner in &runners {
        listening.add(Kind::Sink, runner.name(), runner.control().status());
    }
    Ok(pgcdc_sinks::run_all(runners, shutdown).await?)
}
