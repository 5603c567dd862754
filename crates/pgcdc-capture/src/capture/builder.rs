//! Says what is captured and where it goes, and starts the thread that does it.
//!
//! The three `to_…` methods differ in two things only: where the offsets are kept, and which
//! [`Outlet`] is made for each attempt. All else is `start`, which they share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pgcdc_lifecycle::{Orders, Reporter};
use pgcdc_metrics::Registry;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::handle::Capture;
use crate::config::{Settings, from_source};
use crate::connector::Connector;
use crate::context_headers::context_headers;
use crate::kafka::KafkaOutput;
use crate::lane::{Outlet, channel};
use crate::meters::Meters;
use crate::offsets::OffsetStore;
use crate::output::{Output, Renderer, StdoutFormat, StdoutOutput};
use crate::{Error, Result};

/// Says what to capture and where to, then starts.
///
/// It comes from [`Capture::builder`], [`Capture::from_url`] or [`Capture::from_file`], which read
/// the settings and name all mistakes in them. Nothing is connected to before
/// [`to_kafka`](Self::to_kafka), [`to_stdout`](Self::to_stdout) or [`changes`](Self::changes).
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// use std::time::Duration;
/// use pgcdc_capture::Capture;
/// let builder = Capture::builder("postgres://postgres@localhost/shop", &["public.users"])?;
/// let mut changes = builder.until_idle(Duration::from_secs(10)).changes()?;
/// while let Some(change) = changes.next().await {
///     println!("{:?} {:?}", change.operation, change.get("id"));
/// }
/// changes.finished().await
/// # }
/// ```
#[derive(Debug)]
pub struct CaptureBuilder {
    /// The configuration, resolved and checked.
    settings: Settings,
    /// The tables as `schema.table` when a URL named them; empty for a registration. A named table
    /// that does not exist is an error; a pattern of a registration may match nothing.
    named_tables: Vec<String>,
    /// How long nothing may change before capture stops by itself. `None`: it never does.
    until_idle: Option<Duration>,
    /// Whether to begin in the state `Paused`.
    paused: bool,
    /// Where the metrics are counted: the caller's registry, or one of its own.
    registry: Registry,
    /// Ends the capture when it is cancelled: with the caller's token, whose child it is, by
    /// [`Capture::stop`], or when the handle is dropped.
    shutdown: CancellationToken,
}

impl Capture {
    /// Captures tables of a database.
    ///
    /// `url` is a PostgreSQL connection URL with libpq's parameters. What it leaves out comes from
    /// the environment variables of psql (`PGUSER`, `PGPASSWORD`, …); without any user it is
    /// that of the operating system (`USER`, `LOGNAME`), else `postgres`. Each table is `schema.table`, or `table` for one in the schema `public`;
    /// patterns are not understood here. Without any name every table of the database is captured.
    /// All settings have their defaults: the slot is `pgcdc`, the publication `pgcdc_pub` is made
    /// for these tables, and the first start takes a snapshot.
    ///
    /// [`from_url`](Self::from_url) changes single settings. A second capture of the same database
    /// needs it: with a `slot.name`, a `publication.name` and a `name` of its own.
    ///
    /// # Errors
    /// A configuration error when `url` is not a PostgreSQL URL. Whether the tables exist shows
    /// once capture has connected.
    pub fn builder(url: &str, tables: &[&str]) -> Result<CaptureBuilder> {
        let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        Self::from_url(url, &tables, &[])
    }

    /// Captures as a Debezium registration says: the file that one would POST to Kafka Connect.
    ///
    /// The file is JSON (`{"name": …, "config": {…}}` or the flat map of properties) or
    /// `.properties`. `overrides` are pairs of property and value that win over the file, as
    /// `--set` does on the command line.
    ///
    /// # Errors
    /// A configuration error that lists all mistakes of the file, each with its line and a remedy.
    ///
    /// # Example
    /// ```no_run
    /// # async fn example() -> Result<(), pgcdc_capture::Error> {
    /// use pgcdc_capture::Capture;
    /// let slot = [("slot.name".to_owned(), "shop_copy".to_owned())];
    /// let mut capture = Capture::from_file("shop-connector.json".as_ref(), &slot)?.to_stdout()?;
    /// capture.finished().await
    /// # }
    /// ```
    pub fn from_file(path: &Path, overrides: &[(String, String)]) -> Result<CaptureBuilder> {
        Ok(CaptureBuilder::new(Settings::load(path, overrides).map_err(configuration)?))
    }

    /// Captures what settings say that are read and checked already; see [`Settings::from_document`].
    #[must_use]
    pub fn from_settings(settings: Settings) -> CaptureBuilder {
        CaptureBuilder::new(settings)
    }

