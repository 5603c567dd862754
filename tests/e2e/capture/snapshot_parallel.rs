//! Snapshots by several threads (`snapshot.max.threads`): the same rows as by one, markers at their places, one moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use pgcdc_testbed::Process;
use serde_json::Value;

use super::{stop, values, wait_streaming};
use crate::harness::{Connector, Database, LONG, Reader, eventually, kafka};

/// A snapshot alone, by so many threads: its records' values in the order in which they went out, and what was said.
#[track_caller]
fn read(connector: Connector, threads: &str) -> (Vec<Value>, String) {
    let connector = connector.set("snapshot.mode", "initial_only").set("snapshot.max.threads", threads);
    let mut process = connector.start_with(&["--stdout"]);
    let status = process.wait_timeout(LONG);
    let said = process.stderr();
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {said}");
    (values(&connector.dir.join("stdout")), said)
}

/// Small tables, empty ones, large ones: with holes, dead and moved rows; without a key; with large values; partitioned;
/// inherited from.
fn shop() -> Database {
    let database = Database::create("parallel");
    database.sql(
        "CREATE TABLE a_two(id int PRIMARY KEY, v text); INSERT INTO a_two VALUES (1, 'one'), (2, 'two');
         CREATE TABLE b_holes(id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
         INSERT INTO b_holes SELECT i, 'row ' || i || E'\\t\\n\\\\ ' || repeat(md5(i::text), 5) FROM generate_series(1, 40000) i;
         DELETE FROM b_holes WHERE id BETWEEN 5000 AND 20000;
         UPDATE b_holes SET v = 'moved ' || id WHERE id % 7 = 0;
         CREATE TABLE c_empty(id int);
         CREATE TABLE d_keyless(id int, v text);
         INSERT INTO d_keyless SELECT i % 9000, repeat(md5(i::text), 8) FROM generate_series(1, 18000) i;
         CREATE TABLE e_gone(id int, v text) WITH (autovacuum_enabled = off);
         INSERT INTO e_gone SELECT i, repeat('x', 300) FROM generate_series(1, 20000) i; DELETE FROM e_gone;
         CREATE TABLE f_one_left(id int, v text) WITH (autovacuum_enabled = off);
         INSERT INTO f_one_left SELECT i, repeat('x', 300) FROM generate_series(1, 20000) i;
         DELETE FROM f_one_left WHERE id <> 12345;
         CREATE TABLE g_values(id int PRIMARY KEY, v text, w text, x text DEFAULT repeat('x', 7000));
         ALTER TABLE g_values ALTER v SET STORAGE EXTERNAL, ALTER x SET STORAGE PLAIN;
         INSERT INTO g_values SELECT i, repeat(md5(i::text), CASE WHEN i % 10 = 0 THEN 20000 ELSE 200 END), NULL FROM generate_series(1, 300) i;
         CREATE TABLE h_parted(id int, v text) PARTITION BY RANGE (id);
         CREATE TABLE h_parted_1 PARTITION OF h_parted FOR VALUES FROM (0) TO (9000);
         CREATE TABLE h_parted_2 PARTITION OF h_parted FOR VALUES FROM (9000) TO (100000);
         INSERT INTO h_parted SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 18000) i;
         CREATE TABLE i_parent(id int, v text); CREATE TABLE i_parent_child(w int) INHERITS (i_parent);
         INSERT INTO i_parent SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 12000) i;
         INSERT INTO i_parent_child SELECT -i, repeat(md5(i::text), 8), i FROM generate_series(1, 12000) i;
         CREATE TABLE j_one(id int PRIMARY KEY); INSERT INTO j_one VALUES (1);
         CREATE TABLE k_empty(id int);",
    );
    database
}

/// The rows of each table, as often as they came.
fn rows(values: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for value in values {
        let table = value["source"]["table"].as_str().expect("a table").to_owned();
        assert_eq!(value["op"], "r");
        tables.entry(table).or_default().push(value["after"].to_string());
    }
    tables.values_mut().for_each(|rows| rows.sort_unstable());
    tables
}

