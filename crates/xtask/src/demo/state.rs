//! The rows that each side has, in one form, so that they can be compared.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use pgcdc_testbed::{HttpReceiver, PostgresClient, RedisClient, Request};
use serde_json::Value;

use super::{DATABASE, LEADERBOARD};

/// A row of `engagement_events`, without its key; values as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Event {
    pub(super) content_id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) event_type: Option<String>,
    /// Milliseconds since 1970, which is all that Cassandra's timestamp keeps.
    pub(super) event_ms: Option<i64>,
    pub(super) duration_ms: Option<String>,
    pub(super) device: Option<String>,
    pub(super) raw_payload: Option<String>,
}

/// Rows by id.
pub(super) type Rows = BTreeMap<i64, Event>;
/// Members and scores, the highest first.
pub(super) type Board = Vec<(String, i64)>;

/// How a sink differs from the source.
pub(super) struct Difference {
    pub(super) missing: usize,
    pub(super) extra: usize,
    pub(super) different: usize,
    /// A few of each, for a human.
    pub(super) examples: Vec<String>,
}

pub(super) fn compare(source: &Rows, held: &Rows) -> Difference {
    let mut found = Difference { missing: 0, extra: 0, different: 0, examples: Vec::new() };
    for (id, event) in source {
        let what = match held.get(id) {
            Some(other) if other == event => continue,
            Some(other) => {
                found.different += 1;
                format!("row {id}: {other:?} instead of {event:?}")
            }
            None => {
                found.missing += 1;
                format!("row {id} is missing")
            }
        };
        if found.examples.len() < 3 {
            found.examples.push(what);
        }
    }
    for id in held.keys().filter(|id| !source.contains_key(id)) {
        found.extra += 1;
        if found.examples.len() < 5 {
            found.examples.push(format!("row {id} is not in Postgres"));
        }
    }
    found
}

/// FNV-1a over all rows in order of their ids.
pub(super) fn checksum(rows: &Rows) -> String {
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let text = rows.iter().map(|row| format!("{row:?}"));
    format!("{:016x}", text.fold(0xcbf2_9ce4_8422_2325, |sum, row| row.bytes().fold(sum, hash)))
}

pub(super) fn of_postgres(postgres: PostgresClient) -> Result<Rows> {
    let text = postgres.sql(
        DATABASE,
        "SELECT json_build_array(id, content_id, user_id, event_type, floor(extract(epoch FROM event_ts) * 1000)::bigint, duration_ms::text,
                device, raw_payload::text) FROM engagement_events",
    )?;
    text.lines()
        .map(|line| row_of_postgres(line).with_context(|| format!("cannot understand a row of psql: {line}")))
        .collect()
}

fn row_of_postgres(line: &str) -> Option<(i64, Event)> {
    let row: Vec<Value> = serde_json::from_str(line).ok()?;
    let text = |at: usize| row.get(at).and_then(Value::as_str).map(str::to_owned);
    let event = Event {
        content_id: text(1),
        user_id: text(2),
        event_type: text(3),
        event_ms: row.get(4)?.as_i64(),
        duration_ms: text(5),
        device: text(6),
        raw_payload: text(7),
    };
    Some((row.first()?.as_i64()?, event))
}

/// Replays the endpoint's requests, as a service behind it would: each Idempotency-Key once, in order.
pub(super) fn of_http(receiver: &HttpReceiver) -> Rows {
    receiver.with_requests(|requests| {
        let mut rows = Rows::new();
        let mut seen = HashSet::new();
        for request in requests.iter().filter(|request| request.accepted()) {
            if request.header("Idempotency-Key").is_none_or(|key| seen.insert(key)) {
                apply(request, &mut rows);
            }
        }
        rows
    })
}

fn apply(request: &Request, rows: &mut Rows) -> Option<()> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    // With a Connect schema the envelope is one level down.
    let envelope = body.get("payload").unwrap_or(&body);
    if envelope["op"] == "d" {
        rows.remove(&envelope["before"]["id"].as_i64()?);
        return Some(());
    }
    let row = &envelope["after"];
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    let event = Event {
        content_id: text("content_id"),
        user_id: text("user_id"),
        event_type: text("event_type"),
        event_ms: row["event_ts"].as_str().and_then(instant_ms),
        duration_ms: row["duration_ms"].as_i64().map(|number| number.to_string()),
        device: text("device"),
        raw_payload: text("raw_payload"),
    };
    rows.insert(row["id"].as_i64()?, event);
    Some(())
}

pub(super) fn board_of_postgres(postgres: PostgresClient) -> Result<Board> {
    let text = postgres.sql(
        DATABASE,
        "SELECT content_id, sum(duration_ms) FROM engagement_events
         WHERE event_ts > now() - INTERVAL '10 minutes' AND content_id IS NOT NULL AND duration_ms IS NOT NULL
         GROUP BY 1 ORDER BY 2 DESC, content_id::text COLLATE \"C\" DESC",
    )?;
    let pairs = text.lines().filter_map(|line| line.split_once('|'));
    Ok(pairs.filter_map(|(member, score)| Some((member.to_owned(), score.parse().ok()?))).collect())
}

pub(super) fn board_of_redis(redis: RedisClient) -> Result<Board> {
    let lines = redis.command(&["ZREVRANGE", LEADERBOARD, "0", "-1", "WITHSCORES"])?;
    let pairs = lines.chunks_exact(2);
    Ok(pairs.filter_map(|pair| Some((pair[0].clone(), pair[1].parse::<f64>().ok()? as i64))).collect())
}

/// Milliseconds since 1970 of `2025-03-30T00:30:00.123456Z`, rounded down.
pub(super) fn instant_ms(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next().unwrap_or(Some(0))?);
    let millis: i64 = format!("{fraction}000").get(..3)?.parse().ok()?;
    // Days from the civil calendar; March is the first month, so that a leap day is a year's last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::{Event, Rows, checksum, compare, instant_ms};

    #[test]
    fn instants() {
        for (text, expect) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2025-03-30T00:30:00.123456Z", Some(1_743_294_600_123)),
            ("1999-12-31T23:59:59.999999Z", Some(946_684_799_999)),
            ("2000-02-29T12:00:00.5Z", Some(951_825_600_500)),
            ("2000-02-29", None),
        ] {
            assert_eq!(instant_ms(text), expect, "{text}");
        }
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let row = |duration: &str| Event {
            content_id: None,
            user_id: None,
            event_type: Some("play".into()),
            event_ms: Some(1),
            duration_ms: Some(duration.into()),
            device: None,
            raw_payload: None,
        };
        let source: Rows = [(1, row("1")), (2, row("2"))].into();
        let held: Rows = [(2, row("3")), (4, row("4"))].into();
        let found = compare(&source, &held);
        assert_eq!((found.missing, found.extra, found.different, found.examples.len()), (1, 1, 1, 3));
        assert_ne!(checksum(&source), checksum(&held));
        assert_eq!(compare(&source, &source).examples, [""; 0]);
    }
}