    /// Captures a URL's tables, with further properties.
    ///
    /// As [`builder`](Self::builder); one name in each element of `tables`. `overrides` are pairs
    /// of a Debezium property and its value, which win over the URL.
    ///
    /// # Errors
    /// A configuration error when the URL is not a PostgreSQL URL, or a property is wrong.
    ///
    /// # Example
    /// ```no_run
    /// # fn example() -> Result<(), pgcdc_capture::Error> {
    /// use pgcdc_capture::Capture;
    /// let tables = ["public.users".to_owned(), "sales.orders".to_owned()];
    /// let properties = [("snapshot.mode".to_owned(), "no_data".to_owned())];
    /// let changes = Capture::from_url("postgres://app@db.example/shop", &tables, &properties)?.changes()?;
    /// # drop(changes);
    /// # Ok(()) }
    /// ```
    pub fn from_url(url: &str, tables: &[String], overrides: &[(String, String)]) -> Result<CaptureBuilder> {
        let env = |name: &str| std::env::var(name).ok();
        let document = from_source(url, tables, overrides, &env).map_err(configuration)?;
        let settings = Settings::from_document(&document).map_err(configuration)?;
        Ok(CaptureBuilder { named_tables: full_names(tables), ..CaptureBuilder::new(settings) })
    }
}

impl CaptureBuilder {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            named_tables: Vec::new(),
            until_idle: None,
            paused: false,
            registry: Registry::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// The resolved settings: what the configuration and the defaults came to.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Makes an error of each property that neither pgcdc nor Debezium nor Kafka Connect knows.
    /// Without it such a property is a warning when capture starts, since Debezium starts with it
    /// too.
    ///
    /// # Errors
    /// A configuration error that names them all, each with its place and the nearest known name.
    pub fn strict(self) -> Result<Self> {
        let settings = self.settings.strict().map_err(configuration)?;
        Ok(Self { settings, ..self })
    }

    /// Stops by itself once nothing has changed for `quiet` and everything is acknowledged. For a
    /// program that copies what is there and ends, and for tests.
    #[must_use]
    pub fn until_idle(mut self, quiet: Duration) -> Self {
        self.until_idle = Some(quiet);
        self
    }

