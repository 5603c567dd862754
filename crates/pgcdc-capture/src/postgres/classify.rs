//! What a server's error means for the connector, by its SQLSTATE: whether trying again can help,
//! and what the user can do. Source: PostgreSQL documentation, appendix A, "PostgreSQL Error
//! Codes".

use crate::{Error, SqlState};

/// Turns a server's error into ours. `what` was being done; `message` is the server's own text.
/// Every session's errors come through here.
pub(crate) fn classify(sqlstate: Option<SqlState>, what: &str, message: &str) -> Error {
    let Some(code) = sqlstate else { return Error::fatal(format!("{what}: {message}")) };
    let text = if message.contains(code.as_str()) {
        format!("{what}: {message}")
    } else {
        format!("{what}: {message} (SQLSTATE {code})")
    };
    let error = if passes(code, what, message) {
        with_hint(Error::transient(text), hint_of_passing(code, message))
    } else if matches!(
        code,
        SqlState::INVALID_PASSWORD
            | SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | SqlState::INVALID_CATALOG_NAME
    ) {
        with_hint(Error::configuration(text), hint_of_lasting(code, message))
    } else {
        with_hint(Error::fatal(text), hint_of_lasting(code, message))
    };
    error.with_sqlstate(code)
}

/// Adds a hint, if there is one.
fn with_hint(error: Error, hint: Option<&str>) -> Error {
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Whether the cause of an error goes away by itself, so that trying again makes sense.
///
/// Some codes stand for causes of both kinds. PostgreSQL tells these apart only in its message,
/// which we know in English. In another language such an error ends the connector.
fn passes(code: SqlState, what: &str, message: &str) -> bool {
    let says = |part: &str| message.contains(part);
    match code {
        // Too many slots: somebody has to drop one, or the server needs another setting.
        SqlState::CONFIGURATION_LIMIT_EXCEEDED => false,
        // Lost connections (08), a lack of resources (53), conflicts with other transactions (40),
        // among them a standby's recovery.
        _ if matches!(code.class(), "08" | "53" | "40") => true,
        // A session that was ended for a time-out, an administrator, a shutdown or a crash; a
        // statement that was cancelled.
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::TRANSACTION_TIMEOUT
        | SqlState::OPERATOR_INTERVENTION
        | SqlState::QUERY_CANCELED
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_SESSION_TIMEOUT => true,
        // Another process uses the object; a lock was not to be had in time; a snapshot became too
        // old.
        SqlState::OBJECT_IN_USE | SqlState::LOCK_NOT_AVAILABLE | SqlState::SNAPSHOT_TOO_OLD => true,
        // The disk or the network file system of the server.
        SqlState::SYSTEM_ERROR | SqlState::IO_ERROR => true,
        // A standby, which may be promoted; a slot that is still copied from the primary; a primary
        // that logs too little.
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => {
            says("cannot use replication slot")
                || says("is being synchronized")
                || says("recovery is in progress")
                || says("could not import the requested snapshot")
                || says("wal_level") && says("on the primary")
        }
        SqlState::FEATURE_NOT_SUPPORTED => says("in recovery") || says("during recovery"),
        // The session that exported the snapshot has ended.
        SqlState::INVALID_PARAMETER_VALUE | SqlState::UNDEFINED_OBJECT
            if what.contains("import the snapshot") =>
        {
            says("snapshot")
        }
        // A walsender fails with it when tables change under it ("could not open relation with OID
        // …"). While connecting, a pooler gives this code for a tenant that does not exist.
        SqlState::INTERNAL_ERROR => ["replication stream", "START_REPLICATION", "create replication slot"]
            .iter()
            .any(|of| what.starts_with(of)),
        _ => false,
    }
}

/// What somebody can do about an error that also passes by itself.
fn hint_of_passing(code: SqlState, message: &str) -> Option<&'static str> {
    Some(match code {
        SqlState::OBJECT_IN_USE => {
            "another process holds the slot; it is retried. `pgcdc check` names the process, \
             `SELECT pg_terminate_backend(pid)` ends it"
        }
        SqlState::TOO_MANY_CONNECTIONS => {
            "raise max_connections, or for replication connections max_wal_senders"
        }
        SqlState::LOCK_NOT_AVAILABLE => {
            "snapshot.lock.timeout.ms is how long a snapshot waits for the locks of its tables"
        }
        SqlState::QUERY_CANCELED => "somebody cancelled the statement, or a time limit of the server did",
        SqlState::FEATURE_NOT_SUPPORTED => {
            "the server is a standby, which decodes from PostgreSQL 16 on; connect to the primary"
        }
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE if message.contains("wal_level") => {
            "on the primary: ALTER SYSTEM SET wal_level = logical; then restart it"
        }
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE
            if message.contains("replication slot") || message.contains("synchronized") =>
        {
            "a slot that is synchronized from the primary can be used once this server is promoted; \
             until then connect to the primary"
        }
        _ => return None,
    })
}

