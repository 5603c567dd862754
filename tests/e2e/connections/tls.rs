//! TLS: what is encrypted, what is checked, and what is said.

use pgcdc_testbed::Postgres;

use super::certificates::Certificates;
use super::{End, assert_refused, assert_row, capture_by_properties, case, case_at_home, reload, server};
use crate::harness::scratch_dir;

const HBA: &str = "hostssl all tls_u 127.0.0.1/32 scram-sha-256
hostnossl all plain_u 127.0.0.1/32 trust
hostssl all cert_u 127.0.0.1/32 cert
host all md5_u 127.0.0.1/32 md5";

const ROLES: &str = "
SET password_encryption = 'md5';
CREATE ROLE md5_u SUPERUSER REPLICATION LOGIN PASSWORD 'right';
SET password_encryption = 'scram-sha-256';
CREATE ROLE tls_u SUPERUSER REPLICATION LOGIN PASSWORD 'right';
CREATE ROLE plain_u SUPERUSER REPLICATION LOGIN;
CREATE ROLE cert_u SUPERUSER REPLICATION LOGIN;";

/// A server with TLS, once [`show`] has given it a certificate.
pub(super) fn tls_server(certificates: &Certificates) -> Postgres {
    let server = server(HBA);
    server.sql("postgres", ROLES).expect("the roles can be made");
    server.put_file("ca.crt", &certificates.read("ca.crt")).expect("ca.crt can be written");
    server
}

/// Makes the server show a certificate.
pub(super) fn show(server: &Postgres, certificate: &[u8], key: &[u8]) {
    server.put_file("server.crt", certificate).expect("server.crt can be written");
    server.put_file("server.key", key).expect("server.key can be written");
    let set = "ALTER SYSTEM SET ssl_ca_file = 'ca.crt'; ALTER SYSTEM SET ssl = on";
    server.sql("postgres", set).expect("TLS can be turned on");
    reload(server);
}

