//! What a capture is doing right now, readable and watchable from any thread.
//!
//! ```text
//!              ┌────────────────────────── resume ───────────────────────────┐
//!              ▼                                                             │
//!          Starting ──▶ Snapshotting ──▶ Streaming ──▶ Paused ───────────────┘
//!              │             │               │
//!              └─────────────┴───────────────┼──▶ Stopping ──▶ Finished
//!                            ▲               │
//!   transient error:     Retrying            └──▶ Failed (an error that does not pass, from any state)
//! ```
//!
//! A capture stays `Retrying` while it waits and while it tries again, until it reads rows or changes again. So "how long has
//! this been failing" is one look at one state.

use std::fmt;
use std::time::SystemTime;

use tokio::sync::watch;

use crate::Error;

/// What a capture is doing. See the [diagram](crate::status).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It connects, and looks at slot, publication and offset.
    Starting,
    /// It reads the rows of a snapshot.
    Snapshotting,
    /// It streams changes.
    Streaming,
    /// It failed, and tries again by itself.
    Retrying(Retry),
    /// It was told to [pause](crate::Capture::pause). It has no replication session, and the slot keeps its position.
    Paused,
    /// It was told to stop, and waits until everything that it has read is delivered and confirmed.
    Stopping,
    /// It has ended because of an error that does not pass by itself.
    Failed(Failure),
    /// It has ended as it should: stopped, idle, or nothing was left to do.
    Finished,
}

/// An error, as [`Error`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, and where.
    pub error: String,
    /// What to do about it: a command, a statement, a property.
    pub hint: Option<String>,
}

/// Since when and why a capture tries again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The latest failure.
    pub failure: Failure,
    /// When the first of these failures in a row happened.
    pub since: SystemTime,
    /// How many tries have failed in a row, at least one.
    pub failures: u32,
    /// When the next try begins; `None` while it is under way.
    pub next: Option<SystemTime>,
}

impl State {
    /// The state's name in one lower-case word, for logs, metrics and pages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Snapshotting => "snapshotting",
            Self::Streaming => "streaming",
            Self::Retrying(_) => "retrying",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Failed(_) => "failed",
            Self::Finished => "finished",
        }
    }

    /// Whether no other state follows.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Finished)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Retrying(Retry { failure, .. }) | Self::Failed(failure) => write!(f, ": {}", failure.error),
            _ => Ok(()),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { error: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

/// Follows the state of a running capture. Clones are independent of each other and of the capture.
///
/// States may be skipped when they follow each other faster than they are read; the latest never is.
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// use pgcdc_capture::Capture;
/// let capture = Capture::from_file("connector.json".as_ref(), &[])?.to_kafka()?;
/// let mut status = capture.status();
/// println!("{}", status.now());
/// while let Some(state) = status.changed().await {
///     println!("{state}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Status(watch::Receiver<State>);

impl Status {
    /// The state as it is now.
    #[must_use]
    pub fn now(&self) -> State {
        self.0.borrow().clone()
    }

    /// Waits for another state than the one that was read last; `None` once the capture has ended and its last state was
    /// read.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<State> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// Waits for a state that `wanted` accepts, the present one included; `None` when the capture ends without it.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&State) -> bool) -> Option<State> {
        let found = self.0.wait_for(|state| wanted(state) || state.is_end()).await.ok()?.clone();
        wanted(&found).then_some(found)
    }
}

/// The writing end. Dropped before an end was reported, it reports a failure: the thread has panicked.
#[derive(Debug)]
pub(crate) struct Reporter(watch::Sender<State>);

impl Reporter {
    /// A capture that is starting.
    pub(crate) fn new() -> (Self, Status) {
        let (sender, receiver) = watch::channel(State::Starting);
        (Self(sender), Status(receiver))
    }

    /// Reports a state, unless it is the present one already.
    pub(crate) fn set(&self, state: State) {
        self.0.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
    }

    /// The next try begins: the state stays `Retrying`, now without a time to wait for.
    pub(crate) fn tries(&self) {
        self.0.send_if_modified(|now| match now {
            State::Retrying(retry) => retry.next.take().is_some(),
            now => {
                let changed = *now != State::Starting;
                *now = State::Starting;
                changed
            }
        });
    }

    /// Reports the end. A reader that went away ends a capture without a failure.
    pub(crate) fn ended(&self, result: &Result<(), Error>) {
        self.set(match result {
            Err(error) if !error.is_closed() => State::Failed(error.into()),
            _ => State::Finished,
        });
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if !self.0.borrow().is_end() {
            let error = "the capture thread ended without a result".to_owned();
            self.set(State::Failed(Failure { error, hint: None }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrying(next: Option<SystemTime>) -> State {
        let failure = Failure { error: "no route to host".into(), hint: None };
        State::Retrying(Retry { failure, since: SystemTime::UNIX_EPOCH, failures: 1, next })
    }

    #[test]
    fn a_retry_stays_one_until_something_is_read() {
        let (reporter, status) = Reporter::new();
        reporter.set(retrying(Some(SystemTime::UNIX_EPOCH)));
        reporter.tries();
        assert_eq!(status.now(), retrying(None));
        assert_eq!(status.now().to_string(), "retrying: no route to host");
        reporter.set(State::Streaming);
        reporter.set(State::Paused);
        reporter.tries();
        assert_eq!(status.now(), State::Starting);
    }

    #[tokio::test]
    async fn the_end_is_seen_and_nothing_after_it() {
        let (reporter, mut status) = Reporter::new();
        let mut other = status.clone();
        reporter.ended(&Err(Error::fatal("the slot is lost").with_hint("drop it")));
        drop(reporter);
        let failure = Failure { error: "the slot is lost".into(), hint: Some("drop it".into()) };
        assert_eq!(status.changed().await, Some(State::Failed(failure)));
        assert_eq!(status.changed().await, None);
        assert_eq!(other.wait_for(|state| *state == State::Streaming).await, None);
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_no_failure_and_a_panic_is_one() {
        let (reporter, mut status) = Reporter::new();
        reporter.ended(&Err(Error::closed("the pipe is closed")));
        assert_eq!(status.wait_for(State::is_end).await, Some(State::Finished));
        let (reporter, mut status) = Reporter::new();
        drop(reporter);
        assert_eq!(status.wait_for(State::is_end).await.map(|state| state.name()), Some("failed"));
    }
}
