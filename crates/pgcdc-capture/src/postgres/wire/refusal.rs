//! What the server's refusals mean: of a login, and of a command.
//!
//! A refusal at the login mostly has a cause that only the user can mend, so its hint names the
//! line, the statement or the property.

use pgwire_replication::PgWireError;
use pgwire_replication::protocol::ErrorFields;

use crate::postgres::classify;
use crate::{Error, SqlState};

/// The hint when a connection pooler seems to stand between us and the server.
const POOLER: &str = "this looks like a connection pooler (PgBouncer, Pgpool-II, Supavisor, …), which cannot carry replication: set database.hostname and database.port to the server itself, not to the pooler";

/// The SQLSTATE of an `ErrorResponse` or `NoticeResponse`; `None` when it has none.
pub(super) fn sqlstate(fields: &ErrorFields) -> Option<SqlState> {
    fields.code.as_deref().and_then(SqlState::parse)
}

/// A refusal of the login. `replication` says that it was the login of a replication session.
///
/// PostgreSQL gives many causes the same code (28000, 42501), and poolers give all causes one code
/// (08P01), so the message has to tell them apart.
pub(super) fn at_login(sqlstate: Option<SqlState>, what: &str, message: &str, replication: bool) -> Error {
    let Some(code) = sqlstate else { return classify(None, what, message) };
    let text = format!("{what}: {message} (SQLSTATE {code})");
    if code == SqlState::PROTOCOL_VIOLATION {
        return pooler(text, message, replication).with_sqlstate(code);
    }
    match hint_at_login(code, message) {
        Some(hint) => Error::configuration(text).with_hint(hint).with_sqlstate(code),
        None => classify(sqlstate, what, message),
    }
}

/// A pooler's refusal. Causes that pass by themselves and causes that do not differ only in the
/// message.
fn pooler(text: String, message: &str, replication: bool) -> Error {
    let says = |part: &str| message.contains(part);
    let lasting = says("unsupported startup parameter") || replication;
    let passes = ["connect", "login", "timeout", "shut", "starting", "paused"].iter().any(|word| says(word));
    if passes && !lasting { Error::transient(text) } else { Error::configuration(text) }.with_hint(POOLER)
}

/// What to do about a refusal that is a matter of configuration; `None` for other refusals.
fn hint_at_login(code: SqlState, message: &str) -> Option<&'static str> {
    let says = |part: &str| message.contains(part);
    Some(match code {
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION | SqlState::INVALID_PASSWORD => hint_of_role(message),
        SqlState::INVALID_CATALOG_NAME => "check database.dbname",
        SqlState::INSUFFICIENT_PRIVILEGE if says("WAL sender") || says("walsender") => {
            "ALTER ROLE … REPLICATION; (on Amazon RDS: GRANT rds_replication TO …)"
        }
        SqlState::INSUFFICIENT_PRIVILEGE => "GRANT CONNECT ON DATABASE … TO …;",
        SqlState::INVALID_PARAMETER_VALUE
        | SqlState::UNDEFINED_OBJECT
        | SqlState::SYNTAX_ERROR
        | SqlState::INVALID_TEXT_REPRESENTATION => "check the settings of database.options",
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE if says("not currently accepting connections") => {
            "ALTER DATABASE … ALLOW_CONNECTIONS true;"
        }
        _ => return None,
    })
}

/// What to do when the server does not let the role in.
fn hint_of_role(message: &str) -> &'static str {
    let says = |part: &str| message.contains(part);
    if says("no pg_hba.conf entry") && (says("no encryption") || says("SSL off")) {
        "the server takes this connection with TLS only, or not at all: set database.sslmode=require, or add a line for this host, role and database to pg_hba.conf"
    } else if says("no pg_hba.conf entry") {
        "add a line for this host, role and database to pg_hba.conf, then SELECT pg_reload_conf(); logical replication needs no line of its own"
    } else if says("pg_hba.conf rejects") {
        "a line with the method reject matches first: SELECT * FROM pg_hba_file_rules shows them; with (no encryption) in the message database.sslmode=require may be the way"
    } else if says("not permitted to log in") {
        "ALTER ROLE … LOGIN; or set database.user to a role that may"
    } else if says("valid client certificate") {
        "the server asks for a certificate of ours: name it in database.sslcert and its private key in database.sslkey"
    } else if says("certificate authentication failed") {
        "the certificate's common name must be database.user, or be mapped to it in pg_ident.conf"
    } else {
        "check database.user and database.password, and the lines of pg_hba.conf"
    }
}

/// The error for a session that has other settings than it asked for, so that the server would
/// print values in other forms.
pub(super) fn settings_lost(what: &str, name: &str, asked: &str, found: &str) -> Error {
    Error::configuration(format!("{what}: the session asked for {name} = {asked}, and has {found}")).with_hint(
        "a connection pooler drops the startup parameter options (PgBouncer: ignore_startup_parameters): set database.hostname and database.port to the server itself",
    )
}

/// A refusal of a command of the replication protocol. A syntax error means that the session is not
/// a replication session, and so that a connection pooler stands between.
pub(super) fn of_command(what: &str, payload: &[u8]) -> Error {
    let error = of_statement(what, payload);
    match error.sqlstate() {
        Some(code @ SqlState::SYNTAX_ERROR) => {
            Error::configuration(error.to_string()).with_hint(POOLER).with_sqlstate(code)
        }
        _ => error,
    }
}

/// A refusal of a statement, from its `ErrorResponse`.
pub(super) fn of_statement(what: &str, payload: &[u8]) -> Error {
    let fields = ErrorFields::parse(payload);
    classify(sqlstate(&fields), what, &fields.to_error_string())
}

/// A failure of the connection itself: of the framing, which is a defect, or of the socket, which
/// may pass.
pub(super) fn wire(what: &str, error: &PgWireError) -> Error {
    match error {
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
            let error = at_login(SqlState::parse(sqlstate), "connect", message, replication);
            assert_eq!(error.sqlstate(), SqlState::parse(sqlstate), "{message}");
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
