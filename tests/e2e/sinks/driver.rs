//! What all sinks share: stores that are away, processes that share a group, records that are no changes.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pgcdc_testbed::{Cassandra, CassandraOptions, HttpReceiver, Redis, RedisOptions, Request, Response};
use serde_json::{Value, json};

use super::rig::{Change, SinkFile, Topic, board, end, scores};
use crate::harness::{LONG, eventually, scratch_dir};
use crate::services::Cql;

const BOARD: &str = "top";

/// Rows `from` up to `to`, each one point for `a`.
fn points(from: i64, to: i64) -> Vec<Change> {
    (from..to).map(|id| Change::event(id, 100 + id as u64, "a", 1, 0)).collect()
}

fn id(request: &Request) -> i64 {
    let body: Value = serde_json::from_slice(&request.body).expect("a body is JSON");
    body["after"]["id"].as_i64().expect("an id")
}

fn is_at(redis: &Redis, points: f64) -> bool {
    board(redis.client(), BOARD) == scores(&[("a", points)])
}

#[test]
fn a_store_that_is_down_at_the_start_and_killed_later_loses_nothing() {
    let topic = Topic::create("store_down", 2);
    let port = pgcdc_testbed::ports::free().expect("a port");
    let file = SinkFile::new().leaderboard(&topic.name, &format!("redis://127.0.0.1:{port}"), BOARD, "10m");
    topic.rows(0, &points(0, 100));
    let mut sink = file.start();
    sink.wait_for_stderr("the store is not there; trying again", LONG).expect("it says so");
    let options = RedisOptions { append_only: true };
    let mut redis = Redis::start(scratch_dir("own-redis"), port, options).expect("Redis starts");
    eventually(LONG, "what waited arrives", || is_at(&redis, 100.0));
    for round in 1..4 {
        redis.kill9().expect("killed");
        topic.rows(0, &points(round * 100, round * 100 + 50));
        topic.rows(1, &points(round * 100 + 50, round * 100 + 100));
        redis.restart().expect("Redis starts again");
        eventually(LONG, "nothing is lost or counted twice", || is_at(&redis, 100.0 * (round + 1) as f64));
    }
    assert!(sink.is_running(), "{}", sink.stderr());
    end(sink);
}

