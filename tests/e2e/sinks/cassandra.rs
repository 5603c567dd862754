//! The Cassandra sink: tables made and met, types, and writes that can be repeated and come late.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::rig::{Change, SinkFile, Topic, end, postgres_rows, repository};
use crate::harness::{Connector, Database, LONG, eventually};
use crate::services::{Cql, Fields, cassandra};

const TABLE: &str = "CREATE TABLE kinds (id bigint PRIMARY KEY, u uuid, t text, i int, b bigint, at timestamptz, n numeric(12,3), f boolean,
                       d date, j jsonb, x double precision, big text);
    ALTER TABLE kinds ALTER COLUMN big SET STORAGE EXTERNAL;
    INSERT INTO kinds VALUES
      (1, md5('1')::uuid, 'naïve “text”', -7, 9007199254740993, '2025-03-30 02:30:00.123456+02', 1234.5, true, '2024-02-29', '{\"a\": [1, null]}', 1.5, repeat('y', 9000)),
      (2, md5('2')::uuid, '', 2147483647, -1, '1969-12-31 23:59:59.999+00', -0.125, false, '1969-12-31', '[]', -0.25, 'short'),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
      (4, md5('4')::uuid, 'to be deleted', 4, 4, '2025-01-01 00:00:00+00', 4, true, '2025-01-01', '4', 4.5, NULL),
      (5, md5('5')::uuid, 'to be moved', 5, 5, '2025-01-01 00:00:00+00', 5, true, '2025-01-01', '5', 5.5, NULL)";

/// Of row 1 the value out of line does not change, so that no update tells it.
const CHANGES: &str = "UPDATE kinds SET i = 8, t = 'updated' WHERE id = 1;
    UPDATE kinds SET n = NULL, at = NULL, big = NULL WHERE id = 2;
    UPDATE kinds SET u = md5('3')::uuid, n = 99999999.999, f = true, d = '2025-12-31', x = 0.1, j = '\"text\"', at = '2025-06-01 00:00:00Z' WHERE id = 3;
    DELETE FROM kinds WHERE id = 4;
    UPDATE kinds SET id = 6 WHERE id = 5;
    INSERT INTO kinds (id, t) VALUES (7, 'gone at once');
    DELETE FROM kinds WHERE id = 7;
    INSERT INTO kinds (id, t) VALUES (8, 'inserted, deleted, inserted');
    DELETE FROM kinds WHERE id = 8;
    INSERT INTO kinds (id, b) VALUES (8, 88);
    UPDATE kinds SET b = b + 1 WHERE id IN (1, 2)";

const ROWS: &str = "SELECT id::text, u::text, t, i::text, b::text, floor(extract(epoch FROM at) * 1000)::bigint::text AS at, n::text, f::text,
                      (d - DATE '1970-01-01')::text AS d, j::text, x::text, big FROM kinds";

/// Of rows without schemas, where a timestamp is the text that it is in the record.
fn plain_rows() -> String {
    let milliseconds = "floor(extract(epoch FROM at) * 1000)::bigint::text AS at";
    ROWS.replace(milliseconds, "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at")
}

