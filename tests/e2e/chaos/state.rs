//! What each side holds in the end, in one form.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use pgcdc_testbed::load::{Told, without_repeats};
use pgcdc_testbed::{HttpReceiver, RedisClient, Request};
use serde_json::Value;

use crate::harness::{Database, Record};
use crate::services::{Cql, Fields};
use crate::sinks::rig::{board, postgres_rows};

/// Rows by id; all columns as text, times in microseconds since 1970.
pub(super) type State = BTreeMap<i64, Fields>;

const TABLE: &str = "engagement_events";

pub(super) fn of_postgres(database: &Database) -> State {
    let rows = postgres_rows(
        database,
        "SELECT id::text, content_id::text, user_id::text, event_type, (extract(epoch FROM event_ts) * 1000000)::bigint::text AS event_ts,
                duration_ms::text, device, raw_payload::text FROM engagement_events",
    );
    by_id(rows)
}

/// The table was made from records without schemas: a timestamp is the text that it is there.
pub(super) fn of_cassandra(cql: &Cql, keyspace: &str) -> State {
    let mut rows = cql.rows(keyspace, TABLE);
    for at in rows.iter_mut().filter_map(|row| row.get_mut("event_ts")?.as_mut()) {
        *at = micros(at);
    }
    by_id(rows)
}

fn by_id(rows: Vec<Fields>) -> State {
    let id = |row: &Fields| row["id"].as_deref().and_then(|id| id.parse().ok()).expect("a row has an id");
    rows.into_iter().map(|row| (id(&row), row)).collect()
}

/// The state that a reader of the topic ends with.
pub(super) fn of_kafka(records: &[Told]) -> State {
    let mut state = State::new();
    for record in records {
        apply(&mut state, record.id, &record.value);
    }
    state
}

