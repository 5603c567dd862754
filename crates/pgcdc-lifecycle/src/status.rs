//! What a connector or a sink is doing right now, readable and watchable from any thread.
//!
//! ```text
//!              ┌────────────────────────── resume ───────────────────────────┐
//!              ▼                                                             │
//!          Starting ──▶ Snapshotting ──▶ Streaming ──▶ Paused ───────────────┘
//!              │        (a connector)     (a sink:         │
//!              │             │             Running)        │
//!              └─────────────┴───────────────┼──▶ Stopping ──▶ Finished
//!                            ▲               │
//!   transient error:     Retrying            └──▶ Failed (an error that does not pass, from any state)
//! ```
//!
//! `Retrying` stays while it waits and while it tries again, until data flows again. So "how long has this been failing" is
//! one look at one state.

use std::fmt;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

/// What a connector or a sink is doing.
///
/// ```text
/// connector: Starting ─▶ Snapshotting ─▶ Streaming ─▶ Stopping ─▶ Finished
/// sink:      Starting ─▶ Running ─▶ Stopping ─▶ Finished
/// both, from any state but the last: ─▶ Retrying ─▶ back; ─▶ Paused ─▶ Starting; ─▶ Failed
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It connects. A connector looks at slot, publication and offset; a sink opens its store.
    Starting,
    /// A connector: it reads the rows of a snapshot.
    Snapshotting,
    /// A connector: it streams changes.
    Streaming,
    /// A sink: it is a member of its group, and the store takes records.
    Running,
    /// It failed, and tries again by itself.
    Retrying(Retry),
    /// It was told to pause. A connector has no replication session, and its slot keeps the position. A sink has left its
    /// group, which keeps the offsets.
    Paused,
    /// It was told to stop, and finishes what it has in hand: a connector delivers and confirms, a sink writes and commits.
    Stopping,
    /// It has ended because of an error that does not pass by itself.
    Failed(Failure),
    /// It has ended as it should: it was stopped, or nothing was left to do.
    Finished,
}

/// An error, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, and where.
    pub error: String,
    /// What to do about it: a command, a statement, a property.
    pub hint: Option<String>,
}

/// Since when and why it tries again.
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
            Self::Running => "running",
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

/// Follows the state of a connector or a sink. Clones are independent of each other.
///
/// States may be skipped when they follow each other faster than they are read; the latest never is.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use pgcdc_lifecycle::{Reporter, State};
///
/// let (reporter, mut status) = Reporter::new();
/// reporter.set(State::Running);
/// reporter.ended(None);
/// drop(reporter);
/// assert_eq!(status.changed().await, Some(State::Finished));
/// assert_eq!(status.changed().await, None);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Status(watch::Receiver<Present>);

/// The present state and how long it has lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The state.
    pub state: State,
    /// When it came into this state. While it is `Retrying`, the first failure began the state.
    pub since: SystemTime,
    /// Whether data has flowed since it last began to start: it has been snapshotting, streaming or running.
    pub has_flowed: bool,
}

impl Present {
    /// Puts `state` in place of the present one; returns whether they differ.
    fn becomes(&mut self, state: State) -> bool {
        if self.state == state {
            return false;
        }
        if self.state.name() != state.name() {
            self.since = SystemTime::now();
        }
        self.has_flowed = match state {
            State::Starting => false,
            State::Snapshotting | State::Streaming | State::Running => true,
            _ => self.has_flowed,
        };
        self.state = state;
        true
    }
}

impl Status {
    /// The state as it is now.
    #[must_use]
    pub fn now(&self) -> State {
        self.0.borrow().state.clone()
    }

    /// The state as it is now, and since when.
    #[must_use]
    pub fn present(&self) -> Present {
        self.0.borrow().clone()
    }

    /// Waits for another state than the one that was read last; `None` once it has ended and its last state
    /// was read.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<State> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().state.clone())
    }

    /// Waits for a state that `wanted` accepts, the present one included; `None` when it ends without it.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&State) -> bool) -> Option<State> {
        let accepts = |now: &Present| wanted(&now.state) || now.state.is_end();
        let found = self.0.wait_for(accepts).await.ok()?.state.clone();
        wanted(&found).then_some(found)
    }
}

/// The writing end of a [`Status`]. Dropped before an end was reported, it reports a failure: its owner has panicked.
#[derive(Debug)]
pub struct Reporter(watch::Sender<Present>);

impl Reporter {
    /// A connector or sink that is starting.
    #[must_use]
    pub fn new() -> (Self, Status) {
        let present = Present { state: State::Starting, since: SystemTime::now(), has_flowed: false };
        let (sender, receiver) = watch::channel(present);
        (Self(sender), Status(receiver))
    }

