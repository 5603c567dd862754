//! Values: nothing that a server, a database or a role is set to changes them, and none of them stops the connector.

use std::thread;
use std::time::Duration;

use pgcdc_testbed::locale::{self, Monetary};
use pgcdc_testbed::{Postgres, PostgresOptions};
use serde_json::Value;

use super::{run_until_idle, values, wait_streaming};
use crate::avro::types::{CHANGES, TABLES};
use crate::harness::{Connector, Database, LONG, eventually, own_postgres, scratch_dir};

/// Settings that change how values are printed, or end sessions, each set so that it would be seen; `{}` is the role.
const BAD: &str = "
    ALTER ROLE {} SET datestyle = 'German, DMY';       ALTER ROLE {} SET intervalstyle = 'iso_8601';
    ALTER ROLE {} SET timezone = 'Asia/Kathmandu';     ALTER ROLE {} SET bytea_output = 'escape';
    ALTER ROLE {} SET extra_float_digits = -10;        ALTER ROLE {} SET xmlbinary = 'hex';
    ALTER ROLE {} SET lc_monetary = 'xx_comma';        ALTER ROLE {} SET search_path = 'other';
    ALTER ROLE {} SET quote_all_identifiers = on;      ALTER ROLE {} SET standard_conforming_strings = off;
    ALTER ROLE {} SET array_nulls = off;               ALTER ROLE {} SET client_encoding = 'LATIN1';
    ALTER ROLE {} SET default_transaction_isolation = 'serializable';
    ALTER ROLE {} SET default_transaction_deferrable = on;
    ALTER ROLE {} SET enable_seqscan = off;            ALTER ROLE {} SET lock_timeout = '1ms';
    ALTER ROLE {} SET statement_timeout = '2s';        ALTER ROLE {} SET idle_session_timeout = '1s';
    ALTER ROLE {} SET idle_in_transaction_session_timeout = '1s';
    ALTER ROLE {} SET tcp_user_timeout = '1s';";

/// More of what is printed by settings: names by the search path, and types that Debezium does not know.
const MORE: &str = "
    CREATE SCHEMA other; CREATE TABLE other.named(id int);
    CREATE TABLE more(id int PRIMARY KEY, c regclass, t regtype, p regproc, n regnamespace, f float8, fa float4[], m money, x xml,
      iv interval[], ts timestamptz[], l pg_lsn, b bytea[], r tstzrange, mr datemultirange, d money DEFAULT 5::money);
    ALTER TABLE more REPLICA IDENTITY FULL;
    INSERT INTO more VALUES (1, 'every', 'timestamptz[]', 'now', 'other', 0.1::float8 + 0.2::float8, '{0.1,1e-30}', -1234.5, '<a/>',
      '{1 day -1 sec}', '{2024-02-29 12:00+02}', '0/16B3748', array['\\x00ff'::bytea], '[2024-01-01 00:00+00,)', '{[2024-01-01,2024-02-01)}');
    INSERT INTO more(id, c, f) VALUES (2, 'other.named', 1e300 / 3);";

/// A server whose C library knows locales with a comma for a point, with no digits after it, and with three.
fn server_with_locales(version: u32) -> Postgres {
    let dir = scratch_dir("locales");
    let money = |symbol, point, separator, digits| Monetary { symbol, point, separator, digits };
    for (name, money) in [
        ("xx_comma", money("E", ",", " ", 2)),
        ("xx_german", money("EUR", ",", ".", 2)),
        ("xx_swiss", money("Fr.", ".", "'", 2)),
        ("xx_none", money("Y", ".", ",", 0)),
        ("xx_three", money("D", ".", ",", 3)),
    ] {
        locale::make(&dir, name, money).expect("a locale");
    }
    // The server runs as another user, who must get there.
    let open = std::process::Command::new("chmod").args(["-R", "a+rX"]).arg(&dir).status();
    assert!(open.expect("chmod runs").success());
    let options = PostgresOptions::version(version).setting("fsync", "off").setting("timezone", "UTC");
    let options = options.environment("LOCPATH", &dir.to_string_lossy());
    own_postgres(options).0
}

