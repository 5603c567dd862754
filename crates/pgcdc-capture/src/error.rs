use std::fmt;

/// What went wrong, where, and what to do about it.
///
/// Opaque: ask it ([`is_configuration`](Self::is_configuration), [`is_transient`](Self::is_transient))
/// rather than match on it. `Display` says what and where; [`hint`](Self::hint) says what to do;
/// causes are in the source chain.
#[derive(Debug)]
pub struct Error(Box<Inner>);

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The user's to mend; exit code 2.
    Configuration,
    /// Passes by itself: retried with back-off.
    Transient,
    /// Needs a human.
    Fatal,
    /// The reader of the output went away: the end, and no failure.
    Closed,
}

impl From<&Error> for pgcdc_lifecycle::Failure {
    fn from(error: &Error) -> Self {
        Self { error: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl Error {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hint: None, source: None }))
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, message)
    }

    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self::new(Kind::Transient, message)
    }

    pub(crate) fn fatal(message: impl Into<String>) -> Self {
        Self::new(Kind::Fatal, message)
    }

    pub(crate) fn closed(message: impl Into<String>) -> Self {
        Self::new(Kind::Closed, message)
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Has the same cause as another, which says less.
    pub(crate) fn in_place_of(mut self, other: Self) -> Self {
        self.0.source = other.0.source;
        self
    }

    /// Whether the configuration is at fault: nothing was started, nothing will mend itself.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.0.kind == Kind::Configuration
    }

    /// Whether trying again later can succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.kind == Kind::Transient
    }

    /// Whether the output's reader went away (a closed pipe or channel).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind == Kind::Closed
    }

    /// What to do about it: a command, a statement, a property.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
