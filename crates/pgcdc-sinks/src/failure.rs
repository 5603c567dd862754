//! Failures of a store.

use std::fmt;
use std::time::Duration;

use pgcdc_lifecycle::Failure;

/// A failure of the store, as opposed to one of a record ([`Rejected`](crate::Rejected)).
///
/// Its kind decides what the driver does:
///
/// | kind | what follows |
/// |---|---|
/// | [`transient`](Self::transient) | a pause, and the same batch again; nothing is committed meanwhile |
/// | [`diverged`](Self::diverged) | the sink leaves its group, joins it anew, and asks [`Sink::resume`](crate::Sink::resume) |
/// | [`fatal`](Self::fatal) | the sink ends; other sinks of the file go on |
///
/// The text goes into logs and into the sink's state, so it holds no secret and no value of a row.
///
/// ```
/// use std::time::Duration;
/// use pgcdc_sinks::SinkError;
///
/// let error = SinkError::transient("the disk is full").with_hint("free some space");
/// assert_eq!(error.to_string(), "the disk is full");
/// let busy = SinkError::transient("too many requests").retry_after(Some(Duration::from_secs(5)));
/// assert_eq!(busy.to_string(), "too many requests");
/// ```
#[derive(Debug)]
pub struct SinkError {
    pub(crate) kind: SinkErrorKind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) progressed: bool,
}

/// What the driver does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkErrorKind {
    Transient,
    Diverged,
    Fatal,
}

impl SinkError {
    /// The same call may succeed later: the driver repeats it.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Transient, message)
    }

    /// The store holds another offset than this process believes, since it was emptied, restored, or written by another
    /// process. The sink starts again from what the store says.
    pub fn diverged(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Diverged, message)
    }

    /// Only another configuration mends it: the sink ends. What a person can mend in the store itself (a missing right, a
    /// missing table) is transient: the sink goes on once it is mended.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Fatal, message)
    }

    fn new(kind: SinkErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, retry_after: None, progressed: false }
    }

    /// Says what a person can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Asks the driver to wait this long before it tries again.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Says whether some records of the batch were written before the failure. If so, the store is not down, and the pauses
    /// between the driver's tries begin anew.
    #[must_use]
    pub fn progressed(mut self, progressed: bool) -> Self {
        self.progressed = progressed;
        self
    }
}

impl From<&SinkError> for Failure {
    fn from(error: &SinkError) -> Self {
        Self { error: error.message.clone(), hint: error.hint.clone() }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SinkError {}