/// What two connectors of one database must have in common.
fn bare(values: &[Value]) -> Vec<String> {
    let one = |value: &Value| {
        if value["source"].is_null() {
            return value.to_string();
        }
        format!("{} {} {} {}", value["source"]["table"], value["op"], value["before"], value["after"])
    };
    values.iter().map(one).collect()
}

/// A role's, a database's and a role's settings in a database change no value, and end no session of ours.
fn settings_change_nothing(version: u32) {
    let server = server_with_locales(version);
    let database = Database::create_on(&server, "pins");
    database.sql(TABLES);
    database.sql(CHANGES);
    database.sql(MORE);
    database.sql("CREATE ROLE plain LOGIN SUPERUSER; CREATE ROLE bad LOGIN SUPERUSER");
    database.sql(&BAD.replace("{}", "bad"));
    database.sql(&format!(
        "ALTER ROLE bad IN DATABASE {0} SET extra_float_digits = 0; ALTER ROLE bad IN DATABASE {0} SET xmloption = 'document'",
        database.name
    ));
    if version >= 17 {
        database.sql("ALTER ROLE bad SET transaction_timeout = '2s'");
    }
    // Whoever reads the tables waits longer than the role's time-outs.
    let holder = {
        let (server, name) = (database.server, database.name.clone());
        thread::spawn(move || server.sql(&name, "BEGIN; LOCK TABLE keyless; SELECT pg_sleep(4); COMMIT"))
    };
    eventually(LONG, "the table is locked", || {
        database.sql("SELECT count(*) FROM pg_locks WHERE relation = 'keyless'::regclass AND mode = 'AccessExclusiveLock'")
            == "1"
    });
    let connector = |role: &str| {
        let connector = database.connector().set("database.user", role).set("slot.name", role);
        connector
            .set("publication.name", role)
            .set("decimal.handling.mode", "string")
            .set("include.unknown.datatypes", "true")
            .set("binary.handling.mode", "hex")
    };
    let connectors: Vec<Connector> = ["plain", "bad"].map(connector).into();
    let mut running: Vec<_> =
        connectors.iter().map(|one| one.start_with(&["--stdout", "--until-idle", "4"])).collect();
    running.iter_mut().for_each(wait_streaming);
    holder.join().expect("the holder ends").expect("its statements run");
    // Longer than an idle session of the role may live; then the catalog is asked again.
    thread::sleep(Duration::from_millis(2500));
    database.sql("CREATE TABLE late(id int PRIMARY KEY, f float8, c regclass); INSERT INTO late VALUES (1, 0.1::float8 + 0.2, 'other.named')");
    database
        .sql("UPDATE every SET b = b; UPDATE more SET id = id; UPDATE filled SET f = f; DELETE FROM more");
    let mut found = Vec::new();
    for (process, connector) in running.iter_mut().zip(&connectors) {
        let status = process.wait_timeout(LONG);
        let said = process.stderr();
        assert!(status.is_some_and(|status| status.success()), "{said}");
        assert!(!said.contains("starts again"), "a session was ended: {said}");
        found.push(bare(&values(&connector.dir.join("stdout"))));
    }
    assert!(found[0].len() > 20, "{} records", found[0].len());
    assert!(
        found[0].iter().any(|record| record.contains("0.30000000000000004")),
        "all digits: {:?}",
        found[0]
    );
    for (bad, plain) in found[1].iter().zip(&found[0]) {
        assert_eq!(bad, plain);
    }
    assert_eq!(found[1].len(), found[0].len());
}

#[test]
fn settings_of_a_role_change_nothing_on_15() {
    settings_change_nothing(15);
}

#[test]
fn settings_of_a_role_change_nothing_on_18() {
    settings_change_nothing(18);
}

