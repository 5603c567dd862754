use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::{Document, Settings};
use crate::connector::{Connector, default_offset_file};
use crate::metrics::Metrics;
use crate::offsets::OffsetStore;
use crate::output::{Changes, KafkaOutput, Output, StdoutOutput, channel, client_properties};
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
    shutdown: CancellationToken,
}

/// A running capture. It runs on a thread of its own, whatever the caller's runtime does.
#[derive(Debug)]
pub struct Capture {
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    result: oneshot::Receiver<Result<()>>,
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
        let document = Document::from_source(url, tables, overrides, &env).map_err(configuration)?;
        let settings = Settings::from_document(&document).map_err(configuration)?;
        Ok(CaptureBuilder { named_tables: full_names(tables), ..CaptureBuilder::new(settings) })
    }

    /// What it has done so far.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Asks it to stop: what was read is delivered and confirmed first.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// Why it ended, when it was not asked to.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the capture running.
    pub async fn finished(&mut self) -> Result<()> {
        match (&mut self.result).await {
            Ok(result) => result,
            Err(_) => Err(Error::fatal("the capture thread ended without a result")),
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl CaptureBuilder {
    fn new(settings: Settings) -> Self {
        Self { settings, named_tables: Vec::new(), until_idle: None, shutdown: CancellationToken::new() }
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

    /// Stops when this token is cancelled.
    #[must_use]
    pub fn shutdown(mut self, token: CancellationToken) -> Self {
        self.shutdown = token;
        self
    }

    /// Writes Debezium's records to Kafka.
    ///
    /// # Errors
    /// When the Kafka properties are wrong. Whether anything can be reached shows later.
    pub fn to_kafka(self) -> Result<Capture> {
        let properties = client_properties(&self.settings)?;
        let Settings { name, topic, offsets, .. } = &self.settings;
        let store = match &offsets.file {
            Some(file) => OffsetStore::file(name, &topic.prefix, file.clone()),
            None => {
                let place = offsets.topic.clone().unwrap_or_else(|| DEFAULT_OFFSET_TOPIC.to_owned());
                OffsetStore::topic(name, &topic.prefix, properties, place)
            }
        };
        let context = context_headers(&self.settings);
        // The first one here, so that mistakes show before anything is started.
        let mut first = Some(KafkaOutput::new(&self.settings, context.clone())?);
        self.start(store, move |settings| match first.take() {
            Some(output) => Ok(Output::Kafka(Box::new(output))),
            None => Ok(Output::Kafka(Box::new(KafkaOutput::new(settings, context.clone())?))),
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
        self.start(store, move |_| Ok(Output::Stdout(StdoutOutput::new(&context, binary)?)))
    }

    /// Hands typed changes to this program.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn changes(self) -> Result<Changes> {
        let store = local_offsets(&self.settings);
        let (output, changes) = channel();
        // After a failure the next attempt goes on with the same reader.
        let capture = self.start(store, move |_| Ok(Output::Channel(output.attach())))?;
        Ok(changes.owning(capture))
    }

    fn start(
        self,
        offsets: OffsetStore,
        make_output: impl FnMut(&Settings) -> Result<Output> + Send + 'static,
    ) -> Result<Capture> {
        let Settings { notes, unknown, warnings, .. } = &self.settings;
        for note in notes.iter().chain(unknown) {
            tracing::warn!("{note}");
        }
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let metrics = Arc::new(Metrics::default());
        let connector = Connector {
            settings: Arc::new(self.settings),
            metrics: Arc::clone(&metrics),
            offsets,
            until_idle: self.until_idle,
            named_tables: self.named_tables,
            shutdown: self.shutdown.clone(),
        };
        let (sender, result) = oneshot::channel();
        thread::Builder::new()
            .name("pgcdc-capture".to_owned())
            .spawn(move || {
                // The reader may be gone, when the caller dropped its handle.
                let _ = sender.send(run(&connector, make_output));
            })
            .map_err(|error| Error::fatal("the capture thread could not be started").with_source(error))?;
        Ok(Capture { metrics, shutdown: self.shutdown, result })
    }
}

/// One thread and one runtime for the whole way from socket to producer: no hand-over per event,
/// and a nap in it lets bytes pile up in the socket.
fn run(connector: &Connector, make_output: impl FnMut(&Settings) -> Result<Output>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::fatal("the capture runtime could not be started").with_source(error))?;
    let result = runtime.block_on(Box::pin(connector.run(make_output)));
    // A call into librdkafka that still waits for a broker must not hold the end up.
    runtime.shutdown_background();
    result
}

/// Tables as `schema.table`, as the URL's settings understand them.
fn full_names(tables: &[String]) -> Vec<String> {
    let full = |name: &str| if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
    tables.iter().map(|name| full(name.trim())).collect()
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

/// The headers that Debezium gives every record (`extended.headers.enabled`).
pub(crate) fn context_headers(settings: &Settings) -> Vec<(String, String)> {
    let run = uuid::Uuid::now_v7().to_string();
    [
        ("__debezium.context.connectorLogicalName", settings.topic.prefix.as_str()),
        ("__debezium.context.taskId", "0"),
        ("__debezium.context.connectorName", "postgresql"),
        ("__debezium.context.runId", run.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn configuration(error: crate::config::ConfigError) -> Error {
    Error::configuration(error.to_string())
}
