//! What to capture and where to, and the start.

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
use crate::kafka::{KafkaOutput, OffsetTopic};
use crate::lane::{Outlet, channel};
use crate::meters::Meters;
use crate::offsets::OffsetStore;
use crate::output::{Output, StdoutOutput};
use crate::{Error, Result};

/// Where Kafka Connect keeps offsets unless told otherwise.
const DEFAULT_OFFSET_TOPIC: &str = "connect-offsets";

/// Says what to capture and where to, then starts.
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// use pgcdc_capture::Capture;
/// let mut changes = Capture::builder("postgres://postgres@localhost/shop", &["public.users"])?.changes()?;
/// while let Some(change) = changes.next().await {
///     println!("{:?} {:?}", change.operation, change.get("id"));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct CaptureBuilder {
    settings: Settings,
    named_tables: Vec<String>,
    until_idle: Option<Duration>,
    paused: bool,
    registry: Registry,
    shutdown: CancellationToken,
}

impl Capture {
    /// Captures tables of a database, named `schema.table` one by one.
    ///
    /// # Errors
    /// When the URL is not one, or no table is named.
    pub fn builder(url: &str, tables: &[&str]) -> Result<CaptureBuilder> {
        let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        Self::from_url(url, &tables, &[])
    }

    /// Captures what a Debezium registration says; the file is JSON or `.properties`.
    ///
    /// # Errors
    /// All mistakes of the file in one.
    pub fn from_file(path: &Path, overrides: &[(String, String)]) -> Result<CaptureBuilder> {
        Ok(CaptureBuilder::new(Settings::load(path, overrides).map_err(configuration)?))
    }

    /// Captures a URL's tables with further properties.
    ///
    /// # Errors
    /// When the URL is not one, no table is named, or a property is wrong.
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

    /// The resolved settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes properties that nobody knows for mistakes, in place of a warning at start.
    ///
    /// # Errors
    /// Names them all, each with its place and the nearest name.
    pub fn strict(self) -> Result<Self> {
        let settings = self.settings.strict().map_err(configuration)?;
        Ok(Self { settings, ..self })
    }

    /// Stops by itself once nothing has changed for this long and everything is acknowledged.
    #[must_use]
    pub fn until_idle(mut self, quiet: Duration) -> Self {
        self.until_idle = Some(quiet);
        self
    }

    /// Starts paused: nothing is connected to before [`Capture::resume`].
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.paused = true;
        self
    }

    /// Counts in this registry, under the connector's name, in place of a registry of its own. For a program that runs several
    /// captures and shows all their metrics in one place.
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

    /// Stops when this token is cancelled.
    #[must_use]
    pub fn shutdown(mut self, token: CancellationToken) -> Self {
        self.shutdown = token;
        self
    }

    /// Writes Debezium's records to Kafka.
    ///
    /// # Errors
    /// When the Kafka properties are wrong, or this was built without the feature `kafka`. Whether anything can be reached
    /// shows later.
    pub fn to_kafka(self) -> Result<Capture> {
        let context = context_headers(&self.settings);
        // The first producer is made here, so that mistakes show before anything is started.
        let mut first = Some(KafkaOutput::new(&self.settings, context.clone())?);
        let store = kafka_offsets(&self.settings)?;
        self.start(store, move |settings| {
            let output = match first.take() {
                Some(output) => output,
                None => KafkaOutput::new(settings, context.clone())?,
            };
            Ok(Outlet::Records(Output::Kafka(Box::new(output))))
        })
    }

    /// Writes records to standard output, as JSON lines.
    ///
    /// # Errors
    /// When a converter writes Avro, which is no text.
    pub fn to_stdout(self) -> Result<Capture> {
        for (half, format) in [("key", &self.settings.key_format), ("value", &self.settings.value_format)] {
            if format.avro().is_some() {
                return Err(Error::configuration(format!("{half}.converter writes Avro, which standard output cannot show"))
                    .with_hint(format!("write to Kafka, or add --set {half}.converter=org.apache.kafka.connect.json.JsonConverter")));
            }
        }
        let store = local_offsets(&self.settings);
        let context = context_headers(&self.settings);
        let binary = self.settings.key_format.is_binary() || self.settings.value_format.is_binary();
        self.start(store, move |_| {
            Ok(Outlet::Records(Output::Stdout(Box::new(StdoutOutput::new(&context, binary)?))))
        })
    }

    /// Hands typed changes to this program.
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

/// Runs a connector on this thread, with a runtime of its own. One thread does everything from socket to producer, so that
/// no change is handed from thread to thread, and a nap of it lets bytes pile up in the socket.
fn run(connector: &Connector, make_outlet: impl FnMut(&Settings) -> Result<Outlet>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::fatal("the capture runtime could not be started").with_source(error))?;
    let result = runtime.block_on(Box::pin(connector.run(make_outlet)));
    // A call into librdkafka that still waits for a broker must not hold the end up.
    runtime.shutdown_background();
    result
}

/// Tables as `schema.table`, as the URL's settings understand them.
fn full_names(tables: &[String]) -> Vec<String> {
    let full = |name: &str| if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
    tables.iter().map(|name| full(name.trim())).collect()
}

/// Offsets beside Kafka's records: in the configured file, else in a topic.
fn kafka_offsets(settings: &Settings) -> Result<OffsetStore> {
    let Settings { name, topic, offsets, .. } = settings;
    if let Some(file) = &offsets.file {
        return Ok(OffsetStore::file(name, &topic.prefix, file.clone()));
    }
    let place = offsets.topic.clone().unwrap_or_else(|| DEFAULT_OFFSET_TOPIC.to_owned());
    Ok(OffsetStore::topic(name, &topic.prefix, OffsetTopic::new(settings, place)?))
}

/// Offsets in a file: the configured one, or one of our own where nothing is said.
fn local_offsets(settings: &Settings) -> OffsetStore {
    let Settings { name, topic, offsets, .. } = settings;
    let at = |path| OffsetStore::file(name, &topic.prefix, path);
    match &offsets.file {
        Some(path) => at(path.clone()),
        None => default_offset_file().map_or_else(OffsetStore::nowhere, |path| at(path).implicit()),
    }
}

/// The file for offsets when none is configured and there is no Kafka to hold them.
fn default_offset_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        state.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))?;
    Some(state.join("pgcdc").join("offsets.json"))
}

fn configuration(error: crate::config::ConfigError) -> Error {
    Error::configuration(error.to_string())
}
