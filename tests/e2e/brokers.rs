//! Brokers as they are run: old releases, another make, several at once that fail.

mod chaos;
mod failover;
mod idle;
mod logins;
mod makes;
mod secure;
