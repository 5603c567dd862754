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
    match code {
        "55006" => Error::transient(text).with_hint(
            "another process holds the slot; it is retried. `pgcdc check` names the process, \
             `SELECT pg_terminate_backend(pid)` ends it",
        ),
        "53300" => Error::transient(text)
            .with_hint("raise max_connections, or for replication connections max_wal_senders"),
        "57P01" | "57P02" | "57P03" | "57P05" | "40001" | "40P01" | "25P03" => Error::transient(text),
        "53400" => Error::fatal(text).with_hint("raise max_replication_slots, or drop a slot that nobody uses"),
        _ if code.starts_with("08") || code.starts_with("53") => Error::transient(text),
        "28P01" | "28000" => Error::configuration(text)
            .with_hint("check database.user and database.password, and pg_hba.conf (it needs an entry that allows replication connections too)"),
        "3D000" => Error::configuration(text).with_hint("check database.dbname"),
        "42501" => Error::fatal(text)
            .with_hint("the role needs REPLICATION, and SELECT on the tables; `pgcdc check` prints the statements"),
        "42704" => Error::fatal(text).with_hint("`pgcdc check` says what is missing and the SQL that makes it"),
        "55000" if message.contains("wal_level") => Error::fatal(text)
            .with_hint("ALTER SYSTEM SET wal_level = logical; then restart the server"),
        "42P01" | "42703" => Error::fatal(text),
        _ => Error::fatal(text),
    }
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
    fn the_suffix_is_found() {
        assert_eq!(from_suffix("server error: x (SQLSTATE 57P01)"), Some("57P01"));
        assert_eq!(from_suffix("x (SQLSTATE"), None);
    }
}
