//! Why running the sinks ended.

use std::fmt;

/// A mistake in the configuration, or a failure that no retry mends.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Configuration,
    Transient,
    Fatal,
}

impl Error {
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self { kind: Kind::Configuration, message: message.into(), source: None }
    }

    pub(crate) fn fatal(message: impl Into<String>) -> Self {
        Self { kind: Kind::Fatal, message: message.into(), source: None }
    }

    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self { kind: Kind::Transient, message: message.into(), source: None }
    }

    /// Puts a sentence before the cause.
    pub(crate) fn because(message: impl Into<String>, source: impl Into<Self>) -> Self {
        let source = source.into();
        Self { kind: source.kind, message: message.into(), source: Some(Box::new(source)) }
    }

    /// Whether only an edit of the configuration mends it: exit code 2.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.kind == Kind::Configuration
    }

    /// Whether starting again may help by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind == Kind::Transient
    }
}

impl From<pgcdc_kafka::Error> for Error {
    fn from(error: pgcdc_kafka::Error) -> Self {
        let kind = match () {
            () if error.is_configuration() => Kind::Configuration,
            () if error.is_transient() => Kind::Transient,
            () => Kind::Fatal,
        };
        Self {
            kind,
            message: error.to_string(),
            source: std::error::Error::source(&error).map(|s| s.to_string().into()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}
