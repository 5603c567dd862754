//! Why a session could not be opened. It decides whether another way to connect is tried.

use pgwire_replication::protocol::ErrorFields;

use super::refusal;
use crate::postgres::pins;
use crate::{Error, SqlState};

/// Why there is no session. The kinds differ in whether another way to connect is worth a try.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has refused the login, with its code and its message.
    Refused { sqlstate: Option<SqlState>, message: String },
    /// TLS could not begin, or its certificate was refused.
    Tls(Error),
    /// Any other failure.
    Other(Error),
}

impl Failure {
    /// The failure that an ErrorResponse to a login means.
    pub(super) fn refused(payload: &[u8]) -> Self {
        let fields = ErrorFields::parse(payload);
        let detail = fields.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        Self::Refused {
            sqlstate: refusal::sqlstate(&fields),
            message: format!("{}{detail}", fields.message.clone().unwrap_or_default()),
        }
    }

    /// Whether the settings in the startup parameter `options` were refused: then the login is
    /// tried without.
    pub(super) fn refuses_options(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if pins::are_refused(message))
    }

    /// Whether the same server may take us with TLS instead of without, or the other way round.
    pub(super) fn may_go_another_way(&self) -> bool {
        match self {
            Self::Refused { sqlstate, .. } => sqlstate.is_some_and(|code| code.class() == "28"),
            Self::Tls(_) => true,
            Self::Other(_) => false,
        }
    }

    /// What the failure means for the connector. `replication` says that it was the login of a
    /// replication session.
    pub(super) fn into_error(self, what: &str, replication: bool) -> Error {
        match self {
            Self::Refused { sqlstate, message } => refusal::at_login(sqlstate, what, &message, replication),
            Self::Tls(error) | Self::Other(error) => error,
        }
    }
}
