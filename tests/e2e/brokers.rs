//! Brokers as they are run: old releases, another make, several at once that fail.

mod chaos;
mod makes;
mod secure;
