//! Several servers, and which of them is the one.

use super::{End, assert_refused, assert_row, capture_by_properties, case, server};
use crate::harness::scratch_dir;

#[test]
fn the_first_server_that_answers_and_is_what_is_wanted() {
    let server = server("host all all 127.0.0.1/32 trust");
    let reading = super::server("host all all 127.0.0.1/32 trust");
    reading
        .sql("postgres", "ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()")
        .expect("it can be set");
    let (port, reading_port) = (server.port(), reading.port());
    let works = |name: &str, rest: &str| {
        case(name, &format!("postgres://postgres@{rest}"), End::Works);
    };
    works("the first is away", &format!("127.0.0.1:1,127.0.0.1:{port}/postgres"));
    works("the first has no address", &format!("no.such.host.invalid:5432,127.0.0.1:{port}/postgres"));
    works(
        "the first takes no writes",
        &format!("127.0.0.1:{reading_port},127.0.0.1:{port}/postgres?target_session_attrs=read-write"),
    );
    works("a primary", &format!("127.0.0.1:{port}/postgres?target_session_attrs=primary"));
    works(
        "a standby if there is one",
        &format!("127.0.0.1:{port}/postgres?target_session_attrs=prefer-standby"),
    );

    works("an address for a name", &format!("db.invalid:{port}/postgres?hostaddr=127.0.0.1"));
    works("a host and a port in parameters", &format!("/postgres?host=127.0.0.1&port={port}"));
    works(
        "time to connect",
        &format!("127.0.0.1:{port}/postgres?connect_timeout=10&keepalives_idle=30&tcp_user_timeout=5000"),
    );
    works(
        "a name for the session",
        &format!("127.0.0.1:{port}/postgres?application_name=a%20b&options=-c%20work_mem%3D1MB"),
    );
    case(
        "a parameter that libpq does not have",
        &format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmod=prefer"),
        End::Refused(&["sslmod", "did you mean sslmode?"]),
    );
    case(
        "a server that answers and refuses ends the search",
        &format!("postgres://postgres@127.0.0.1:{port},127.0.0.1:{reading_port}/nowhere"),
        End::Refused(&["3D000"]),
    );
    assert_eq!(server.sql("postgres", "SELECT count(*) FROM pg_replication_slots").expect("it answers"), "0");
}

#[test]
fn a_registration_may_name_several_servers_and_properties_of_the_driver() {
    let server = server("host all all 127.0.0.1/32 trust");
    let home = scratch_dir("home");
    let port = server.port().to_string();
    let base = [("database.user", "postgres"), ("database.port", port.as_str())];
    let run = |more: &[(&str, &str)]| {
        let all: Vec<_> = base.iter().chain(more).copied().collect();
        capture_by_properties(&home, &all)
    };
    assert_row("two hosts", &run(&[("database.hostname", "127.0.0.1:1,127.0.0.1")]));
    let named = run(&[
        ("database.hostname", "127.0.0.1"),
        ("database.targetServerType", "primary"),
        ("database.connectTimeout", "10"),
        ("database.loginTimeout", "10"),
        ("database.ApplicationName", "mine"),
        ("database.options", "-c work_mem=1MB"),
        ("database.socketTimeout", "60"),
    ]);
    assert_row("properties of the driver", &named);
    assert!(named.stderr.contains("database.socketTimeout"), "{}", named.stderr);
    let wrong = run(&[("database.hostname", "127.0.0.1"), ("database.options", "-c no_such_setting=1")]);
    assert_refused("options reach the server", &wrong, &["no_such_setting"]);
    let wrong = run(&[("database.hostname", "127.0.0.1:port")]);
    assert_refused("a port that is none", &wrong, &["database.hostname", "host:port"]);
}
