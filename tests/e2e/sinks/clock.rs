//! The order of changes where positions in the WAL do not give it, and sources whose positions fall. The oracle is the
//! table in Postgres.

use std::collections::BTreeMap;
use std::time::Duration;

use pgcdc_testbed::{HttpReceiver, Process};
use serde_json::{Value, json};

use super::rig::{Change, SinkFile, Topic, board, end, postgres_rows, timestamp};
use crate::harness::{
    Database, LONG, Reader, Session, eventually, kafka, next, own_postgres, postgres_options, stop, streaming,
};
use crate::services::{Cql, Fields, cassandra, redis};

/// The unique index on `u` is made before the primary key, and so it is looked at first.
const TABLE: &str =
    "CREATE TABLE t (k int NOT NULL, u int, m text, s int, at timestamptz NOT NULL DEFAULT now());
    CREATE UNIQUE INDEX t_u ON t (u);
    ALTER TABLE t ADD PRIMARY KEY (k);
    INSERT INTO t VALUES (1, 1, 'old', 1000)";

const ROWS: &str = "SELECT k::text, u::text, m, s::text FROM t";

/// Both stores that compare writes, filled from a topic.
struct Stores {
    cql: Cql,
    keyspace: String,
    key: String,
    cassandra: Process,
    redis: Process,
    files: [SinkFile; 2],
}

impl Stores {
    fn fill(topic: &str, keyspace: &str, more: &str) -> Self {
        let (cql, key) = (Cql::connect(), format!("clock_{}", next()));
        cql.make_keyspace(keyspace);
        cql.run(&format!("CREATE TABLE {keyspace}.t (k int PRIMARY KEY, u int, m text, s int)"));
        let point = cassandra().contact_point();
        let lines = format!("contact_points = [\"{point}\"]\nkeyspace = \"{keyspace}\"\n{more}");
        let of_cassandra = SinkFile::new().sink("rows", "cassandra", topic, &lines);
        let lines = format!(
            "url = \"{}\"\n{more}\nleaderboard = {{ key = \"{key}\", member = \"m\", score = \"s\", window = \"1h\", time = \"at\" }}",
            redis().url()
        );
        let of_redis = SinkFile::new().sink("top", "redis", topic, &lines);
        let (keyspace, files) = (keyspace.to_owned(), [of_cassandra, of_redis]);
        Self { cql, keyspace, key, cassandra: files[0].start(), redis: files[1].start(), files }
    }

    fn rows(&self) -> Vec<Fields> {
        self.cql.rows(&self.keyspace, "t")
    }

    fn board(&self) -> BTreeMap<String, f64> {
        board(redis().client(), &self.key)
    }

    /// Waits until both hold what the table holds.
    #[track_caller]
    fn hold_the_table(&self, database: &Database) {
        eventually(LONG, "Cassandra holds the table", || self.rows() == postgres_rows(database, ROWS));
        eventually(LONG, "Redis holds the table's sums", || self.board() == sums(database));
    }

    /// Starts both again, killed.
    fn kill_and_restart(&mut self) {
        self.cassandra.kill9().expect("killed");
        self.redis.kill9().expect("killed");
        self.cassandra = self.files[0].start();
        self.redis = self.files[1].start();
    }

    fn end(self) {
        end(self.cassandra);
        end(self.redis);
    }
}

fn sums(database: &Database) -> BTreeMap<String, f64> {
    let rows = database.sql("SELECT m, sum(s) FROM t WHERE m IS NOT NULL AND s IS NOT NULL GROUP BY m");
    let pairs = rows.lines().filter_map(|line| line.split_once('|'));
    pairs.map(|(member, sum)| (member.to_owned(), sum.parse().expect("a number"))).collect()
}

