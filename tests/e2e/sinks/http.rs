//! The HTTP sink: order, repetition, and who gets the blame for which answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use pgcdc_testbed::{HttpReceiver, Request, Response};
use serde_json::{Value, json};

use super::rig::{Change, SinkFile, Topic, end};
use crate::harness::LONG;

/// So many rows, inserted.
fn rows(count: i64) -> Vec<Change> {
    (0..count).map(|id| Change::new("c", id, 100 + id as u64, json!({"n": id}))).collect()
}

fn id(request: &Request) -> i64 {
    let body: Value = serde_json::from_slice(&request.body).expect("a body is JSON");
    body["after"]["id"].as_i64().expect("a row has an id")
}

#[test]
fn keys_keep_their_order_while_others_go_on_and_each_record_has_one_idempotency_key() {
    let (topic, receiver) = (Topic::create("http_order", 2), HttpReceiver::start(0).expect("it listens"));
    // Slow for one key, so that others overtake; failing now and then, so that batches are repeated.
    let count = std::sync::atomic::AtomicU64::new(0);
    receiver.respond_with(move |request| {
        let at = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let wait = Duration::from_millis(if id(request) == 3 { 15 } else { 0 });
        Response::status(if at % 41 == 40 { 500 } else { 204 }).after(wait)
    });
    for round in 0..30 {
        for partition in 0..2 {
            let changes: Vec<Change> = (0..10)
                .filter(|id| id % 2 == i64::from(partition))
                .map(|id| Change::new("u", id, 1000 + round, json!({"round": round})))
                .collect();
            topic.rows(partition, &changes);
        }
    }
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").start();
    let accepted = || -> Vec<Request> { receiver.requests().into_iter().filter(Request::accepted).collect() };
    crate::harness::eventually(LONG, "all 300 records are accepted", || accepted().len() >= 300);
    end(sink);
    let (mut rounds, mut keys): (BTreeMap<i64, Vec<u64>>, HashSet<String>) =
        (BTreeMap::new(), HashSet::new());
    let mut overtaken = false;
    for request in accepted() {
        let body: Value = serde_json::from_slice(&request.body).expect("a body is JSON");
        rounds.entry(id(&request)).or_default().push(body["after"]["round"].as_u64().expect("the round"));
        let key = request.header("Idempotency-Key").expect("every request has one").to_owned();
        assert!(key.starts_with(&topic.name), "{key}");
        assert!(keys.insert(key), "nothing accepted is sent again while the process lives");
        overtaken |= rounds.get(&1).map_or(0, Vec::len) > rounds.get(&3).map_or(0, Vec::len) + 1;
    }
    for (id, rounds) in &rounds {
        assert_eq!(*rounds, (0..30).collect::<Vec<_>>(), "key {id}");
    }
    assert_eq!(rounds.len(), 10);
    assert!(overtaken, "a slow key holds the others of its partition up");
    // A refused request and its repetition are one and the same to the endpoint.
    let mut bodies: HashMap<String, Vec<u8>> = HashMap::new();
    let refused = receiver.requests().iter().filter(|request| !request.accepted()).count();
    for request in receiver.requests() {
        let key = request.header("Idempotency-Key").expect("every request has one").to_owned();
        assert_eq!(*bodies.entry(key).or_insert_with(|| request.body.clone()), request.body);
    }
    assert!(refused > 0 && bodies.len() == 300, "{refused} refused, {} keys", bodies.len());
}

#[test]
fn a_replay_by_another_group_has_the_same_idempotency_keys() {
    let (topic, receiver) = (Topic::create("http_replay", 1), HttpReceiver::start(0).expect("it listens"));
    topic.rows(0, &rows(20));
    let file = SinkFile::new().http(&topic.name, &receiver.url("/api"), "");
    let pairs = |file: &SinkFile| {
        receiver.clear();
        let sink = file.start();
        receiver.wait_for(20, LONG).expect("all arrive");
        end(sink);
        let requests = receiver.requests();
        let pair =
            |request: &Request| (request.header("Idempotency-Key").map(str::to_owned), request.body.clone());
        requests.iter().map(pair).collect::<BTreeMap<_, _>>()
    };
    let first = pairs(&file);
    assert_eq!(first.len(), 20);
    assert_eq!(first, pairs(&file.other_group()));
}

/// The first answer is `first`, all later ones 200: how long until the request came again.
#[track_caller]
fn again_after(name: &str, first: Response) -> Duration {
    let (topic, receiver) = (Topic::create(name, 1), HttpReceiver::start(0).expect("it listens"));
    receiver.enqueue(first);
    topic.rows(0, &rows(1));
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "timeout = \"1s\"").start();
    receiver.wait_for(2, LONG).expect("the request comes again");
    end(sink);
    let mut requests = receiver.requests();
    requests.sort_by_key(|request| request.at); // a slow one is noted when it is answered
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert_eq!(requests[0].header("Idempotency-Key"), requests[1].header("Idempotency-Key"));
    assert_eq!((requests[0].body.clone(), Some(200)), (requests[1].body.clone(), requests[1].answered));
    requests[1].at.duration_since(requests[0].at)
}

#[test]
fn failures_of_the_endpoint_are_tried_again() {
    // The pause without Retry-After is at most the first one of the file, 50 ms; a loaded machine adds its own.
    for status in [500, 502, 503, 429] {
        let waited = again_after("http_5xx", Response::status(status));
        assert!(waited < Duration::from_millis(1500), "{status}: {waited:?}");
    }
    again_after("http_dropped", Response::dropped());
}

#[test]
fn retry_after_is_honoured() {
    for status in [429, 503] {
        let waited = again_after("http_retry_after", Response::status(status).header("Retry-After", "2"));
        assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(5), "{status}: {waited:?}");
    }
}

#[test]
fn an_answer_that_does_not_come_is_a_time_out() {
    let waited = again_after("http_time_out", Response::status(200).after(Duration::from_secs(3)));
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_millis(2900), "{waited:?}");
}

#[test]
fn what_the_endpoint_refuses_goes_to_the_dead_letters_with_the_reason() {
    let (topic, receiver) = (Topic::create("http_400", 2), HttpReceiver::start(0).expect("it listens"));
    receiver.respond_with(|request| Response::status(if id(request) == 7 { 400 } else { 200 }));
    topic.rows(1, &rows(20));
    let started = Instant::now();
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").start();
    let dead = topic.dead_letters(1);
    crate::harness::eventually(LONG, "all others arrive", || {
        receiver.with_requests(|requests| requests.iter().filter(|request| request.accepted()).count() == 19)
    });
    end(sink);
    let asked = receiver.requests().iter().filter(|request| id(request) == 7).count();
    assert_eq!(asked, 1, "a refused record is not tried again ({:?})", started.elapsed());
    let letter = &dead[0];
    assert_eq!((letter.key.as_deref(), letter.json()["after"]["n"].as_i64()), (Some("{\"id\":7}"), Some(7)));
    let header = |name: &str| {
        let value =
            letter.headers.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.clone());
        value.map(|bytes| String::from_utf8(bytes).expect("headers are text")).unwrap_or_default()
    };
    assert!(header("__pgcdc.error.message").contains("400"), "{:?}", letter.headers);
    assert_eq!(header("__pgcdc.error.topic"), topic.name);
    assert_eq!(header("__pgcdc.error.partition"), "1");
    assert_eq!(header("__pgcdc.error.offset"), "7");
    assert_eq!(header("__pgcdc.error.sink"), "api");
}
