//! Whether a connector or a sink is ready.

use std::time::{Duration, SystemTime};

use pgcdc_lifecycle::{Failure, Present, State};

use crate::Kind;

/// One look at a connector or a sink.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) present: Present,
    /// Why it is not ready; `None` while it is.
    pub(crate) obstacle: Option<String>,
}

impl Look {
    pub(crate) fn at(kind: Kind, name: &str, present: Present, unready_after: Duration) -> Self {
        let obstacle = obstacle(&present, unready_after, SystemTime::now());
        Self { kind, name: name.to_owned(), present, obstacle }
    }

    /// The latest error, while it has one.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.present.state {
            State::Retrying(retry) => Some(&retry.failure),
            State::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// Why it is not ready; `None` while it is.
///
/// One that ran and tries again by itself is ready until it has been trying for longer than `unready_after`. One that never ran is
/// not: nothing says that its configuration is right.
fn obstacle(present: &Present, unready_after: Duration, now: SystemTime) -> Option<String> {
    match &present.state {
        State::Snapshotting | State::Streaming | State::Running => None,
        State::Retrying(retry) => {
            let trying = now.duration_since(retry.since).unwrap_or_default();
            let patient = present.has_flowed && trying <= unready_after;
            let error = &retry.failure.error;
            (!patient).then(|| format!("retrying for {} s: {error}", trying.as_secs()))
        }
        state => Some(state.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_lifecycle::Retry;

    use super::*;

    #[track_caller]
    fn check(state: State, has_flowed: bool, expect: Option<&str>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let present = Present { state, since: now, has_flowed };
        assert_eq!(obstacle(&present, Duration::from_secs(60), now).as_deref(), expect, "{present:?}");
    }

    fn failure() -> Failure {
        Failure { error: "no route to host".into(), hint: None }
    }

    fn retrying(for_seconds: u64) -> State {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 - for_seconds);
        State::Retrying(Retry { failure: failure(), since, failures: 3, next: None })
    }

    #[test]
    fn what_flows_is_ready_and_nothing_else() {
        for state in [State::Snapshotting, State::Streaming, State::Running] {
            check(state, true, None);
        }
        check(State::Starting, false, Some("starting"));
        check(State::Paused, true, Some("paused"));
        check(State::Stopping, true, Some("stopping"));
        check(State::Finished, true, Some("finished"));
        check(State::Failed(failure()), true, Some("failed: no route to host"));
    }

    #[test]
    fn a_retry_is_ready_until_the_limit_if_it_ever_ran() {
        check(retrying(0), true, None);
        check(retrying(60), true, None);
        check(retrying(61), true, Some("retrying for 61 s: no route to host"));
        check(retrying(1), false, Some("retrying for 1 s: no route to host"));
    }
}
