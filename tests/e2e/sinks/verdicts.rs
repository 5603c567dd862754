//! What says nothing about a record is never a verdict on it: the sinks wait, and nothing becomes a dead letter.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use pgcdc_testbed::{HttpReceiver, Process, Redis, RedisOptions, Request, Response};
use serde_json::{Value, json};

use super::rig::{Change, SinkFile, Topic, board, end, scores};
use crate::harness::{LONG, eventually, next, scratch_dir};
use crate::services::{Cql, cassandra};

const DEAD: &str = "record sent to the dead letters";

fn rows(from: i64, to: i64) -> Vec<Change> {
    (from..to).map(|id| Change::new("c", id, 100 + id as u64, json!({"n": id}))).collect()
}

fn id(request: &Request) -> i64 {
    let body: Value = serde_json::from_slice(&request.body).expect("a body is JSON");
    body["after"]["id"].as_i64().expect("a row has an id")
}

/// The rows that the receiver has taken.
fn accepted(receiver: &HttpReceiver) -> BTreeSet<i64> {
    receiver.with_requests(|requests| requests.iter().filter(|r| r.accepted()).map(id).collect())
}

/// A receiver that answers with a status that can be changed.
fn receiver(first: u16) -> (HttpReceiver, Arc<AtomicU16>) {
    let receiver = HttpReceiver::start(0).expect("it listens");
    let status = Arc::new(AtomicU16::new(first));
    let answer = Arc::clone(&status);
    receiver.respond_with(move |_| Response::status(answer.load(Ordering::Relaxed)));
    (receiver, status)
}

#[track_caller]
fn expect_no_dead_letter(sink: &Process) {
    assert!(!sink.stderr().contains(DEAD), "{}", sink.stderr());
}

#[test]
fn answers_that_say_nothing_about_a_record_are_waited_for() {
    let (topic, (receiver, status)) = (Topic::create("http_wait", 1), receiver(200));
    let url = receiver.url("/api?token=s3cret");
    let lines =
        "headers = { Authorization = \"Bearer s3cret\" }\nretry = { initial = \"20ms\", max = \"100ms\" }";
    let mut sink = SinkFile::new().http(&topic.name, &url, lines).start();
    let mut written = 0;
    for code in [
        401, 402, 403, 404, 405, 407, 408, 421, 423, 425, 426, 429, 431, 451, 302, 308, 500, 501, 502, 503,
        511,
    ] {
        status.store(code, Ordering::Relaxed);
        topic.rows(0, &rows(written, written + 3));
        written += 3;
        sink.wait_for_stderr(&format!("answered {code}"), LONG).expect("it says so");
        let refused = || receiver.requests().iter().filter(|r| r.answered == Some(code)).count();
        eventually(LONG, "it is tried again", || refused() >= 2);
        status.store(204, Ordering::Relaxed);
        eventually(LONG, "what waited arrives", || accepted(&receiver) == (0..written).collect());
    }
    expect_no_dead_letter(&sink);
    let log = sink.stderr();
    end(sink);
    let lines = log.lines().filter(|line| line.contains("answered 401") && line.contains("trying again"));
    assert_eq!(lines.count(), 1, "a line for each change, not for each try:\n{log}");
    assert!(log.contains("renew the credentials") && log.contains("the store takes records again"), "{log}");
    assert!(log.contains(&format!("127.0.0.1:{}", receiver.port())) && !log.contains("s3cret"), "{log}");
}

#[test]
fn answers_about_the_record_go_to_the_dead_letters_and_lists_move_a_status() {
    const RECORD: [u16; 7] = [400, 409, 410, 413, 414, 415, 422];
    let topic = Topic::create("http_record", 1);
    let receiver = HttpReceiver::start(0).expect("it listens");
    receiver
        .respond_with(|request| Response::status(RECORD.get(id(request) as usize).copied().unwrap_or(200)));
    topic.rows(0, &rows(0, 10));
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").start();
    let dead = topic.dead_letters(RECORD.len());
    eventually(LONG, "the others arrive", || accepted(&receiver) == (7..10).collect());
    end(sink);
    assert_eq!(dead.len(), RECORD.len());

    let (topic, (receiver, status)) = (Topic::create("http_lists", 1), self::receiver(404));
    topic.rows(0, &rows(0, 1));
    let lines = "retry_status = [409]\nreject_status = [404]";
    let mut sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), lines).start();
    topic.dead_letters(1);
    status.store(409, Ordering::Relaxed);
    topic.rows(0, &rows(1, 2));
    sink.wait_for_stderr("answered 409", LONG).expect("it waits");
    status.store(200, Ordering::Relaxed);
    eventually(LONG, "the second arrives", || accepted(&receiver) == [1].into());
    end(sink);
}

/// The outage is longer than the process lives, which must end in time all the same.
#[test]
fn what_waits_for_an_expired_token_is_not_committed_and_does_not_hold_up_a_stop() {
    let (topic, (receiver, status)) = (Topic::create("http_token", 2), receiver(401));
    topic.rows(0, &rows(0, 20));
    topic.rows(1, &rows(20, 40));
    let file = SinkFile::new().http(&topic.name, &receiver.url("/api"), "");
    for _ in 0..2 {
        let mut sink = file.start();
        sink.wait_for_stderr("the circuit breaker is open", LONG).expect("it says so");
        let asked = Instant::now();
        end(sink);
        assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    }
    status.store(200, Ordering::Relaxed);
    let sink = file.start();
    eventually(LONG, "nothing was committed", || accepted(&receiver) == (0..40).collect());
    expect_no_dead_letter(&sink);
    end(sink);
}

