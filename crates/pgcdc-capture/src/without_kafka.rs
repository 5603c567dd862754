//! Stands in for `kafka/` in a build without the feature `kafka`: the same names, of types that
//! have no values.
//!
//! A type without values cannot be made, so each method is `match *self {}` and can never run.
//! Nothing else in this crate needs to ask for the feature. Whoever asks for Kafka gets an error
//! that names the feature.

use pgcdc_event::{Lsn, Record, TopicId};
use serde_json::Value;

use crate::config::{self, Settings};
use crate::figures::Figures;
use crate::ledger::Sequence;
use crate::offsets::{Offset, OffsetStore, Pauses};
use crate::output::Sent;
use crate::preflight::Finding;
use crate::{Error, Result};

/// The one error of such a build.
fn absent() -> Error {
    Error::configuration("this program was built without Kafka").with_hint(
        "build it with the feature `kafka` of pgcdc (or pgcdc-capture), or take the changes as events or on standard output",
    )
}

/// Whether a producer's property is unknown. Nothing reads these here, so none is.
pub(crate) fn unknown_property(_name: &str) -> Option<String> {
    None
}

/// The part of `pgcdc check` that looks at Kafka. It fails when the configuration names brokers.
pub(crate) async fn check(settings: &Settings, _names: &[String], findings: &mut Vec<Finding>) {
    if settings.producer.contains_key("bootstrap.servers") {
        findings.push(Finding::failure("kafka", &absent()));
    }
}

/// The Kafka output, which cannot be made here.
#[derive(Debug)]
pub(crate) enum KafkaOutput {}

/// The exactly-once output cannot be made either, so one type stands for both.
pub(crate) type ExactlyOnceOutput = KafkaOutput;

impl KafkaOutput {
    pub(crate) fn new(_settings: &Settings, _context: Vec<(String, String)>) -> Result<Self> {
        Err(absent())
    }

    pub(crate) fn topic(&mut self, _name: &str) -> TopicId {
        match *self {}
    }

    pub(crate) fn name(&self, _id: TopicId) -> Option<&str> {
        match *self {}
    }

    pub(crate) fn send(&mut self, _record: &Record<'_>, _sequence: Sequence) -> Result<Sent> {
        match *self {}
    }

    pub(crate) fn figures(&self) -> Figures {
        match *self {}
    }

    pub(crate) fn poll(&mut self, _delivered: &mut Vec<Sequence>) -> Result<()> {
        match *self {}
    }

    pub(crate) fn send_now(&mut self, _full: bool) -> Result<bool> {
        match *self {}
    }

    pub(crate) async fn open(kafka: Self, _settings: &config::ExactlyOnce) -> Result<Self> {
        match kafka {}
    }

    pub(crate) fn stream_from(&mut self, _store: &OffsetStore, _offset: Offset, _pauses: Pauses) {
        match *self {}
    }

    pub(crate) fn committed(&self) -> Lsn {
        match *self {}
    }

    pub(crate) fn begin(&mut self, _commit: Lsn) {
        match *self {}
    }

    pub(crate) fn commit(&mut self, _end: Lsn) {
        match *self {}
    }

    pub(crate) fn outside(&mut self, _end: Lsn) {
        match *self {}
    }

    pub(crate) fn idle(&mut self, _end: Lsn) {
        match *self {}
    }

    pub(crate) fn is_committed(&self) -> bool {
        match *self {}
    }

    pub(crate) fn change(&mut self) {
        match *self {}
    }

    pub(crate) fn end_if_due(&mut self, _looked: bool) -> Result<()> {
        match *self {}
    }

    pub(crate) fn end_now(&mut self) -> Result<()> {
        match *self {}
    }

    pub(crate) fn is_settled(&self) -> bool {
        match *self {}
    }

    pub(crate) fn store(&mut self, _offsets: &OffsetStore, _offset: &Offset) -> Result<()> {
        match *self {}
    }

    pub(crate) async fn abort(self) {
        match self {}
    }
}

/// The topic of offsets, which cannot be read here. A program keeps its offsets in a file.
#[derive(Clone, Debug)]
pub(crate) enum OffsetTopic {}

impl OffsetTopic {
    pub(crate) fn new(_settings: &Settings, _name: String) -> Result<Self> {
        Err(absent())
    }

    pub(crate) fn name(&self) -> &str {
        match *self {}
    }

    pub(crate) async fn read(&self, _key: &str) -> Result<Option<Value>> {
        match *self {}
    }

    pub(crate) async fn read_settled(&self, _key: &str) -> Result<Option<Value>> {
        match *self {}
    }

    pub(crate) async fn read_all(&self) -> Result<Vec<(String, Value)>> {
        match *self {}
    }

    pub(crate) async fn make(&self) -> Result<()> {
        match *self {}
    }

    pub(crate) fn writer(&self) -> OffsetTopicWriter {
        match *self {}
    }
}

/// The writer of offsets, which comes from an [`OffsetTopic`] and so cannot be made.
#[derive(Debug)]
pub(crate) enum OffsetTopicWriter {}

impl OffsetTopicWriter {
    pub(crate) async fn put(&mut self, _key: &str, _value: Option<&str>) -> Result<()> {
        match *self {}
    }
}