/// Operation and position of each change of one key, as the topic has them.
fn positions(topic: &str, count: usize, key: i64) -> Vec<(String, u64)> {
    let mut reader = Reader::new(kafka(), &[topic]);
    let records = reader.read(count, LONG).to_vec();
    let of_key = |value: &Value| value["after"]["k"] == key || value["before"]["k"] == key;
    let values =
        records.iter().filter_map(|record| serde_json::from_str::<Value>(record.value.as_deref()?).ok());
    values
        .filter(of_key)
        .map(|value| {
            (
                value["op"].as_str().unwrap_or_default().to_owned(),
                value["source"]["lsn"].as_u64().unwrap_or(0),
            )
        })
        .collect()
}

/// A5: T2 writes its row, waits for T0 on another index, and commits after T1, which deleted the key.
#[test]
fn a_row_that_waited_while_its_key_was_deleted_stays() {
    let database = Database::create("clock_waited");
    database.sql(TABLE);
    let stream = streaming(&database.connector());
    let topic = database.topic("t");
    let stores = Stores::fill(&topic, &database.name, "");
    stores.hold_the_table(&database);
    let mut sessions = [0, 1].map(|_| Session::open(&database));
    let [t0, t2] = &mut sessions;
    t0.run("BEGIN; INSERT INTO t VALUES (99, 2, 'never', 1);");
    t2.begin("BEGIN; INSERT INTO t VALUES (1, 2, 'new', 7);");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    eventually(LONG, "T2 waits", || database.sql(waits) == "1");
    database.sql("DELETE FROM t WHERE k = 1");
    t0.run("ROLLBACK;");
    t2.finish();
    t2.run("COMMIT;");
    // Snapshot, delete with its tombstone, insert: the case is the one that it should be.
    let seen = positions(&topic, 4, 1);
    assert_eq!(seen.iter().map(|(op, _)| op.as_str()).collect::<Vec<_>>(), ["r", "d", "c"]);
    assert!(seen[1].1 > seen[2].1, "the delete has the higher position: {seen:?}");
    stores.hold_the_table(&database);
    assert_eq!(stores.rows()[0]["m"].as_deref(), Some("new"));
    // Again by another group into the same table.
    let again = stores.files[0].other_group().start();
    database.sql("INSERT INTO t VALUES (2, 3, 'last', 1)");
    stores.hold_the_table(&database);
    end(again);
    stores.end();
    stop(stream);
}

/// Two changes of one row in a transaction during which another commits: their numbers are the same, and by value the
/// first would win.
#[test]
fn the_last_of_several_changes_of_a_row_in_one_transaction_wins() {
    let database = Database::create("clock_tied");
    database.sql(TABLE);
    let stream = streaming(&database.connector());
    let mut stores = Stores::fill(&database.topic("t"), &database.name, "");
    let mut long = Session::open(&database);
    long.run("BEGIN; INSERT INTO t VALUES (5, 5, 'zz', 900); UPDATE t SET m = 'a', s = 1 WHERE k = 5;");
    long.run("UPDATE t SET m = 'zzz', s = 2 WHERE k = 1; INSERT INTO t VALUES (6, 6, 'x', 1); DELETE FROM t WHERE k = 6;");
    database.sql("INSERT INTO t VALUES (7, 7, 'other', 3)");
    long.run("UPDATE t SET m = 'aa', s = 3 WHERE k = 1; INSERT INTO t VALUES (6, 6, 'back', 4);");
    database.sql("INSERT INTO t VALUES (8, 8, 'other', 4)");
    long.run("COMMIT;");
    stores.hold_the_table(&database);
    stores.kill_and_restart();
    database.sql("INSERT INTO t VALUES (9, 9, 'last', 5)");
    stores.hold_the_table(&database);
    stores.end();
    stop(stream);
}

