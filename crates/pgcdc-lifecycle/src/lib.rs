//! The life of a connector or a sink, seen from outside: what it is doing, what it is told, how long it waits after a failure.
//!
//! Capture and sinks never see each other, and yet whoever runs them (a worker, a status page, an embedder) treats them alike.
//! So the words that both use are here:
//!
//! - [`State`] and [`Status`]: running, retrying since when and why, paused, failed; readable and watchable from any thread.
//! - [`Orders`]: stop, pause, resume.
//! - [`Backoff`]: the pauses between tries.
//!
//! The crate knows neither Postgres nor Kafka, logs nothing and does no I/O.
//!
//! ```
//! use pgcdc_lifecycle::{Failure, Reporter, State};
//!
//! let (reporter, status) = Reporter::new();
//! reporter.set(State::Running);
//! assert_eq!(status.now(), State::Running);
//! reporter.ended(Some(Failure { error: "the disk is full".into(), hint: None }));
//! assert_eq!(status.now().to_string(), "failed: the disk is full");
//! ```

mod backoff;
mod orders;
mod status;

pub use backoff::{Backoff, sleep};
pub use orders::Orders;
pub use status::{Failure, Present, Reporter, Retry, State, Status};
