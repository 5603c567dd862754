use std::io::{IsTerminal as _, stdout};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pgcdc_capture::config::parse_override;
use pgcdc_capture::{Capture, CaptureBuilder};
use pgcdc_watch::Kind;
use tokio_util::sync::CancellationToken;

use super::format::Format;
use super::listen::Listen;
use super::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  pgcdc stream --config connector.json --bootstrap-servers 127.0.0.1:9092
  pgcdc stream --config connector.properties --set snapshot.mode=no_data --set slot.name=other
  pgcdc stream --source postgres://postgres@localhost/shop --tables public.users,public.orders --stdout
  pgcdc stream --source 'postgres://me:${env:PGPASSWORD}@db/shop' --tables public.users --stdout
  pgcdc stream --config connector.json --stdout --format plain --until-idle 5 | jq .value.after
  pgcdc stream --config connector.json --listen 127.0.0.1:9464    (then: curl 127.0.0.1:9464/readyz)

FILE is a Debezium registration, {\"name\":…,\"config\":{…}} or the flat map, as JSON or .properties;
Connect's worker keys, producer.* and bootstrap.servers are allowed in it. A KafkaConnector of Strimzi's
and a file of Debezium Server are read too. Properties that nobody knows are named in warnings. Values, --set and --source may have
${env:NAME}, ${file:/path:key} (of a .properties file), ${file:/path} and ${dir:/path:file}; in --source they are escaped.
Exit code: 0 stopped or idle, 1 failed, 2 wrong usage or configuration.";

/// Arguments of `pgcdc stream`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    pub(crate) from: Source,

    /// Write to standard output in place of Kafka: JSON lines, or on a terminal lines for people. Flushed lines are acknowledged.
    #[arg(long)]
    stdout: bool,

    /// What the lines of --stdout have.
    #[arg(long, value_enum, requires = "stdout")]
    format: Option<Format>,

    /// Take properties that nobody knows for mistakes, in place of a warning.
    #[arg(long)]
    strict: bool,

    /// Stop once nothing has changed for this long and everything is acknowledged.
    #[arg(long, value_name = "SECONDS", value_parser = super::seconds)]
    until_idle: Option<Duration>,

    #[command(flatten)]
    listen: Listen,
}

/// What to capture: a file, or a URL and tables.
#[derive(Clone, Debug, Args)]
pub(crate) struct Source {
    /// A Debezium connector's registration.
    #[arg(long, value_name = "FILE", required_unless_present = "source", conflicts_with = "source")]
    config: Option<PathBuf>,

    /// The database, in place of a file.
    #[arg(long, value_name = "URL", requires = "tables")]
    source: Option<String>,

    /// Tables of --source, as schema.table.
    #[arg(long, value_name = "TABLE", value_delimiter = ',', requires = "source")]
    tables: Vec<String>,

    /// Set a property, over the file's.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Kafka brokers, over the file's bootstrap.servers.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
}

impl Source {
    /// Reads and checks everything; touches no service.
    pub(crate) fn builder(&self) -> anyhow::Result<CaptureBuilder> {
        self.builder_over(&[])
    }

    /// As [`builder`](Self::builder), with further properties: over the file's, below those of `--set`.
    pub(crate) fn builder_over(&self, over: &[(&str, &str)]) -> anyhow::Result<CaptureBuilder> {
        let mut overrides: Vec<(String, String)> =
            over.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        for argument in &self.set {
            let pair = parse_override(argument)
                .map_err(|error| super::usage(error.to_string(), "write --set key=value"))?;
            overrides.push(pair);
        }
        if let Some(servers) = &self.bootstrap_servers {
            overrides.push(("producer.override.bootstrap.servers".into(), servers.clone()));
        }
        Ok(match (&self.config, &self.source) {
            (Some(file), _) => Capture::from_file(file, &overrides)?,
            (None, Some(url)) => Capture::from_url(url, &self.tables, &overrides)?,
            (None, None) => {
                return Err(super::usage(
                    "nothing to capture",
                    "give --config FILE, or --source URL --tables a.b",
                ));
            }
        })
    }
}

/// Captures until told to stop, until idle with `--until-idle`, or until a failure that no retry mends.
pub(crate) async fn run(args: StreamArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    if args.strict {
        args.from.builder()?.strict()?;
    }
    let format = args.stdout.then(|| Format::or_default(args.format));
    let builder = format.map_or_else(|| args.from.builder(), |format| format.builder(&args.from));
    let mut builder = builder?.shutdown(shutdown);
    if let Some(quiet) = args.until_idle {
        builder = builder.until_idle(quiet);
    }
    let listening = args.listen.start().await?;
    let name = builder.settings().name.clone();
    let builder = builder.registry(listening.registry().clone());
    let mut capture = match format {
        Some(format) => builder.to_stdout_as(format.of_stdout())?,
        None => builder.to_kafka()?,
    };
    listening.add(Kind::Connector, &name, capture.status());
    // A bar and lines on the same terminal would overwrite each other.
    let shows_lines = args.stdout && stdout().is_terminal();
    let progress = (!shows_lines).then(|| Progress::start(capture.metrics()));
    let result = capture.finished().await;
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(result?)
}