/// Random transactions of three sessions on five rows, whose key is deferrable and whose other column is unique. Capture
/// and sinks are killed meanwhile. What the table holds in the end, both stores hold.
#[test]
fn random_transactions_with_a_deferrable_key_end_as_in_postgres() {
    let database = Database::create("clock_random");
    database.sql(
        "CREATE TABLE t (k int NOT NULL, u int, m text, s int, at timestamptz NOT NULL DEFAULT now());
         CREATE UNIQUE INDEX t_u ON t (u);
         ALTER TABLE t ADD PRIMARY KEY (k) DEFERRABLE INITIALLY DEFERRED;
         ALTER TABLE t REPLICA IDENTITY FULL",
    );
    let connector = database.connector().set("message.key.columns", "public.t:k");
    let mut stream = streaming(&connector);
    let mut stores = Stores::fill(&database.topic("t"), &database.name, "");
    for round in 0..3 {
        std::thread::scope(|scope| {
            for session in 0..3_u64 {
                let database = &database;
                scope.spawn(move || {
                    let mut random = Random(round * 17 + session + 1);
                    let mut session = Session::open(database);
                    session.run("SET lock_timeout = '40ms'; SET deadlock_timeout = '20ms';");
                    for _ in 0..60 {
                        session.run(&random.transaction());
                    }
                });
            }
        });
        match round {
            0 => stores.kill_and_restart(),
            1 => {
                stream.kill9().expect("killed");
                stream = streaming(&connector);
            }
            _ => {}
        }
    }
    stores.hold_the_table(&database);
    let again = stores.files[0].other_group().start();
    database.sql("DELETE FROM t WHERE k = 99; INSERT INTO t VALUES (99, 99, 'last', 1)");
    stores.hold_the_table(&database);
    end(again);
    stores.hold_the_table(&database);
    stores.end();
    stop(stream);
}

/// A small generator whose seed is in the test, so that a failure can be repeated as far as the server allows.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// One transaction that never fails: what is refused is rolled back, by statement or as a whole.
    fn transaction(&mut self) -> String {
        let mut body = String::new();
        for _ in 0..=self.below(4) {
            let (k, u, s) = (self.below(5), self.below(9), self.below(1000));
            let statement = match self.below(6) {
                0 | 1 => format!("INSERT INTO t VALUES ({k}, {u}, 'm{}', {s})", self.below(4)),
                2 | 3 => format!("UPDATE t SET m = 'm{}', s = {s} WHERE k = {k}", self.below(4)),
                4 => format!("DELETE FROM t WHERE k = {k}"),
                _ => format!("UPDATE t SET k = {} WHERE k = {k}", self.below(5)),
            };
            let nap = self.below(4);
            body.push_str(&format!(
                "BEGIN {statement}; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM pg_sleep(0.00{nap});\n"
            ));
        }
        format!(
            "DO $$ BEGIN BEGIN {body} SET CONSTRAINTS ALL IMMEDIATE; EXCEPTION WHEN OTHERS THEN NULL; END; END $$;"
        )
    }
}

/// A transaction that began before a snapshot and committed after it is newer than the snapshot's row.
#[test]
fn a_change_that_began_before_the_snapshot_is_newer_than_its_row() {
    let database = Database::create("clock_before");
    database.sql(TABLE);
    // The slot's consistent point waits for A, then for B; C begins between and outlives the snapshot.
    let mut sessions = [0, 1, 2].map(|_| Session::open(&database));
    let [a, b, c] = &mut sessions;
    a.run("BEGIN; SELECT pg_current_xact_id();");
    let stream = database.connector().start();
    let waiting = |count: &str| {
        database.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event_type = 'Lock'
             AND pid IN (SELECT active_pid FROM pg_replication_slots WHERE database = current_database())",
        ) == count
    };
    eventually(LONG, "the slot waits for A", || waiting("1"));
    b.run("BEGIN; SELECT pg_current_xact_id();");
    a.run("COMMIT;");
    // Waits for B now; from here on changes are decoded.
    std::thread::sleep(Duration::from_millis(500));
    eventually(LONG, "the slot waits for B", || waiting("1"));
    c.run("BEGIN; UPDATE t SET m = 'of C', s = 3 WHERE k = 1;");
    b.run("COMMIT;");
    eventually(LONG, "the stream begins", || database.is_streaming());
    c.run("COMMIT;");
    let stores = Stores::fill(&database.topic("t"), &database.name, "");
    stores.hold_the_table(&database);
    stores.end();
    stop(stream);
}

