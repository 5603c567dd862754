/// Why a record could not be transformed: the exception that Connect would have thrown.
///
/// The text is Java's, so that what a user knows or finds about the exception stays true. It names fields and classes,
/// and a value only where Kafka's own text names one (a text that is no number, say). It never shows a whole row.
///
/// ```
/// let fault = pgcdc_transform::Fault::data("Unknown field: id");
/// assert_eq!((fault.class, fault.to_string().as_str()), ("DataException", "Unknown field: id"));
/// ```
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

    /// Connect's `DataException`: a value that does not fit its schema, or that a transform cannot take.
    #[must_use]
    pub fn data(message: impl Into<String>) -> Self {
        Self::new("DataException", message)
    }

    /// Connect's `SchemaBuilderException`: a schema that cannot be built, for instance with a field twice.
    pub(crate) fn schema(message: impl Into<String>) -> Self {
        Self::new("SchemaBuilderException", message)
    }

    /// Connect's `ConnectException`, from which `DataException` is derived; the outbox router throws it.
    pub(crate) fn connect(message: impl Into<String>) -> Self {
        Self::new("ConnectException", message)
    }

    /// Debezium's own exception, of its transforms.
    pub(crate) fn debezium(message: impl Into<String>) -> Self {
        Self::new("DebeziumException", message)
    }

    /// Java's `IllegalArgumentException`: a field that is not there, a wrong reference to a group.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new("IllegalArgumentException", message)
    }

    /// Java's `IllegalStateException`: the outbox router at an update.
    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::new("IllegalStateException", message)
    }

    /// Java's `IndexOutOfBoundsException`: a group that the expression does not have.
    pub(crate) fn bounds(message: impl Into<String>) -> Self {
        Self::new("IndexOutOfBoundsException", message)
    }

    /// Java's `ClassCastException`: a value of another class than Debezium's code expects.
    pub(crate) fn cast(message: impl Into<String>) -> Self {
        Self::new("ClassCastException", message)
    }

    /// Java's `NullPointerException`: Kafka's or Debezium's code does not look for the null. The record fails there, so it
    /// fails here.
    pub(crate) fn null(message: impl Into<String>) -> Self {
        Self::new("NullPointerException", message)
    }
}
