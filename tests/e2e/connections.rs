//! Connecting as psql does: every case here is tried with psql first, with the same connection string, and pgcdc has to
//! come to the same end. It connects three times in each: for SQL, for a snapshot's rows, and for replication.

mod certificates;
mod hosts;
mod keys;
mod passwords;
mod pooler;
mod tls;

use std::path::Path;
use std::process::{Command, Stdio};

use pgcdc_testbed::Postgres;

use crate::harness::{
    Finished, LONG, eventually, next, own_postgres, pgcdc_in, postgres_options, scratch_dir,
};

/// What a case should come to.
#[derive(Clone, Copy, Debug)]
enum End<'a> {
    /// psql and pgcdc both connect.
    Works,
    /// Both are refused; pgcdc exits with 2 and says all of this.
    Refused(&'a [&'a str]),
    /// pgcdc connects where psql does not, for a reason that the case tells.
    WorksHereOnly,
    /// pgcdc is refused where psql is not, and says all of this.
    RefusedHereOnly(&'a [&'a str]),
}

/// Runs one case. `url` is the connection string for both.
#[track_caller]
fn case(name: &str, url: &str, end: End<'_>) {
    case_in(name, &[], url, end);
}

/// As [`case`], with more environment.
#[track_caller]
fn case_in(name: &str, environment: &[(&str, &str)], url: &str, end: End<'_>) {
    let home = scratch_dir("home");
    case_at_home(name, &home, environment, url, end);
}

/// As [`case_in`], with a home directory that has files of libpq.
#[track_caller]
fn case_at_home(name: &str, home: &Path, environment: &[(&str, &str)], url: &str, end: End<'_>) {
    let psql = psql(home, environment, url);
    let ours = capture(home, environment, &["--source", url, "--tables", "public.t"]);
    match end {
        End::Works | End::WorksHereOnly => {
            assert_eq!(psql.is_ok(), matches!(end, End::Works), "{name}: psql: {psql:?}");
            assert_row(name, &ours);
        }
        End::Refused(said) | End::RefusedHereOnly(said) => {
            assert_eq!(psql.is_ok(), matches!(end, End::RefusedHereOnly(_)), "{name}: psql: {psql:?}");
            assert_refused(name, &ours, said);
        }
    }
}

#[track_caller]
fn assert_row(name: &str, ours: &Finished) {
    assert_eq!(ours.code, 0, "{name}: {}", ours.stderr);
    assert_eq!(ours.stdout.lines().count(), 1, "{name}: the row of the snapshot: {}", ours.stderr);
}

#[track_caller]
fn assert_refused(name: &str, ours: &Finished, said: &[&str]) {
    assert_eq!(ours.code, 2, "{name}: {}", ours.stderr);
    for words in said {
        assert!(ours.stderr.contains(words), "{name}: {words:?} is not in {}", ours.stderr);
    }
}

/// What psql says when it cannot connect.
fn psql(home: &Path, environment: &[(&str, &str)], url: &str) -> Result<(), String> {
    let mut command = Command::new("psql");
    command.args(["-XAtqw", url, "-c", "SELECT 1"]).env("HOME", home).stdin(Stdio::null());
    let output = command.envs(environment.iter().copied()).output().expect("psql runs");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Takes a snapshot of `t`, which has one row, through a slot of its own, and stops.
fn capture(home: &Path, environment: &[(&str, &str)], from: &[&str]) -> Finished {
    let home = home.to_string_lossy();
    let state = scratch_dir("state");
    let state = state.to_string_lossy();
    let slot = format!("slot.name=connections_{}", next());
    let mut environment = environment.to_vec();
    environment.extend([("HOME", &*home), ("XDG_STATE_HOME", &*state)]);
    let mut args = vec!["stream"];
    args.extend(from);
    args.extend(["--stdout", "--until-idle", "0.3", "--set", &slot, "--set", "slot.drop.on.stop=true"]);
    pgcdc_in(&environment, &args)
}

/// Takes the snapshot by a registration, as Debezium has it.
fn capture_by_properties(home: &Path, properties: &[(&str, &str)]) -> Finished {
    let file = scratch_dir("registration").join("connector.properties");
    let base = [
        ("name", "c"),
        ("topic.prefix", "c"),
        ("plugin.name", "pgoutput"),
        ("publication.name", "pgcdc_pub"),
        ("publication.autocreate.mode", "filtered"),
        ("table.include.list", "public.t"),
        ("database.dbname", "postgres"),
    ];
    let lines: String =
        base.iter().chain(properties).map(|(name, value)| format!("{name}={value}\n")).collect();
    std::fs::write(&file, lines).expect("the registration can be written");
    capture(home, &[], &["--config", &file.to_string_lossy()])
}

/// A server with these lines before its own in `pg_hba.conf`, and a table `t` with one row in database `postgres`.
fn server(hba: &str) -> Postgres {
    let (server, _) = own_postgres(postgres_options().setting("unix_socket_directories", "/tmp"));
    let rules = format!("{hba}\nlocal all all trust\nhost all postgres 127.0.0.1/32 trust\n");
    server.put_file("pg_hba.conf", rules.as_bytes()).expect("pg_hba.conf can be written");
    let setup = "CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)";
    server.sql("postgres", setup).expect("the server can be set up");
    reload(&server);
    server
}

/// Makes the server read its files anew, and waits until it has. Through its socket, where nobody is asked for anything.
fn reload(server: &Postgres) {
    let ask = |sql: &str| {
        let socket = format!("host=/tmp port={} user=postgres dbname=postgres", server.port());
        let output = Command::new("psql").args(["-XAtqw", &socket, "-c", sql]).output().expect("psql runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let before = ask("SELECT pg_conf_load_time()");
    ask("SELECT pg_sleep(0.01), pg_reload_conf()");
    eventually(LONG, "the server has read its files", || {
        let now = ask("SELECT pg_conf_load_time()");
        !now.is_empty() && now != before
    });
}
