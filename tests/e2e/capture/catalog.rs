//! What is gone from the catalog when its rows are read, and what was not there yet when tables were listed.

use serde_json::Value;

use super::{ops, run_until_idle, stop, streaming, values};
use crate::harness::{Connector, Database, LONG, Reader, eventually, kafka, wait_streaming};

/// Key and value of each record of a table, as `--stdout` wrote them; the value is what is left of the row.
fn lines(connector: &Connector, table: &str) -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(connector.dir.join("stdout")).expect("standard output's file");
    let parse = |line: &str| -> Option<(String, Value)> {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        let of_table = record["topic"].as_str()?.ends_with(&format!(".{table}"));
        let value: Value = serde_json::from_str(record["value"].as_str()?).expect("the value is JSON");
        let row = if value["after"].is_null() { &value["before"] } else { &value["after"] };
        of_table.then(|| (record["key"].as_str().unwrap_or("null").to_owned(), row.clone()))
    };
    text.lines().filter_map(parse).collect()
}

/// The records of a backlog: a snapshot of what `setup` makes, then `changes` while nobody reads, then another run.
#[track_caller]
fn backlog(name: &str, setup: &str, changes: &str) -> (Database, Connector) {
    let database = Database::create(name);
    database.sql("CREATE TABLE other(id int PRIMARY KEY)");
    database.sql(setup);
    let connector = database.connector();
    run_until_idle(&connector);
    database.sql(changes);
    database.sql("INSERT INTO other VALUES (1)");
    run_until_idle(&connector);
    let other = lines(&connector, "other");
    assert_eq!(other.len(), 1, "tables that are not concerned are read");
    (database, connector)
}

#[track_caller]
fn check_keys(connector: &Connector, table: &str, expect: &[&str]) {
    let keys: Vec<String> = lines(connector, table).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, expect, "{table}");
}

#[track_caller]
fn check_rows(connector: &Connector, table: &str, expect: &[Value]) {
    let rows: Vec<Value> = lines(connector, table).into_iter().map(|(_, row)| row).collect();
    assert_eq!(rows, expect, "{table}");
}

