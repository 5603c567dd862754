//! The code that PostgreSQL gives each error.
//!
//! Errors are told apart by this code and never by their text, which the server writes in the
//! language of `lc_messages`. What a code means for a capture is decided in `postgres/classify.rs`.

use std::fmt;

/// An SQLSTATE: the five characters by which PostgreSQL tells one kind of error from another.
///
/// The first two characters are the class. Source: PostgreSQL documentation, appendix A,
/// "PostgreSQL Error Codes".
///
/// ```
/// use pgcdc_capture::SqlState;
/// let code = SqlState::parse("42P01").unwrap();
/// assert_eq!(code, SqlState::UNDEFINED_TABLE);
/// assert_eq!((code.as_str(), code.class()), ("42P01", "42"));
/// assert_eq!(SqlState::parse("no code"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

/// Declares the codes that are asked for by name; the names are those of the manual.
macro_rules! codes {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        impl SqlState {
            $(#[doc = $doc] pub const $name: Self = Self(*$code);)*
        }
    };
}

codes! {
    PROTOCOL_VIOLATION = b"08P01", "The other side broke the protocol. Connection poolers answer with it whatever they refuse.";
    FEATURE_NOT_SUPPORTED = b"0A000", "The server cannot do this here, for instance on a standby.";
    INVALID_PARAMETER_VALUE = b"22023", "A parameter has a value that the server does not take.";
    INVALID_TEXT_REPRESENTATION = b"22P02", "A text is no value of its type.";
    READ_ONLY_SQL_TRANSACTION = b"25006", "The transaction may only read.";
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = b"25P03", "A session was ended since its transaction was idle.";
    TRANSACTION_TIMEOUT = b"25P04", "A session was ended since its transaction took too long.";
    INVALID_AUTHORIZATION_SPECIFICATION = b"28000", "The role may not log in this way.";
    INVALID_PASSWORD = b"28P01", "The password is wrong.";
    INVALID_CATALOG_NAME = b"3D000", "The database does not exist.";
    INSUFFICIENT_PRIVILEGE = b"42501", "The role lacks a privilege.";
    SYNTAX_ERROR = b"42601", "The statement is not understood.";
    UNDEFINED_COLUMN = b"42703", "The column does not exist.";
    UNDEFINED_OBJECT = b"42704", "The object does not exist, for instance a slot, publication or setting.";
    UNDEFINED_TABLE = b"42P01", "The table does not exist.";
    TOO_MANY_CONNECTIONS = b"53300", "All connections are in use.";
    CONFIGURATION_LIMIT_EXCEEDED = b"53400", "A limit of the server's configuration is reached.";
    OBJECT_NOT_IN_PREREQUISITE_STATE = b"55000", "The object is not in the state that this needs.";
    OBJECT_IN_USE = b"55006", "Another process uses the object, for instance the slot.";
    LOCK_NOT_AVAILABLE = b"55P03", "A lock was not to be had in time.";
    OPERATOR_INTERVENTION = b"57000", "An operator intervened.";
    QUERY_CANCELED = b"57014", "The statement was cancelled, by a person or a time limit.";
    ADMIN_SHUTDOWN = b"57P01", "An administrator ended the session or the server.";
    CRASH_SHUTDOWN = b"57P02", "The server ended the session since another one crashed.";
    CANNOT_CONNECT_NOW = b"57P03", "The server starts, stops or recovers.";
    IDLE_SESSION_TIMEOUT = b"57P05", "A session was ended since it was idle.";
    SYSTEM_ERROR = b"58000", "The server's system failed.";
    IO_ERROR = b"58030", "The server could not read or write.";
    UNDEFINED_FILE = b"58P01", "A file of the server is missing.";
    SNAPSHOT_TOO_OLD = b"72000", "The snapshot is too old.";
    INTERNAL_ERROR = b"XX000", "The server met something that it did not expect.";
}

impl SqlState {
    /// Reads a code: five ASCII digits and upper-case letters. `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 5] = text.as_bytes().try_into().ok()?;
        code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).then_some(Self(code))
    }

    /// The code's five characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII is taken in")
    }

    /// The code's class, its first two characters: for instance `08` for errors of the connection.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.as_str()[..2]
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlState({})", self.as_str())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_five_digits_or_capitals() {
        for code in ["00000", "42P01", "XX000"] {
            assert_eq!(SqlState::parse(code).map(|found| found.to_string()).as_deref(), Some(code));
        }
        for text in ["", "42P0", "42P011", "42p01", "42-01", "ääa"] {
            assert_eq!(SqlState::parse(text), None, "{text}");
        }
        assert_eq!(SqlState::INVALID_PASSWORD.class(), "28");
        assert_eq!(format!("{:?}", SqlState::INTERNAL_ERROR), "SqlState(XX000)");
    }
}
