/// Why a record is not a change event. Never quotes values of the row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    pub(super) fn new(message: String) -> Self {
        Self(message)
    }

    /// The error of a part of the record: its key or its value.
    pub(super) fn within(self, part: &str) -> Self {
        Self(format!("record {part}: {}", self.0))
    }
}
