//! Brokers as they are run: old releases, another make, several at once that fail.

mod chaos;
mod idle;
mod makes;
mod secure;
