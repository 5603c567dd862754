//! The stores of the conformance suite: how a sink is started on each, and what each holds.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgcdc::sinks::{ClientProperties, Control, Plan, Registry, Runner};
use pgcdc_testbed::{FaultProxy, HttpReceiver, Process, Request, Response};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::conformance::{Rig, Rows, Started};
use super::lake::{Disk, Lake, Trouble};
use super::rig::{SinkFile, Topic, board, end};
use crate::harness::{kafka, next};
use crate::services::{Cql, cassandra, redis};

impl Started for Process {
    fn kill(mut self: Box<Self>) {
        self.kill9().expect("killed");
    }

    fn stop(self: Box<Self>) {
        end(*self);
    }
}

/// `pgcdc sink` with one sink, in the file's group or another one.
fn start(file: &SinkFile, group: u32) -> Box<dyn Started> {
    Box::new(if group == 0 { file.start() } else { file.other_group().start() })
}

/// A table in the shared Cassandra.
pub(super) struct CassandraRig {
    cql: Cql,
    proxy: FaultProxy,
    keyspace: String,
    file: SinkFile,
}

impl CassandraRig {
    pub(super) fn new() -> Self {
        let (cql, keyspace) = (Cql::connect(), format!("conform_{}", next()));
        let proxy = FaultProxy::start(0, cassandra().port()).expect("a proxy");
        Self { cql, proxy, keyspace, file: SinkFile::new() }
    }
}

impl Rig for CassandraRig {
    fn start(&self, topic: &Topic, group: u32) -> Box<dyn Started> {
        let (port, keyspace) = (self.proxy.port(), &self.keyspace);
        let lines =
            format!("contact_points = [\"127.0.0.1:{port}\"]\nkeyspace = \"{keyspace}\"\ncreate = true");
        start(&self.file.clone().sink("rows", "cassandra", &topic.name, &lines), group)
    }

    fn held(&self) -> Rows {
        let rows = self.cql.rows(&self.keyspace, "events");
        let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        rows.iter().filter_map(|row| Some((number(&row["id"])?, number(&row["n"])?))).collect()
    }

    fn cut(&self) {
        self.proxy.cut();
    }

    fn hold(&self) {
        self.proxy.hold();
    }

    fn mend(&self) {
        self.proxy.resume();
    }
}

/// A leaderboard in the shared Redis.
pub(super) struct RedisRig {
    proxy: FaultProxy,
    key: String,
    file: SinkFile,
}

impl RedisRig {
    pub(super) fn new() -> Self {
        let proxy = FaultProxy::start(0, redis().port()).expect("a proxy");
        Self { proxy, key: format!("conform_{}", next()), file: SinkFile::new() }
    }
}

impl Rig for RedisRig {
    fn start(&self, topic: &Topic, group: u32) -> Box<dyn Started> {
        let lines = format!(
            "url = \"redis://127.0.0.1:{}\"\nleaderboard = {{ key = \"{}\", member = \"member\", score = \"n\", window = \"1h\", time = \"at\" }}",
            self.proxy.port(),
            self.key
        );
        start(&self.file.clone().sink("rows", "redis", &topic.name, &lines), group)
    }

    fn held(&self) -> Rows {
        let board = board(redis().client(), &self.key);
        board.iter().filter_map(|(member, score)| Some((member.parse().ok()?, *score as i64))).collect()
    }

    fn cut(&self) {
        self.proxy.cut();
    }

    fn hold(&self) {
        self.proxy.hold();
    }

    fn mend(&self) {
        self.proxy.resume();
    }
}

/// An endpoint that upserts and deletes by id, and honours `Idempotency-Key`.
pub(super) struct HttpRig {
    receiver: HttpReceiver,
    proxy: FaultProxy,
    file: SinkFile,
    held: Mutex<Endpoint>,
}

/// What the endpoint holds after so many of its requests.
#[derive(Default)]
struct Endpoint {
    requests: usize,
    keys: HashSet<String>,
    rows: Rows,
}