/// What a consumer that keeps the last row of each key does with a record.
fn apply(state: &mut State, id: i64, value: &Value) {
    let Some(after) = value["after"].as_object() else {
        state.remove(&id);
        return;
    };
    let before = state.remove(&id).unwrap_or_default();
    let fields = after.iter().map(|(column, value)| {
        let text = match value {
            Value::Null => None,
            Value::String(text) if text == "__debezium_unavailable_value" => {
                before.get(column).cloned().flatten()
            }
            Value::String(text) if column == "event_ts" => Some(micros(text)),
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        (column.clone(), text)
    });
    state.insert(id, fields.collect());
}

/// Microseconds since 1970 of Debezium's `2025-03-30T00:30:00.123456Z`.
fn micros(text: &str) -> String {
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().expect("a timestamp's digits");
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let fraction = text[19..].trim_start_matches('.').trim_end_matches('Z');
    let micros: i64 = format!("{fraction:0<6}").parse().expect("a timestamp's fraction");
    // March is the first month, so that a leap day is a year's last.
    let (shifted, of_year) = (year - i64::from(month <= 2), (153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + of_year - 719_468;
    let seconds = ((days * 24 + number(11..13)) * 60 + number(14..16)) * 60 + number(17..19);
    (seconds * 1_000_000 + micros).to_string()
}

/// Whether each of the topic's records but tombstones was accepted by the endpoint.
pub(super) fn all_posted(records: &[Record], receiver: &HttpReceiver) -> bool {
    receiver.with_requests(|requests| {
        let accepted = requests.iter().filter(|request| request.accepted());
        let place = |request: &Request| {
            let part = |name| request.header(name).unwrap_or_default();
            [part("X-Pgcdc-Topic"), part("X-Pgcdc-Partition"), part("X-Pgcdc-Offset")].join("-")
        };
        let posted: BTreeSet<String> = accepted.map(place).collect();
        let mut wanted = records.iter().filter(|record| record.value.is_some());
        wanted.all(|record| {
            let key = format!("{}-{}-{}", record.topic, record.partition, record.offset);
            posted.contains(&key)
        })
    })
}

/// A body without what says only when, and after which confirmed commit, capture sent it.
fn change_of(body: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for name in ["ts_ms", "ts_us", "ts_ns"] {
        value[name] = Value::Null;
    }
    value["source"]["sequence"] = Value::Null;
    Ok(value)
}

/// The state that the endpoint's requests lead to, each key's in order.
///
/// # Errors
/// The first key whose requests are out of order or told differently when repeated.
pub(super) fn of_http(receiver: &HttpReceiver, restarts: u64) -> Result<State, String> {
    receiver.with_requests(|requests| {
        let mut by_row: BTreeMap<i64, Vec<(u64, &[u8])>> = BTreeMap::new();
        let mut bodies: HashMap<&str, Value> = HashMap::new();
        for request in requests.iter().filter(|request| request.accepted()) {
            let idempotency = request.header("Idempotency-Key").ok_or("a request without Idempotency-Key")?;
            let told = change_of(&request.body)?;
            if *bodies.entry(idempotency).or_insert_with(|| told.clone()) != told {
                return Err(format!("{idempotency} stands for two bodies"));
            }
            let offset = request.header("X-Pgcdc-Offset").and_then(|text| text.parse().ok());
            let offset: u64 = offset.ok_or("a request without X-Pgcdc-Offset")?;
            let value: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
            let row = if value["op"] == "d" { &value["before"] } else { &value["after"] };
            let id = row["id"].as_i64().ok_or("a body without an id")?;
            by_row.entry(id).or_default().push((offset, &request.body));
        }
        let mut state = State::new();
        for (id, posted) in by_row {
            let (distinct, repeats) = without_repeats(&posted).map_err(|why| format!("row {id}: {why}"))?;
            if repeats > restarts {
                return Err(format!("row {id}: {repeats} repeats with {restarts} restarts"));
            }
            for (_, body) in distinct {
                apply(&mut state, id, &serde_json::from_slice(body).map_err(|error| error.to_string())?);
            }
        }
        Ok(state)
    })
}

/// Fails the test with the first differences, unless both are the same.
#[track_caller]
pub(super) fn assert_same(name: &str, held: &State, source: &State) {
    if held == source {
        return;
    }
    let ids: BTreeSet<i64> = held.keys().chain(source.keys()).copied().collect();
    let differ: Vec<i64> = ids.into_iter().filter(|id| held.get(id) != source.get(id)).collect();
    let examples: Vec<String> = differ
        .iter()
        .take(5)
        .map(|id| format!("row {id}: {:?}\n  in Postgres: {:?}", held.get(id), source.get(id)))
        .collect();
    panic!(
        "{name} holds {} rows, Postgres {}; {} differ:\n{}",
        held.len(),
        source.len(),
        differ.len(),
        examples.join("\n")
    );
}

/// Looks until both are the same; fails the test with the differences after `limit`.
#[track_caller]
pub(super) fn eventually_same(name: &str, limit: Duration, source: &State, look: impl Fn() -> State) {
    let deadline = Instant::now() + limit;
    loop {
        let held = look();
        if held == *source || Instant::now() > deadline {
            return assert_same(name, &held, source);
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Waits until Redis holds what the SQL says; returns it.
#[track_caller]
pub(super) fn eventually_same_board(
    database: &Database,
    redis: RedisClient,
    key: &str,
    limit: Duration,
) -> BTreeMap<String, f64> {
    let mut found = (BTreeMap::new(), BTreeMap::new());
    let deadline = Instant::now() + limit;
    // A row may leave between the two looks: then the next two agree.
    while Instant::now() < deadline {
        let text = database.sql(
            "SELECT content_id, sum(duration_ms) FROM engagement_events WHERE event_ts > now() - interval '10 minutes' GROUP BY 1 ORDER BY 2 DESC",
        );
        let sql = text.lines().filter_map(|line| line.split_once('|'));
        let sql = sql.map(|(member, sum)| (member.to_owned(), sum.parse().expect("a sum"))).collect();
        found = (board(redis, key), sql);
        if found.0 == found.1 && !found.0.is_empty() {
            return found.0;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("Redis and SQL disagree after {limit:?}:\n{:?}\n{:?}", found.0, found.1);
}

/// How many rows of a device are within the window.
pub(super) fn rows_of_device(database: &Database, device: &str) -> u32 {
    let sql = format!(
        "SELECT count(*) FROM engagement_events WHERE device = '{device}' AND event_ts > now() - interval '10 minutes'"
    );
    database.sql(&sql).parse().expect("a number")
}
