/// Why a record is not a change event. The text says what is wrong and at which byte, and never quotes values of the row: it is
/// written into logs and into the headers of dead letters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    /// An error of this text, to which [`within`](Self::within) adds the part of the record.
    pub(super) fn new(message: String) -> Self {
        Self(message)
    }

    /// The same error, with the part of the record in front: `key` or `value`.
    pub(super) fn within(self, part: &str) -> Self {
        Self(format!("record {part}: {}", self.0))
    }
}
