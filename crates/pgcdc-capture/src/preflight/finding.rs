//! What a check found, and what to do about it.

use crate::Error;

/// How bad a finding is. `pgcdc check` ends with exit code 1 when one is an [`Error`](Self::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Capture runs, but a user may be surprised, for instance by changes that do not come.
    Warning,
    /// Capture cannot start, or applications' writes would fail once it has.
    Error,
}

/// One thing that was looked at, and how it is.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Whether it needs attention.
    pub severity: Severity,
    /// What was looked at: `wal_level`, `slot pgcdc`, `table public.users`, or a property's name.
    pub subject: String,
    /// What was found, as the rest of a sentence that begins with the subject.
    pub message: String,
    /// The SQL, command or property that mends it; `None` when nothing needs to be done.
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub(crate) fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, subject: subject.into(), message: message.into(), remedy: None }
    }

    /// Capture runs, with a surprise.
    pub(crate) fn warning(
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(subject, message, remedy) }
    }

    /// Capture cannot run.
    pub(crate) fn error(
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            subject: subject.into(),
            message: message.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// The check itself failed, with an error that says why.
    pub(crate) fn failure(subject: &str, error: &Error) -> Self {
        Self {
            severity: Severity::Error,
            subject: subject.to_owned(),
            message: error.to_string(),
            remedy: error.hint().map(str::to_owned),
        }
    }
}
