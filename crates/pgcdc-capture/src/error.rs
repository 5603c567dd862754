use std::fmt;

use crate::SqlState;

/// What went wrong, where, and what to do about it.
///
/// The type is opaque: ask it ([`is_configuration`](Self::is_configuration),
/// [`is_transient`](Self::is_transient), [`sqlstate`](Self::sqlstate)) rather than match on it.
/// `Display` says what failed and where; [`hint`](Self::hint) says what to do; the causes are in
/// the source chain. It holds no passwords and no row values.
///
/// A capture tries again by itself after a transient error, so a program sees only the others from
/// [`Capture::finished`](crate::Capture::finished).
///
/// ```
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// use pgcdc_capture::{Capture, SqlState};
/// let mut capture = Capture::from_file("connector.json".as_ref(), &[])?.to_kafka()?;
/// if let Err(error) = capture.finished().await {
///     eprintln!("{error}; {}", error.hint().unwrap_or("no hint"));
///     assert_ne!(error.sqlstate(), Some(SqlState::INVALID_PASSWORD));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

/// The result of this crate's functions, with its [`Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The parts of an error, in a box of their own so that a `Result` stays one word wide.
#[derive(Debug)]
struct Inner {
    /// Decides between trying again, exit code 1 and exit code 2.
    kind: Kind,
    /// What failed and where: slot, table, column, position, file and key. Not the cause's own
    /// text.
    message: String,
    /// What the user can do: a statement, a command, a property.
    hint: Option<String>,
    /// PostgreSQL's code, when the error comes from a server.
    sqlstate: Option<SqlState>,
    /// Whether the Kafka client gave the error. Only for the metric of restarts by reason.
    of_kafka: bool,
    /// The error behind this one.
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The four ways in which a caller treats an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The user has to mend the configuration; exit code 2.
    Configuration,
    /// The cause may go away by itself: tried again, with growing pauses.
    Transient,
    /// Trying again would fail the same way until somebody does something.
    Fatal,
    /// The reader of the output went away. That ends a capture, and is no failure.
    Closed,
}

/// For the state that a watcher reads: the text and the hint.
impl From<&Error> for pgcdc_lifecycle::Failure {
    fn from(error: &Error) -> Self {
        Self { error: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl Error {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            sqlstate: None,
            of_kafka: false,
            source: None,
        }))
    }

    /// The user has to mend the configuration.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, message)
    }

    /// The cause may pass by itself: the connector tries again.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self::new(Kind::Transient, message)
    }

    /// Somebody has to act before a new start can succeed.
    pub(crate) fn fatal(message: impl Into<String>) -> Self {
        Self::new(Kind::Fatal, message)
    }

    /// The reader of the output went away.
    pub(crate) fn closed(message: impl Into<String>) -> Self {
        Self::new(Kind::Closed, message)
    }

    /// Says what to do, in place of an earlier hint.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the error behind this one in the source chain.
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Notes the code that PostgreSQL gave the error. `None` means that it came from elsewhere.
    pub(crate) fn with_sqlstate(mut self, sqlstate: impl Into<Option<SqlState>>) -> Self {
        self.0.sqlstate = sqlstate.into();
        self
    }

    /// Notes that the Kafka client gave the error.
    pub(crate) fn of_kafka(mut self) -> Self {
        self.0.of_kafka = true;
        self
    }

    /// Takes over the cause and the SQLSTATE of `other`, a more general error, whose message says
    /// less than this one.
    pub(crate) fn in_place_of(mut self, other: Self) -> Self {
        (self.0.source, self.0.sqlstate) = (other.0.source, other.0.sqlstate);
        self.0.of_kafka |= other.0.of_kafka;
        self
    }

    /// Whether the configuration is at fault. Trying again without changing it will not help; a
    /// command ends with exit code 2.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.0.kind == Kind::Configuration
    }

    /// Whether trying again later can succeed without anybody doing something.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.kind == Kind::Transient
    }

    /// Whether the output's reader went away (a closed pipe or channel).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind == Kind::Closed
    }

    /// The kind of the cause in one word, for metrics: an SQLSTATE, `connection`, `kafka`, or `other`.
    pub(crate) fn cause(&self) -> String {
        match (self.0.sqlstate, &self.0.source) {
            (Some(sqlstate), _) => sqlstate.to_string(),
            (None, _) if self.0.of_kafka => "kafka".to_owned(),
            (None, Some(source)) if source.is::<std::io::Error>() => "connection".to_owned(),
            (None, _) => "other".to_owned(),
        }
    }

    /// The code that PostgreSQL gave the error; `None` for an error that is not PostgreSQL's. When
    /// several servers or ways to connect failed, this is the code of one of them.
    #[must_use]
    pub fn sqlstate(&self) -> Option<SqlState> {
        self.0.sqlstate
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