/// What somebody has to do about an error that does not pass by itself.
fn hint_of_lasting(code: SqlState, message: &str) -> Option<&'static str> {
    Some(match code {
        SqlState::CONFIGURATION_LIMIT_EXCEEDED => {
            "raise max_replication_slots, or drop a slot that nobody uses"
        }
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check database.user and database.password, and pg_hba.conf (it needs an entry that allows replication connections too)"
        }
        SqlState::INVALID_CATALOG_NAME => "check database.dbname",
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "the role needs REPLICATION, and SELECT on the tables; `pgcdc check` prints the statements"
        }
        SqlState::UNDEFINED_OBJECT => "`pgcdc check` says what is missing and the SQL that makes it",
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE if message.contains("wal_level") => {
            "ALTER SYSTEM SET wal_level = logical; then restart the server"
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            "the session can only read: the server is a standby, or default_transaction_read_only is on; \
             on a standby make the publication on the primary"
        }
        SqlState::UNDEFINED_FILE if message.contains("WAL segment") => {
            "the server no longer has the WAL that the slot needs: drop the slot, and start with snapshot.mode=when_needed"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_passes_and_a_wrong_password_does_not() {
        let check = |code, transient, configuration| {
            let error = classify(SqlState::parse(code), "connect", "x");
            assert_eq!(
                (error.is_transient(), error.is_configuration()),
                (transient, configuration),
                "{code}"
            );
        };
        check("57P01", true, false);
        check("55006", true, false);
        check("08006", true, false);
        check("28P01", false, true);
        check("42501", false, false);
        check("53300", true, false);
        check("53400", false, false);
    }

    #[test]
    fn what_passes_by_itself_is_tried_again() {
        let check = |code, what, message, transient| {
            let error = classify(SqlState::parse(code), what, message);
            assert_eq!(error.is_transient(), transient, "{code} {what}: {message}");
        };
        let start = "START_REPLICATION";
        check("55000", start, "cannot use replication slot \"s\" for logical decoding", true);
        check(
            "55000",
            start,
            "logical decoding on standby requires wal_level >= logical on the primary",
            true,
        );
        check("55000", "connect", "logical decoding requires \"wal_level\" >= \"logical\"", false);
        check("55000", start, "can no longer get changes from replication slot \"s\"", false);
        check("55000", "read the server's position", "recovery is in progress", true);
        check("55000", "import the snapshot", "could not import the requested snapshot", true);
        check("42704", "import the snapshot", "snapshot \"1\" does not exist", true);
        check("42704", start, "publication \"p\" does not exist", false);
        check(
            "0A000",
            "create replication slot s",
            "logical decoding cannot be used while in recovery",
            true,
        );
        check("0A000", "read", "not supported", false);
        check("XX000", "replication stream", "could not open relation with OID 1", true);
        check("XX000", "connect to h:1/d as u", "Tenant or user not found", false);
        check("XX001", "replication stream", "invalid page", false);
        check("58P01", "replication stream", "requested WAL segment 0 has already been removed", false);
        check("58030", "replication stream", "could not read file", true);
        check("25006", "publication", "cannot execute CREATE PUBLICATION in a read-only transaction", false);
        for code in ["40001", "40P01", "55P03", "57014", "57P05", "25P04", "53100", "53200", "72000", "08P01"]
        {
            check(code, "read", "x", true);
        }
        for code in ["57P04", "42P01", "42601", "XX002", ""] {
            check(code, "read", "x", false);
        }
    }

    #[test]
    fn the_code_is_kept_and_said_once() {
        let error = classify(Some(SqlState::UNDEFINED_TABLE), "read", "no such table");
        assert_eq!(error.to_string(), "read: no such table (SQLSTATE 42P01)");
        assert_eq!(error.sqlstate(), Some(SqlState::UNDEFINED_TABLE));
        let said = classify(Some(SqlState::UNDEFINED_TABLE), "read", "no such table (SQLSTATE 42P01)");
        assert_eq!(said.to_string(), error.to_string());
        let error = classify(None, "read", "no code");
        assert_eq!((error.to_string().as_str(), error.sqlstate()), ("read: no code", None));
    }
}