#[test]
fn cassandra_may_come_late_and_be_killed_too() {
    let topic = Topic::create("cassandra_down", 2);
    let port = pgcdc_testbed::ports::free().expect("a port");
    let lines = format!("contact_points = [\"127.0.0.1:{port}\"]\nkeyspace = \"late\"\ncreate = true");
    topic.rows(0, &points(0, 100));
    let mut sink = SinkFile::new().sink("events", "cassandra", &topic.name, &lines).start();
    sink.wait_for_stderr("the store is not there; trying again", LONG).expect("it says so");
    let options = CassandraOptions { heap_mb: 400, fsync: true, ..CassandraOptions::default() };
    let mut store = Cassandra::start(scratch_dir("own-cassandra"), port, options).expect("Cassandra starts");
    let ids = |store: &Cassandra| -> BTreeSet<i64> {
        let rows = Cql::connect_to(store).rows("late", "events");
        rows.iter().map(|row| row["id"].as_deref().and_then(|id| id.parse().ok()).expect("an id")).collect()
    };
    eventually(LONG, "what waited arrives", || ids(&store) == (0..100).collect());
    topic.rows(1, &points(100, 200));
    store.kill9().expect("killed");
    topic.rows(0, &points(200, 300));
    sink.wait_for_stderr("write failed; trying again", LONG).expect("it says so");
    store.restart().expect("Cassandra starts again");
    let deadline = Instant::now() + LONG;
    while ids(&store) != (0..300).collect() {
        let missing: Vec<i64> = (0..300).filter(|id| !ids(&store).contains(id)).collect();
        assert!(Instant::now() < deadline, "lost are {missing:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(sink.is_running(), "{}", sink.stderr());
    end(sink);
}

#[test]
fn a_store_that_was_emptied_is_filled_again() {
    let topic = Topic::create("store_emptied", 1);
    let options = RedisOptions { append_only: false };
    let mut redis = Redis::start(scratch_dir("own-redis"), 0, options).expect("Redis starts");
    topic.rows(0, &points(0, 100));
    let sink = SinkFile::new().leaderboard(&topic.name, &redis.url(), BOARD, "10m").start();
    eventually(LONG, "the rows are counted", || is_at(&redis, 100.0));
    redis.kill9().expect("killed");
    redis.restart().expect("Redis starts again, empty");
    topic.rows(0, &points(100, 101));
    eventually(LONG, "everything is counted again", || is_at(&redis, 101.0));
    end(sink);
}

#[test]
fn processes_of_one_group_share_partitions_and_one_takes_over_from_another() {
    let (topic, receiver) = (Topic::create("shared", 4), HttpReceiver::start(0).expect("it listens"));
    let file = SinkFile::new();
    let start = |process: &str| {
        let headers = format!("headers = {{ X-Process = \"{process}\" }}");
        // Two files, one group.
        let mut copy = file.clone().http(&topic.name, &receiver.url("/api"), &headers);
        copy.move_to(scratch_dir("sink"));
        copy.start()
    };
    let (mut first, second) = (start("first"), start("second"));
    let posted = || -> Vec<(i64, String, i64)> {
        let one = |request: &Request| {
            let body: Value = serde_json::from_slice(&request.body).expect("a body is JSON");
            let process = request.header("X-Process").unwrap_or_default().to_owned();
            let partition = request.header("X-Pgcdc-Partition").and_then(|text| text.parse().ok());
            (body["after"]["id"].as_i64().expect("an id"), process, partition.expect("a partition"))
        };
        receiver.with_requests(|requests| requests.iter().map(one).collect())
    };
    let mut written = 0;
    let mut write = || {
        for partition in 0..4 {
            topic.rows(partition, &points(written, written + 10));
            written += 10;
        }
        written
    };
    eventually(LONG, "both have partitions", || {
        receiver.clear();
        let all = write();
        let arrived = |posted: &[(i64, String, i64)]| posted.iter().any(|(id, ..)| *id == all - 1);
        eventually(LONG, "what was written arrives", || arrived(&posted()));
        let processes: HashSet<String> = posted().into_iter().map(|(_, process, _)| process).collect();
        processes.len() == 2
    });
    // Each partition has one reader.
    receiver.clear();
    let from = write();
    let count = || {
        posted().into_iter().filter(|(id, ..)| *id >= from - 40).map(|(id, ..)| id).collect::<HashSet<_>>()
    };
    eventually(LONG, "all four partitions are read", || count().len() == 40);
    let readers: HashSet<(i64, String)> =
        posted().into_iter().map(|(_, process, partition)| (partition, process)).collect();
    assert_eq!(readers.len(), 4, "{readers:?}");

    receiver.clear();
    first.kill9().expect("killed");
    let until = write();
    eventually(LONG, "the other takes over without loss", || {
        let ids: HashSet<i64> = posted().into_iter().map(|(id, ..)| id).collect();
        (until - 40..until).all(|id| ids.contains(&id))
    });
    let processes: HashSet<String> = posted().into_iter().map(|(_, process, _)| process).collect();
    assert!(processes.contains("second"), "{processes:?}");
    end(second);
}

/// A slow store fills the queues, so that partitions are paused; one goes to another process and comes back.
#[test]
fn a_partition_that_was_paused_when_it_went_is_read_when_it_comes_back() {
    const ROWS: i64 = 6_000;
    let (topic, receiver) = (Topic::create("paused", 2), HttpReceiver::start(0).expect("it listens"));
    let slow = Arc::new(AtomicBool::new(true));
    let delay = Arc::clone(&slow);
    receiver.respond_with(move |_| {
        Response::status(204).after(Duration::from_millis(if delay.load(Ordering::Relaxed) {
            200
        } else {
            0
        }))
    });
    for partition in 0..2 {
        let from = i64::from(partition) * ROWS;
        topic.rows(partition, &points(from, from + ROWS));
    }
    let file = SinkFile::new();
    let start = |process: &str| {
        let headers = format!("headers = {{ X-Process = \"{process}\" }}\nbatch = {{ max = 100 }}");
        let mut copy = file.clone().http(&topic.name, &receiver.url("/api"), &headers);
        copy.move_to(scratch_dir("sink"));
        copy.start()
    };
    let partitions_of = |process: &str| -> HashSet<String> {
        receiver.with_requests(|requests| {
            let his = requests.iter().filter(|request| request.header("X-Process") == Some(process));
            his.filter_map(|request| request.header("X-Pgcdc-Partition")).map(str::to_owned).collect()
        })
    };
    let first = start("first");
    eventually(LONG, "the first has both partitions", || partitions_of("first").len() == 2);
    let second = start("second");
    eventually(LONG, "the second has one of them", || partitions_of("second").len() == 1);
    end(second);
    slow.store(false, Ordering::Relaxed);
    eventually(LONG, "everything arrives", || {
        let ids: HashSet<i64> = receiver.with_requests(|requests| requests.iter().map(id).collect());
        ids.len() as i64 == 2 * ROWS
    });
    end(first);
}

/// A letter has its record's time. The broker deletes old records after a week by default, and refuses times in the future.
#[test]
fn letters_of_old_records_stay_and_a_time_in_the_future_stops_nobody() {
    const HOUR_MS: i64 = 3_600_000;
    let (topic, receiver) = (Topic::create("times", 1), HttpReceiver::start(0).expect("it listens"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("before the year 200000");
    topic.write_at(now - 30 * 24 * HOUR_MS, "{\"id\":1}", "old");
    topic.write_at(now + 24 * HOUR_MS, "{\"id\":2}", "from tomorrow");
    topic.rows(0, &points(0, 3));
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").start();
    receiver.wait_for(3, Duration::from_secs(60)).expect("the records behind them arrive");
    let dead = topic.dead_letters(2);
    end(sink);
    assert_eq!(topic.setting_of_dead_letters("retention.ms").as_deref(), Some("-1"));
    for (letter, (value, omitted)) in dead.iter().zip([("old", None), ("from tomorrow", Some("timestamp"))]) {
        assert_eq!(letter.value.as_deref(), Some(value));
        let found = letter.headers.iter().find(|(name, _)| name == "__pgcdc.error.omitted");
        let found = found.and_then(|(_, value)| value.as_deref());
        assert_eq!(found, omitted.map(str::as_bytes), "{value}");
    }
}

#[test]
fn records_that_are_no_changes_go_to_the_dead_letters_and_stop_nobody() {
    let (topic, receiver) = (Topic::create("no_changes", 2), HttpReceiver::start(0).expect("it listens"));
    let bad = [
        ("{\"id\":1}", "not JSON"),
        ("{\"id\":2}", "{\"op\":\"c\",\"after\":"),
        ("not JSON", "{\"id\":3}"),
        ("{\"id\":4}", "[1,2]"),
    ];
    topic.rows(1, &points(0, 3));
    topic.write(&bad.map(|(key, value)| (1, Some(key), Some(value))));
    topic.rows(1, &points(3, 6));
    topic.rows(0, &points(6, 9));
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").start();
    let mut dead = topic.dead_letters(bad.len());
    receiver.wait_for(9, Duration::from_secs(60)).expect("the others arrive");
    end(sink);
    // They are spread by their keys, as the topic's own records are.
    dead.sort_by_key(|letter| {
        bad.iter().position(|(key, _)| letter.key.as_deref() == Some(key)).expect("a record that was written")
    });
    for (at, letter) in dead.iter().enumerate() {
        assert_eq!(
            (letter.key.as_deref(), letter.value.as_deref()),
            (Some(bad[at].0), Some(bad[at].1)),
            "unchanged"
        );
        let header = |name: &str| {
            let found = letter.headers.iter().find(|(found, _)| found == name);
            let bytes = found.and_then(|(_, value)| value.clone()).unwrap_or_default();
            String::from_utf8(bytes).expect("headers are text")
        };
        assert_eq!(header("__pgcdc.error.topic"), topic.name);
        assert_eq!(header("__pgcdc.error.partition"), "1");
        assert_eq!(header("__pgcdc.error.offset"), (at + 3).to_string());
        assert_eq!(header("__pgcdc.error.sink"), "api");
        assert!(!header("__pgcdc.error.message").is_empty());
        assert_eq!(header("__connect.errors.exception.message"), header("__pgcdc.error.message"));
    }
    let ids: HashSet<i64> = receiver
        .requests()
        .iter()
        .map(|request| {
            serde_json::from_slice::<Value>(&request.body).unwrap_or(json!(null))["after"]["id"].as_i64()
        })
        .map(|id| id.expect("an id"))
        .collect();
    assert_eq!((ids, receiver.requests().len()), ((0..9).collect(), 9));
}

#[test]
fn a_record_that_is_too_large_with_the_reason_goes_to_the_dead_letters_without_its_value() {
    let (topic, receiver) = (Topic::create("too_large", 1), HttpReceiver::start(0).expect("it listens"));
    // The broker's limit for a batch of one, 1 MiB and 12 bytes, leaves no room for ten more headers.
    let large = "x".repeat(1024 * 1024 - 150);
    topic.write(&[(0, Some("{\"id\":1}"), Some(&large))]);
    topic.rows(0, &points(2, 3));
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").start();
    receiver.wait_for(1, LONG).expect("the next record arrives");
    let dead = topic.dead_letters(1);
    end(sink);
    assert_eq!((dead[0].key.as_deref(), dead[0].value.as_deref()), (Some("{\"id\":1}"), None));
    let omitted = dead[0].headers.iter().find(|(name, _)| name == "__pgcdc.error.omitted");
    assert_eq!(omitted.and_then(|(_, value)| value.as_deref()), Some(&b"value"[..]));
}
