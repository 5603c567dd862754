//! `ReselectColumnsPostProcessor`: each record as Debezium 3.7.0 wrote it on the same statements.

use serde_json::Value;

use super::run_until_idle;
use crate::harness::{Connector, Database};

const BIG: &str = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i)";

fn database(name: &str) -> Database {
    let database = Database::create(name);
    database.sql(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, big text, n int, x text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
         INSERT INTO t VALUES (1,{BIG},1,'a'), (2,{BIG},2,NULL), (3,{BIG},3,'c'), (4,{BIG},4,'d')"
    ));
    database
}

/// What happens to a row between the change and its being read again: nothing, a delete, a new key, another value.
const CHANGES: &str = "
    UPDATE t SET n = 10 WHERE id = 1;
    BEGIN; UPDATE t SET n = 20 WHERE id = 2; DELETE FROM t WHERE id = 2; COMMIT;
    UPDATE t SET id = 30 WHERE id = 3;
    BEGIN; UPDATE t SET n = 40 WHERE id = 4; UPDATE t SET big = 'new' WHERE id = 4; COMMIT;
    INSERT INTO t VALUES (5, NULL, NULL, NULL);
    BEGIN; INSERT INTO t VALUES (6, NULL, 1, NULL); UPDATE t SET x = 'later' WHERE id = 6; COMMIT";

fn connector(database: &Database, options: &[(&str, &str)]) -> Connector {
    let connector = database
        .connector()
        .set("post.processors", "r")
        .set("r.type", "io.debezium.processors.reselect.ReselectColumnsPostProcessor");
    options.iter().fold(connector, |connector, (key, value)| connector.set(&format!("r.{key}"), value))
}

/// `op id: big n x` of each record that has a new row, long values as `6400`.
fn rows(values: &[Value]) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) if text.len() > 60 => text.len().to_string(),
        other => other.to_string().trim_matches('"').to_owned(),
    };
    let rows = values.iter().filter(|value| value["after"].is_object()).map(|value| {
        let row = &value["after"];
        let [big, n, x] = ["big", "n", "x"].map(|column| text(&row[column]));
        format!("{}{}: {big} {n} {x}", value["op"].as_str().unwrap_or_default(), row["id"])
    });
    rows.collect()
}

#[track_caller]
fn check(name: &str, options: &[(&str, &str)], expect: &[&str]) {
    let database = database(name);
    let connector = connector(&database, options);
    run_until_idle(&connector);
    database.sql(CHANGES);
    assert_eq!(rows(&run_until_idle(&connector).0), expect, "{options:?}");
}

const GONE: &str = "u2: __debezium_unavailable_value 20 null";

#[test]
fn what_was_not_sent_and_what_is_null_is_read_again() {
    check(
        "reselect_all",
        &[],
        &[
            "u1: 6400 10 a",
            GONE,
            "c30: 6400 3 c",
            "u4: new 40 d",
            "u4: new 40 d",
            "c5: null null null",
            "c6: null 1 later",
            "u6: null 1 later",
        ],
    );
}

#[test]
fn nulls_stay_where_that_is_said_or_the_list_has_other_columns() {
    let expect = [
        "u1: 6400 10 a",
        GONE,
        "c30: 6400 3 c",
        "u4: new 40 d",
        "u4: new 40 d",
        "c5: null null null",
        "c6: null 1 null",
        "u6: null 1 later",
    ];
    check("reselect_no_nulls", &[("reselect.null.values", "false")], &expect);
    check("reselect_listed", &[("reselect.columns.include.list", "public.t:big")], &expect);
}

#[test]
fn what_was_not_sent_stays_where_that_is_said() {
    let placeholder = "__debezium_unavailable_value";
    let expect = [
        format!("u1: {placeholder} 10 a"),
        GONE.to_owned(),
        format!("c30: {placeholder} 3 c"),
        format!("u4: {placeholder} 40 d"),
        "u4: new 40 d".to_owned(),
        "c5: null null null".to_owned(),
        "c6: null 1 later".to_owned(),
        "u6: null 1 later".to_owned(),
    ];
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    let options = [("reselect.unavailable.values", "false"), ("reselect.columns.exclude.list", "public.t:n")];
    check("reselect_only_nulls", &options, &expect);
}

/// Keys of text, uuid and time; values of many types come as the stream has them.
#[test]
fn any_key_and_type_is_read() {
    let database = Database::create("reselect_types");
    database.sql(&format!(
        "CREATE TABLE s(a text, b uuid, c timestamptz, big text, js jsonb, arr text[], by bytea, nu numeric(10,2), d date,
           ts timestamp, iv interval, en money, hs xml, tz timetz, PRIMARY KEY (a, b, c));
         ALTER TABLE s ALTER big SET STORAGE EXTERNAL;
         INSERT INTO s(a, b, c, big) VALUES (E'k''\\\\1', '0123abcd-0123-4567-89ab-0123456789ab', '2024-01-01 12:00:00.123456+02', {BIG})"
    ));
    let connector = connector(&database, &[]);
    run_until_idle(&connector);
    database.sql(
        "BEGIN; UPDATE s SET b = b;
         UPDATE s SET js = '{\"a\": 1}', arr = '{x,NULL}', by = '\\x01', nu = 2.5, d = '2024-02-29',
           ts = '2024-02-29 12:00:00.123456', iv = '1 day', en = '7', hs = '<b/>', tz = '12:00+02'; COMMIT",
    );
    let (found, _) = run_until_idle(&connector);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["after"], found[1]["after"], "the first is read as the second left it");
    let row = &found[0]["after"];
    assert_eq!(row["big"].as_str().map(str::len), Some(6400));
    assert_eq!(row["arr"].to_string(), r#"["x",null]"#);
    assert_eq!(
        (row["tz"].as_str(), row["by"].as_str(), row["en"].as_str()),
        (Some("10:00:00Z"), Some("AQ=="), Some("Arw="))
    );
}

/// A table that is no longer there costs the columns, not the connector; with `fail` it stops.
#[test]
fn what_cannot_be_read_stays_as_it_was() {
    let database = database("reselect_gone");
    let connector =
        connector(&database, &[("reselect.use.event.key", "true")]).set("message.key.columns", "public.t:id");
    run_until_idle(&connector);
    database.sql(
        "UPDATE t SET n = 10 WHERE id = 1; UPDATE t SET n = 11 WHERE id = 1; ALTER TABLE t RENAME TO other",
    );
    let (found, said) = run_until_idle(&connector);
    assert_eq!(
        rows(&found),
        ["u1: __debezium_unavailable_value 10 a", "u1: __debezium_unavailable_value 11 a"]
    );
    assert_eq!(said.matches("cannot be read again").count(), 1, "{said}");
}