/// Whatever `lc_monetary` the database has, money is the number that the server itself makes of it.
#[test]
fn money_is_right_in_every_locale() {
    let server = server_with_locales(15);
    for locale in ["C", "xx_comma", "xx_german", "xx_swiss", "xx_none", "xx_three"] {
        let database = Database::create_on(&server, &format!("money_{}", locale.to_lowercase()));
        database.sql(&format!("ALTER DATABASE {} SET lc_monetary = '{locale}'", database.name));
        database.sql("CREATE TABLE t(id int PRIMARY KEY, m money)");
        let rows = |from: u32| {
            let amounts = ["1234.56", "19.99", "-0.05", "0", "92233720368547.75", "-1234567.891"];
            let rows: Vec<String> = amounts
                .iter()
                .enumerate()
                .map(|(at, amount)| format!("({}, '{amount}'::numeric::money)", from as usize + at))
                .collect();
            format!("INSERT INTO t VALUES {}", rows.join(","))
        };
        database.sql(&rows(1));
        let connector = database.connector().set("decimal.handling.mode", "string");
        let (mut found, _) = run_until_idle(&connector);
        database.sql(&rows(101));
        found.extend(run_until_idle(&connector).0);
        let found: Vec<String> = found
            .iter()
            .map(|value| format!("{}|{}", value["after"]["id"], value["after"]["m"].as_str().expect("text")))
            .collect();
        let expected = database.sql("SELECT id, m::numeric FROM t ORDER BY id");
        assert_eq!(found.join("\n"), expected, "lc_monetary={locale}");
    }
}

