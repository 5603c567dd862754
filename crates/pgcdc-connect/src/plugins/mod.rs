//! The classes that a configuration may name, and the definitions of their properties.

mod classes;
mod definition;
mod validation;

pub(crate) use classes::Kind;
pub(crate) use classes::{
    CONNECT_VERSION, all, connector, find, is_named, refused, shown, sink_type, version,
};
pub(crate) use definition::{Definition, Section, definitions};
pub(crate) use validation::{Validation, validate};