/// Runs of records of one table with one marker: table, marker, how many.
fn markers(values: &[Value]) -> Vec<(String, String, usize)> {
    let mut runs: Vec<(String, String, usize)> = Vec::new();
    for value in values {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let (table, marker) = (text(&value["source"]["table"]), text(&value["source"]["snapshot"]));
        match runs.last_mut() {
            Some((t, m, count)) if *t == table && *m == marker => *count += 1,
            _ => runs.push((table, marker, 1)),
        }
    }
    runs
}

/// What Postgres itself counts.
fn counts(database: &Database, tables: &[&str]) -> Vec<(String, usize)> {
    let count = |table: &&str| {
        let count = database.sql(&format!("SELECT count(*) FROM {table}"));
        ((*table).to_owned(), count.parse().expect("a number"))
    };
    tables.iter().map(count).filter(|(_, count)| *count > 0).collect()
}

/// Markers of tables with so many rows, where the first of all has some.
fn expected_markers(tables: &[(String, usize)]) -> Vec<(String, String, usize)> {
    let mut runs = Vec::new();
    for (at, (table, count)) in tables.iter().enumerate() {
        let first = if at == 0 { "first" } else { "first_in_data_collection" };
        let last = if at + 1 == tables.len() { "last" } else { "last_in_data_collection" };
        let mut push = |marker: &str, count: usize| runs.push((table.clone(), marker.to_owned(), count));
        match count {
            1 => push(last, 1),
            2 => [first, last].into_iter().for_each(|marker| push(marker, 1)),
            _ => [(first, 1), ("true", count - 2), (last, 1)].into_iter().for_each(|(m, n)| push(m, n)),
        }
    }
    runs
}

const TABLES: [&str; 15] = [
    "a_two",
    "b_holes",
    "c_empty",
    "d_keyless",
    "e_gone",
    "f_one_left",
    "g_values",
    "h_parted",
    "h_parted_1",
    "h_parted_2",
    "i_parent",
    "i_parent_child",
    "j_one",
    "k_empty",
    "l_last",
];

#[test]
fn the_same_rows_and_markers_by_any_number_of_threads() {
    let database = shop();
    let (one, said) = read(database.connector(), "1");
    assert!(!said.contains("in parallel"), "{said}");
    let expect = counts(&database, &TABLES[..14]);
    assert_eq!(markers(&one), expected_markers(&expect), "one thread");
    for threads in ["2", "4"] {
        let (many, said) = read(database.connector(), threads);
        assert!(said.contains(&format!("threads={threads} tables=8")), "{said}");
        assert_eq!(markers(&many), expected_markers(&expect), "{threads} threads");
        assert!(rows(&many) == rows(&one), "{threads} threads: other rows");
    }
    // A large table at the end has the last row of all, one at the beginning the first.
    database.sql("CREATE TABLE l_last AS SELECT * FROM d_keyless; DROP TABLE a_two");
    let (many, _) = read(database.connector(), "4");
    assert_eq!(markers(&many), expected_markers(&counts(&database, &TABLES[1..])));
}

/// Rows that are in memory alone: a table of nothing else, and one where they are in the midst and at both ends of ranges.
#[test]
fn rows_of_several_megabytes() {
    let database = Database::create("parallel_large");
    database.sql(
        "CREATE TABLE a_large(id int PRIMARY KEY, v text);
         INSERT INTO a_large SELECT i, i || E'\\t\\n\\\\' || repeat(md5(i::text), 150000) FROM generate_series(1, 3) i;
         CREATE TABLE b_mixed(id int PRIMARY KEY, v text, filler text DEFAULT repeat('x', 7000));
         ALTER TABLE b_mixed ALTER filler SET STORAGE PLAIN;
         INSERT INTO b_mixed SELECT i, CASE WHEN i % 128 IN (0, 1) OR i IN (2, 300) THEN repeat(md5(i::text), 140000) ELSE '' END
           FROM generate_series(1, 512) i;
         CREATE TABLE c_large AS SELECT * FROM a_large WHERE id < 3",
    );
    let (one, said) = read(database.connector(), "1");
    assert!(!said.contains("in parallel"), "{said}");
    let expect = counts(&database, &["a_large", "b_mixed", "c_large"]);
    assert_eq!(markers(&one), expected_markers(&expect), "one thread");
    let lengths = |table: &str| {
        let sum = |value: &Value| value["after"]["v"].as_str().map_or(0, str::len);
        one.iter().filter(|value| value["source"]["table"] == table).map(sum).sum::<usize>().to_string()
    };
    for table in ["a_large", "b_mixed", "c_large"] {
        assert_eq!(lengths(table), database.sql(&format!("SELECT sum(length(v)) FROM {table}")), "{table}");
    }
    for threads in ["2", "3"] {
        let (many, said) = read(database.connector(), threads);
        assert!(said.contains(&format!("threads={threads} tables=1")), "{said}");
        assert_eq!(markers(&many), expected_markers(&expect), "{threads} threads");
        assert!(rows(&many) == rows(&one), "{threads} threads: other rows");
    }
}