/// A6: the same database restored into a new cluster, whose positions are lower, writes to the same topic.
#[test]
fn a_restored_database_is_noticed_and_nothing_is_lost() {
    let old = Database::create("clock_restored");
    old.sql(TABLE);
    let stream = streaming(&old.connector());
    let topic = old.topic("t");
    let mut stores = Stores::fill(&topic, &old.name, "");
    // Far above where a new cluster begins.
    for _ in 0..5 {
        old.sql("SELECT pg_logical_emit_message(false, 'x', 'x'); SELECT pg_switch_wal()");
    }
    old.sql("UPDATE t SET m = 'before', s = 5 WHERE k = 1; INSERT INTO t VALUES (2, 2, 'before', 6)");
    stores.hold_the_table(&old);
    stop(stream);

    let (server, _dir) = own_postgres(postgres_options());
    let client = server.client();
    client.create_database(&old.name).expect("made");
    let new = Database { name: old.name.clone(), server: client };
    new.sql(TABLE);
    let stream = streaming(&new.connector().set("snapshot.mode", "no_data"));
    new.sql("UPDATE t SET m = 'restored', s = 8 WHERE k = 1");
    new.sql("INSERT INTO t VALUES (3, 3, 'restored', 9)");

    let held = stores.rows();
    for round in 0..2 {
        for process in [&mut stores.cassandra, &mut stores.redis] {
            let status = process.wait_timeout(LONG).expect("it stops");
            assert_eq!(status.code(), Some(1), "round {round}: {}", process.stderr());
            let said = process.stderr();
            for part in [
                "positions began anew",
                "new_history = \"continue\"",
                "Nothing from this record on was written",
            ] {
                assert!(said.contains(part), "round {round}: {part} is missing in {said}");
            }
        }
        assert_eq!(stores.rows(), held, "nothing was written over");
        // Started again it says the same: nothing behind it was committed.
        if round == 0 {
            stores.cassandra = stores.files[0].start();
            stores.redis = stores.files[1].start();
        }
    }
    let files = stores.files.clone().map(|file| file.line("new_history = \"continue\""));
    stores.cassandra = files[0].start();
    stores.redis = files[1].start();
    let wanted = || {
        let rows = stores.rows();
        let text: Vec<_> = rows.iter().map(|row| (row["k"].as_deref(), row["m"].as_deref())).collect();
        text == [(Some("1"), Some("restored")), (Some("2"), Some("before")), (Some("3"), Some("restored"))]
    };
    eventually(LONG, "what came after is written, and what was deleted meanwhile stays", wanted);
    let scores = super::rig::scores(&[("before", 6.0), ("restored", 17.0)]);
    eventually(LONG, "and counted", || stores.board() == scores);
    // The choice is remembered: without the key it goes on.
    end(std::mem::replace(&mut stores.cassandra, stores.files[0].start()));
    end(std::mem::replace(&mut stores.redis, stores.files[1].start()));
    new.sql("UPDATE t SET m = 'later', s = 1 WHERE k = 1");
    eventually(LONG, "the next change, too", || stores.rows()[0]["m"].as_deref() == Some("later"));
    let scores = super::rig::scores(&[("before", 6.0), ("restored", 9.0), ("later", 1.0)]);
    eventually(LONG, "counted, too", || stores.board() == scores);
    stores.end();
    stop(stream);
    drop(new);
}

fn event(id: i64, lsn: u64) -> Change {
    let row = json!({"content_id": "a", "duration_ms": 1, "event_ts": timestamp(0)});
    Change::new("c", id, lsn, row)
}

