//! Mistakes in certificates, keys and the properties that name them.

use std::error::Error as StdError;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A mistake in a file or property. Only its owner can mend it, so trying again makes no sense.
///
/// The text names the property and the file; [`hint`](Self::hint) says what to do. Neither quotes a key or a password.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Property, file, and what is wrong.
    message: String,
    /// What the owner can do, often a command of OpenSSL.
    hint: Option<String>,
    /// The error of the file system or of a parser.
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that says what is wrong, and where.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, source: None }
    }

    /// The same error with this advice.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same error with its cause.
    pub(crate) fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// What the owner of the file can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The cause, if there is one, for an error of the caller's own type.
    #[must_use]
    pub fn into_source(self) -> Option<Box<dyn StdError + Send + Sync>> {
        self.source
    }
}
