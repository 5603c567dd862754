//! Waiting for a server that may be slow, blocked, or dead.
//!
//! A session that does not answer cannot say why. Another session can: `pg_stat_activity` shows
//! whether the session's server process still lives, what it waits for, and who blocks it. So no
//! session is declared dead by the clock alone, and the log names the holder of a lock that a
//! session waits for.
//!
//! ```text
//! no answer ─5 s─▶ look ─▶ blocked: log by whom, go on waiting
//!                      ├─▶ at work: go on waiting
//!                      ├─▶ waits for us, twice in a row: the connection is broken
//!                      ├─▶ gone: the connection is broken
//!                      └─▶ the look gets no answer either: the server cannot be reached
//! ```

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::blockers::{self, Blocker};
use super::sql_session::SqlSession;
use crate::config::Connection;
use crate::{Error, Result};

/// How long an answer may take before another session looks why.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// How long a session must have been silent before it is given up as unreachable. A network that
/// fails for a moment costs no session.
const GIVE_UP: Duration = Duration::from_secs(30);

/// The pauses between looks grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a look may take. A server that does not answer within this time counts as unreachable.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// After this time the same blocker is logged once more.
const NAMED_AGAIN: Duration = Duration::from_secs(300);

/// How many looks in a row the server may refuse before the session is given up.
const MOST_REFUSALS: u32 = 10;

/// The server process behind one of our sessions: what to look at, and how to connect to do so.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    /// How the session was opened. The look is made the same way, to the same server.
    pub(super) connection: Connection,
    /// The process on the server.
    pub(super) pid: i32,
    /// What it does, which decides what its wait events mean.
    pub(super) kind: Kind,
}

/// What the session of a [`Backend`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// SQL: a process that waits for its client has answered everything.
    Sql,
    /// A walsender that streams: one that waits for its client or for new WAL has answered everything.
    Stream,
    /// A walsender that runs a command. It waits for new WAL too, but as a part of its work.
    Command,
}

/// What a look at a server process found.
#[derive(Debug)]
pub(super) enum Finding {
    /// It is at work; the event that it waits for, if it waits.
    Busy { event: Option<String> },
    /// It waits for locks or transactions of these blockers.
    Blocked(Vec<Blocker>),
    /// It has nothing to do and waits for us.
    Waiting { event: String },
    /// It has ended.
    Gone,
    /// The server answered, but refused the session that was to look.
    Refused(Error),
    /// The server did not answer. The text says why.
    Unreachable(String),
}

impl Backend {
    /// Looks at the process from a session of its own. Takes at most `limit`.
    pub(super) async fn look(&self, limit: Duration) -> Finding {
        match timeout(limit, self.ask()).await {
            Ok(Ok(finding)) => finding,
            Ok(Err(error)) if error.sqlstate().is_some() => Finding::Refused(error),
            Ok(Err(error)) => Finding::Unreachable(error.to_string()),
            Err(_) => Finding::Unreachable(format!("no answer within {} s", limit.as_secs())),
        }
    }

    /// Opens a session and looks. Source: PostgreSQL documentation, "The Cumulative Statistics
    /// System", section "Wait Event".
    async fn ask(&self) -> Result<Finding> {
        let session = SqlSession::open(&self.connection).await?;
        let pid = self.pid;
        let sql = format!(
            "SELECT wait_event_type, wait_event, cardinality(pg_blocking_pids({pid})) > 0
             FROM pg_stat_activity WHERE pid = {pid}"
        );
        let rows = session.rows("look at the server process of a session", &sql).await?;
        let Some(row) = rows.first() else { return Ok(Finding::Gone) };
        if row.get(2) == Some("t") {
            return Ok(Finding::Blocked(blockers::of(&session, pid).await?));
        }
        let event = row.get(1).map(str::to_owned);
        let waits = match (self.kind, row.get(0), &event) {
            (Kind::Sql, Some("Client"), Some(event)) if event.starts_with("Client") => true,
            (Kind::Stream, Some("Client" | "Activity"), Some(event)) => event.starts_with("WalSender"),
            _ => false,
        };
        Ok(match event {
            Some(event) if waits => Finding::Waiting { event },
            event => Finding::Busy { event },
        })
    }
}

/// Judges one look after the other: whether the silent session is still worth waiting for. Pure:
/// the time is handed in. There is one for each wait.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// A connection is not given up before it has been silent for this long.
    give_up: Duration,
    /// Whether the last look found the process waiting for us.
    waiting: bool,
    /// Looks in a row that the server refused.
    refusals: u32,
    /// The blockers that were logged last, and when; an empty text for a process at work.
    named: Option<(String, Instant)>,
}

impl Judge {
    /// Gives no connection up before it has been silent for `give_up`.
    pub(super) fn new(give_up: Duration) -> Self {
        Self { give_up, ..Self::default() }
    }