#[test]
fn a_table_that_is_dropped_or_loses_a_column_makes_no_dead_letters() {
    let (cql, topic) = (Cql::connect(), Topic::create("dropped", 1));
    let keyspace = format!("dropped_{}", next());
    let table = format!("CREATE TABLE {keyspace}.events (id bigint PRIMARY KEY, n bigint, m bigint)");
    cql.make_keyspace(&keyspace);
    let lines = format!("contact_points = [\"{}\"]\nkeyspace = \"{keyspace}\"", cassandra().contact_point());
    let mut sink = SinkFile::new().sink("events", "cassandra", &topic.name, &lines).start();
    let changes = |from: i64, to: i64| -> Vec<Change> {
        (from..to).map(|id| Change::new("c", id, 100 + id as u64, json!({"n": id, "m": id}))).collect()
    };
    let held = || cql.rows(&keyspace, "events").len();
    // The table is missing at the start, …
    topic.rows(0, &changes(0, 50));
    sink.wait_for_stderr("does not exist", LONG).expect("it says so");
    cql.run(&table);
    eventually(LONG, "the rows that waited are there", || held() == 50);
    // … loses a column under way, …
    cql.run(&format!("ALTER TABLE {keyspace}.events DROP m"));
    topic.rows(0, &changes(50, 100));
    eventually(LONG, "rows go on without the column", || held() == 100);
    // … and is dropped.
    cql.run(&format!("DROP TABLE {keyspace}.events"));
    topic.rows(0, &changes(100, 150));
    eventually(LONG, "the sink says so", || sink.stderr().matches("write failed; trying again").count() >= 2);
    std::thread::sleep(Duration::from_millis(500));
    assert!(sink.is_running(), "{}", sink.stderr());
    cql.run(&table);
    eventually(LONG, "the rows since then are there", || held() == 50);
    expect_no_dead_letter(&sink);
    end(sink);
}

#[test]
fn a_table_that_gets_a_column_or_other_types_is_looked_up_again() {
    const CHANGED: &str = "the table's columns changed";
    let (cql, topic) = (Cql::connect(), Topic::create("altered", 1));
    let keyspace = format!("altered_{}", next());
    cql.make_keyspace(&keyspace);
    cql.run(&format!("CREATE TABLE {keyspace}.events (id bigint PRIMARY KEY, n bigint)"));
    let lines = format!("contact_points = [\"{}\"]\nkeyspace = \"{keyspace}\"", cassandra().contact_point());
    let sink = SinkFile::new().sink("events", "cassandra", &topic.name, &lines).start();
    let write =
        |id: i64| topic.rows(0, &[Change::new("c", id, 100 + id as u64, json!({"n": 5, "m": "new"}))]);
    let value = |id: i64, column: &str| {
        let rows = cql.rows(&keyspace, "events");
        let row = rows.into_iter().find(|row| row["id"] == Some(id.to_string()))?;
        row.get(column).cloned().flatten()
    };
    // Each row that is written looks at the schema; the driver reads it anew every ten seconds.
    let mut id = 1;
    let mut eventually_writes = |column: &str, wanted: &str| {
        eventually(LONG, "a row of the changed table", || {
            id += 1;
            write(id);
            eventually(LONG, "the row is there", || value(id, "id").is_some());
            value(id, column).is_some_and(|found| found == wanted)
        });
    };
    write(1);
    eventually(LONG, "the first row is there", || value(1, "n").as_deref() == Some("5"));
    cql.run(&format!("ALTER TABLE {keyspace}.events ADD m text"));
    eventually_writes("m", "new");
    assert!(sink.stderr().contains(CHANGED), "{}", sink.stderr());
    cql.run(&format!("DROP TABLE {keyspace}.events"));
    cql.run(&format!("CREATE TABLE {keyspace}.events (id bigint PRIMARY KEY, n double)"));
    eventually_writes("n", "5");
    expect_no_dead_letter(&sink);
    end(sink);
}

#[test]
fn what_redis_refuses_to_everybody_is_waited_for() {
    let topic = Topic::create("redis_wait", 1);
    let redis = Redis::start(scratch_dir("own-redis"), 0, RedisOptions::default()).expect("Redis starts");
    let points = |from: i64, to: i64| -> Vec<Change> {
        (from..to).map(|id| Change::event(id, 100 + id as u64, "a", 1, 0)).collect()
    };
    let mut sink = SinkFile::new().leaderboard(&topic.name, &redis.url(), "top", "10m").start();
    let is_at = |count: f64| board(redis.client(), "top") == scores(&[("a", count)]);
    topic.rows(0, &points(0, 10));
    eventually(LONG, "the first rows are counted", || is_at(10.0));
    let mut count = 10;
    // What is wrong, what Redis says, what the log advises, and what mends it.
    let troubles: &[(&[&str], &str, &str, &[&str])] = &[
        (
            &["CONFIG", "SET", "maxmemory", "1"],
            "OOM",
            "raise maxmemory",
            &["CONFIG", "SET", "maxmemory", "0"],
        ),
        (
            &["ACL", "SETUSER", "default", "-evalsha"],
            "NOPERM",
            "ACL SETUSER",
            &["ACL", "SETUSER", "default", "+evalsha"],
        ),
        (&["REPLICAOF", "127.0.0.1", "1"], "READONLY", "the primary", &["REPLICAOF", "NO", "ONE"]),
    ];
    for (command, says, hint, mended) in troubles {
        redis.command(command).expect("Redis takes it");
        topic.rows(0, &points(count, count + 10));
        count += 10;
        sink.wait_for_stderr(says, LONG).expect("it says so");
        assert!(sink.stderr().contains(hint), "{hint:?} is not in:\n{}", sink.stderr());
        redis.command(mended).expect("Redis takes it");
        eventually(LONG, "what waited is counted", || is_at(count as f64));
    }
    expect_no_dead_letter(&sink);
    end(sink);
}
