//! How sinks end: alone, in time, and without losing what nobody has.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pgcdc_testbed::{HttpReceiver, Request, Response};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};

use super::rig::{Change, SinkFile, Topic, end};
use crate::harness::{LONG, eventually, kafka};

fn rows(from: i64, to: i64) -> Vec<Change> {
    (from..to).map(|id| Change::new("c", id, 100 + id as u64, json!({"n": id}))).collect()
}

fn ids(receiver: &HttpReceiver) -> BTreeSet<i64> {
    let id = |request: &Request| {
        let body: Value = serde_json::from_slice(&request.body).expect("a body is JSON");
        body["after"]["id"].as_i64().expect("an id")
    };
    receiver.with_requests(|requests| requests.iter().filter(|r| r.accepted()).map(id).collect())
}

#[test]
fn one_sink_s_end_does_not_end_the_others() {
    let topic = Topic::create("alone", 1);
    let (good, bad) =
        (HttpReceiver::start(0).expect("it listens"), HttpReceiver::start(0).expect("it listens"));
    bad.respond_with(|_| Response::status(422));
    let lines = format!("url = \"{}\"\nmax_dead_letters = 2", bad.url("/"));
    let file = SinkFile::new().http(&topic.name, &good.url("/"), "").sink("bad", "http", &topic.name, &lines);
    let mut process = file.start();
    topic.rows(0, &rows(0, 5));
    process.wait_for_stderr("a sink has failed and ended", LONG).expect("it says so");
    let log = process.stderr();
    assert!(
        log.contains("max_dead_letters = 2") && log.contains("allow more with max_dead_letters"),
        "{log}"
    );
    assert_eq!(topic.dead_letters(2).len(), 2);
    topic.rows(0, &rows(5, 10));
    eventually(LONG, "the other goes on", || ids(&good) == (0..10).collect());
    assert!(process.is_running(), "{}", process.stderr());
    let left = process.sigterm_and_wait(Duration::from_secs(30)).expect("it leaves");
    assert_eq!(left.code(), Some(1), "{}", process.stderr());
    // It begins again before the record that was one too many.
    bad.clear();
    bad.respond_with(|_| Response::status(200));
    let process = file.start();
    eventually(LONG, "nothing is lost", || (2..10).collect::<BTreeSet<_>>().is_subset(&ids(&bad)));
    end(process);
}

#[test]
fn many_dead_letters_in_a_row_are_told_loudly() {
    let (topic, receiver) = (Topic::create("flood", 1), HttpReceiver::start(0).expect("it listens"));
    receiver.respond_with(|_| Response::status(400));
    topic.rows(0, &rows(0, 150));
    let mut sink = SinkFile::new().http(&topic.name, &receiver.url("/"), "").start();
    sink.wait_for_stderr("is it the sink's configuration that is wrong", LONG).expect("it says so");
    topic.dead_letters(150);
    let log = sink.stderr();
    end(sink);
    assert_eq!(log.matches("is it the sink's configuration that is wrong").count(), 1, "{log}");
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", kafka().bootstrap()).create().expect("an admin client")
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// Without its dead letter the record would be lost: it waits until the topic takes it.
#[test]
fn a_dead_letter_topic_that_takes_no_record_is_waited_for() {
    let (topic, receiver) = (Topic::create("compacted", 1), HttpReceiver::start(0).expect("it listens"));
    let letters = format!("{}.dlq", topic.name);
    let spec = NewTopic::new(&letters, 1, TopicReplication::Fixed(1)).set("cleanup.policy", "compact");
    block_on(admin().create_topics([&spec], &AdminOptions::new())).expect("the broker answers");
    topic.write(&[(0, None, Some("not JSON"))]);
    topic.rows(0, &rows(1, 2));
    let file = SinkFile::new().http(&topic.name, &receiver.url("/"), "");
    let mut sink = file.start();
    sink.wait_for_stderr("could not write a dead letter; trying again", LONG).expect("it says so");
    let log = sink.stderr();
    assert!(log.contains("a compacted topic takes no record without a key"), "{log}");
    // Neither waiting nor a restart passes over it.
    std::thread::sleep(Duration::from_secs(1));
    assert!(sink.is_running() && ids(&receiver).is_empty(), "{}", sink.stderr());
    end(sink);
    let sink = file.start();
    let delete = AlterConfig::new(ResourceSpecifier::Topic(&letters)).set("cleanup.policy", "delete");
    block_on(admin().alter_configs([&delete], &AdminOptions::new())).expect("the broker answers");
    assert_eq!(topic.dead_letters(1)[0].value.as_deref(), Some("not JSON"));
    eventually(LONG, "the next record arrives", || ids(&receiver) == [1].into());
    end(sink);
}

/// Records that wait keep their consumer: it must leave its group all the same, or the next one waits for the end of its
/// session.
#[test]
fn a_member_whose_queue_is_full_leaves_its_group() {
    let (topic, receiver) = (Topic::create("leaves", 1), HttpReceiver::start(0).expect("it listens"));
    receiver.respond_with(|_| Response::status(503));
    for from in (0..20_000).step_by(5_000) {
        topic.rows(0, &rows(from, from + 5_000));
    }
    let mut file = SinkFile::new().with_session_timeout(120_000).http(&topic.name, &receiver.url("/"), "");
    let mut sink = file.start();
    sink.wait_for_stderr("write failed", LONG).expect("it says so");
    std::thread::sleep(Duration::from_secs(3)); // the queue of 8192 records fills, and its partition is paused
    end(sink);
    receiver.respond_with(|_| Response::status(200));
    file.move_to(crate::harness::scratch_dir("sink"));
    let started = Instant::now();
    let sink = file.start();
    eventually(Duration::from_secs(60), "the next member gets the partition", || !ids(&receiver).is_empty());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    end(sink);
}
