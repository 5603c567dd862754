//! A stream on which nothing comes: when to ask the server for an answer, when to look at its
//! process, when to give up.
//!
//! An idle walsender is silent. It pings only a client that is silent itself, which we never are
//! (source: `walsender.c`, `WalSndKeepaliveIfNecessary`). So after a while we ask for an answer, by
//! a flag in the standby status.
//!
//! - An idle walsender answers at once. Its answer says how far it is, which lets the slot advance.
//! - A walsender that reads WAL of other databases answers between two records.
//! - A walsender that puts a large transaction together, or decodes a transaction of which nothing
//!   is published, may answer only when it is done. By the clock this looks like a broken
//!   connection. A second session can tell the two apart: see [`watch`](crate::postgres::watch).
//!
//! ```text
//! quiet ─▶ ask ─▶ ask again and again ─▶ no answer for twice as long: look from another session
//!                                         ─▶ go on waiting, or an error
//! ```

use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Result;
use crate::postgres::watch::{Backend, Finding, Judge, LOOK_LIMIT};

/// How often to check whether a look has its result.
const TICK: Duration = Duration::from_millis(50);

/// Since when nothing came, and what has been done about it. A state machine: the time is handed
/// in, and looks run in tasks of their own.
#[derive(Debug)]
pub(super) struct Silence {
    /// How long the server may be quiet before it is asked: `internal.replication.silence.ms`.
    patience: Duration,
    /// Since when there is nothing to read; `None` while there is something.
    since: Option<Instant>,
    /// The open question to the server; `None` while it owes no answer.
    unanswered: Option<Box<Unanswered>>,
}

/// A question that the server has not answered yet.
#[derive(Debug)]
struct Unanswered {
    /// When the server was asked first.
    asked: Instant,
    /// When it is asked again.
    ask_again: Instant,
    /// When another session looks at its process next.
    look: Instant,
    /// The look that is under way.
    looking: Option<Look>,
    /// Judges what the looks find.
    judge: Judge,
}

/// A look at the server's process, ended when it is dropped.
#[derive(Debug)]
struct Look(JoinHandle<Finding>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Silence {
    /// Nothing is known yet.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, since: None, unanswered: None }
    }

    /// Notes that there is nothing to read.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Notes that something was read; true when the server owed an answer.
    #[inline]
    pub(super) fn end(&mut self) -> bool {
        self.since = None;
        self.unanswered.is_some() && self.unanswered.take().is_some()
    }

    /// When [`act`](Self::act) is to be called if nothing is read until then.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        match &self.unanswered {
            None => since + self.patience,
            Some(unanswered) if unanswered.looking.is_some() => now + TICK,
            Some(unanswered) => unanswered.ask_again.min(unanswered.look),
        }
    }

    /// Does what is due: starts a look, or judges its result. True when the server is to be asked
    /// for an answer. Never waits.
    ///
    /// # Errors
    /// A transient one when a look has found that no answer will come.
    pub(super) fn act(&mut self, now: Instant, backend: Option<&Backend>) -> Result<bool> {
        let patience = self.patience;
        let since = *self.since.get_or_insert(now);
        let Some(unanswered) = &mut self.unanswered else {
            if now < since + patience {
                return Ok(false);
            }
            let (ask_again, look) = (now + patience / 2, now + patience * 2);
            let judge = Judge::default();
            self.unanswered =
                Some(Box::new(Unanswered { asked: now, ask_again, look, looking: None, judge }));
            return Ok(true);
        };
        if let Some(finding) = unanswered.looking.as_mut().and_then(|look| (&mut look.0).now_or_never()) {
            unanswered.looking = None;
            // A process that waits for us is looked at again soon. If it was busy until now, its
            // answer arrives before.
            let soon = matches!(finding, Ok(Finding::Waiting { .. }));
            unanswered.look = now + if soon { patience } else { patience * 3 };
            if let Ok(finding) = finding {
                unanswered.judge.take("replication stream", now - unanswered.asked, finding, now)?;
            }
        } else if unanswered.looking.is_none()
            && now >= unanswered.look
            && let Some(backend) = backend.cloned()
        {
            let limit = LOOK_LIMIT.min((patience * 2).max(Duration::from_secs(5)));
            unanswered.looking = Some(Look(tokio::spawn(async move { backend.look(limit).await })));
        }
        let ask = now >= unanswered.ask_again;
        if ask {
            unanswered.ask_again = now + patience / 2;
        }
        Ok(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_quiet_server_is_asked_again_and_again_until_it_says_something() {
        let mut silence = Silence::new(PATIENCE);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(silence.due(start), at(10));
        assert!(!silence.act(at(9), None).unwrap());
        assert!(silence.act(at(10), None).unwrap(), "asked");
        assert!(!silence.act(at(11), None).unwrap(), "not at once again");
        assert_eq!(silence.due(at(11)), at(15));
        assert!(silence.act(at(15), None).unwrap(), "asked again");
        assert!(silence.end(), "an answer was owed");
        assert!(!silence.end());
        assert_eq!(silence.due(at(20)), at(30));
    }

    /// Without a process to look at nobody is given up: TCP is what tells then.
    #[test]
    fn the_clock_alone_gives_nobody_up() {
        let mut silence = Silence::new(PATIENCE);
        let start = Instant::now();
        for seconds in 0..3600 {
            silence.act(start + Duration::from_secs(seconds), None).unwrap();
        }
    }

    #[test]
    fn waiting_costs_nothing_while_changes_come() {
        let mut silence = Silence::new(PATIENCE);
        silence.begin();
        assert!(!silence.end());
        assert!(silence.since.is_none());
    }
}
