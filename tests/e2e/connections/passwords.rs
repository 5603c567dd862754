//! Passwords, and the ways to be asked for them.

use super::{End, case, case_at_home, case_in, server};
use crate::harness::scratch_dir;

const HBA: &str = "host all md5_u 127.0.0.1/32 md5
host all scram_u,nbsp_u,accent_u,control_u,hangul_u,limit_u 127.0.0.1/32 scram-sha-256
host all clear_u 127.0.0.1/32 password
host all trust_u,nologin_u,limit_u 127.0.0.1/32 trust
host all gss_u 127.0.0.1/32 gss
host all reject_u 127.0.0.1/32 reject
host all norepl_u 127.0.0.1/32 trust";

const ROLES: &str = r"
SET password_encryption = 'md5';
CREATE ROLE md5_u SUPERUSER REPLICATION LOGIN PASSWORD 'right';
SET password_encryption = 'scram-sha-256';
CREATE ROLE scram_u SUPERUSER REPLICATION LOGIN PASSWORD 'right';
CREATE ROLE nbsp_u SUPERUSER REPLICATION LOGIN PASSWORD E'a\u00a0b';
CREATE ROLE accent_u SUPERUSER REPLICATION LOGIN PASSWORD E'e\u0301\u00ad\u2168';
CREATE ROLE control_u SUPERUSER REPLICATION LOGIN PASSWORD E'\u0007\u00a0x';
CREATE ROLE hangul_u SUPERUSER REPLICATION LOGIN PASSWORD E'\U0001F511 \u1112\u1161\u11ab';
CREATE ROLE clear_u SUPERUSER REPLICATION LOGIN PASSWORD 'right';
CREATE ROLE trust_u SUPERUSER REPLICATION LOGIN;
CREATE ROLE gss_u SUPERUSER REPLICATION LOGIN;
CREATE ROLE reject_u SUPERUSER REPLICATION LOGIN;
CREATE ROLE nologin_u SUPERUSER REPLICATION;
CREATE ROLE norepl_u LOGIN;
GRANT SELECT ON t TO norepl_u;
CREATE PUBLICATION pgcdc_pub FOR TABLE t;
CREATE DATABASE closed ALLOW_CONNECTIONS false;
";

#[test]
fn every_way_to_ask_for_a_password_is_answered() {
    let server = server(HBA);
    server.sql("postgres", ROLES).expect("the roles can be made");
    let at = |user: &str| format!("postgres://{user}@127.0.0.1:{}/postgres", server.port());
    let works = |name: &str, user: &str| case(name, &at(user), End::Works);
    works("a password stored as md5", "md5_u:right");
    works("SCRAM", "scram_u:right");
    works("the password itself", "clear_u:right");
    works("no password", "trust_u");
    works("a password that nobody asks for", "trust_u:wrong");
    works("SASLprep makes U+00A0 a blank", "nbsp_u:a%c2%a0b");
    works("so that a blank does as well", "nbsp_u:a%20b");
    works("SASLprep composes, drops U+00AD, and writes a Roman numeral out", "accent_u:%c3%a9IX");
    works("what SASLprep prohibits is taken as it is", "control_u:%07%c2%a0x");
    works(
        "a character that Unicode 3.2 does not know",
        "hangul_u:%f0%9f%94%91%20%e1%84%92%e1%85%a1%e1%86%ab",
    );

    let refused = |name: &str, user: &str, said: &[&str]| case(name, &at(user), End::Refused(said));
    refused("a wrong password, md5", "md5_u:wrong", &["28P01", "database.password"]);
    refused("a wrong password, SCRAM", "scram_u:wrong", &["28P01", "database.password"]);
    refused("a wrong password, sent as it is", "clear_u:wrong", &["28P01", "database.password"]);
    refused("a blank more", "nbsp_u:a%20%20b", &["28P01"]);
    refused("no password where one is asked for", "scram_u", &["asks for a password", "database.password"]);
    refused("nobody's role", "nobody_u", &["28000", "pg_hba.conf"]);
    refused("a role that may not log in", "nologin_u", &["28000", "LOGIN"]);
    refused("GSSAPI", "gss_u", &["GSSAPI", "scram-sha-256"]);
    refused("a line that rejects", "reject_u", &["28000", "pg_hba_file_rules"]);
    case(
        "a database that is not there",
        &format!("postgres://trust_u@127.0.0.1:{}/nowhere", server.port()),
        End::Refused(&["3D000", "database.dbname"]),
    );
    case(
        "a database that takes no connections",
        &format!("postgres://trust_u@127.0.0.1:{}/closed", server.port()),
        End::Refused(&["55000", "ALLOW_CONNECTIONS"]),
    );
    let set = "&options=-c%20no_such_setting%3D1";
    case(
        "a setting that the server does not know",
        &format!("postgres://trust_u@127.0.0.1:{}/postgres?application_name=x{set}", server.port()),
        End::Refused(&["no_such_setting", "database.options"]),
    );
    // psql needs no REPLICATION.
    case(
        "a role without REPLICATION",
        &format!("postgres://norepl_u@127.0.0.1:{}/postgres", server.port()),
        End::RefusedHereOnly(&["42501", "REPLICATION"]),
    );
}

#[test]
fn passwords_come_from_the_environment_and_from_libpq_s_file() {
    let server = server("host all all 127.0.0.1/32 scram-sha-256");
    let socket = format!("host=/tmp port={} user=postgres dbname=postgres", server.port());
    let output = std::process::Command::new("psql")
        .args(["-XAtq", &socket, "-c", "SET password_encryption = 'scram-sha-256'", "-c"])
        .arg("CREATE ROLE u SUPERUSER REPLICATION LOGIN PASSWORD 'ri:ght'")
        .status()
        .expect("psql runs");
    assert!(output.success());
    let url = format!("postgres://u@127.0.0.1:{}/postgres", server.port());
    case_in("PGPASSWORD", &[("PGPASSWORD", "ri:ght")], &url, End::Works);
    case_in("a wrong PGPASSWORD", &[("PGPASSWORD", "x")], &url, End::Refused(&["28P01"]));

    let home = scratch_dir("passfile");
    let file = |name: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = home.join(name);
        std::fs::write(&path, format!("127.0.0.1:1:*:u:other\n127.0.0.1:{}:*:u:ri\\:ght\n", server.port()))
            .expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
        path.to_string_lossy().into_owned()
    };
    case_at_home("no file", &home, &[], &url, End::Refused(&["asks for a password"]));
    let own = file("own", 0o600);
    case_at_home("passfile in the URL", &home, &[], &format!("{url}?passfile={own}"), End::Works);
    case_at_home("PGPASSFILE", &home, &[("PGPASSFILE", &own)], &url, End::Works);
    let open = file("open", 0o644);
    let said: &[&str] = &["asks for a password", "can be read by others"];
    case_at_home("a file that others can read", &home, &[("PGPASSFILE", &open)], &url, End::Refused(said));
    file(".pgpass", 0o600);
    case_at_home("~/.pgpass", &home, &[], &url, End::Works);
    let keywords = format!("host=127.0.0.1 port={} user=u dbname=postgres password='ri:ght'", server.port());
    case("the keyword form", &keywords, End::Works);
    let socket = format!("postgres:///postgres?host=/tmp&port={}&user=postgres", server.port());
    case("a unix socket", &socket, End::Works);
    let socket = format!("postgres://postgres@%2Ftmp:{}/postgres?sslmode=require", server.port());
    case("a unix socket has no TLS, and needs none", &socket, End::Works);
}