    /// Starts paused: nothing is connected to before [`Capture::resume`]. For a supervisor that
    /// restores the state in which it found a connector.
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.paused = true;
        self
    }

    /// Counts in this registry, under the connector's name, in place of a registry of its own. For
    /// a program that runs several captures and shows all their metrics in one place.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), pgcdc_capture::Error> {
    /// use pgcdc_capture::{Capture, metrics::Registry};
    /// let registry = Registry::new();
    /// let shop = Capture::from_file("shop.json".as_ref(), &[])?.registry(registry.clone()).to_kafka()?;
    /// let stock = Capture::from_file("stock.json".as_ref(), &[])?.registry(registry.clone()).to_kafka()?;
    /// println!("{}", registry.encode());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Stops when this token is cancelled, as [`Capture::stop`] does: what was read is delivered
    /// and confirmed first. For a program that stops all its parts by one token.
    ///
    /// [`Capture::stop`], dropping the handle and the end of the capture do not cancel it: other
    /// parts of the program go on.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), pgcdc_capture::Error> {
    /// use pgcdc_capture::Capture;
    /// use tokio_util::sync::CancellationToken;
    /// let program = CancellationToken::new();
    /// let builder = Capture::from_file("shop-connector.json".as_ref(), &[])?;
    /// let capture = builder.shutdown(program.clone()).to_kafka()?;
    /// # drop(capture);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn shutdown(mut self, token: CancellationToken) -> Self {
        // A child: the end of this capture must not cancel the program's token.
        self.shutdown = token.child_token();
        self
    }

    /// Writes Debezium's records to Kafka, and keeps the offsets there: in the topic that
    /// `offset.storage.topic` names (default `connect-offsets`), or in the file of
    /// `offset.storage.file.filename`.
    ///
    /// # Errors
    /// A configuration error when the Kafka properties are wrong, or when this was built without
    /// the feature `kafka`. It does not wait for a broker: one that cannot be reached shows in
    /// [`Capture::status`].
    pub fn to_kafka(self) -> Result<Capture> {
        let context = context_headers(&self.settings);
        // The first producer is made here, so that mistakes show before anything is started.
        let mut first = Some(KafkaOutput::new(&self.settings, context.clone())?);
        let store = OffsetStore::beside_kafka(&self.settings)?;
        self.start(store, move |settings| {
            let output = match first.take() {
                Some(output) => output,
                None => KafkaOutput::new(settings, context.clone())?,
            };
            Ok(Outlet::Records(Output::Kafka(Box::new(output))))
        })
    }

    /// Writes records to standard output, one JSON line a record:
    /// `{"topic", "partition", "key", "value", "headers"}`. A record counts as delivered when its
    /// line is written and flushed. Offsets are kept in a file: see [`changes`](Self::changes).
    ///
    /// # Errors
    /// A configuration error when a converter writes Avro, which is not text.
    pub fn to_stdout(self) -> Result<Capture> {
        self.to_stdout_as(StdoutFormat::default())
    }

    /// Writes records to standard output, as [`to_stdout`](Self::to_stdout), in another format.
    ///
    /// # Errors
    /// As [`to_stdout`](Self::to_stdout).
    pub fn to_stdout_as(self, format: StdoutFormat) -> Result<Capture> {
        for (half, format) in [("key", &self.settings.key_format), ("value", &self.settings.value_format)] {
            if format.avro().is_some() {
                return Err(Error::configuration(format!("{half}.converter writes Avro, which standard output cannot show"))
                    .with_hint(format!("write to Kafka, or add --set {half}.converter=org.apache.kafka.connect.json.JsonConverter")));
            }
        }
        let store = local_offsets(&self.settings);
        let renderer = Renderer::new(&self.settings, format);
        self.start(store, move |_| {
            Ok(Outlet::Records(Output::Stdout(Box::new(StdoutOutput::new(renderer.clone())?))))
        })
    }

    /// Hands typed changes to this program, which acknowledges them. See [`Changes`].
    ///
    /// Offsets are kept in the file of `offset.storage.file.filename`, else in `pgcdc/offsets.json`
    /// below `$XDG_STATE_HOME` or `~/.local/state`. Without a home directory none are kept, and the
    /// slot alone says where to go on.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn changes(self) -> Result<Changes> {
        let store = local_offsets(&self.settings);
        let (sender, events) = channel();
        // After a failure the next attempt goes on with the same reader.
        let capture = self.start(store, move |_| Ok(Outlet::Events(sender.attach())))?;
        Ok(Changes::new(events, capture))
    }

    /// Logs the configuration's warnings, and starts the thread that captures. `make_outlet` is
    /// called on that thread at the begin of each attempt: first, after a failure, and after a
    /// pause.
    fn start(
        self,
        offsets: OffsetStore,
        make_outlet: impl FnMut(&Settings) -> Result<Outlet> + Send + 'static,
    ) -> Result<Capture> {
        let Settings { notes, unknown, warnings, .. } = &self.settings;
        for note in notes.iter().chain(unknown) {
            tracing::warn!("{note}");
        }
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let metrics = Arc::new(Meters::of(&self.registry, &self.settings.name));
        let (reporter, status) = Reporter::new();
        let (orders, pause) = Orders::new(self.shutdown.clone(), self.paused);
        let connector = Connector {
            settings: Arc::new(self.settings),
            metrics: Arc::clone(&metrics),
            status: reporter,
            offsets,
            until_idle: self.until_idle,
            named_tables: self.named_tables,
            orders,
        };
        let (sender, result) = oneshot::channel();
        thread::Builder::new()
            .name("pgcdc-capture".to_owned())
            .spawn(move || {
                // The reader may be gone, when the caller dropped its handle.
                let _ = sender.send(run(&connector, make_outlet));
            })
            .map_err(|error| Error::fatal("the capture thread could not be started").with_source(error))?;
        Ok(Capture {
            metrics,
            registry: self.registry,
            status,
            pause,
            shutdown: self.shutdown,
            result: Some(result),
        })
    }
}

/// Runs a connector on this thread, with a runtime of its own. One thread does everything from
/// socket to producer: no change is handed from thread to thread, and while the thread sleeps a
/// moment, bytes gather in the socket and are read in one go.
fn run(connector: &Connector, make_outlet: impl FnMut(&Settings) -> Result<Outlet>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::fatal("the capture runtime could not be started").with_source(error))?;
    let result = runtime.block_on(Box::pin(connector.run(make_outlet)));
    // Does not wait for blocking threads: a call into librdkafka may still wait for a broker.
    runtime.shutdown_background();
    result
}

/// Tables as `schema.table`, in the form in which the catalog lists them. A name without a schema
/// means `public`, as it does where the URL becomes `table.include.list`.
fn full_names(tables: &[String]) -> Vec<String> {
    let full = |name: &str| if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
    tables.iter().map(|name| full(name.trim())).collect()
}

/// Where offsets are kept without Kafka: in the configured file, else in a file of our own. The
/// store knows the second as *implicit*: when the slot is gone, that is a first start, not an
/// error.
fn local_offsets(settings: &Settings) -> OffsetStore {
    let Settings { name, topic, offsets, .. } = settings;
    let at = |path| OffsetStore::file(name, &topic.prefix, path);
    match &offsets.file {
        Some(path) => at(path.clone()),
        None => default_offset_file().map_or_else(OffsetStore::nowhere, |path| at(path).implicit()),
    }
}

/// The file of our own, below the directory for state of the XDG Base Directory Specification.
/// `None` when neither `XDG_STATE_HOME` nor `HOME` is set.
fn default_offset_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        state.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))?;
    Some(state.join("pgcdc").join("offsets.json"))
}

/// A mistake in the configuration as this crate's error, which ends a command with exit code 2.
fn configuration(error: crate::config::ConfigError) -> Error {
    Error::configuration(error.to_string())
}
