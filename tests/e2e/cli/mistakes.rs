//! What is wrong with how it is used: exit code 2, and a message that says what to write.

use crate::harness::{Database, pgcdc, scratch_dir};

use super::expect;

/// Runs `pgcdc stream --stdout` with a file of this content; what it says, with FILE for the file's path.
#[track_caller]
fn check(content: &str, args: &[&str], said: &str) {
    let file = scratch_dir("mistake").join("connector.json");
    std::fs::write(&file, content).expect("the scratch directory is writable");
    let file = file.to_string_lossy();
    let finished = pgcdc(&[&["stream", "--stdout", "--config", &file], args].concat());
    assert_eq!(finished.stderr.replace(&*file, "FILE"), said);
    assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "only standard error speaks");
}

const RIGHT: &str = r#"{"database.hostname": "127.0.0.1", "database.port": "1", "database.user": "u",
"database.dbname": "d", "topic.prefix": "p"}"#;

#[test]
fn all_of_a_file_in_one_answer() {
    check(
        r#"{"name": "x", "config": {
"database.hostname": "127.0.0.1",
"database.port": "many",
"database.user": "u",
"database.dbname": "d",
"topic.prefix": "p",
"snapshott.mode": "initial",
"tombstones.on.delete": "maybe"
}}"#,
        &["--set", "slot.nam=x"],
        "\
error: FILE:3: The 'database.port' value is invalid: An integer is expected (hint: the default is 5432)
FILE:7: snapshott.mode: unknown property (hint: did you mean snapshot.mode?)
FILE:8: The 'tombstones.on.delete' value is invalid: Either 'true' or 'false' is expected (hint: the default is true)
--set: slot.nam: unknown property (hint: did you mean slot.name?)
",
    );
}

#[test]
fn a_file_that_is_not_json() {
    let said = "error: FILE:1:6: is not JSON: expected value (hint: the file must be one JSON object of connector properties)\n";
    check(r#"{"a":}"#, &[], said);
}

#[test]
fn an_override_that_is_none() {
    let said = "\
error: --set: nothing: is not of the form key=value (hint: write --set snapshot.mode=no_data)

hint: write --set key=value
";
    check(RIGHT, &["--set", "nothing"], said);
}

#[test]
fn an_unreadable_file() {
    let finished = pgcdc(&["stream", "--config", "/nowhere/connector.json"]);
    expect(
        &finished,
        2,
        &["error: /nowhere/connector.json: cannot be read: No such file", "give the path of a connector"],
    );
}

#[test]
fn no_brokers() {
    let file = scratch_dir("nobrokers").join("connector.json");
    std::fs::write(&file, RIGHT).expect("the scratch directory is writable");
    let finished = pgcdc(&["stream", "--config", &file.to_string_lossy()]);
    expect(
        &finished,
        2,
        &["error: bootstrap.servers is not set\n\nhint: give --bootstrap-servers HOST:PORT"],
    );
}

#[test]
fn arguments() {
    expect(&pgcdc(&[]), 2, &["Usage: pgcdc"]);
    expect(&pgcdc(&["stream"]), 2, &["--config <FILE>"]);
    expect(&pgcdc(&["strem"]), 2, &["'stream'"]);
    expect(&pgcdc(&["stream", "--config", "x", "--stdot"]), 2, &["--stdout"]);
    expect(
        &pgcdc(&["stream", "--config", "x", "--until-idle", "soon"]),
        2,
        &["\"soon\" is not a number of seconds"],
    );
    expect(&pgcdc(&["stream", "--source", "postgres://h/d"]), 2, &["--tables"]);
    expect(
        &pgcdc(&["stream", "--config", "x", "--source", "y", "--tables", "a.b"]),
        2,
        &["cannot be used with"],
    );
}

#[test]
fn every_help_has_examples() {
    for command in ["stream", "sink", "check", "completions"] {
        let finished = pgcdc(&[command, "--help"]);
        let example = format!("  pgcdc {command} ");
        expect(&finished, 0, &["Usage: pgcdc", "Example", &example]);
        assert_eq!(finished.stderr, "", "help that was asked for is output");
    }
    let finished = pgcdc(&["--help"]);
    expect(&finished, 0, &["stream", "sink", "check", "completions"]);
    expect(&pgcdc(&["--version"]), 0, &["pgcdc "]);
    expect(&pgcdc(&["completions", "bash"]), 0, &["complete -F _pgcdc"]);
}

#[test]
fn tables_that_are_not_there() {
    let database = Database::create("unknown");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let url = database.server.url(&database.name);
    let finished = pgcdc(&["stream", "--stdout", "--source", &url, "--tables", "public.t,public.u,shop.v"]);
    let name = &database.name;
    let said = format!(
        "error: no such table in database {name}: public.u, shop.v\n\nhint: tables are named schema.table, in the case in which they were made\n"
    );
    assert_eq!(finished.stderr, said);
    assert_eq!(finished.code, 2);
    let file = database.connector().set("table.include.list", "public.nothing").write();
    let finished = pgcdc(&["stream", "--stdout", "--config", &file.to_string_lossy()]);
    expect(
        &finished,
        2,
        &["matches table.include.list", name, "regular expression for the whole of schema.table"],
    );
    let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE database = '{name}'");
    assert_eq!(database.sql(&slots), "0", "a mistake leaves no slot behind");
}

#[test]
fn url_and_tables_are_enough() {
    let database = Database::create("source");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); CREATE TABLE u(id int PRIMARY KEY); INSERT INTO t VALUES (1); INSERT INTO u VALUES (2)");
    let url = database.server.url(&database.name);
    let home = scratch_dir("home");
    let home = home.to_string_lossy();
    let environment = [("HOME", &*home), ("XDG_STATE_HOME", &*home)];
    let args = ["stream", "--stdout", "--source", &url, "--tables", "public.t", "--until-idle", "0.5"];
    let finished = crate::harness::pgcdc_in(&environment, &args);
    expect(&finished, 0, &[]);
    assert_eq!(finished.stdout.lines().count(), 1, "{}", finished.text());
    assert!(finished.stdout.contains(r#"\"after\":{\"id\":1}"#), "{}", finished.stdout);
}

/// `pgcdc stream --stdout | head -1`: the reader goes away, and that is no failure.
#[test]
fn a_broken_pipe_is_success() {
    let database = Database::create("pipe");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) i");
    let file = database.connector().write();
    let script = format!(
        "{} stream --stdout --config {} | head -1; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_pgcdc"),
        file.display()
    );
    let output = std::process::Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(text.lines().last(), Some("0"), "{text} {}", String::from_utf8_lossy(&output.stderr));
}
