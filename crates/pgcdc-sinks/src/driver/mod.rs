//! A batch from decoded to durable: retries, circuit breaker, dead letters.
//!
//! [`Driver::write`] decides, `burial` sends dead letters, [`Breaker`] holds calls back from a store that fails, [`Outage`]
//! tells people, [`Flood`] counts dead letters in a row.

mod breaker;
mod burial;
mod dead_letters;
mod decoded;
mod flood;
mod outage;
mod rejections;
#[cfg(test)]
pub(crate) mod tests;
mod writing;

pub use breaker::{Admission, Breaker};
pub use dead_letters::DeadLetters;
pub use decoded::Decoded;
pub use flood::Flood;
pub use outage::Outage;
pub use rejections::Rejections;
pub use writing::{Driver, Written};
