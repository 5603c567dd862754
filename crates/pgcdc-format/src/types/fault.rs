/// Why a value could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text does not have the type's output format.
    Bad(&'static str),
    /// Debezium does not read the value at all: written as SQL NULL.
    Absent,
    /// Debezium has no value for this one and writes null in its place; in a list, only this
    /// element is null.
    Null,
    /// Debezium's conversion fails as a whole: in a list, the list is null.
    Failed,
}