/// Waits until a table of Cassandra holds exactly these rows; fails the test with both otherwise.
#[track_caller]
fn eventually_holds(cql: &Cql, keyspace: &str, table: &str, source: impl Fn() -> Vec<Fields>) {
    let deadline = Instant::now() + LONG;
    loop {
        let (held, wanted) = (cql.rows(keyspace, table), source());
        if held == wanted {
            return;
        }
        if Instant::now() > deadline {
            let pairs = held.iter().zip(&wanted).find(|(held, wanted)| held != wanted);
            panic!(
                "{keyspace}.{table} holds {} rows, Postgres {}; the first that differ: {pairs:#?}",
                held.len(),
                wanted.len()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Snapshot, changes, compare; a table that was made has these types; then everything once more by another group.
#[track_caller]
fn check(name: &str, configure: impl Fn(Connector) -> Connector, types: &[(&str, &str)], rows: &str) {
    let (cql, database) = (Cql::connect(), Database::create(name));
    database.sql(TABLE);
    let connector = configure(database.connector().set("table.include.list", "public.kinds"));
    let stream = connector.start();
    eventually(LONG, "the stream begins", || database.is_streaming());
    database.sql(CHANGES);
    let keyspace = &database.name;
    let file = SinkFile::new().cassandra(&database.topic("kinds"), keyspace);
    let sink = file.start();
    let source = || postgres_rows(&database, rows);
    eventually_holds(&cql, keyspace, "kinds", source);
    let types: BTreeMap<String, String> =
        types.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
    assert_eq!(cql.columns(keyspace, "kinds"), types);
    end(sink);

    // The replay ends with a row that the first run has not seen; before it, nothing may change even for a moment.
    let before = cql.rows(keyspace, "kinds");
    database.sql("INSERT INTO kinds (id) VALUES (100)");
    let sink = file.other_group().start();
    eventually(LONG, "the replay reaches its last row", || {
        let mut held = cql.rows(keyspace, "kinds");
        let done = held.len() > before.len();
        held.retain(|row| row["id"].as_deref() != Some("100"));
        assert_eq!(held, before, "the replay changed something");
        done
    });
    eventually_holds(&cql, keyspace, "kinds", source);
    end(sink);
    end(stream);
}

#[test]
fn envelopes_with_schema_make_a_table_of_exact_types_and_replays_change_nothing() {
    check("cassandra_schema", Connector::with_schemas, EXACT, ROWS);
}

#[test]
fn flattened_records_with_their_lsn_do_the_same() {
    let configure = |connector: Connector| {
        connector
            .with_schemas()
            .set("transforms", "unwrap")
            .set("transforms.unwrap.type", "io.debezium.transforms.ExtractNewRecordState")
            .set("transforms.unwrap.add.fields", "op,lsn")
            .set("transforms.unwrap.delete.tombstone.handling.mode", "rewrite")
    };
    check("cassandra_flat", configure, EXACT, ROWS);
}

#[test]
fn flattened_records_without_lsn_go_by_their_offsets() {
    let configure = |connector: Connector| {
        connector
            .with_schemas()
            .set("transforms", "unwrap")
            .set("transforms.unwrap.type", "io.debezium.transforms.ExtractNewRecordState")
    };
    check("cassandra_bare", configure, EXACT, ROWS);
}

#[test]
fn records_without_schema_make_a_table_that_takes_them() {
    let guessed = [
        ("id", "bigint"),
        ("u", "text"),
        ("t", "text"),
        ("i", "bigint"),
        ("b", "bigint"),
        ("at", "text"),
        ("n", "text"),
        ("f", "boolean"),
        ("d", "bigint"),
        ("j", "text"),
        ("x", "double"),
        ("big", "text"),
    ];
    check(
        "cassandra_plain",
        |connector| connector.set("decimal.handling.mode", "string"),
        &guessed,
        &plain_rows(),
    );
}

const EXACT: &[(&str, &str)] = &[
    ("id", "bigint"),
    ("u", "uuid"),
    ("t", "text"),
    ("i", "int"),
    ("b", "bigint"),
    ("at", "timestamp"),
    ("n", "decimal"),
    ("f", "boolean"),
    ("d", "date"),
    ("j", "text"),
    ("x", "double"),
    ("big", "text"),
];

#[test]
fn a_table_that_is_there_may_have_fewer_columns_and_types_of_its_own() {
    let (cql, database) = (Cql::connect(), Database::create("cassandra_fewer"));
    for file in ["schema.sql", "sample.sql"] {
        let file = repository("sql/engagement").join(file);
        database.server.sql_file(&database.name, file).expect("the sample");
    }
    let keyspace = &database.name;
    cql.make_keyspace(keyspace);
    cql.run(&format!(
        "CREATE TABLE {keyspace}.engagement_events (id bigint PRIMARY KEY, content_id uuid, user_id uuid, event_type text,
           event_ts timestamp, duration_ms int, device text)"
    ));
    let connector = database.connector().set("table.include.list", "public.engagement_events");
    let stream = connector.set("publication.name", "engagement_pub").start();
    let lines = format!("contact_points = [\"{}\"]\nkeyspace = \"{keyspace}\"", cassandra().contact_point());
    let sink =
        SinkFile::new().sink("events", "cassandra", &database.topic("engagement_events"), &lines).start();
    eventually(LONG, "the stream begins", || database.is_streaming());
    database.sql(
        "UPDATE engagement_events SET duration_ms = 5, raw_payload = '{\"not\": \"stored\"}' WHERE id = -2;
         DELETE FROM engagement_events WHERE id = -3",
    );
    eventually_holds(&cql, keyspace, "engagement_events", || {
        let columns = "id::text, content_id::text, user_id::text, event_type, floor(extract(epoch FROM event_ts) * 1000)::bigint::text AS event_ts,
                       duration_ms::text, device";
        postgres_rows(&database, &format!("SELECT {columns} FROM engagement_events"))
    });
    end(sink);
    end(stream);
}

#[test]
fn an_old_record_that_comes_late_changes_nothing() {
    let (cql, topic) = (Cql::connect(), Topic::create("late", 1));
    let keyspace = format!("late_{}", crate::harness::next());
    let row = |op, id, lsn, text: &str| Change::new(op, id, lsn, json!({ "t": text }));
    topic.rows(
        0,
        &[
            row("c", 1, 200, "new"),
            row("u", 1, 100, "old update"),
            row("c", 2, 200, "new"),
            row("d", 2, 150, "old delete"),
            row("c", 3, 200, "new"),
            row("d", 3, 300, "new delete"),
            row("u", 3, 250, "old update"),
            row("r", 4, 200, "snapshot"),
            row("u", 4, 200, "newest, a change at the snapshot's own position"),
            row("r", 4, 200, "snapshot"),
            row("c", 99, 1, "the last of the topic"),
        ],
    );
    let sink = SinkFile::new().cassandra(&topic.name, &keyspace).start();
    let held = || -> Vec<(String, String)> {
        let rows = cql.rows(&keyspace, "events");
        rows.iter()
            .map(|row| (row["id"].clone().unwrap_or_default(), row["t"].clone().unwrap_or_default()))
            .collect()
    };
    // Statements of one batch run at once: only the last look counts.
    eventually(LONG, "the records are written", || held().len() == 4);
    end(sink);
    let wanted = [
        ("1", "new"),
        ("2", "new"),
        ("4", "newest, a change at the snapshot's own position"),
        ("99", "the last of the topic"),
    ];
    assert_eq!(held(), wanted.map(|(id, text)| (id.to_owned(), text.to_owned())));
}

/// Rows alone with an LSN, deletes as tombstones without one: repeated by capture, and met first by a new process.
#[test]
fn tombstones_of_rows_alone_delete_what_came_before_them_and_nothing_else() {
    let (cql, topic) = (Cql::connect(), Topic::create("bare_tombstones", 1));
    let keyspace = format!("tombstones_{}", crate::harness::next());
    let (one, two, last) = (Some("{\"id\":1}"), Some("{\"id\":2}"), Some("{\"id\":99}"));
    let old = Some("{\"id\":1,\"t\":\"old\",\"__lsn\":500000}");
    let new = Some("{\"id\":1,\"t\":\"new\",\"__lsn\":900000}");
    let row = Some("{\"id\":2,\"t\":\"to be deleted\",\"__lsn\":600000}");
    topic.write(&[
        (0, one, old),
        (0, one, None),
        (0, one, new),
        (0, one, None),
        (0, one, new),
        (0, two, row),
    ]);
    let file = SinkFile::new().cassandra(&topic.name, &keyspace);
    let held = || -> Vec<(String, String)> {
        let rows = cql.rows(&keyspace, "bare_tombstones");
        let text = |row: &Fields, name: &str| row[name].clone().unwrap_or_default();
        rows.iter().map(|row| (text(row, "id"), text(row, "t"))).collect()
    };
    let pair = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    let sink = file.start();
    eventually(LONG, "both rows are there", || held() == [pair("1", "new"), pair("2", "to be deleted")]);
    end(sink);
    topic.write(&[(0, two, None), (0, last, Some("{\"id\":99,\"t\":\"last\",\"__lsn\":1000000}"))]);
    let sink = file.start();
    eventually(LONG, "the row is deleted", || held() == [pair("1", "new"), pair("99", "last")]);
    end(sink);
}

#[test]
fn a_row_that_the_table_cannot_take_goes_to_the_dead_letters() {
    let (cql, topic) = (Cql::connect(), Topic::create("refused", 1));
    let keyspace = format!("refused_{}", crate::harness::next());
    let row = |id, n| Change::new("c", id, 100, json!({ "n": n }));
    topic.rows(0, &[row(1, json!(1)), row(2, json!("no number")), row(3, json!(3))]);
    let sink = SinkFile::new().cassandra(&topic.name, &keyspace).start();
    let dead = topic.dead_letters(1);
    eventually(LONG, "the other rows are there", || cql.rows(&keyspace, "events").len() == 2);
    end(sink);
    assert_eq!(dead[0].key.as_deref(), Some("{\"id\":2}"));
    let reason = dead[0].headers.iter().find(|(name, _)| name == "__pgcdc.error.message");
    let reason = String::from_utf8_lossy(reason.and_then(|(_, value)| value.as_deref()).unwrap_or_default())
        .into_owned();
    assert!(reason.contains("\"n\"") && reason.contains("bigint"), "{reason}");
    assert!(!reason.contains("no number"), "a row's value is shown: {reason}");
}

/// Rows go in requests of ten, and the driver passes on what Cassandra warns of.
#[test]
fn of_rows_that_go_together_only_the_one_that_the_server_refuses_is_left_out() {
    let (cql, topic) = (Cql::connect(), Topic::create("together", 1));
    let keyspace = format!("together_{}", crate::harness::next());
    cql.make_keyspace(&keyspace);
    cql.run(&format!("CREATE TABLE {keyspace}.together (id text PRIMARY KEY, t text)"));
    // An empty text is a fine value, but no key of a partition.
    let ids: Vec<String> =
        (0..40).map(|n| if n == 25 { String::new() } else { format!("row {n}") }).collect();
    let records: Vec<(String, String)> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| {
            (json!({ "id": id }), json!({ "id": id, "t": "y".repeat(if n == 30 { 9_000 } else { 300 }) }))
        })
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    let records: Vec<_> =
        records.iter().map(|(key, value)| (0, Some(key.as_str()), Some(value.as_str()))).collect();
    topic.write(&records);
    let lines = format!("contact_points = [\"{}\"]\nkeyspace = \"{keyspace}\"", cassandra().contact_point());
    let mut sink = SinkFile::new().sink("events", "cassandra", &topic.name, &lines).start();
    let dead = topic.dead_letters(1);
    assert_eq!(dead[0].key.as_deref(), Some("{\"id\":\"\"}"));
    let mut wanted: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !id.is_empty()).collect();
    wanted.sort_unstable();
    let held = || -> Vec<String> {
        let rows = cql.rows(&keyspace, "together");
        let mut ids: Vec<String> = rows.into_iter().filter_map(|mut row| row.remove("id")?).collect();
        ids.sort_unstable();
        ids
    };
    eventually(LONG, "all other rows are there", || held() == wanted);
    let left = sink.sigterm_and_wait(Duration::from_secs(30)).expect("it leaves");
    let log = sink.stderr();
    assert!(left.success() && !log.to_lowercase().contains("batch"), "left with {left}:\n{log}");
}