    /// Judges one finding about a session that has been `silent` for so long.
    ///
    /// # Errors
    /// A transient one when no answer is to be expected any more.
    pub(super) fn take(
        &mut self,
        what: &str,
        silent: Duration,
        finding: Finding,
        now: Instant,
    ) -> Result<()> {
        let seconds = silent.as_secs();
        let lost =
            |why: String| Err(Error::transient(format!("{what}: no answer for {seconds} s, and {why}")));
        let (waiting, refused) =
            (matches!(finding, Finding::Waiting { .. }), matches!(finding, Finding::Refused(_)));
        let waited_before = std::mem::replace(&mut self.waiting, waiting);
        self.refusals = if refused { self.refusals + 1 } else { 0 };
        match finding {
            Finding::Unreachable(_) | Finding::Waiting { .. } if silent < self.give_up => Ok(()),
            Finding::Gone => lost("the session's server process has ended".to_owned()),
            Finding::Unreachable(why) => lost(format!("the server cannot be reached: {why}")),
            Finding::Waiting { event } if waited_before => {
                lost(format!("the session's server process waits for us ({event}): the connection is broken"))
            }
            Finding::Refused(error) if self.refusals >= MOST_REFUSALS => {
                lost(format!("the server lets nobody look why: {error}"))
            }
            Finding::Blocked(blockers) => {
                self.name(what, seconds, &blockers, now);
                Ok(())
            }
            Finding::Busy { event } => {
                if self.is_news("", now) {
                    tracing::info!(
                        what,
                        seconds,
                        waits_for = event,
                        "no answer yet: the server process is at work, and is waited for"
                    );
                }
                Ok(())
            }
            Finding::Waiting { .. } | Finding::Refused(_) => Ok(()),
        }
    }

    /// Logs the blockers, unless they were logged just now.
    fn name(&mut self, what: &str, seconds: u64, blockers: &[Blocker], now: Instant) {
        let names: Vec<String> = blockers.iter().map(ToString::to_string).collect();
        let names = names.join("; ");
        let ids: Vec<String> = blockers.iter().map(Blocker::id).collect();
        if self.is_news(&ids.join(" "), now) {
            let hint = blockers.first().map(Blocker::remedy);
            tracing::warn!(seconds, hint, "{what}: waits for {names}");
        }
    }

    /// Whether this was not logged yet, or not within [`NAMED_AGAIN`]. Notes that it is logged now.
    fn is_news(&mut self, who: &str, now: Instant) -> bool {
        let said = self.named.as_ref().is_some_and(|(name, at)| name == who && now - *at < NAMED_AGAIN);
        if !said {
            self.named = Some((who.to_owned(), now));
        }
        !said
    }
}

/// Waits for `work`, an answer of `backend`. While the answer does not come, looks from another session why.
///
/// # Errors
/// Those of `work`; and a transient one when the looks show that the session is broken.
pub(super) async fn watched<T>(
    backend: Option<&Backend>,
    what: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(backend) = backend else { return work.await };
    let mut work = std::pin::pin!(work);
    let begun = Instant::now();
    let (mut judge, mut pause) = (Judge::new(GIVE_UP), FIRST_LOOK);
    loop {
        if let Ok(done) = timeout(pause, &mut work).await {
            return done;
        }
        let finding = tokio::select! {
            biased;
            done = &mut work => return done,
            finding = Box::pin(backend.look(LOOK_LIMIT)) => finding,
        };
        judge.take(what, begun.elapsed(), finding, Instant::now())?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Finding {
        Finding::Waiting { event: "WalSenderWaitForWal".to_owned() }
    }

    fn judge(findings: Vec<Finding>) -> Vec<bool> {
        let (mut judge, now) = (Judge::default(), Instant::now());
        let mut take = |finding| judge.take("stream", Duration::from_secs(60), finding, now).is_ok();
        findings.into_iter().map(&mut take).collect()
    }

    #[test]
    fn a_process_at_work_is_never_given_up() {
        let busy = |_| Finding::Busy { event: None };
        assert!(judge((0..1000).map(busy).collect()).into_iter().all(|lives| lives));
        let blocked = |_| Finding::Blocked(Vec::new());
        assert!(judge((0..1000).map(blocked).collect()).into_iter().all(|lives| lives));
    }

    #[test]
    fn a_process_that_waits_for_us_is_seen_twice_before_it_counts() {
        assert_eq!(judge(vec![waiting(), waiting()]), [true, false]);
        assert_eq!(judge(vec![waiting(), Finding::Busy { event: None }, waiting()]), [true; 3]);
    }

    #[test]
    fn a_network_may_be_away_for_a_moment() {
        let (mut judge, now) = (Judge::new(GIVE_UP), Instant::now());
        let mut after =
            |seconds, finding| judge.take("copy", Duration::from_secs(seconds), finding, now).is_ok();
        assert!(after(10, Finding::Unreachable("x".to_owned())));
        assert!(after(20, waiting()) && after(25, waiting()));
        assert!(!after(40, waiting()));
    }

    #[test]
    fn an_end_counts_at_once_and_refusals_in_the_end() {
        assert_eq!(judge(vec![Finding::Gone]), [false]);
        assert_eq!(judge(vec![Finding::Unreachable("x".to_owned())]), [false]);
        let refused = |_| Finding::Refused(Error::transient("full (SQLSTATE 53300)"));
        let found = judge((0..MOST_REFUSALS).map(refused).collect());
        assert_eq!(found.iter().filter(|lives| !**lives).count(), 1);
        assert!(!found[found.len() - 1]);
    }
}
