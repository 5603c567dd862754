//! The client's certificate and key, in every form that psql and pgjdbc read.

use super::certificates::Certificates;
use super::tls::{show, tls_server};
use super::{End, assert_refused, assert_row, capture_by_properties, case};
use crate::harness::scratch_dir;

#[test]
fn keys_are_read_in_every_form() {
    let made = Certificates::new(scratch_dir("keys"));
    made.issue("server", "x", "ca", "subjectAltName=DNS:localhost");
    made.issue("client", "cert_u", "ca", "");
    made.issue_with("curve", "cert_u", "ca", "", "ec -pkeyopt ec_paramgen_curve:P-256", "-days 9");
    made.issue("somebody", "somebody", "ca", "");
    made.authority("foreign");
    made.issue("stranger", "cert_u", "foreign", "");
    for words in [
        "rsa -in client.key -traditional -out pkcs1.pem",
        "rsa -in client.key -traditional -outform DER -out pkcs1.der",
        "ec -in curve.key -out sec1.pem",
        "ec -in curve.key -outform DER -out sec1.der",
        "pkcs8 -topk8 -nocrypt -in client.key -outform DER -out client.pk8",
        "pkcs8 -topk8 -in client.key -passout pass:secret -out encrypted.pem",
        "pkcs8 -topk8 -in client.key -passout pass:secret -outform DER -out encrypted.pk8",
        "pkcs8 -topk8 -in client.key -passout pass:secret -v2 des3 -v2prf hmacWithSHA1 -out des3.pem",
        "pkcs8 -topk8 -in client.key -passout pass:secret -scrypt -scrypt_N 1024 -scrypt_r 8 -scrypt_p 1 -out scrypt.pem",
        "pkcs8 -topk8 -in client.key -passout pass:secret -v1 PBE-MD5-DES -provider legacy -provider default -outform DER -out old.pk8",
        "pkcs8 -topk8 -in client.key -passout pass:secret -v1 PBE-SHA1-3DES -outform DER -out sha1.pk8",
        "rsa -in client.key -traditional -aes256 -passout pass:secret -out dek.pem",
        "rsa -in client.key -traditional -des3 -passout pass:secret -out dek3.pem",
        "pkcs12 -export -inkey client.key -in client.crt -certfile ca.crt -passout pass:secret -out client.p12",
        "pkcs12 -export -inkey client.key -in client.crt -passout pass:secret -legacy -certpbe PBE-SHA1-3DES -out legacy.p12",
        "pkcs12 -export -inkey client.key -in client.crt -passout pass:secret -legacy -out rc2.p12",
        "x509 -in client.crt -outform DER -out client.der",
    ] {
        made.run(words);
    }
    private(&made);
    let server = tls_server(&made);
    show(&server, &made.read("server.crt"), &made.read("server.key"));
    let url = |cert: &str, key: &str, more: &str| {
        format!(
            "postgres://cert_u@localhost:{}/postgres?sslmode=require&sslcert={}&sslkey={}{more}",
            server.port(),
            made.path(cert),
            made.path(key)
        )
    };
    let secret = "&sslpassword=secret";
    for (cert, key, more) in [
        ("client.crt", "client.key", ""),
        ("client.crt", "pkcs1.pem", ""),
        ("curve.crt", "sec1.pem", ""),
        ("client.crt", "encrypted.pem", secret),
        ("client.crt", "des3.pem", secret),
        ("client.crt", "scrypt.pem", secret),
        ("client.crt", "dek.pem", secret),
        ("client.crt", "dek3.pem", secret),
    ] {
        case(key, &url(cert, key, more), End::Works);
    }
    let wrong: &[&str] = &["database.sslpassword", "encrypted.pem"];
    case("no password", &url("client.crt", "encrypted.pem", ""), End::Refused(wrong));
    case("a wrong password", &url("client.crt", "encrypted.pem", "&sslpassword=x"), End::Refused(wrong));
    let said: &[&str] = &["the key is not the certificate's"];
    case("another's key", &url("client.crt", "curve.key", ""), End::Refused(said));
    case("no such key", &url("client.crt", "none.key", ""), End::Refused(&["database.sslkey", "none.key"]));
    let said: &[&str] = &["28000", "certificate"];
    case("another's certificate", &url("somebody.crt", "somebody.key", ""), End::Refused(said));
    let said: &[&str] = &["the server refuses", "ssl_ca_file"];
    case(
        "an authority that the server does not know",
        &url("stranger.crt", "stranger.key", ""),
        End::Refused(said),
    );
    let none = format!("postgres://cert_u@localhost:{}/postgres?sslmode=require", server.port());
    case("no certificate", &none, End::Refused(&["28000", "database.sslcert"]));

    // What pgjdbc reads and psql does not.
    let home = scratch_dir("home");
    let port = server.port().to_string();
    let by_properties = |cert: &str, key: &str, password: Option<&str>| {
        let (cert, key) = (made.path(cert), made.path(key));
        let mut all = vec![
            ("database.hostname", "localhost"),
            ("database.port", port.as_str()),
            ("database.user", "cert_u"),
            ("database.sslmode", "require"),
            ("database.sslkey", key.as_str()),
        ];
        if !key.ends_with(".p12") {
            all.push(("database.sslcert", cert.as_str()));
        }
        all.extend(password.map(|password| ("database.sslpassword", password)));
        capture_by_properties(&home, &all)
    };
    for (cert, key, password) in [
        ("client.crt", "client.pk8", None),
        ("client.der", "client.pk8", None),
        ("client.crt", "pkcs1.der", None),
        ("curve.crt", "sec1.der", None),
        ("client.crt", "encrypted.pk8", Some("secret")),
        ("client.crt", "old.pk8", Some("secret")),
        ("client.crt", "sha1.pk8", Some("secret")),
        ("", "client.p12", Some("secret")),
        ("", "legacy.p12", Some("secret")),
    ] {
        assert_row(key, &by_properties(cert, key, password));
    }
    for (key, password) in [
        ("encrypted.pk8", "x"),
        ("old.pk8", "x"),
        ("sha1.pk8", "x"),
        ("client.p12", "x"),
        ("legacy.p12", "x"),
    ] {
        assert_refused(
            key,
            &by_properties("client.crt", key, Some(password)),
            &["database.sslpassword", key],
        );
    }
    assert_refused("RC2", &by_properties("", "rc2.p12", Some("secret")), &["rc2.p12", "openssl pkcs12"]);
    assert_refused("no password", &by_properties("", "client.p12", None), &["database.sslpassword"]);
    assert_refused(
        "no key",
        &by_properties("client.crt", "ca.crt", None),
        &["database.sslkey", "private key"],
    );
}

/// psql takes no key that others can read.
fn private(made: &Certificates) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(&made.dir).expect("the directory") {
        let path = entry.expect("an entry").path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    }
}
