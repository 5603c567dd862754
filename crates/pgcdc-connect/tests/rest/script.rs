//! An engine whose connectors do what the test says, on a worker with a real store, real offsets and the real checks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use pgcdc_capture::metrics::Registry;
use pgcdc_connect::{
    Access, Config, Engine, Finding, Folder, Identity, Level, Loggers, Offsets, Running, Sources, Worker,
    WorkerProperties, router,
};
use pgcdc_lifecycle::{Failure, Reporter, State, Status};
use pgcdc_watch::Watch;
use serde_json::{Map, Value};
use tower::ServiceExt as _;

use crate::recording::Answer;

/// The host of the recorded worker.
pub(crate) const HOST: &str = "127.0.0.1:8183";

/// What the connectors of the test do.
#[derive(Default)]
pub(crate) struct World {
    /// Databases in which nobody can log in, and why.
    refusals: Vec<(&'static str, &'static str, &'static str)>,
    /// The task that was started last, for the test to change its state.
    task: Mutex<Option<Arc<Reporter>>>,
    /// How many were started.
    pub(crate) starts: Mutex<u32>,
}

impl World {
    /// A world with these refusals: a property, its value, and what the server says.
    pub(crate) fn refusing(refusals: Vec<(&'static str, &'static str, &'static str)>) -> Self {
        Self { refusals, ..Self::default() }
    }

    /// Sets the state of the task that was started last, unless it is paused.
    pub(crate) fn task_is(&self, trace: Option<&str>) {
        let Some(reporter) = self.task.lock().expect("free").clone() else { return };
        match trace {
            Some(trace) => {
                let error = trace.strip_suffix('\n').unwrap_or(trace).to_owned();
                reporter.set(State::Failed(Failure { error, hint: None }));
            }
            None => reporter.set(State::Streaming),
        }
    }
}

/// The engine of the test.
struct Script {
    world: Arc<World>,
    real: Sources,
}

#[async_trait]
impl Engine for Script {
    async fn validate(&self, config: &Config) -> Vec<Finding> {
        let refusal = self.world.refusals.iter().find(|(key, value, _)| config.get(key) == Some(*value));
        let findings = self.real.check(config);
        match refusal {
            Some((.., why)) if findings.is_empty() => vec![Finding {
                key: "database.hostname".into(),
                message: format!("Error while validating connector config: {why}"),
            }],
            _ => findings,
        }
    }

    fn start(&self, config: &Config) -> Result<Box<dyn Running>, String> {
        if let Some(key) = config.null() {
            return Err(format!("{key} is null"));
        }
        let (reporter, status) = Reporter::new();
        reporter.set(State::Streaming);
        let reporter = Arc::new(reporter);
        *self.world.task.lock().expect("free") = Some(Arc::clone(&reporter));
        *self.world.starts.lock().expect("free") += 1;
        Ok(Box::new(Task { reporter, status }))
    }

    async fn offsets(&self, config: &Config) -> Result<Offsets, String> {
        self.real.offsets(config).await
    }

    async fn change_offsets(&self, config: &Config, changes: Option<Offsets>) -> Result<(), String> {
        self.real.change_offsets(config, changes).await
    }
}

struct Task {
    reporter: Arc<Reporter>,
    status: Status,
}

#[async_trait]
impl Running for Task {
    fn status(&self) -> Status {
        self.status.clone()
    }

    fn pause(&self) {
        if !self.status.now().is_end() {
            self.reporter.set(State::Paused);
        }
    }

    fn resume(&self) {
        if !self.status.now().is_end() {
            self.reporter.set(State::Streaming);
        }
    }

    fn stop(&self) {
        if !self.status.now().is_end() {
            self.reporter.set(State::Finished);
        }
    }

    async fn ended(&mut self) {
        self.status.wait_for(State::is_end).await;
    }
}

/// A worker of the test.
pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    pub(crate) worker: Arc<Worker>,
    app: Router,
    engine: Arc<dyn Engine>,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn start(world: World) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = Arc::new(world);
        let offsets = folder.path().join("offsets/all").display().to_string();
        let properties = WorkerProperties::of([("offset.storage.file.filename".to_owned(), offsets)]);
        let real = Sources::new(properties, Registry::new(), Watch::new(Registry::new(), Duration::ZERO));
        let engine: Arc<dyn Engine> = Arc::new(Script { world: Arc::clone(&world), real });
        let store = Arc::new(Folder::open(&folder.path().join("connectors")).expect("a store"));
        let identity = Identity {
            worker_id: HOST.into(),
            commit: "26b251a451ce941d".into(),
            cluster_id: Arc::new("rU_6-ic_SAaH-UqJa7lXCg".to_owned().into()),
            mask_secrets: false,
        };
        let loggers = Loggers::new(Level::parse("WARN").expect("a level"), |_| {});
        let worker = Worker::start(identity, Arc::clone(&engine), store, loggers).await.expect("a worker");
        let app = router(Arc::clone(&worker), Access::open(), 1 << 16, Router::new());
        Self { world, worker, app, engine, _folder: folder }
    }

    /// The offsets of a connector are these.
    pub(crate) async fn offsets_are(&self, config: &Config, offsets: Offsets) {
        self.engine.change_offsets(config, Some(offsets)).await.expect("written");
    }

    /// Sends a request.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Option<Answer> {
        self.ask_for(None, method, path, content_type, body).await
    }

    /// Sends a request of a client that takes `accept`.
    pub(crate) async fn ask_for(
        &self,
        accept: Option<&str>,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(path).header("host", HOST);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        if let Some(body) = &body {
            request = request.header("content-length", body.len());
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).ok()?;
        let response = self.app.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let mut headers = Map::new();
        for (name, value) in response.headers() {
            let name = match name.as_str() {
                "content-type" => "Content-Type",
                "location" => "Location",
                "allow" => "Allow",
                _ => continue,
            };
            headers.insert(name.into(), String::from_utf8_lossy(value.as_bytes()).into());
        }
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => text.into(),
        };
        Some(Answer { status, headers, body })
    }
}
