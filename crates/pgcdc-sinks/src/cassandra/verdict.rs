//! Whose fault a refused statement is: the record's, or the store's.
//!
//! A store's trouble (a right that is missing, a table that is gone or was changed, load) meets every record alike, so the
//! sink waits. Only what Cassandra says of the *values* is a verdict on the record. `Invalid` is said of both; where its words
//! do not decide, the statement is prepared again: that looks at the schema alone, so when it goes well the values are at fault.

use scylla::client::session::Session;
use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

use super::table::Statement;
use crate::SinkError;

/// Whose fault it is.
#[derive(Debug)]
pub(super) enum Blame {
    /// The record's, with the reason.
    Record(String),
    /// The record's if the statement can still be prepared.
    Unsure(String),
    /// The store's: the same statement may pass later.
    Store(SinkError),
}

/// Words of `Invalid` that speak of the schema or the cluster.
const OF_THE_STORE: &[&str] = &[
    "unconfigured table",
    "does not exist",
    "doesn't exist",
    "Undefined column",
    "Unknown identifier",
    "onsistency level",
    "has not been specified",
    "schema",
];

/// Guardrails that look at values; the others look at the cluster, the table or the request.
const VALUE_GUARDRAILS: &[&str] = &["size", "items", "dimensions"];

pub(super) fn blame(error: &ExecutionError) -> Blame {
    match error {
        ExecutionError::BadQuery(bad) => {
            Blame::Record(format!("Cassandra's driver refuses the values: {bad}"))
        }
        ExecutionError::LastAttemptError(RequestAttemptError::SerializationError(bad)) => {
            Blame::Record(format!("Cassandra's driver refuses the values: {bad}"))
        }
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(code, message)) => {
            of_code(code, message)
        }
        ExecutionError::PrepareError(error) => Blame::Store(unprepared(error)),
        other => Blame::Store(SinkError::transient(format!("Cassandra cannot be reached: {other}"))),
    }
}

fn of_code(code: &DbError, message: &str) -> Blame {
    match code {
        DbError::Invalid if OF_THE_STORE.iter().any(|words| message.contains(words)) => {
            let what = format!("the target table is not as it was: {message}");
            Blame::Store(SinkError::transient(what).with_hint(hint(code)))
        }
        DbError::Invalid
            if message.contains("Guardrail") && !VALUE_GUARDRAILS.iter().any(|w| message.contains(w)) =>
        {
            let what = format!("a guardrail of Cassandra refuses the write: {message}");
            Blame::Store(SinkError::transient(what).with_hint("change the guardrail in cassandra.yaml"))
        }
        DbError::Invalid => Blame::Unsure(format!("Cassandra refuses the row: {message}")),
        // The row is larger than half a segment of Cassandra's commit log.
        _ if message.contains("too large for the maximum size") => {
            Blame::Record(format!("Cassandra refuses the row: {message}"))
        }
        _ => {
            let what = format!("Cassandra cannot write now: {code}: {message}");
            Blame::Store(SinkError::transient(what).with_hint(hint(code)))
        }
    }
}

/// What a person can do about a code.
pub(super) fn hint(code: &DbError) -> &'static str {
    match code {
        DbError::Unauthorized => "GRANT MODIFY ON KEYSPACE … TO … (and CREATE, ALTER with create = true)",
        DbError::AuthenticationError => "are \"username\" and \"password\" right?",
        DbError::Invalid => {
            "make the table as it was; a column that is gone is left out once the table is read again"
        }
        DbError::Unavailable { .. } => {
            "nodes are down, or the keyspace wants more replicas than there are: nodetool status"
        }
        DbError::WriteTimeout { .. } | DbError::Overloaded | DbError::RateLimitReached { .. } => {
            "Cassandra is overloaded: nodetool tpstats, or a smaller batch.max"
        }
        _ => "Cassandra's log says more",
    }
}

/// A statement that the server does not prepare: the schema is at fault, or the server.
pub(super) fn unprepared(error: &PrepareError) -> SinkError {
    SinkError::transient(format!("the statements for the target table cannot be prepared: {error}"))
        .with_hint("is the table still there, with its columns, and may this user read the schema?")
}

/// Decides what [`Blame::Unsure`] leaves open.
pub(super) async fn decide(
    session: &Session,
    statement: &Statement,
    blame: Blame,
) -> Result<String, SinkError> {
    match blame {
        Blame::Record(reason) => Ok(reason),
        Blame::Store(error) => Err(error),
        Blame::Unsure(reason) => match session.prepare(statement.prepared().get_statement()).await {
            Ok(_) => Ok(reason),
            Err(error) => Err(unprepared(&error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: DbError, message: &str, is_record: Option<bool>) {
        let error = ExecutionError::LastAttemptError(RequestAttemptError::DbError(code, message.to_owned()));
        let found = match blame(&error) {
            Blame::Record(_) => Some(true),
            Blame::Unsure(_) => None,
            Blame::Store(error) => {
                assert!(error.hint.is_some(), "{message}");
                Some(false)
            }
        };
        assert_eq!(found, is_record, "{message}");
    }

    #[test]
    fn only_what_speaks_of_values_is_the_record_s() {
        check(DbError::Invalid, "unconfigured table events", Some(false));
        check(DbError::Invalid, "Undefined column name v in table k.t", Some(false));
        check(DbError::Invalid, "Keyspace 'k' does not exist", Some(false));
        check(DbError::Invalid, "consistency level LOCAL_QUORUM not compatible with …", Some(false));
        check(DbError::Invalid, "Guardrail data_disk_usage violated: …", Some(false));
        check(DbError::Invalid, "Guardrail column_value_size violated: …", None);
        check(DbError::Invalid, "Key may not be empty", None);
        check(
            DbError::ServerError,
            "Mutation of 17000000 bytes is too large for the maximum size of 16777216",
            Some(true),
        );
        for code in [
            DbError::Unauthorized,
            DbError::AuthenticationError,
            DbError::SyntaxError,
            DbError::Overloaded,
            DbError::IsBootstrapping,
            DbError::TruncateError,
            DbError::ServerError,
            DbError::ProtocolError,
            DbError::ConfigError,
        ] {
            check(code, "anything", Some(false));
        }
    }
}
