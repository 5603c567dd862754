//! Schema changes while the connector runs.

use super::{stop, streaming};
use crate::harness::{Database, LONG, Reader, kafka};

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