    /// Reports a state, unless it is the present one already.
    pub fn set(&self, state: State) {
        self.0.send_if_modified(|now| now.becomes(state));
    }

    /// The next try begins: the state stays `Retrying`, now without a time to wait for.
    pub fn tries(&self) {
        self.0.send_if_modified(|now| match &mut now.state {
            State::Retrying(retry) => retry.next.take().is_some(),
            _ => now.becomes(State::Starting),
        });
    }

    /// Data flows again: ends `Starting` and `Retrying`, and leaves every other state as it is.
    pub fn flows(&self) {
        self.0.send_if_modified(|now| {
            matches!(now.state, State::Starting | State::Retrying(_)) && now.becomes(State::Running)
        });
    }

    /// A try failed, and the next one begins after `wait`. `since` and the count of failures go on from the failures before;
    /// the first one begins them. One that is pausing or stopping keeps that state.
    pub fn failed(&self, failure: Failure, wait: Duration) {
        let now_is = SystemTime::now();
        self.0.send_if_modified(|now| {
            let (since, failures) = match &now.state {
                State::Retrying(retry) => (retry.since, retry.failures),
                State::Starting | State::Snapshotting | State::Streaming | State::Running => (now_is, 0),
                State::Paused | State::Stopping | State::Failed(_) | State::Finished => return false,
            };
            let next = now_is.checked_add(wait);
            let failures = failures.saturating_add(1);
            now.becomes(State::Retrying(Retry { failure, since, failures, next }))
        });
    }

    /// Reports the end, and the failure that caused it if there was one.
    pub fn ended(&self, failure: Option<Failure>) {
        self.set(failure.map_or(State::Finished, State::Failed));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if !self.0.borrow().state.is_end() {
            let error = "it ended without a result".to_owned();
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
        let failure = Failure { error: "the slot is lost".into(), hint: Some("drop it".into()) };
        reporter.ended(Some(failure.clone()));
        drop(reporter);
        assert_eq!(status.changed().await, Some(State::Failed(failure)));
        assert_eq!(status.changed().await, None);
        assert_eq!(other.wait_for(|state| *state == State::Streaming).await, None);
    }

    #[tokio::test]
    async fn an_end_without_a_report_is_a_failure() {
        let (reporter, mut status) = Reporter::new();
        reporter.ended(None);
        assert_eq!(status.wait_for(State::is_end).await, Some(State::Finished));
        let (reporter, mut status) = Reporter::new();
        drop(reporter);
        assert_eq!(status.wait_for(State::is_end).await.map(|state| state.name()), Some("failed"));
    }

    #[test]
    fn a_state_lasts_from_its_first_report_and_flow_is_remembered_until_the_next_start() {
        let (reporter, status) = Reporter::new();
        let failure = || Failure { error: "no route to host".into(), hint: None };
        reporter.failed(failure(), Duration::ZERO);
        assert!(!status.present().has_flowed, "it has failed before it ever ran");
        reporter.flows();
        let running = status.present();
        assert!(running.has_flowed);
        reporter.failed(failure(), Duration::from_secs(1));
        let first = status.present();
        std::thread::sleep(Duration::from_millis(2));
        reporter.tries();
        reporter.failed(failure(), Duration::from_secs(1));
        let second = status.present();
        assert!(second.since == first.since && first.since >= running.since, "{first:?} {second:?}");
        assert!(second.has_flowed, "what ran before it failed");
        reporter.set(State::Paused);
        reporter.tries();
        let starting = status.present();
        assert!(starting.since > second.since && !starting.has_flowed, "{starting:?}");
    }

    #[test]
    fn failures_in_a_row_are_counted_until_data_flows() {
        let failure = || Failure { error: "no route to host".into(), hint: None };
        let (reporter, status) = Reporter::new();
        reporter.flows();
        for count in 1..4 {
            reporter.failed(failure(), Duration::from_secs(1));
            let State::Retrying(retry) = status.now() else { panic!("{}", status.now()) };
            assert!(
                retry.failures == count && retry.next.is_some_and(|next| next > retry.since),
                "{retry:?}"
            );
        }
        reporter.flows();
        assert_eq!(status.now(), State::Running);
        for state in [State::Paused, State::Stopping, State::Finished] {
            reporter.set(state.clone());
            reporter.failed(failure(), Duration::ZERO);
            reporter.flows();
            assert_eq!(status.now(), state);
        }
    }
}