#[test]
fn tables_that_are_not_read_by_pages() {
    let database = shop();
    let connector = || {
        database
            .connector()
            .set("publish.via.partition.root", "true")
            .set("table.include.list", "public.h_parted,public.d_keyless")
            .set("snapshot.select.statement.overrides", "public.d_keyless")
            .set(
                "snapshot.select.statement.overrides.public.d_keyless",
                "SELECT * FROM d_keyless WHERE id < 10 ORDER BY id",
            )
    };
    let ((many, said), (one, _)) = (read(connector(), "4"), read(connector(), "1"));
    assert!(!said.contains("in parallel"), "{said}");
    assert_eq!(many.len(), 18_000 + 20);
    assert!(rows(&many) == rows(&one), "the same by one connection");
}

/// As flattened records, by a transform, with schemas: the encoder that each thread has is the table's.
#[test]
fn every_form_of_records() {
    const INSERT: &str = "org.apache.kafka.connect.transforms.InsertField$Value";
    let database = shop();
    for properties in [
        &[("value.converter.schemas.enable", "true")][..],
        &[("column.mask.with.5.chars", "public.d_keyless.v")],
        &[
            ("transforms", "t"),
            ("transforms.t.type", "io.debezium.transforms.ExtractNewRecordState"),
            ("transforms.t.add.fields", "op,table"),
        ],
        &[
            ("transforms", "t"),
            ("transforms.t.type", INSERT),
            ("transforms.t.static.field", "f"),
            ("transforms.t.static.value", "v"),
        ],
    ] {
        let connector = || {
            let connector = database.connector().set("table.include.list", "public.d_keyless");
            properties.iter().fold(connector, |connector, (key, value)| connector.set(key, value))
        };
        let sorted = |threads: &str| {
            let mut rows: Vec<String> = read(connector(), threads).0.iter().map(without_time).collect();
            rows.sort_unstable();
            rows
        };
        let (one, many) = (sorted("1"), sorted("3"));
        assert_eq!(many.len(), 18_000);
        let differs = one.iter().zip(&many).filter(|(a, b)| a != b).count();
        assert_eq!(differs, 0, "{properties:?}: {:?}", one.first());
    }
}

/// A value without what differs between two snapshots, and without markers.
fn without_time(value: &Value) -> String {
    let mut value = value.clone();
    let mut cut = |path: &[&str]| {
        let object = path.iter().try_fold(&mut value, |value, name| value.get_mut(name));
        if let Some(object) = object.and_then(Value::as_object_mut) {
            for name in ["ts_ms", "ts_us", "ts_ns", "lsn", "sequence", "txId", "snapshot"] {
                object.remove(name);
            }
        }
    };
    [&[][..], &["source"], &["payload"], &["payload", "source"]].into_iter().for_each(&mut cut);
    value.to_string()
}

/// Sessions of pgcdc on a database, beside the one that streams.
fn sessions(database: &Database) -> String {
    database.sql(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'pgcdc' AND backend_type = 'client backend'",
    )
}

