//! What an SQLSTATE means for the connector. Source: the PostgreSQL manual, appendix "PostgreSQL
//! Error Codes".

use crate::Error;

/// Turns a server's error into ours: whether it passes, and what to do about it.
pub(crate) fn classify(sqlstate: Option<&str>, what: &str, message: &str) -> Error {
    let code = sqlstate.unwrap_or("");
    let text = if code.is_empty() || message.contains(code) {
        format!("{what}: {message}")
    } else {
        format!("{what}: {message} (SQLSTATE {code})")
    };
    if passes(code, what, message) {
        let error = Error::transient(text);
        return match hint(code, message) {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
    }
    match code {
        "53400" => Error::fatal(text).with_hint("raise max_replication_slots, or drop a slot that nobody uses"),
        "28P01" | "28000" => Error::configuration(text)
            .with_hint("check database.user and database.password, and pg_hba.conf (it needs an entry that allows replication connections too)"),
        "3D000" => Error::configuration(text).with_hint("check database.dbname"),
        "42501" => Error::fatal(text)
            .with_hint("the role needs REPLICATION, and SELECT on the tables; `pgcdc check` prints the statements"),
        "42704" => Error::fatal(text).with_hint("`pgcdc check` says what is missing and the SQL that makes it"),
        "55000" if message.contains("wal_level") => Error::fatal(text)
            .with_hint("ALTER SYSTEM SET wal_level = logical; then restart the server"),
        "25006" => Error::fatal(text).with_hint(
            "the session can only read: the server is a standby, or default_transaction_read_only is on; \
             on a standby make the publication on the primary",
        ),
        "58P01" if message.contains("WAL segment") => Error::fatal(text).with_hint(
            "the server no longer has the WAL that the slot needs: drop the slot, and start with snapshot.mode=when_needed",
        ),
        _ => Error::fatal(text),
    }
}

/// Whether the cause of an error goes away by itself, so that trying again makes sense.
fn passes(code: &str, what: &str, message: &str) -> bool {
    let says = |part: &str| message.contains(part);
    match code {
        // Too many slots: somebody has to drop one, or the server needs another setting.
        "53400" => false,
        // Lost connections, a lack of resources, conflicts with others (recovery on a standby among them).
        _ if ["08", "53", "40"].iter().any(|class| code.starts_with(class)) => true,
        // A session that was ended for a time-out, an administrator, a shutdown or a crash; a statement that was cancelled.
        "25P03" | "25P04" | "57000" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" => true,
        // In use by another process; a lock that was not to be had in time; a snapshot that became too old.
        "55006" | "55P03" | "72000" => true,
        // The disk or the network file system of the server.
        "58000" | "58030" => true,
        // A standby, which is promoted one day; a slot that is still copied from the primary; a primary that logs too little.
        "55000" => {
            says("cannot use replication slot")
                || says("is being synchronized")
                || says("recovery is in progress")
                || says("could not import the requested snapshot")
                || says("wal_level") && says("on the primary")
        }
        "0A000" => says("in recovery") || says("during recovery"),
        // The session that exported the snapshot has ended.
        "22023" | "42704" if what.contains("import the snapshot") => says("snapshot"),
        // What a walsender meets while tables change under it ("could not open relation with OID …"). While connecting it is
        // a pooler's word for a tenant that does not exist.
        "XX000" => ["replication stream", "START_REPLICATION", "create replication slot"]
            .iter()
            .any(|of| what.starts_with(of)),
        _ => false,
    }
}

/// What helps against an error that passes by itself, where somebody can help.
fn hint(code: &str, message: &str) -> Option<&'static str> {
    Some(match code {
        "55006" => {
            "another process holds the slot; it is retried. `pgcdc check` names the process, \
             `SELECT pg_terminate_backend(pid)` ends it"
        }
        "53300" => "raise max_connections, or for replication connections max_wal_senders",
        "55P03" => "snapshot.lock.timeout.ms is how long a snapshot waits for the locks of its tables",
        "57014" => "somebody cancelled the statement, or a time limit of the server did",
        "0A000" => "the server is a standby, which decodes from PostgreSQL 16 on; connect to the primary",
        "55000" if message.contains("wal_level") => {
            "on the primary: ALTER SYSTEM SET wal_level = logical; then restart it"
        }
        "55000" if message.contains("replication slot") || message.contains("synchronized") => {
            "a slot that is synchronized from the primary can be used once this server is promoted; \
             until then connect to the primary"
        }
        _ => return None,
    })
}

/// The SQLSTATE at the end of a message of the form `… (SQLSTATE 57P01)`.
pub(crate) fn from_suffix(message: &str) -> Option<&str> {
    let at = message.rfind("(SQLSTATE ")?;
    message.get(at + 10..at + 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_passes_and_a_wrong_password_does_not() {
        let check = |code, transient, configuration| {
            let error = classify(Some(code), "connect", "x");
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
            let error = classify(Some(code), what, message);
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
    fn the_suffix_is_found() {
        assert_eq!(from_suffix("server error: x (SQLSTATE 57P01)"), Some("57P01"));
        assert_eq!(from_suffix("x (SQLSTATE"), None);
    }
}
