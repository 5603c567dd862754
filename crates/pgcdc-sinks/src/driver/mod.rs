//! A batch from decoded to durable: retries, circuit breaker, dead letters.
//!
//! [`Driver::write`] decides, `burial` sends dead letters, [`Breaker`] holds calls back from a store that fails, [`Outage`]
//! tells people, [`Flood`] counts dead letters in a row.
//!
//! What a user sees when a store fails, with the defaults:
//!
//! | after | what happens |
//! |---|---|
//! | the first failure | one line in the log with the reason and a hint; the sink's state is *retrying*; nothing is committed |
//! | each failure | a random pause of at most 200 ms, 400 ms, … 30 s for the partition; `Retry-After` counts instead where a store says it |
//! | five failures in a row | the breaker opens: one call every 0.5 s to 5 s tries the store for all partitions |
//! | ten minutes | a reminder in the log, and then one every ten minutes |
//! | the first success | one line that says how long it lasted; reading goes on where it stopped |

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