fn expect_nothing_left(database: &Database, process: &Process) {
    eventually(LONG, "only the stream's own session is left", || sessions(database) == "1");
    let pid = process.id().expect("it runs").pid;
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process' threads");
    let names = threads.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let left: Vec<String> = names.filter(|name| name.starts_with("pgcdc-snapshot")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Rows are inserted, updated and deleted all the while: what was read and what was streamed make the table.
#[test]
fn joins_the_stream() {
    const ROWS: usize = 60_000;
    let database = Database::create("parallel_join");
    database.sql(&format!(
        "CREATE TABLE t(id bigserial PRIMARY KEY, n int NOT NULL DEFAULT 0, v text);
         INSERT INTO t(v) SELECT repeat(md5(i::text), 6) FROM generate_series(1, {ROWS} + 5000) i;
         UPDATE t SET n = 1 WHERE id % 5 = 0; DELETE FROM t WHERE id % 13 = 0"
    ));
    let done = AtomicBool::new(false);
    let process = std::thread::scope(|scope| {
        for writer in 0..2 {
            let (database, done) = (&database, &done);
            scope.spawn(move || {
                let mut id = writer;
                while !done.load(Ordering::Relaxed) {
                    id += 977;
                    database.sql(&format!(
                        "BEGIN; INSERT INTO t(v) SELECT 'during' FROM generate_series(1, 25);
                         UPDATE t SET n = n + 1 WHERE id % 1000 = {} AND id % 2 = {writer};
                         DELETE FROM t WHERE id = {}; COMMIT",
                        id % 1000,
                        id % ROWS
                    ));
                }
            });
        }
        eventually(LONG, "the writers write", || {
            database.sql("SELECT count(*) > 300 FROM t WHERE v = 'during'") == "t"
        });
        let mut process = database.connector().set("snapshot.max.threads", "4").start();
        wait_streaming(&mut process);
        assert!(process.stderr().contains("threads=4 tables=1"), "{}", process.stderr());
        done.store(true, Ordering::Relaxed);
        process
    });
    database.sql("INSERT INTO t(v) SELECT 'after' FROM generate_series(1, 100)");
    let position = database.position();
    eventually(LONG, "everything is confirmed", || database.has_confirmed(&position));
    expect_nothing_left(&database, &process);
    stop(process);

    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let records = reader.read_all();
    assert!(records.iter().all(|record| record.partition == 0), "one partition keeps the order of all");
    let (mut read, mut streamed) = (Vec::new(), 0);
    let mut table: HashMap<i64, i64> = HashMap::new();
    for record in records {
        let value = record.json();
        let row = |part: &str| (value[part]["id"].as_i64(), value[part]["n"].as_i64());
        match value["op"].as_str() {
            Some("r") => {
                assert_eq!(streamed, 0, "a row of the snapshot after the stream has begun");
                read.push(value["source"]["snapshot"].as_str().expect("a marker").to_owned());
                let (Some(id), Some(n)) = row("after") else { panic!("{value}") };
                assert_eq!(table.insert(id, n), None, "row {id} was read twice");
            }
            Some("c" | "u") => {
                streamed += 1;
                let (Some(id), Some(n)) = row("after") else { panic!("{value}") };
                let before = table.insert(id, n);
                assert_eq!(before.is_none(), value["op"] == "c", "{before:?}, {value}");
            }
            Some("d") => {
                streamed += 1;
                let id = row("before").0.expect("an id");
                assert!(table.remove(&id).is_some(), "row {id} was deleted, but never there");
            }
            _ => {}
        }
    }
    assert!(read.len() >= ROWS && streamed > 100, "{} read, {streamed} streamed", read.len());
    assert_eq!(
        (read.first().map(String::as_str), read.last().map(String::as_str)),
        (Some("first"), Some("last"))
    );
    assert!(read[1..read.len() - 1].iter().all(|marker| marker == "true"), "other markers in between");
    let there = database.sql("SELECT id, n FROM t");
    let there: HashMap<i64, i64> = there
        .lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(id, n)| (id.parse().expect("an id"), n.parse().expect("a number")))
        .collect();
    assert_eq!(table.len(), there.len());
    assert!(table == there, "read and streamed rows make another table");
}

/// All sessions see one moment: whoever writes changes both tables in one transaction.
#[test]
fn writers_do_not_show_in_parts_of_a_snapshot() {
    let database = Database::create("moment");
    database.sql(
        "CREATE TABLE a(id int PRIMARY KEY, n int, v text); CREATE TABLE b(id int PRIMARY KEY, n int, v text);
         INSERT INTO a SELECT i, 0, repeat(md5(i::text), 8) FROM generate_series(1, 30000) i;
         INSERT INTO b SELECT * FROM a",
    );
    let done = AtomicBool::new(false);
    let values = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut id = 0;
            while !done.load(Ordering::Relaxed) {
                id = (id + 613) % 1000;
                database.sql(&format!(
                    "BEGIN; UPDATE a SET n = n + 1 WHERE id % 1000 = {id}; UPDATE b SET n = n + 1 WHERE id % 1000 = {id}; COMMIT",
                ));
            }
        });
        eventually(LONG, "the writer writes", || database.sql("SELECT sum(n) > 100 FROM a") == "t");
        let (values, said) = read(database.connector(), "4");
        done.store(true, Ordering::Relaxed);
        assert!(said.contains("threads=4 tables=2"), "{said}");
        values
    });
    let (a, b) = (rows(&values)["a"].clone(), rows(&values)["b"].clone());
    assert_eq!(a.len(), 30_000);
    assert!(a.iter().any(|row| !row.contains(r#""n":0"#)), "the writer had begun");
    assert!(a == b, "two tables of one moment");
}

/// A session that is lost ends the snapshot, with all others; the next one is whole.
#[test]
fn a_lost_session_ends_the_snapshot() {
    let database = Database::create("parallel_lost");
    database.sql(
        "CREATE TABLE t(id int PRIMARY KEY, v text);
         INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 60000) i",
    );
    let connector = database.connector().set("snapshot.max.threads", "3");
    let mut process = std::thread::scope(|scope| {
        scope.spawn(|| {
            database.sql(
                "DO $$ BEGIN FOR i IN 1..60000 LOOP
                   PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY (SELECT%ctid >=%' LIMIT 1;
                   EXIT WHEN FOUND;
                   PERFORM pg_stat_clear_snapshot(), pg_sleep(0.001);
                 END LOOP; END $$",
            );
        });
        connector.start_with(&["--stdout"])
    });
    wait_streaming(&mut process);
    let said = process.stderr();
    assert!(said.contains("it starts again"), "{said}");
    expect_nothing_left(&database, &process);
    stop(process);
    let values = values(&connector.dir.join("stdout"));
    let begin = values.iter().rposition(|value| value["source"]["snapshot"] == "first").expect("a first row");
    assert_eq!(markers(&values[begin..]), expected_markers(&[("t".to_owned(), 60_000)]));
    let mut ids: Vec<i64> =
        values[begin..].iter().filter_map(|value| value["after"]["id"].as_i64()).collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(1..=60_000), "the second snapshot is whole");
}

/// A role may have fewer connections left than there should be threads.
#[test]
fn it_goes_on_with_fewer_connections() {
    let database = shop();
    database.sql(&format!("CREATE PUBLICATION {} FOR TABLE b_holes, j_one", database.publication()));
    let count: usize = database.sql("SELECT count(*) + 1 FROM b_holes").parse().expect("a number");
    // One looks around, one locks (replication is not counted); then there is one worker, or none.
    for (limit, threads) in [(3, Some("threads=1 tables=1")), (2, None)] {
        // A role of its own: a session that has ended counts against its role's limit for a moment longer than
        // pg_stat_activity shows it.
        let role = format!("{}_few_{limit}", database.name);
        database.sql(&format!(
            "CREATE ROLE {role} LOGIN REPLICATION CONNECTION LIMIT {limit};
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ));
        let connector = database
            .connector()
            .set("database.user", &role)
            .set("slot.name", &format!("{role}_slot"))
            .set("publication.autocreate.mode", "disabled")
            .set("table.include.list", "public.b_holes,public.j_one");
        let (values, said) = read(connector, "4");
        assert!(said.contains("one connection fewer"), "{limit}: {said}");
        assert_eq!(said.contains("in parallel"), threads.is_some(), "{limit}: {said}");
        assert!(said.contains(threads.unwrap_or_default()), "{limit}: {said}");
        assert_eq!(values.len(), count, "{limit}");
    }
}