/// The infinities of PostgreSQL 17 are what Debezium 3.7 writes for them: nothing of every part.
#[test]
fn infinite_intervals_are_written() {
    let (server, _dir) = own_postgres(PostgresOptions::version(18).setting("fsync", "off"));
    for (mode, zero) in [("numeric", "0"), ("string", r#""P0Y0M0DT0H0M0S""#)] {
        let database = Database::create_on(&server, "infinite");
        database.sql("CREATE TABLE t(id int PRIMARY KEY, v interval NOT NULL)");
        database.sql("INSERT INTO t VALUES (1, 'infinity'), (2, '-infinity')");
        let connector = database.connector().set("interval.handling.mode", mode);
        let (mut found, _) = run_until_idle(&connector);
        database.sql("INSERT INTO t VALUES (3, 'infinity'), (4, '-infinity')");
        found.extend(run_until_idle(&connector).0);
        let found: Vec<String> = found.iter().map(|value| value["after"]["v"].to_string()).collect();
        assert_eq!(found, [zero; 4], "{mode}");
    }
}

/// A table with numbers that a decimal does not have, and the connector that captures it.
fn not_a_number(name: &str, column: &str) -> (Database, Connector) {
    let database = Database::create(name);
    database.sql(&format!("CREATE TABLE t(id int PRIMARY KEY, n numeric(10,2) {column}, x text)"));
    database.sql("INSERT INTO t VALUES (1, 1, 'a'), (2, 'NaN', 'b'), (3, 3, 'c')");
    let connector = database.connector();
    (database, connector)
}

fn numbers(values: &[Value]) -> Vec<String> {
    values.iter().map(|value| format!("{}={}", value["after"]["id"], value["after"]["n"])).collect()
}

/// Debezium's default: null, and the log tells of the column at its first value and at each tenfold of their count.
#[test]
fn a_value_that_cannot_be_converted_is_null_and_told_once() {
    let (database, connector) = not_a_number("nan_warn", "");
    let (found, said) = run_until_idle(&connector);
    assert_eq!(numbers(&found), [r#"1="ZA==""#, "2=null", r#"3="ASw=""#]);
    assert_eq!(said.matches("cannot be converted").count(), 1, "{said}");
    database.sql("INSERT INTO t SELECT id, 'NaN' FROM generate_series(11, 1000) id");
    let (found, said) = run_until_idle(&connector);
    assert_eq!(found.len(), 990);
    assert!(numbers(&found).iter().all(|row| row.ends_with("=null")));
    let lines = said.matches("cannot be converted").count();
    assert!((1..=3).contains(&lines), "{lines} lines: {said}");
    assert!(said.contains("column=\"n\"") && said.contains("public.t"), "{said}");
    let (found, said) = {
        database.sql("INSERT INTO t VALUES (2001, 'NaN')");
        run_until_idle(&connector.set("event.converting.failure.handling.mode", "skip"))
    };
    assert_eq!(numbers(&found), ["2001=null"]);
    assert!(!said.contains("cannot be converted"), "{said}");
}

/// `fail` stops, in the snapshot and while streaming, and says how to go on.
#[test]
fn a_value_that_cannot_be_converted_stops_where_it_is_asked_for() {
    let (database, connector) = not_a_number("nan_fail", "");
    let failing = connector.clone().set("event.converting.failure.handling.mode", "fail");
    let refused = |connector: &Connector| {
        let mut process = connector.start_with(&["--stdout", "--until-idle", "0.5"]);
        let status = process.wait_timeout(LONG).expect("it ends");
        let said = process.stderr();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("column n of public.t"), "{said}");
        said
    };
    assert!(refused(&failing).contains("event.converting.failure.handling.mode=warn"));
    run_until_idle(&connector);
    database.sql("INSERT INTO t VALUES (4, 'NaN')");
    refused(&failing);
    assert_eq!(numbers(&run_until_idle(&connector).0), ["4=null"], "the way out leads out");
}

/// NOT NULL: without schemas null does no harm; with schemas there is no such record, which stops, or is left out.
#[test]
fn a_value_that_must_be_there_is_null_only_where_no_schema_forbids_it() {
    let (database, connector) = not_a_number("nan_needed", "NOT NULL");
    assert_eq!(numbers(&run_until_idle(&connector).0), [r#"1="ZA==""#, "2=null", r#"3="ASw=""#]);
    database.sql("INSERT INTO t VALUES (4, 4), (5, 'NaN'), (6, 6)");
    let schemas = connector.with_schemas();
    let mut process = schemas.start_with(&["--stdout", "--until-idle", "0.5"]);
    let status = process.wait_timeout(LONG).expect("it ends");
    assert_eq!(status.code(), Some(1), "{}", process.stderr());
    assert!(process.stderr().contains("errors.tolerance=all"), "{}", process.stderr());
    let (found, said) = run_until_idle(&schemas.set("errors.tolerance", "all"));
    let payloads: Vec<Value> = found.iter().map(|value| value["payload"].clone()).collect();
    assert_eq!(numbers(&payloads), [r#"4="AZA=""#, r#"6="Alg=""#]);
    assert!(said.contains("records are left out"), "{said}");
}

/// A transform that fails on a row: stops, or leaves that record out.
#[test]
fn a_record_that_a_transform_refuses_is_left_out_where_that_is_asked_for() {
    let database = Database::create("smt_tolerance");
    database
        .sql("CREATE TABLE t(id int PRIMARY KEY, x text); INSERT INTO t VALUES (1, '7'), (2, 'b'), (3, '9')");
    let connector = database
        .connector()
        .set("transforms", "u,c")
        .set("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState")
        .set("transforms.c.type", "org.apache.kafka.connect.transforms.Cast$Value")
        .set("transforms.c.spec", "x:int32");
    let mut process = connector.start_with(&["--stdout", "--until-idle", "0.5"]);
    let status = process.wait_timeout(LONG).expect("it ends");
    assert_eq!(status.code(), Some(1), "{}", process.stderr());
    let (found, said) = run_until_idle(&connector.set("errors.tolerance", "all"));
    let found: Vec<String> = found.iter().map(Value::to_string).collect();
    assert_eq!(found, [r#"{"id":1,"x":7}"#, r#"{"id":3,"x":9}"#]);
    assert!(said.contains("transform c"), "{said}");
}