/// The textbook way to remove a label of an enum.
#[test]
fn a_type_that_was_made_anew_is_known_by_its_name() {
    let (_database, connector) = backlog(
        "enumswap",
        "CREATE TYPE mood AS ENUM('sad','ok','happy');
         CREATE TABLE t(id int PRIMARY KEY, m mood NOT NULL DEFAULT 'ok', v text); INSERT INTO t VALUES (1,'sad','x')",
        "INSERT INTO t VALUES (2,'happy','before'); UPDATE t SET v='y' WHERE id=1;
         BEGIN; ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM('sad','ok','glad'); ALTER TABLE t ALTER m DROP DEFAULT;
         ALTER TABLE t ALTER m TYPE mood USING (CASE m::text WHEN 'happy' THEN 'glad' ELSE m::text END)::mood;
         ALTER TABLE t ALTER m SET DEFAULT 'ok'; DROP TYPE mood_old; COMMIT;
         INSERT INTO t VALUES (3,'glad','after')",
    );
    let row = |id, m, v| serde_json::json!({"id": id, "m": m, "v": v});
    check_rows(&connector, "t", &[row(2, "happy", "before"), row(1, "sad", "y"), row(3, "glad", "after")]);
    check_keys(&connector, "t", &[r#"{"id":2}"#, r#"{"id":1}"#, r#"{"id":3}"#]);
}

/// A type that is gone for good costs its own columns. Those are written of which the stream's name of the type tells the
/// form: domains over built-in types, and types of extensions.
#[test]
fn a_type_that_is_gone_costs_its_own_columns() {
    let (_database, connector) = backlog(
        "typesgone",
        "CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION citext;
         CREATE TYPE mood AS ENUM('sad','ok'); CREATE DOMAIN dom AS int CHECK (value > 0); CREATE DOMAIN dmood AS mood;
         CREATE TYPE comp AS (a int, b text); CREATE TYPE rng AS RANGE(subtype = float8);
         CREATE TABLE t(id int PRIMARY KEY, e mood NOT NULL, ea mood[], d dom, dm dmood, da dom[], c comp, r rng,
                        mr rng_multirange, h hstore, l ltree, ci citext, cia citext[], v text)",
        "INSERT INTO t VALUES (2,'sad','{sad,ok}',5,'ok','{1,2}','(1,x)','[1,2]','{[1,2]}','a=>1','a.b','Ci','{Ci}','y');
         UPDATE t SET v = 'z'; DELETE FROM t;
         ALTER TABLE t DROP e, DROP ea, DROP d, DROP dm, DROP da, DROP c, DROP r, DROP mr, DROP h, DROP l, DROP ci, DROP cia;
         DROP TYPE comp; DROP TYPE rng; DROP DOMAIN dmood; DROP DOMAIN dom; DROP TYPE mood;
         DROP EXTENSION hstore; DROP EXTENSION ltree; DROP EXTENSION citext;
         INSERT INTO t VALUES (3,'after')",
    );
    let row = |v| serde_json::json!({"id": 2, "d": 5, "h": r#"{"a":"1"}"#, "l": "a.b", "ci": "Ci", "cia": ["Ci"], "v": v});
    let gone =
        serde_json::json!({"id": 2, "d": null, "h": null, "l": null, "ci": null, "cia": null, "v": null});
    check_rows(&connector, "t", &[row("y"), row("z"), gone, serde_json::json!({"id": 3, "v": "after"})]);
    check_keys(&connector, "t", &[r#"{"id":2}"#, r#"{"id":2}"#, r#"{"id":2}"#, r#"{"id":3}"#]);
}

/// A column that became text, as one does to be rid of an enum, keeps its values; others that had such a type are left out.
#[test]
fn a_type_that_became_text_keeps_its_values() {
    let (_database, connector) = backlog(
        "totext",
        "CREATE TYPE mood AS ENUM('sad','ok'); CREATE TYPE old AS ENUM('a'); CREATE TYPE newer AS ENUM('a','b');
         CREATE TABLE t(id int PRIMARY KEY, e mood NOT NULL, n mood, ea mood[], o old, v text)",
        "INSERT INTO t VALUES (2,'sad',NULL,'{sad,ok}','a','y');
         ALTER TABLE t ALTER e TYPE varchar, ALTER n TYPE int USING 1, ALTER ea TYPE text[] USING ea::text[],
                       ALTER o TYPE newer USING o::text::newer;
         DROP TYPE mood; DROP TYPE old; INSERT INTO t VALUES (3,'sad',1,'{ok}','b','z')",
    );
    check_rows(
        &connector,
        "t",
        &[
            serde_json::json!({"id": 2, "e": "sad", "o": "a", "v": "y"}),
            serde_json::json!({"id": 3, "e": "sad", "n": 1, "ea": ["ok"], "o": "b", "v": "z"}),
        ],
    );
}

/// Of a key a column must not be missing: its values are text, whatever the type was.
#[test]
fn a_key_outlives_its_type_and_its_table() {
    let (_database, connector) = backlog(
        "keytype",
        "CREATE TYPE mood AS ENUM('sad','ok'); CREATE TABLE t(m mood PRIMARY KEY, v text);
         CREATE TABLE f(m mood PRIMARY KEY, v text); ALTER TABLE f REPLICA IDENTITY FULL",
        "INSERT INTO t VALUES ('ok','y'); INSERT INTO f VALUES ('ok','y'); DROP TABLE t, f; DROP TYPE mood",
    );
    check_keys(&connector, "t", &[r#"{"m":"ok"}"#]);
    check_keys(&connector, "f", &[r#"{"m":"ok"}"#]);
}

/// The stream does not say the key of a table with replica identity FULL, and nobody else does once it is dropped.
#[test]
fn a_table_that_is_gone_keeps_its_key() {
    let (_database, connector) = backlog(
        "keygone",
        "CREATE TABLE t(id int, k text, v text, PRIMARY KEY (k, id)); ALTER TABLE t REPLICA IDENTITY FULL;
         CREATE TABLE d(id int, k text, v text, PRIMARY KEY (k, id));
         CREATE TABLE i(id int PRIMARY KEY, u int NOT NULL UNIQUE); ALTER TABLE i REPLICA IDENTITY USING INDEX i_u_key;
         CREATE TABLE n(id int PRIMARY KEY, v text); ALTER TABLE n REPLICA IDENTITY NOTHING;
         CREATE TABLE later(id int PRIMARY KEY, v text); CREATE TABLE nokey(id int); ALTER TABLE nokey REPLICA IDENTITY FULL;
         INSERT INTO t VALUES (1,'a','x')",
        "INSERT INTO t VALUES (2,'b','y'); UPDATE t SET v = 'z' WHERE id = 1; DELETE FROM t WHERE id = 1; DROP TABLE t;
         INSERT INTO d VALUES (2,'b','y'); DROP TABLE d; INSERT INTO i VALUES (1,2); DROP TABLE i;
         INSERT INTO n VALUES (1,'y'); DROP TABLE n; INSERT INTO nokey VALUES (1); DROP TABLE nokey;
         ALTER TABLE later REPLICA IDENTITY FULL; INSERT INTO later VALUES (7,'y'); DROP TABLE later",
    );
    let (one, two) = (r#"{"k":"a","id":1}"#, r#"{"k":"b","id":2}"#);
    check_keys(&connector, "t", &[two, one, one]);
    check_keys(&connector, "d", &[two]);
    check_keys(&connector, "i", &[r#"{"id":1}"#]);
    check_keys(&connector, "n", &[r#"{"id":1}"#]);
    check_keys(&connector, "later", &[r#"{"id":7}"#]);
    check_keys(&connector, "nokey", &["null"]);
}

/// Rows have the key that their table had then, not the one that it has when they are read.
#[test]
fn a_key_that_was_changed_is_that_of_later_rows() {
    let (_database, connector) = backlog(
        "keychange",
        "CREATE TABLE t(id int PRIMARY KEY, v text NOT NULL); ALTER TABLE t REPLICA IDENTITY FULL;
         CREATE TABLE p(id int PRIMARY KEY, v text); ALTER TABLE p REPLICA IDENTITY FULL;
         CREATE TABLE m(id int PRIMARY KEY, v text); ALTER TABLE m REPLICA IDENTITY FULL;
         CREATE TABLE r(id int PRIMARY KEY, v text); ALTER TABLE r REPLICA IDENTITY FULL",
        "INSERT INTO t VALUES (1,'a'); ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (v); INSERT INTO t VALUES (2,'b');
         INSERT INTO p VALUES (1,'a'); ALTER TABLE p DROP CONSTRAINT p_pkey; INSERT INTO p VALUES (2,'b');
         INSERT INTO m VALUES (1,'a'); DROP TABLE m; CREATE TABLE m(v text PRIMARY KEY, id text); INSERT INTO m VALUES ('n','x');
         INSERT INTO r VALUES (1,'a'); ALTER TABLE r RENAME TO r2; INSERT INTO r2 VALUES (2,'b')",
    );
    check_keys(&connector, "t", &[r#"{"id":1}"#, r#"{"v":"b"}"#]);
    check_keys(&connector, "p", &[r#"{"id":1}"#, "null"]);
    check_keys(&connector, "m", &[r#"{"id":1}"#, r#"{"v":"n"}"#]);
    check_keys(&connector, "r", &[r#"{"id":1}"#]);
    check_keys(&connector, "r2", &[r#"{"id":2}"#]);
}

/// Also what was made while it ran is known after a restart, and a crash; offsets are in Kafka here.
#[test]
fn the_key_of_a_table_made_meanwhile_outlives_a_crash() {
    let database = Database::create("keycrash");
    database.sql("CREATE TABLE other(id int PRIMARY KEY)");
    let connector = database
        .connector()
        .unset("offset.storage.file.filename")
        .set("offset.storage.topic", &format!("{}_offsets", database.name));
    let mut process = streaming(&connector);
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1,'a')");
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    reader.read(1, LONG);
    let mut offsets = Reader::new(kafka(), &[&format!("{}_offsets", database.name)]);
    eventually(LONG, "the key is written", || {
        offsets.read_all().iter().any(|record| {
            record.key.as_deref().is_some_and(|key| key.contains("pgcdc"))
                && record.value.as_deref().is_some_and(|value| value.matches(r#"[\"id\"]"#).count() == 2)
        })
    });
    process.kill9().expect("it can be killed");
    database.sql("INSERT INTO t VALUES (2,'b'); DROP TABLE t");
    let process = streaming(&connector);
    let keys = || {
        let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
        reader.read(2, LONG).iter().filter_map(|record| record.key.clone()).collect::<Vec<_>>()
    };
    let keys = keys();
    assert!(
        keys.iter().all(|key| key.starts_with(r#"{"id":"#)) && keys.contains(&r#"{"id":2}"#.to_owned()),
        "{keys:?}"
    );
    stop(process);
}

/// A table that is made and filled before the snapshot begins, after the tables were listed for the publication.
#[track_caller]
fn made_meanwhile(mode: &str, reuse: bool) {
    let database = Database::create("meanwhile");
    database.sql("CREATE TABLE a(id int PRIMARY KEY); INSERT INTO a VALUES (1)");
    if reuse {
        database
            .sql(&format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')", database.slot()));
    }
    let connector =
        database.connector().set("publication.autocreate.mode", mode).set("snapshot.delay.ms", "4000");
    let mut process = connector.start_with(&["--stdout", "--until-idle", "3"]);
    let made = format!("SELECT count(*) FROM pg_publication WHERE pubname = '{}'", database.publication());
    eventually(LONG, "the publication is made", || database.sql(&made) == "1");
    database.sql(
        "CREATE TABLE b(id int PRIMARY KEY, v text); INSERT INTO b VALUES (2,'x');
         CREATE TABLE c(id int) PARTITION BY RANGE (id); CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (10);
         INSERT INTO c VALUES (3); ALTER TABLE a ADD w int; DROP TABLE IF EXISTS nothing",
    );
    wait_streaming(&mut process);
    database.sql("INSERT INTO b VALUES (4,'y'); INSERT INTO a VALUES (5, 6); INSERT INTO c VALUES (7)");
    let status = process.wait_timeout(LONG);
    assert!(status.is_some_and(|status| status.success()), "{mode}: {}", process.stderr());
    let found = ops(&values(&connector.dir.join("stdout")));
    // The partitioned table and its partition have each row, as with Debezium.
    assert_eq!(found, "r1 r2 r3 r3 c4 c5 c7", "{mode}, reuse: {reuse}");
}

#[test]
fn a_table_made_before_the_snapshot_is_in_it() {
    made_meanwhile("all_tables", false);
}

#[test]
fn a_table_made_before_the_snapshot_of_an_old_slot_is_in_it() {
    made_meanwhile("all_tables", true);
}

#[test]
fn a_table_made_before_the_snapshot_is_published_too() {
    made_meanwhile("filtered", false);
}

#[test]
fn a_table_made_before_the_snapshot_of_an_old_slot_is_published_too() {
    made_meanwhile("filtered", true);
}

/// A table that is dropped between the export of the snapshot and its reading costs its own rows.
#[test]
fn a_table_dropped_while_the_snapshot_begins_costs_itself() {
    let database = Database::create("droppedsoon");
    database.sql("CREATE TABLE a(id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b(id int PRIMARY KEY); INSERT INTO b VALUES (2)");
    // Each SQL session sleeps at its beginning; that of the snapshot does when the snapshot is there already.
    let connector = database.connector().set("database.initial.statements", "SELECT pg_sleep(3)");
    let mut process = connector.start_with(&["--stdout", "--until-idle", "1"]);
    let made = format!(
        "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{}' AND confirmed_flush_lsn IS NOT NULL",
        database.slot()
    );
    eventually(LONG, "the slot is made", || database.sql(&made) == "1");
    database.sql("DROP TABLE b");
    let status = process.wait_timeout(LONG);
    let said = process.stderr();
    assert!(status.is_some_and(|status| status.success()), "{said}");
    assert_eq!(ops(&values(&connector.dir.join("stdout"))), "r1", "{said}");
    assert!(said.contains("public.b") && said.contains("dropped while the snapshot began"), "{said}");
    assert!(!said.contains("starts again"), "{said}");
}

/// A role that may read some columns only is enough when the others are not captured.
#[test]
fn a_snapshot_reads_the_captured_columns_only() {
    let database = Database::create("grants");
    let role = database.name.clone();
    database.sql(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, v text, secret text); INSERT INTO t VALUES (1,'a','s');
         CREATE PUBLICATION {} FOR TABLE t; CREATE ROLE {role} LOGIN REPLICATION; GRANT SELECT (id, v) ON t TO {role}",
        database.publication()
    ));
    let connector =
        database.connector().set("database.user", &role).set("column.exclude.list", "public.t.secret");
    let (values, said) = run_until_idle(&connector);
    let rows: Vec<String> = values.iter().map(|value| value["after"].to_string()).collect();
    assert_eq!(rows, [r#"{"id":1,"v":"a"}"#], "{said}");
    database.sql("INSERT INTO t VALUES (2,'b','s')");
    let (values, said) = run_until_idle(&connector);
    assert_eq!(values[0]["after"].to_string(), r#"{"id":2,"v":"b"}"#, "{said}");
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
