//! The leaderboard: right at any moment, right after a replay.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::rig::{Change, SinkFile, Topic, board, end, scores, timestamp};
use crate::harness::{LONG, eventually, next};
use crate::services::redis;

/// A key that no other test uses.
fn key() -> String {
    format!("board_{}", next())
}

#[track_caller]
fn eventually_scores(key: &str, wanted: &[(&str, f64)]) {
    let wanted = scores(wanted);
    let deadline = Instant::now() + LONG;
    while board(redis().client(), key) != wanted {
        let held = board(redis().client(), key);
        assert!(Instant::now() < deadline, "{key} holds {held:?} instead of {wanted:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_window_slides_with_no_new_events() {
    let (topic, key) = (Topic::create("slides", 1), key());
    let mut sink = SinkFile::new().leaderboard(&topic.name, &redis().url(), &key, "6s").start();
    sink.wait_for_stderr("partition assigned", LONG).expect("it reads");
    let written = Instant::now();
    topic.rows(
        0,
        &[
            Change::event(1, 101, "a", 10, 0),
            Change::event(2, 102, "a", 5, 3_000),
            Change::event(3, 103, "b", 3, 0),
            Change::event(4, 104, "c", 1_000, 6_500),
            Change::event(5, 105, "d", 7, -60_000),
        ],
    );
    // Each look with the time before and after it: a board is right if it is right at any moment between the two.
    let right = |from: Duration, to: Duration| -> Vec<BTreeMap<String, f64>> {
        let at = |seconds: u64| Duration::from_secs(seconds);
        // How long leaving may take, and how far the clocks of the row and of this test lie apart.
        let (late, early) = (Duration::from_millis(600), Duration::from_millis(100));
        let phases = [
            (at(0), at(3), scores(&[("a", 15.0), ("b", 3.0), ("d", 7.0)])),
            (at(3), at(6), scores(&[("a", 10.0), ("b", 3.0), ("d", 7.0)])),
            (at(6), at(60), scores(&[("d", 7.0)])),
        ];
        let within = phases.into_iter().filter(|(begin, end, _)| from < *end + late && to + early >= *begin);
        within.map(|(_, _, board)| board).collect()
    };
    let mut seen: Vec<BTreeMap<String, f64>> = Vec::new();
    eventually(Duration::from_secs(2), "the rows are counted", || {
        board(redis().client(), &key) == scores(&[("a", 15.0), ("b", 3.0), ("d", 7.0)])
    });
    while written.elapsed() < Duration::from_secs(8) {
        let from = written.elapsed();
        let held = board(redis().client(), &key);
        let to = written.elapsed();
        assert!(right(from, to).contains(&held), "{held:?} between {from:?} and {to:?}");
        if seen.last() != Some(&held) {
            seen.push(held);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    end(sink);
}

#[test]
fn updates_deletes_and_nulls_adjust_the_scores() {
    let (topic, key) = (Topic::create("adjusts", 1), key());
    let sink = SinkFile::new().leaderboard(&topic.name, &redis().url(), &key, "10m").start();
    let event = Change::event;
    topic.rows(
        0,
        &[event(1, 1, "a", 10, 0), event(2, 2, "a", 20, 0), event(3, 3, "b", 5, 0), event(4, 4, "b", 7, 0)],
    );
    eventually_scores(&key, &[("a", 30.0), ("b", 12.0)]);
    let update = |id, lsn, content: Value, duration: Value, age| {
        let row = json!({"content_id": content, "duration_ms": duration, "event_ts": timestamp(age)});
        Change::new("u", id, lsn, row)
    };
    topic.rows(0, &[update(1, 11, json!("a"), json!(1), 0)]);
    eventually_scores(&key, &[("a", 21.0), ("b", 12.0)]);
    topic.rows(0, &[update(2, 12, json!("b"), json!(20), 0)]);
    eventually_scores(&key, &[("a", 1.0), ("b", 32.0)]);
    topic.rows(0, &[Change::new("d", 3, 13, json!({}))]);
    eventually_scores(&key, &[("a", 1.0), ("b", 27.0)]);
    topic.rows(0, &[update(4, 14, json!("b"), Value::Null, 0)]);
    eventually_scores(&key, &[("a", 1.0), ("b", 20.0)]);
    topic.rows(0, &[update(2, 15, json!("b"), json!(20), 601_000)]);
    eventually_scores(&key, &[("a", 1.0)]);
    topic.rows(
        0,
        &[update(2, 16, json!("b"), json!(-3), 599_000 - 60_000), Change::new("d", 1, 17, json!({}))],
    );
    eventually_scores(&key, &[("b", -3.0)]);
    end(sink);
}

#[test]
fn a_replay_and_a_repeat_count_nothing_twice() {
    let (topic, key) = (Topic::create("replays", 2), key());
    let mut rows: Vec<Change> = (0..200).map(|id| Change::event(id, 100 + id as u64, "a", 1, 0)).collect();
    rows.push(Change::new("d", 0, 500, json!({})));
    topic.rows(0, &rows);
    let file = SinkFile::new().leaderboard(&topic.name, &redis().url(), &key, "10m");
    let sink = file.start();
    eventually_scores(&key, &[("a", 199.0)]);
    end(sink);
    // Another group begins at offset zero of Kafka; Redis knows better.
    topic.rows(0, &[Change::event(900, 900, "b", 1, 0)]);
    let sink = file.other_group().start();
    let mut boards = Vec::new();
    eventually(LONG, "the replay reaches its last row", || {
        boards.push(board(redis().client(), &key));
        boards.last().is_some_and(|board| board.contains_key("b"))
    });
    assert!(boards.iter().all(|board| board["a"] == 199.0), "{boards:?}");
    // What capture repeats after a crash comes under new offsets, with the same LSN.
    topic.rows(0, &rows);
    topic.rows(0, &[Change::event(901, 901, "b", 1, 0)]);
    eventually_scores(&key, &[("a", 199.0), ("b", 2.0)]);
    end(sink);
}

#[test]
fn partitions_that_are_read_at_the_same_time_add_up() {
    let (topic, key) = (Topic::create("adds_up", 4), key());
    let sink = SinkFile::new().leaderboard(&topic.name, &redis().url(), &key, "10m").start();
    let members = ["a", "b", "c", "d", "e", "f", "g"];
    let mut wanted: BTreeMap<String, f64> = BTreeMap::new();
    for round in 0..10_i64 {
        for partition in 0..4_i64 {
            let rows: Vec<Change> = (0..100)
                .map(|n| {
                    // A row keeps its partition; every third is updated in each round.
                    let id = partition * 100_000 + if n % 3 == 0 { n } else { round * 1_000 + n };
                    let member = members[(id % 7) as usize];
                    let duration = round + n;
                    if n % 3 != 0 || round == 9 {
                        *wanted.entry(member.to_owned()).or_default() += duration as f64;
                    }
                    let mut change = Change::event(id, (round * 1_000 + n + 1) as u64, member, duration, 0);
                    change.op = if n % 3 == 0 && round > 0 { "u" } else { "c" };
                    change
                })
                .collect();
            topic.rows(partition as i32, &rows);
        }
    }
    let wanted: Vec<(&str, f64)> = wanted.iter().map(|(member, score)| (member.as_str(), *score)).collect();
    eventually_scores(&key, &wanted);
    end(sink);
}