/// A topic that was made again and is longer than the offset which the store or the group holds.
#[test]
fn a_topic_that_was_made_again_does_not_lose_its_beginning() {
    let (topic, receiver) = (Topic::create("again", 1), HttpReceiver::start(0).expect("it listens"));
    let key = format!("again_{}", next());
    let rows = |from: i64, to: i64| (from..to).map(|id| event(id, 1_000 + id as u64)).collect::<Vec<_>>();
    topic.rows(0, &rows(0, 5));
    let leaderboard = SinkFile::new().leaderboard(&topic.name, &redis().url(), &key, "1h");
    let http = SinkFile::new().http(&topic.name, &receiver.url("/api"), "");
    let (first, second) = (leaderboard.start(), http.start());
    let total = || board(redis().client(), &key).get("a").copied();
    eventually(LONG, "five rows are counted", || total() == Some(5.0));
    eventually(LONG, "five rows are posted", || receiver.requests().len() == 5);
    end(first);
    end(second);
    let posted: Vec<_> =
        receiver.requests().iter().map(|r| r.header("Idempotency-Key").map(str::to_owned)).collect();
    receiver.clear();
    topic.make_again(1);
    topic.rows(0, &rows(100, 112));

    let second = http.start();
    eventually(LONG, "all of the new topic is posted", || receiver.requests().len() == 12);
    end(second);
    assert!(
        receiver.requests().iter().all(|r| !posted.contains(&r.header("Idempotency-Key").map(str::to_owned)))
    );

    let mut first = leaderboard.start();
    let status = first.wait_timeout(LONG).expect("it stops");
    assert_eq!(status.code(), Some(1));
    let said = first.stderr();
    assert!(said.contains("deleted and made again") && said.contains(":offsets"), "{said}");
    assert_eq!(total(), Some(5.0));
    let first = leaderboard.clone().line("new_history = \"continue\"").start();
    eventually(LONG, "all rows of both are counted", || total() == Some(17.0));
    end(first);
}

/// A repeat by capture, under new offsets, has the same keys.
#[test]
fn a_repeat_by_capture_has_the_same_idempotency_keys() {
    let (topic, receiver) = (Topic::create("repeat", 1), HttpReceiver::start(0).expect("it listens"));
    let rows: Vec<Change> = (0..10).map(|id| event(id, 1_000 + id as u64)).collect();
    topic.rows(0, &rows);
    topic.rows(0, &rows[5..]);
    let sink = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").start();
    eventually(LONG, "all are posted", || receiver.requests().len() == 15);
    end(sink);
    let mut keys: BTreeMap<String, u32> = BTreeMap::new();
    for request in receiver.requests() {
        *keys.entry(request.header("Idempotency-Key").expect("one").to_owned()).or_default() += 1;
    }
    assert_eq!(keys.len(), 10);
    assert_eq!(keys.values().filter(|count| **count == 2).count(), 5);
}

/// Without schemas a text is a text, and the table's maker is told what to set.
#[test]
fn a_text_that_looks_like_a_timestamp_makes_a_text_column() {
    let (cql, topic) = (Cql::connect(), Topic::create("looks", 1));
    let keyspace = format!("looks_{}", next());
    let row = |id, text: &str| Change::new("c", id, 100 + id as u64, json!({ "t": text }));
    topic.rows(0, &[row(1, "2026-01-01T00:00:00Z"), row(2, "hello"), row(3, "2026-01-01")]);
    let mut sink = SinkFile::new().cassandra(&topic.name, &keyspace).start();
    eventually(LONG, "all rows are there", || cql.rows(&keyspace, "events").len() == 3);
    assert_eq!(cql.columns(&keyspace, "events")["t"], "text");
    sink.wait_for_stderr("value.converter.schemas.enable=true", LONG).expect("the hint");
    end(sink);
}

/// README's registration: numeric without a schema.
#[test]
fn a_leaderboard_over_numeric_without_schemas_says_what_to_set() {
    let (topic, key) = (Topic::create("numeric", 1), format!("numeric_{}", next()));
    let row = json!({"content_id": "a", "duration_ms": "ATo=", "event_ts": timestamp(0)});
    topic.rows(0, &[Change::new("c", 1, 100, row)]);
    let sink = SinkFile::new().leaderboard(&topic.name, &redis().url(), &key, "1h").start();
    let dead = topic.dead_letters(1);
    let reason = dead[0].headers.iter().find(|(name, _)| name == "__pgcdc.error.message");
    let reason = String::from_utf8_lossy(reason.and_then(|(_, value)| value.as_deref()).unwrap_or_default())
        .into_owned();
    assert!(reason.contains("decimal.handling.mode=string"), "{reason}");
    end(sink);
}