impl HttpRig {
    pub(super) fn new() -> Self {
        let receiver = HttpReceiver::start(0).expect("it listens");
        receiver.respond_with(|request| {
            let body = body(request);
            Response::status(if body["after"]["n"].is_string() { 422 } else { 204 })
        });
        let proxy = FaultProxy::start(0, receiver.port()).expect("a proxy");
        Self { receiver, proxy, file: SinkFile::new(), held: Mutex::default() }
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("a body is JSON")
}

impl Rig for HttpRig {
    fn start(&self, topic: &Topic, group: u32) -> Box<dyn Started> {
        let url = format!("http://127.0.0.1:{}/rows", self.proxy.port());
        start(&self.file.clone().http(&topic.name, &url, ""), group)
    }

    fn held(&self) -> Rows {
        let mut held = self.held.lock().expect("no panic");
        self.receiver.with_requests(|requests| {
            let new = &requests[held.requests..];
            held.requests = requests.len();
            for request in new.iter().filter(|request| request.accepted()) {
                if !held
                    .keys
                    .insert(request.header("Idempotency-Key").expect("every request has one").to_owned())
                {
                    continue;
                }
                let body = body(request);
                match (body["before"]["id"].as_i64(), body["after"]["id"].as_i64()) {
                    (_, Some(id)) => {
                        let number = body["after"]["n"].as_i64().expect("a number");
                        held.rows.insert(id, number);
                    }
                    (Some(id), None) => {
                        held.rows.remove(&id);
                    }
                    (None, None) => panic!("neither a row nor a delete: {body}"),
                }
            }
        });
        held.rows.clone()
    }

    fn cut(&self) {
        self.proxy.cut();
    }

    fn hold(&self) {
        self.proxy.hold();
    }

    fn mend(&self) {
        self.proxy.resume();
    }
}

/// The reference sink of the contract, run in this process.
pub(super) struct LakeRig {
    pub(super) disk: Arc<Disk>,
    pub(super) trouble: Arc<Trouble>,
    stores_offsets: bool,
    group: String,
}

/// How many records the lake gathers before it commits by itself.
const EVERY: usize = 150;

impl LakeRig {
    pub(super) fn new(stores_offsets: bool) -> Self {
        let group = format!("lake-{}-{}", std::process::id(), next());
        Self { disk: Arc::default(), trouble: Arc::default(), stores_offsets, group }
    }

    pub(super) fn launch(&self, topic: &Topic, group: u32) -> InProcess {
        let lake = Lake::open(&self.disk, &self.trouble, EVERY, self.stores_offsets);
        let plan = Plan {
            batch_max: 40,
            retry_initial: Duration::from_millis(50),
            retry_max: Duration::from_secs(1),
            ..Plan::new("lake", [&topic.name])
        };
        let properties = [
            ("bootstrap.servers", kafka().bootstrap()),
            ("session.timeout.ms", "6000".to_owned()),
            ("heartbeat.interval.ms", "1000".to_owned()),
        ];
        let kafka = ClientProperties::parse(properties).expect("known properties");
        let registry = Registry::new();
        let group = format!("{}-{group}", self.group);
        let runner = Runner::new(Arc::new(lake), plan, kafka, &group).with_metrics(&registry);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (runtime, stop) = (runtime.expect("a runtime"), CancellationToken::new());
        let control = runner.control();
        let task = runtime.spawn(runner.run(stop.clone()));
        InProcess { runtime, control, registry, stop, task }
    }
}

/// A sink that runs in this process.
pub(super) struct InProcess {
    pub(super) runtime: Runtime,
    pub(super) control: Control,
    pub(super) registry: Registry,
    stop: CancellationToken,
    task: JoinHandle<pgcdc::sinks::Result<()>>,
}

impl Started for InProcess {
    fn kill(self: Box<Self>) {
        // Its tasks are dropped where they stand.
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }

    fn stop(self: Box<Self>) {
        let Self { runtime, stop, task, .. } = *self;
        stop.cancel();
        let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(40), task).await });
        ended.expect("it leaves in time").expect("no panic").expect("no failure");
    }
}

impl Rig for LakeRig {
    fn start(&self, topic: &Topic, group: u32) -> Box<dyn Started> {
        Box::new(self.launch(topic, group))
    }

    fn held(&self) -> Rows {
        if self.stores_offsets {
            assert_eq!(self.disk.twice(), BTreeMap::new(), "a record was committed twice");
        }
        self.disk.rows()
    }

    fn cut(&self) {
        self.trouble.cut();
    }

    fn hold(&self) {
        self.trouble.hold();
    }

    fn mend(&self) {
        self.trouble.mend();
    }
}
