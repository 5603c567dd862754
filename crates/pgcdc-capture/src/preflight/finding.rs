//! What a check found, and what mends it.

use crate::Error;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Capture runs, but something will surprise.
    Warning,
    /// Capture cannot run.
    Error,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// The SQL, command or property that mends it.
    pub remedy: Option<String>,
}

impl Finding {
    pub(crate) fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, subject: subject.into(), message: message.into(), remedy: None }
    }

    pub(crate) fn warning(
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(subject, message, remedy) }
    }

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

    pub(crate) fn failure(subject: &str, error: &Error) -> Self {
        Self {
            severity: Severity::Error,
            subject: subject.to_owned(),
            message: error.to_string(),
            remedy: error.hint().map(str::to_owned),
        }
    }
}
