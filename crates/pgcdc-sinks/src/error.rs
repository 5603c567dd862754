//! Why running the sinks ended.

use std::fmt;

/// A mistake in the configuration, or a failure that no retry mends.
///
/// ```
/// use pgcdc_sinks::Config;
///
/// let error = Config::parse("[kafka]\n\"group.id\" = \"g\"", "s.toml").expect_err("there is no sink");
/// assert!(error.is_configuration() && !error.is_transient());
/// assert!(error.to_string().contains("s.toml:1: [kafka] \"bootstrap.servers\" is missing"));
/// ```
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The user, in the configuration: exit code 2.
    Configuration,
    /// Time: the runner starts the sink again.
    Transient,
    /// A person, in the store or in Kafka: the sink has ended.
    Fatal,
}

impl Error {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, message)
    }

    pub(crate) fn fatal(message: impl Into<String>) -> Self {
        Self::new(Kind::Fatal, message)
    }

    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self::new(Kind::Transient, message)
    }

    /// Puts a sentence before the cause.
    pub(crate) fn because(message: impl Into<String>, source: impl Into<Self>) -> Self {
        let source = source.into();
        let hint = source.hint.clone();
        Self { kind: source.kind, message: message.into(), hint, source: Some(Box::new(source)) }
    }

    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// What a person can do about it, when that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The message with its causes, for one line of a log.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        text
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

impl From<&Error> for pgcdc_lifecycle::Failure {
    fn from(error: &Error) -> Self {
        Self { error: error.in_full(), hint: error.hint.clone() }
    }
}

/// The mistakes of a configuration, one a line.
impl From<pgcdc_config::ConfigError> for Error {
    fn from(error: pgcdc_config::ConfigError) -> Self {
        Self::configuration(error.to_string())
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
            hint: error.hint().map(str::to_owned),
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
