//! `--format`: what the lines of `pgcdc stream --stdout` have, in a pipe and on a terminal.

use std::process::Command;

use serde_json::Value;

use super::expect;
use crate::harness::{Database, Finished, pgcdc, scratch_dir};

/// A table with a row that was changed and one that was deleted, all in the slot.
fn changed() -> (Database, String) {
    let database = Database::create("format");
    database.sql(
        "CREATE TABLE t(id int PRIMARY KEY, name text, at timestamptz, price numeric(8,2));
         ALTER TABLE t REPLICA IDENTITY FULL",
    );
    database.sql(&format!(
        "CREATE PUBLICATION {} FOR ALL TABLES;
         SELECT pg_create_logical_replication_slot('{}', 'pgoutput')",
        database.publication(),
        database.slot()
    ));
    database.sql(
        "INSERT INTO t VALUES (1, 'Ada', '2026-11-29 16:00:00+00', 1.50);
         UPDATE t SET name = E'Ada\\u009b2J\\u001b[2J' WHERE id = 1;
         DELETE FROM t",
    );
    let file = database.connector().set("snapshot.mode", "no_data").set("lsn.flush.mode", "manual").write();
    (database, file.to_string_lossy().into_owned())
}

/// Arguments that read the slot from its beginning: each run has offsets of its own, and confirms nothing.
fn stream(file: &str, more: &[&str]) -> Vec<String> {
    let offsets = scratch_dir("format").join("offsets.json");
    let set = format!("offset.storage.file.filename={}", offsets.display());
    let args = ["stream", "--stdout", "--until-idle", "0.5", "--config", file, "--set", &set];
    args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
}

#[track_caller]
fn run(file: &str, more: &[&str]) -> Finished {
    let args = stream(file, more);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = pgcdc(&args);
    expect(&finished, 0, &[]);
    finished
}

/// The insert's line must have this.
const INSERT: &str = "id=1 name='Ada' at='2026-11-29T16:00:00.000000Z' price='1.50'";

#[test]
fn each_format_tells_the_same_changes() {
    let (_database, file) = changed();
    let piped = run(&file, &[]);
    let named = run(&file, &["--format", "debezium"]);
    let parse = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let (piped, named) = (parse(&piped.stdout), parse(&named.stdout));
    assert_eq!(piped.len(), 4, "three changes and a tombstone");
    let plain = parse(&run(&file, &["--format", "plain"]).stdout);
    assert_eq!(plain.len(), 4);
    for ((piped, named), plain) in piped.iter().zip(&named).zip(&plain) {
        let unquoted = |half: &str| {
            piped[half].as_str().map_or(Value::Null, |text| serde_json::from_str(text).expect("JSON"))
        };
        assert!(piped["key"].is_string() && named["key"] == piped["key"], "text in a pipe: {piped}");
        assert_eq!((&plain["topic"], &plain["key"]), (&piped["topic"], &unquoted("key")));
        assert_eq!(plain["value"]["after"], unquoted("value")["after"]);
        assert_eq!(plain["value"].is_null(), piped["value"].is_null());
        assert_eq!(plain["headers"][0], piped["headers"][0]);
    }
    let pretty = run(&file, &["--format", "pretty"]);
    let lines: Vec<&str> = pretty.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", pretty.stdout);
    assert!(lines[0].starts_with("insert    public.t  ") && lines[0].ends_with(INSERT), "{}", lines[0]);
    let update = r"update    public.t  id=1 name: 'Ada' → 'Ada\u{9b}2J\u{1b}[2J'";
    assert_eq!(lines[1], update);
    assert!(lines[2].starts_with("delete    public.t  id=1 "), "{}", lines[2]);
    assert!(!pretty.stdout.contains('\x1b') && !pretty.stdout.contains('\u{9b}'));
    expect(&pgcdc(&["stream", "--config", &file, "--format", "plain"]), 2, &["--stdout"]);
}

/// Runs a command on a terminal of its own; returns what it wrote, errors too.
fn on_terminal(args: &[String], environment: &[(&str, &str)]) -> String {
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let line = format!("'{}' {} 2>/dev/null", env!("CARGO_BIN_EXE_pgcdc"), quoted.join(" "));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR").envs(environment.iter().copied());
    let output = command.output().expect("script(1) is of util-linux");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").replace('\r', "")
}

#[test]
fn a_terminal_shows_lines_for_people_and_obeys_nothing_from_a_row() {
    let (_database, file) = changed();
    let shown = on_terminal(&stream(&file, &[]), &[]);
    let coloured = "\x1b[32minsert   \x1b[0m public.t  ";
    assert!(shown.starts_with(coloured) && shown.contains(INSERT), "{shown:?}");
    assert_eq!(shown.matches('\x1b').count(), 6, "two for the colour of each operation: {shown:?}");
    assert!(!shown.contains('\u{9b}'), "{shown:?}");
    let plain = on_terminal(&stream(&file, &[]), &[("NO_COLOR", "1")]);
    assert!(plain.starts_with("insert    public.t  ") && !plain.contains('\x1b'), "{plain:?}");
    for format in ["debezium", "plain"] {
        let json = on_terminal(&stream(&file, &["--format", format]), &[]);
        assert!(!json.contains('\x1b') && !json.contains('\u{9b}'), "{json:?}");
        let update: Value = serde_json::from_str(json.lines().nth(1).expect("a line")).expect("JSON");
        let value = match &update["value"] {
            Value::String(text) => serde_json::from_str(text).expect("JSON"),
            nested => nested.clone(),
        };
        assert_eq!(value["after"]["name"], "Ada\u{9b}2J\u{1b}[2J", "it means the same");
    }
    let piped = run(&file, &[]);
    assert!(piped.stdout.contains('\u{9b}'), "in a pipe the bytes are as they always were");
}
