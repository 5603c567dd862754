//! The ways in which a value cannot be written, which Debezium treats differently.
//!
//! | fault | the column becomes | an element of a list | counted |
//! |---|---|---|---|
//! | `Bad`, `Failed` | its default or null | makes the whole list so | yes |
//! | `Null` | its default or null | is null | no |
//! | `Absent` | as for SQL NULL | does not occur | no |

/// Why a value could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text does not have the type's output format.
    Bad(&'static str),
    /// Debezium does not read values of the type at all: written as SQL NULL.
    Absent,
    /// Debezium has no form for this value and writes null in its place. In a list, only this element is null.
    Null,
    /// Debezium's conversion fails. In a list, the whole list is null.
    Failed,
}