#[test]
fn certificates_are_taken_as_libpq_takes_them() {
    let made = Certificates::new(scratch_dir("certificates"));
    made.authority("other");
    made.issue("v1", "localhost", "ca", "");
    made.issue("v1ip", "127.0.0.1", "ca", "");
    made.issue("san", "x", "ca", "subjectAltName=DNS:localhost");
    made.issue("cn", "localhost", "ca", "keyUsage=digitalSignature");
    made.issue("ip", "x", "ca", "subjectAltName=IP:127.0.0.1");
    made.issue("elsewhere", "localhost", "ca", "subjectAltName=DNS:db.example.org");
    made.issue_with("expired", "localhost", "ca", "subjectAltName=DNS:localhost", "rsa:2048", "-days -1");
    made.issue_with(
        "sha512",
        "localhost",
        "ca",
        "subjectAltName=DNS:localhost",
        "rsa:2048",
        "-days 9 -sha512",
    );
    made.issue_with(
        "ec",
        "localhost",
        "ca",
        "subjectAltName=DNS:localhost",
        "ec -pkeyopt ec_paramgen_curve:P-384",
        "-days 9 -sha384",
    );
    made.issue("between", "between", "ca", "basicConstraints=critical,CA:TRUE");
    made.issue("leaf", "localhost", "between", "subjectAltName=DNS:localhost");
    made.issue("leafv1", "localhost", "between", "");
    made.issue("nobody", "nobody", "ca", "basicConstraints=critical,CA:FALSE");
    made.issue("forged", "localhost", "nobody", "");
    made.issue("forgedv1", "localhost", "v1", "");
    made.issue_with("oldv1", "localhost", "ca", "", "rsa:2048", "-days -1");
    made.run("req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout self.key -out self.crt");
    let both = [made.read("other.crt"), made.read("ca.crt")].concat();
    std::fs::write(made.dir.join("both.crt"), both).expect("a file");
    made.run("x509 -in ca.crt -outform DER -out ca.der");

    let server = tls_server(&made);
    let port = server.port();
    let (ca, other) = (made.path("ca.crt"), made.path("other.crt"));
    let try_with = |what: &str, host: &str, query: &str, end: End<'_>| {
        let url = format!("postgres://tls_u:right@{host}:{port}/postgres?{query}");
        case(&format!("{what}, {host}, {query}"), &url, end);
    };
    let unknown: &[&str] = &["do not vouch", "database.sslrootcert"];
    for name in ["v1", "san", "cn", "self", "sha512", "ec"] {
        show(&server, &made.read(&format!("{name}.crt")), &made.read(&format!("{name}.key")));
        let own = if name == "self" { made.path("self.crt") } else { ca.clone() };
        try_with(name, "localhost", "sslmode=require&channel_binding=require", End::Works);
        try_with(name, "localhost", "", End::Works);
        try_with(name, "localhost", &format!("sslmode=verify-ca&sslrootcert={own}"), End::Works);
        try_with(name, "localhost", &format!("sslmode=verify-full&sslrootcert={own}"), End::Works);
        try_with(name, "localhost", &format!("sslmode=verify-ca&sslrootcert={other}"), End::Refused(unknown));
    }
    // A root file makes libpq check with sslmode=require, too.
    try_with("ec", "localhost", &format!("sslmode=require&sslrootcert={other}"), End::Refused(unknown));
    try_with(
        "ec",
        "localhost",
        &format!("sslmode=require&sslrootcert={}", made.path("both.crt")),
        End::Works,
    );
    let full = format!("sslmode=verify-full&sslrootcert={ca}");
    try_with(
        "ec",
        "127.0.0.1",
        &full,
        End::Refused(&["the certificate is for localhost, not for 127.0.0.1", "verify-ca"]),
    );
    try_with(
        "ec",
        "localhost",
        "sslmode=verify-ca",
        End::Refused(&["root certificates", "database.sslrootcert"]),
    );
    try_with("ec", "localhost", "sslmode=verify-full", End::Refused(unknown));
    let missing = "sslmode=verify-ca&sslrootcert=/no/such/file";
    try_with("ec", "localhost", missing, End::Refused(&["/no/such/file", "database.sslrootcert"]));
    // psql of version 15 reads DER as no certificate; Java takes it.
    let der = format!("sslmode=verify-full&sslrootcert={}", made.path("ca.der"));
    try_with("ec", "localhost", &der, End::WorksHereOnly);
    let home = scratch_dir("root-at-home");
    std::fs::create_dir(home.join(".postgresql")).expect("a directory");
    std::fs::write(home.join(".postgresql/root.crt"), made.read("other.crt")).expect("a file");
    let url = format!("postgres://tls_u:right@localhost:{port}/postgres?sslmode=require");
    case_at_home("the root file of the home directory", &home, &[], &url, End::Refused(unknown));

    let show_name =
        |name: &str| show(&server, &made.read(&format!("{name}.crt")), &made.read(&format!("{name}.key")));
    show_name("ip");
    try_with("ip", "127.0.0.1", &full, End::Works);
    try_with("ip", "localhost", &full, End::Refused(&["127.0.0.1, x", "not for localhost"]));
    show_name("v1ip");
    try_with("v1ip", "127.0.0.1", &full, End::Works);
    show_name("elsewhere");
    try_with("elsewhere", "localhost", &full, End::Refused(&["db.example.org"]));
    try_with("elsewhere", "localhost", &format!("sslmode=verify-ca&sslrootcert={ca}"), End::Works);
    let url = format!("postgres://tls_u:right@db.example.org:{port}/postgres?hostaddr=127.0.0.1&{full}");
    case("a name with an address", &url, End::Works);
    show_name("v1");
    try_with("v1", "127.0.0.1", &full, End::Refused(&["the certificate is for localhost", "verify-ca"]));
    show_name("oldv1");
    try_with("oldv1", "localhost", &full, End::Refused(&["expired"]));
    // Who is no authority vouches for nobody.
    for (name, issuer) in [("forged", "nobody.crt"), ("forgedv1", "v1.crt")] {
        let chain = [made.read(&format!("{name}.crt")), made.read(issuer)].concat();
        show(&server, &chain, &made.read(&format!("{name}.key")));
        try_with(name, "localhost", &format!("sslmode=verify-ca&sslrootcert={ca}"), End::Refused(unknown));
    }
    show_name("expired");
    try_with("expired", "localhost", &full, End::Refused(&["expired"]));
    try_with("expired", "localhost", "sslmode=require", End::Works);
    show_name("leaf");
    try_with("leaf", "localhost", &full, End::Refused(unknown));
    for name in ["leaf", "leafv1"] {
        let chain = [made.read(&format!("{name}.crt")), made.read("between.crt")].concat();
        show(&server, &chain, &made.read(&format!("{name}.key")));
        try_with(name, "localhost", &full, End::Works);
        let wrong = format!("sslmode=verify-ca&sslrootcert={other}");
        try_with(name, "localhost", &wrong, End::Refused(unknown));
    }
}

