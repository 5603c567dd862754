/// Why a record could not be transformed: the exception that Connect would have thrown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The Java exception's class, without its package.
    pub class: &'static str,
    /// Its message, in Connect's and Debezium's words.
    pub message: String,
}

impl Fault {
    fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// Connect's `DataException`.
    #[must_use]
    pub fn data(message: impl Into<String>) -> Self {
        Self::new("DataException", message)
    }

    pub(crate) fn schema(message: impl Into<String>) -> Self {
        Self::new("SchemaBuilderException", message)
    }

    pub(crate) fn connect(message: impl Into<String>) -> Self {
        Self::new("ConnectException", message)
    }

    pub(crate) fn debezium(message: impl Into<String>) -> Self {
        Self::new("DebeziumException", message)
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new("IllegalArgumentException", message)
    }

    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::new("IllegalStateException", message)
    }

    pub(crate) fn bounds(message: impl Into<String>) -> Self {
        Self::new("IndexOutOfBoundsException", message)
    }

    pub(crate) fn cast(message: impl Into<String>) -> Self {
        Self::new("ClassCastException", message)
    }

    pub(crate) fn null(message: impl Into<String>) -> Self {
        Self::new("NullPointerException", message)
    }
}
