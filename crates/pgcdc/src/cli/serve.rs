//! `pgcdc serve`: Kafka Connect's place, for source connectors.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use pgcdc_capture::metrics::Registry;
use pgcdc_connect::{
    Access, Both, Folder, Identity, Limits, Loggers, Sinks, Sources, Worker, WorkerProperties,
};
use pgcdc_watch::Watch;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::telemetry;

const EXAMPLES: &str = "\
Examples:
  pgcdc serve
  pgcdc serve --config connect-distributed.properties --dir /var/lib/pgcdc
  pgcdc serve --listen 10.0.0.5:8083 --users-file /etc/pgcdc/users
  curl -X POST localhost:8083/connectors -H 'Content-Type: application/json' -d @connector.json
  curl localhost:8083/connectors/shop/status

It answers Kafka Connect's REST interface and runs Debezium's Postgres connectors with pgcdc's engine. FILE is Connect's own worker
file: bootstrap.servers, offset.storage.topic, key.converter…, value.converter… and producer.… hold for every connector, and listeners
says where to listen. Configurations and states are kept in DIR; offsets are kept in the topic offset.storage.topic (default
connect-offsets), as Connect keeps them. SIGTERM stops all connectors: what was read is delivered and acknowledged first.

Sinks are connectors, too: connector.class is pgcdc.CassandraSink, pgcdc.RedisSink or pgcdc.HttpSink, and the keys of `pgcdc sink`'s
file are the properties. /metrics, /healthz, /readyz and /status are answered beside Connect's paths.

Without --users-file and --tokens-file anybody who reaches the address may change connectors, so that only addresses of this machine
are taken, unless --allow-unauthenticated is given.
Exit code: 0 stopped, 1 failed, 2 wrong usage or configuration.";

/// Where Connect listens.
const DEFAULT_LISTEN: &str = "127.0.0.1:8083";

/// Arguments of `pgcdc serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Address of the REST interface; over the file's listeners. [default: 127.0.0.1:8083]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,

    /// A Connect worker's properties.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Directory of configurations and states. [default: $XDG_STATE_HOME/pgcdc/connect]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Ask for a password: a file of lines user:password.
    #[arg(long, value_name = "FILE")]
    users_file: Option<PathBuf>,

    /// Ask for a bearer token: a file of tokens, one a line.
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,

    /// Listen on an address that other machines reach though nobody has to say who asks.
    #[arg(long)]
    allow_unauthenticated: bool,

    /// Answer 503 on /readyz once a failure has lasted longer than this.
    #[arg(long, value_name = "SECONDS", value_parser = super::seconds, default_value = "60")]
    unready_after: Duration,

    /// Show ******** in place of secrets that stand in a configuration.
    #[arg(long)]
    mask_secrets: bool,
}

pub(crate) async fn run(args: ServeArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let properties = properties(args.config.as_deref())?;
    for (property, instead) in properties.not_honoured() {
        tracing::warn!(property, "the worker's {property} is not honoured yet: {instead}");
    }
    let access = access(&args)?;
    let listener = listen(&args, &properties, &access).await?;
    let address = listener.local_addr().context("the address of the REST interface")?;
    let store = Folder::open(&folder(args.dir.as_deref())?)?;
    let identity = Identity {
        worker_id: worker_id(&properties, address),
        commit: format!("pgcdc-{}", env!("CARGO_PKG_VERSION")),
        cluster_id: Arc::default(),
        mask_secrets: args.mask_secrets,
    };
    let registry = Registry::new();
    let watch = Watch::new(registry.clone(), args.unready_after);
    let engine = Both {
        sources: Sources::new(properties.clone(), registry.clone(), watch.clone()),
        sinks: Sinks::new(properties.clone(), registry, watch.clone()),
    };
    tokio::spawn(pgcdc_connect::ask_cluster_id(properties, Arc::clone(&identity.cluster_id)));
    let loggers = Loggers::new(telemetry::level(), telemetry::set_filter);
    let worker = Worker::start(identity, Arc::new(engine), Arc::new(store), loggers).await?;
    tracing::info!("the REST interface listens on http://{address}");
    let limits = Limits::default();
    let app = pgcdc_connect::router(Arc::clone(&worker), access, limits.body, watch.router());
    pgcdc_connect::serve(listener, app, limits, shutdown).await;
    worker.close().await;
    Ok(())
}

fn properties(file: Option<&Path>) -> anyhow::Result<WorkerProperties> {
    match file {
        None => Ok(WorkerProperties::of([])),
        Some(file) => WorkerProperties::read(file).map_err(|error| {
            super::usage(error.to_string(), "give the worker's file, such as connect-distributed.properties")
        }),
    }
}

/// The users and tokens of the files.
fn access(args: &ServeArgs) -> anyhow::Result<Access> {
    let read = |file: &Path| {
        std::fs::read_to_string(file).map_err(|error| {
            super::usage(format!("{} cannot be read: {error}", file.display()), "give a readable file")
        })
    };
    let mut access = Access::open();
    if let Some(file) = &args.users_file {
        let wrong =
            |error| super::usage(format!("{}: {error}", file.display()), "write a line user:password");
        access = access.users(&read(file)?).map_err(wrong)?;
    }
    if let Some(file) = &args.tokens_file {
        access = access.tokens(&read(file)?);
    }
    if access.is_open() && (args.users_file.is_some() || args.tokens_file.is_some()) {
        return Err(super::usage("the files of users and tokens are empty", "write one line at least"));
    }
    Ok(access)
}

/// Takes the address, unless strangers could change connectors there.
async fn listen(
    args: &ServeArgs,
    properties: &WorkerProperties,
    access: &Access,
) -> anyhow::Result<TcpListener> {
    let hint = "give --listen HOST:PORT";
    let of_file = properties.listener().map_err(|error| super::usage(error, hint))?;
    let wanted = args.listen.clone().or(of_file).unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(&wanted)
        .await
        .map_err(|error| super::usage(format!("{wanted} is no address to listen on: {error}"), hint))?
        .collect();
    let strangers = addresses.iter().any(|address| !address.ip().is_loopback());
    if strangers && access.is_open() && !args.allow_unauthenticated {
        return Err(super::usage(
            format!("{wanted} can be reached from other machines, and anybody there could change connectors"),
            "ask for a password with --users-file or for a token with --tokens-file, or say --allow-unauthenticated",
        ));
    }
    TcpListener::bind(addresses.as_slice()).await.with_context(|| format!("{wanted} cannot be listened on"))
}

/// How other workers and people name this one: `rest.advertised.host.name` and `rest.advertised.port`, else the address.
fn worker_id(properties: &WorkerProperties, address: SocketAddr) -> String {
    let host =
        properties.get("rest.advertised.host.name").map_or_else(|| address.ip().to_string(), str::to_owned);
    let port =
        properties.get("rest.advertised.port").map_or_else(|| address.port().to_string(), str::to_owned);
    format!("{host}:{port}")
}

/// The directory of configurations: the given one, else one of our own below the user's state.
fn folder(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder.to_owned());
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("pgcdc").join("connect")).ok_or_else(|| {
        super::usage("there is no directory for configurations", "give --dir DIR, or set HOME")
    })
}