#[test]
fn encryption_is_as_sslmode_says() {
    let made = Certificates::new(scratch_dir("certificates"));
    made.issue("san", "x", "ca", "subjectAltName=DNS:localhost");
    let server = tls_server(&made);
    let port = server.port();
    let try_with = |user: &str, query: &str, end: End<'_>| {
        let url = format!("postgres://{user}@127.0.0.1:{port}/postgres?{query}");
        case(&format!("{user} {query}"), &url, end);
    };
    let no_tls: &[&str] = &["does not support TLS", "ssl = on"];
    for mode in ["require", "verify-ca", "verify-full"] {
        let query = format!("sslmode={mode}&sslrootcert={}", made.path("ca.crt"));
        try_with("plain_u", &query, End::Refused(no_tls));
    }
    try_with("plain_u", "sslmode=prefer", End::Works);
    try_with("plain_u", "channel_binding=require", End::Refused(&["channel_binding=require"]));
    let home = scratch_dir("home");
    let port_text = port.to_string();
    let by_properties = |more: &[(&str, &str)]| {
        let mut all = vec![("database.hostname", "127.0.0.1"), ("database.port", port_text.as_str())];
        all.extend(more);
        capture_by_properties(&home, &all)
    };
    let required = by_properties(&[("database.user", "plain_u"), ("database.sslmode", "require")]);
    assert_refused("a registration", &required, no_tls);

    show(&server, &made.read("san.crt"), &made.read("san.key"));
    for mode in ["allow", "prefer", "require"] {
        try_with("tls_u:right", &format!("sslmode={mode}"), End::Works);
    }
    try_with("tls_u:right", "sslmode=disable", End::Refused(&["no encryption", "sslmode=require"]));
    for mode in ["disable", "allow", "prefer"] {
        try_with("plain_u", &format!("sslmode={mode}"), End::Works);
    }
    try_with("plain_u", "sslmode=require", End::Refused(&["28000", "pg_hba.conf"]));
    for binding in ["disable", "prefer", "require"] {
        try_with("tls_u:right", &format!("channel_binding={binding}"), End::Works);
    }
    try_with("md5_u:right", "", End::Works);
    try_with("md5_u:right", "channel_binding=require", End::Refused(&["channel_binding=require"]));
    try_with(
        "md5_u:right",
        "sslmode=disable&channel_binding=require",
        End::Refused(&["channel_binding=require"]),
    );
    for version in ["TLSv1.2", "TLSv1.3"] {
        let query =
            format!("sslmode=require&ssl_min_protocol_version={version}&ssl_max_protocol_version={version}");
        try_with("tls_u:right", &query, End::Works);
    }
    try_with("tls_u:right", "gssencmode=disable&sslcompression=0&sslsni=0", End::Works);

    // Debezium's driver checks nothing with `require`, whatever file there is.
    made.authority("other");
    let other = made.path("other.crt");
    let base = [
        ("database.user", "tls_u"),
        ("database.password", "right"),
        ("database.sslrootcert", other.as_str()),
    ];
    let with = |mode: &str| {
        let mut all = base.to_vec();
        all.push(("database.sslmode", mode));
        by_properties(&all)
    };
    assert_row("require", &with("require"));
    assert_refused("verify-ca", &with("verify-ca"), &["do not vouch"]);
}

/// PostgreSQL 17 begins with TLS at once when it is asked to.
#[test]
fn tls_without_a_question_before_it() {
    let made = Certificates::new(scratch_dir("certificates"));
    made.issue("san", "x", "ca", "subjectAltName=DNS:localhost");
    for (version, works) in [(17, true), (15, false)] {
        let options = pgcdc_testbed::PostgresOptions::version(version).setting("fsync", "off");
        let options = options.setting("unix_socket_directories", "/tmp");
        let (server, _dir) = crate::harness::own_postgres(options);
        server
            .sql("postgres", "CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)")
            .expect("a table");
        server.put_file("ca.crt", &made.read("ca.crt")).expect("ca.crt can be written");
        show(&server, &made.read("san.crt"), &made.read("san.key"));
        let query = format!("sslnegotiation=direct&sslmode=verify-full&sslrootcert={}", made.path("ca.crt"));
        let url = format!("postgres://postgres@localhost:{}/postgres?{query}", server.port());
        // psql of version 15 does not know the parameter: it is no referee here.
        let ours = super::capture(&scratch_dir("home"), &[], &["--source", &url, "--tables", "public.t"]);
        if works {
            assert_row("17", &ours);
        } else {
            assert_refused("15", &ours, &["sslnegotiation=direct", "17"]);
        }
    }
}
