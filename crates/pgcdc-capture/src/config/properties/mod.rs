//! The one table of properties: Debezium's 165, and the Connect keys that may stand beside them in
//! a registration or a `.properties` file.
//!
//! Defaults, warnings, refusals, hints for mistyped names and the reference page all come from
//! here. Adding a property is one row in one of the groups, in the file of its subject; what the
//! property does is then read in `config/resolve`.

mod advanced;
mod connect;
mod connection;
mod connector;
mod converters;
pub mod earlier;
mod reference;
mod snapshot;
mod table;
mod worker;

pub use reference::reference;
pub use table::TABLE;
