//! What the server's refusals mean: at the login, and of a command.

use pgwire_replication::PgWireError;
use pgwire_replication::protocol::ErrorFields;

use crate::Error;
use crate::postgres::classify;
use crate::postgres::sqlstate::from_suffix;

/// Said of what a pooler does to a session.
const POOLER: &str = "this looks like a connection pooler (PgBouncer, Pgpool-II, Supavisor, …), which cannot carry replication: set database.hostname and database.port to the server itself, not to the pooler";

/// A refusal at the login.
pub(super) fn at_login(sqlstate: &str, what: &str, message: &str, replication: bool) -> Error {
    let text = format!("{what}: {message} (SQLSTATE {sqlstate})");
    let says = |part: &str| message.contains(part);
    if says("unsupported startup parameter") || (sqlstate == "08P01" && replication) {
        return Error::configuration(text).with_hint(POOLER);
    }
    if sqlstate == "08P01" {
        // Poolers give this code to all that they refuse: what nobody will mend, and what passes.
        let passes =
            ["connect", "login", "timeout", "shut", "starting", "paused"].iter().any(|word| says(word));
        return if passes { Error::transient(text) } else { Error::configuration(text) }.with_hint(POOLER);
    }
    let hint = match sqlstate {
        "28000" if says("no pg_hba.conf entry") && (says("no encryption") || says("SSL off")) => {
            "the server takes this connection with TLS only, or not at all: set database.sslmode=require, or add a line for this host, role and database to pg_hba.conf"
        }
        "28000" if says("no pg_hba.conf entry") => {
            "add a line for this host, role and database to pg_hba.conf, then SELECT pg_reload_conf(); logical replication needs no line of its own"
        }
        "28000" if says("pg_hba.conf rejects") => {
            "a line with the method reject matches first: SELECT * FROM pg_hba_file_rules shows them; with (no encryption) in the message database.sslmode=require may be the way"
        }
        "28000" if says("not permitted to log in") => {
            "ALTER ROLE … LOGIN; or set database.user to a role that may"
        }
        "28000" if says("valid client certificate") => {
            "the server asks for a certificate of ours: name it in database.sslcert and its private key in database.sslkey"
        }
        "28000" if says("certificate authentication failed") => {
            "the certificate's common name must be database.user, or be mapped to it in pg_ident.conf"
        }
        "28000" | "28P01" => "check database.user and database.password, and the lines of pg_hba.conf",
        "3D000" => "check database.dbname",
        "42501" if says("WAL sender") || says("walsender") => {
            "ALTER ROLE … REPLICATION; (on Amazon RDS: GRANT rds_replication TO …)"
        }
        "42501" => "GRANT CONNECT ON DATABASE … TO …;",
        "22023" | "42704" | "42601" | "22P02" => "check the settings of database.options",
        "55000" if says("not currently accepting connections") => "ALTER DATABASE … ALLOW_CONNECTIONS true;",
        _ => return classify(Some(sqlstate), what, message),
    };
    Error::configuration(text).with_hint(hint)
}

/// The session has other settings than it asked for, so that the server would print values in other forms.
pub(super) fn settings_lost(what: &str, name: &str, asked: &str, found: &str) -> Error {
    Error::configuration(format!("{what}: the session asked for {name} = {asked}, and has {found}")).with_hint(
        "a connection pooler drops the startup parameter options (PgBouncer: ignore_startup_parameters): set database.hostname and database.port to the server itself",
    )
}

/// A refusal of a command of the replication protocol. When the server calls it a syntax error, the session is no replication
/// session: a connection pooler stands between.
pub(super) fn of_command(what: &str, payload: &[u8]) -> Error {
    let fields = ErrorFields::parse(payload);
    let error = wire(what, &PgWireError::Server(fields.to_error_string()));
    if fields.code.as_deref() == Some("42601") {
        return Error::configuration(error.to_string()).with_hint(POOLER);
    }
    error
}

/// A failure of the wire.
pub(super) fn wire(what: &str, error: &PgWireError) -> Error {
    match error {
        PgWireError::Server(text) => classify(from_suffix(text), what, text),
        PgWireError::Auth(text) => classify(Some(from_suffix(text).unwrap_or("28000")), what, text),
        PgWireError::Protocol(_) | PgWireError::MessageTooLarge { .. } => {
            Error::fatal(format!("{what}: {error}"))
        }
        _ => Error::transient(format!("{what}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_is_refused_for_has_its_remedy() {
        let check = |sqlstate: &str, message: &str, replication: bool, transient: bool, remedy: &str| {
            let error = at_login(sqlstate, "connect", message, replication);
            assert_eq!(
                (error.is_transient(), error.is_configuration()),
                (transient, !transient),
                "{message}"
            );
            assert!(error.hint().unwrap_or_default().contains(remedy), "{message}: {:?}", error.hint());
        };
        check("08P01", "unsupported startup parameter: replication", true, false, "pooler");
        check("08P01", "unsupported startup parameter in options: x", false, false, "pooler");
        check("08P01", "server login failed", false, true, "pooler");
        check("08P01", "bouncer config error", false, false, "pooler");
        check("08P01", "replication is not supported", true, false, "pooler");
        check(
            "28000",
            "no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no encryption",
            false,
            false,
            "sslmode=require",
        );
        check(
            "28000",
            "no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", SSL encryption",
            false,
            false,
            "add a line",
        );
        check("28000", "role \"u\" is not permitted to log in", false, false, "LOGIN");
        check("28000", "connection requires a valid client certificate", false, false, "sslcert");
        check("28P01", "password authentication failed for user \"u\"", false, false, "database.password");
        check("3D000", "database \"d\" does not exist", false, false, "database.dbname");
        check(
            "42501",
            "must be superuser or replication role to start walsender",
            true,
            false,
            "REPLICATION",
        );
        check("42501", "permission denied for database \"d\"", false, false, "CONNECT");
        check("53300", "sorry, too many clients already", false, true, "max_connections");
        check("57P03", "the database system is starting up", false, true, "");
    }
}
