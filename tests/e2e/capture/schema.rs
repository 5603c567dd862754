//! Schema changes while the connector runs.

use std::time::Duration;

use super::{stop, streaming};
use crate::harness::{Database, LONG, Reader, eventually, kafka, own_postgres, postgres_options};

/// Each row has the columns that the table had when it was written, with nothing in between to wait for.
#[test]
fn take_effect_at_their_row() {
    let database = Database::create("schema");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, a int)");
    let process = streaming(&database.connector());
    database.sql(
        "INSERT INTO t VALUES (1, 1);
         ALTER TABLE t ADD b text DEFAULT 'd'; INSERT INTO t VALUES (2, 2, 'x');
         ALTER TABLE t RENAME b TO c;          INSERT INTO t VALUES (3, 3, 'y');
         ALTER TABLE t ALTER a TYPE text;      INSERT INTO t VALUES (4, '4', 'z');
         ALTER TABLE t DROP c;                 INSERT INTO t VALUES (5, '5');
         BEGIN; INSERT INTO t VALUES (6, '6'); ALTER TABLE t ADD d bool; INSERT INTO t VALUES (7, '7', true); COMMIT;
         UPDATE t SET a = 'six' WHERE id = 6",
    );
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let found: Vec<String> =
        reader.read(8, LONG).iter().map(|record| record.json()["after"].to_string()).collect();
    assert_eq!(
        found,
        [
            r#"{"id":1,"a":1}"#,
            r#"{"id":2,"a":2,"b":"x"}"#,
            r#"{"id":3,"a":3,"c":"y"}"#,
            r#"{"id":4,"a":"4","c":"z"}"#,
            r#"{"id":5,"a":"5"}"#,
            r#"{"id":6,"a":"6"}"#,
            r#"{"id":7,"a":"7","d":true}"#,
            r#"{"id":6,"a":"six","d":null}"#,
        ]
    );
    stop(process);
}

/// A table that is made while the connector runs is captured from its first row.
#[test]
fn a_new_table_is_captured() {
    let database = Database::create("newtable");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let process = streaming(&database.connector());
    database.sql("CREATE TABLE u(id int PRIMARY KEY); INSERT INTO u VALUES (1)");
    let mut reader = Reader::new(kafka(), &[&database.topic("u")]);
    assert_eq!(reader.read(1, LONG)[0].key.as_deref(), Some(r#"{"id":1}"#));
    stop(process);
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A commit reaches the stream before other sessions see it, here for as long as no standby answers: key, nullability
/// and the type itself are read when it is visible.
#[test]
fn a_table_is_read_after_the_transaction_that_made_it() {
    let (server, _) = own_postgres(postgres_options());
    let database = Database::create_on(&server, "unseen");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let process = streaming(&database.connector().with_schemas());
    let wait_for_standby = |names: &str| {
        database.sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        database.sql("SELECT pg_reload_conf()");
    };
    wait_for_standby("nobody");
    eventually(LONG, "the setting is in force", || {
        database.sql("SHOW synchronous_standby_names") == "nobody"
    });
    // The process that tells commits to wait learns it by itself.
    std::thread::sleep(Duration::from_secs(1));
    std::thread::scope(|scope| {
        // Also when the test fails here: the commit would wait for ever, and the scope for it.
        let _let_go = OnDrop(|| wait_for_standby(""));
        scope.spawn(|| {
            database.sql(
                "BEGIN; CREATE TYPE mood AS ENUM ('well'); CREATE TABLE fresh(m mood PRIMARY KEY, v int NOT NULL);
                 ALTER TABLE fresh REPLICA IDENTITY FULL; INSERT INTO fresh VALUES ('well', 1); COMMIT",
            );
        });
        eventually(LONG, "the commit waits", || {
            database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1"
        });
        // The stream has the transaction; nobody can see it.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(database.sql("SELECT count(*) FROM pg_class WHERE relname = 'fresh'"), "0");
    });
    let mut reader = Reader::new(kafka(), &[&database.topic("fresh")]);
    let record = &reader.read(1, LONG)[0];
    let key: serde_json::Value = serde_json::from_str(record.key.as_deref().expect("a key")).expect("JSON");
    assert_eq!(key["payload"], serde_json::json!({"m": "well"}));
    assert_eq!(key["schema"]["fields"][0]["optional"], false);
    assert_eq!(key["schema"]["fields"][0]["parameters"]["allowed"], "well");
    assert_eq!(record.json()["payload"]["after"], serde_json::json!({"m": "well", "v": 1}));
    stop(process);
}
