//! Debezium in Kafka Connect as a contender: one worker serves all its runs, so that its code is warm.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pgcdc_testbed::{Connect, ConnectOptions, kafka};

use super::lab::{Connector, Lab};
use super::measure::{Phase, Watch, follow};
use crate::printer;

/// The properties that a careful operator sets for throughput.
const TUNED: [(&str, &str); 5] = [
    ("max.batch.size", "16384"),
    ("max.queue.size", "65536"),
    ("producer.override.linger.ms", "10"),
    ("producer.override.batch.size", "524288"),
    ("producer.override.compression.type", "lz4"),
];

/// The properties that make a connector "Debezium tuned".
pub(super) fn tuned(connector: Connector) -> Connector {
    TUNED.iter().fold(connector, |connector, (name, value)| connector.with(name, value))
}

/// A Connect worker.
pub(super) struct Debezium {
    connect: Connect,
}

impl Debezium {
    /// Starts the worker with Kafka's own defaults, 2 GiB of heap among them.
    pub(super) fn start(lab: &Lab) -> Result<Self> {
        printer::say("starting Kafka Connect with Debezium");
        let connect = Connect::start(
            lab.scratch.join("connect"),
            0,
            &lab.kafka.bootstrap(),
            &ConnectOptions::default(),
        )?;
        Ok(Self { connect })
    }

    /// Registers `connector` and follows `topic` until `rows` records are in it; then the connector is removed.
    pub(super) fn drain(
        &mut self,
        lab: &mut Lab,
        name: &str,
        connector: &Connector,
        topic: &str,
        rows: u32,
        limit: Duration,
    ) -> Result<Phase> {
        let mut watch = Watch::begin(self.connect.daemon().process(), lab);
        let begin = Instant::now();
        self.connect.create(name, &connector.0)?;
        let port = lab.kafka.port();
        let mut asked = Instant::now();
        let pace = (Some(u64::from(rows)), Duration::from_millis(25), limit);
        let phase = follow(&mut watch, begin, pace, |_| {
            if asked.elapsed() > Duration::from_secs(3) {
                asked = Instant::now();
                if let Some(failure) = self.connect.status(name)?.failure() {
                    bail!("Debezium failed: {failure}");
                }
            }
            Ok(kafka::end_offset(port, topic, 0)?.unwrap_or(0))
        });
        if phase.is_err() {
            printer::say(&format!("Kafka Connect's log:\n{}", self.connect.daemon().log_tail(20)));
        }
        let phase = phase?;
        self.connect.delete(name)?;
        Ok(phase)
    }

    /// Registers a connector and waits until it runs, for callers that measure by themselves.
    pub(super) fn begin(&self, name: &str, connector: &Connector) -> Result<()> {
        self.connect.create(name, &connector.0)?;
        self.connect.wait_running(name, Duration::from_secs(120))
    }

    /// Removes a connector.
    pub(super) fn end(&self, name: &str) -> Result<()> {
        self.connect.delete(name)
    }

    /// The worker's process.
    pub(super) fn process(&mut self) -> pgcdc_testbed::signal::ProcessId {
        self.connect.daemon().process()
    }
}
