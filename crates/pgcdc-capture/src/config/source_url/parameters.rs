//! libpq's parameters: which property each one is, and which are refused.

use pgcdc_config::ConfigError;

use crate::config::validate::nearest;

/// What a parameter of libpq means here.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// It is the property of this name, with the same values.
    Property(&'static str),
    /// It is read together with other parameters: see [`super::connection`].
    Part,
    /// It has nothing to act on here. A warning says so.
    Ignored,
    /// It asks for something that pgcdc does not do; why, and what to write instead.
    Refused(&'static str, &'static str),
}

use Meaning::{Ignored, Part, Property, Refused};

/// The place of a URL's properties, in messages.
pub(in crate::config) const SOURCE: &str = "--source";

/// Refuses OAuth.
const OAUTH: Meaning = Refused("OAuth is not supported", "use scram-sha-256 or cert");
/// Refuses lists of revoked certificates: to ignore one would trust a revoked certificate.
const CRL: Meaning = Refused(
    "lists of revoked certificates are not looked at",
    "leave it out, and give the server a new key and certificate under an authority that did not sign the revoked one",
);

/// The parameters of libpq in PostgreSQL 18: name, the environment variable that is read when the
/// URL does not have the parameter, and meaning. Source: PostgreSQL documentation, "Parameter Key
/// Words" and "Environment Variables" of libpq.
pub(super) const PARAMETERS: &[(&str, &str, Meaning)] = &[
    ("host", "PGHOST", Part),
    ("port", "PGPORT", Part),
    ("hostaddr", "PGHOSTADDR", Property("database.hostaddr")),
    ("user", "PGUSER", Part),
    ("password", "PGPASSWORD", Part),
    ("passfile", "PGPASSFILE", Property("database.passfile")),
    ("dbname", "PGDATABASE", Part),
    ("service", "", Refused("service files are not read", "write host, port and database into the URL")),
    ("servicefile", "", Refused("service files are not read", "write host, port and database into the URL")),
    ("channel_binding", "PGCHANNELBINDING", Property("database.channelBinding")),
    (
        "require_auth",
        "PGREQUIREAUTH",
        Refused(
            "ways to log in cannot be ruled out one by one",
            "channel_binding=require takes SCRAM over TLS and nothing else",
        ),
    ),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Property("database.connectTimeout")),
    ("client_encoding", "", Part),
    ("options", "PGOPTIONS", Property("database.options")),
    ("application_name", "PGAPPNAME", Property("database.ApplicationName")),
    ("fallback_application_name", "", Part),
    ("keepalives", "", Part),
    ("keepalives_idle", "", Property("database.keepalives_idle")),
    ("keepalives_interval", "", Property("database.keepalives_interval")),
    ("keepalives_count", "", Property("database.keepalives_count")),
    ("tcp_user_timeout", "", Property("database.tcp_user_timeout")),
    ("replication", "", Refused("pgcdc opens the replication session by itself", "leave it out")),
    ("gssencmode", "PGGSSENCMODE", Part),
    ("krbsrvname", "", Ignored),
    ("gsslib", "", Ignored),
    ("gssdelegation", "", Ignored),
    ("sslmode", "PGSSLMODE", Property("database.sslmode")),
    ("requiressl", "", Part),
    ("sslnegotiation", "PGSSLNEGOTIATION", Property("database.sslNegotiation")),
    ("sslcompression", "", Ignored),
    ("sslcert", "PGSSLCERT", Property("database.sslcert")),
    ("sslkey", "PGSSLKEY", Property("database.sslkey")),
    ("sslpassword", "", Property("database.sslpassword")),
    ("sslcertmode", "", Part),
    ("sslrootcert", "PGSSLROOTCERT", Property("database.sslrootcert")),
    ("sslcrl", "PGSSLCRL", CRL),
    ("sslcrldir", "PGSSLCRLDIR", CRL),
    ("sslsni", "PGSSLSNI", Property("database.sslsni")),
    ("sslkeylogfile", "", Ignored),
    (
        "requirepeer",
        "PGREQUIREPEER",
        Refused(
            "the owner of the server's process is not looked at",
            "leave it out; a socket's directory that only the server can write to does the same",
        ),
    ),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Property("database.ssl_min_protocol_version")),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Property("database.ssl_max_protocol_version")),
    ("min_protocol_version", "", Part),
    ("max_protocol_version", "", Part),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Property("database.targetServerType")),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Part),
    ("scram_client_key", "", Refused("keys of SCRAM are not taken", "give the password")),
    ("scram_server_key", "", Refused("keys of SCRAM are not taken", "give the password")),
    ("oauth_issuer", "", OAUTH),
    ("oauth_client_id", "", OAUTH),
    ("oauth_client_secret", "", OAUTH),
    ("oauth_scope", "", OAUTH),
];

/// Checks that libpq has such a parameter and pgcdc honours it.
///
/// # Errors
/// With the reason, or with the nearest known name.
pub(super) fn check(name: &str) -> Result<(), ConfigError> {
    let wrong = |what: String, remedy: String| Err(ConfigError::one(SOURCE, "", what, Some(remedy)));
    match PARAMETERS.iter().find(|(known, ..)| *known == name) {
        Some((_, _, Refused(why, remedy))) => wrong(format!("{name}: {why}"), (*remedy).to_owned()),
        Some(_) => Ok(()),
        None => {
            let near = nearest(name, PARAMETERS.iter().map(|(known, ..)| *known));
            let remedy = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "a URL takes libpq's parameters; Debezium's properties go to --set".to_owned(),
            };
            wrong(format!("has an unknown parameter {name}"), remedy)
        }
    }
}
