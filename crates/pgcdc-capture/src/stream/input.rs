//! The inputs of the stream's loop, and their order.
//!
//! Everything that the loop reacts to is an [`Input`], and [`Inputs::next`] is the only place where
//! it waits for one. When several inputs are there at once, the first of this list wins:
//!
//! 1. [`Input::Stop`] and [`Input::Pause`]: rare. Messages that are read after them would have to be
//!    read again.
//! 2. [`Input::Heartbeat`]: small, and due at a time. A server that always has more to send must
//!    not hold it back.
//! 3. [`Input::ServerAt`] and [`Input::Slot`]: an answer that is there already.
//! 4. [`Input::Wal`]: the server's next message.
//! 5. [`Input::Turn`]: nothing else came. The loop looks at its deliveries.
//!
//! Statements that may take long run beside the loop: `heartbeat.action.query` and the slot's xmin
//! in tasks of their own (`heartbeat.rs`, `xmin.rs`), the look at a silent server in
//! `postgres/replication/silence.rs`.

use std::time::{Duration, Instant};

use pgcdc_event::Lsn;

use super::heartbeat::Heartbeat;
use super::pending::Pending;
use super::slot_watch::{SlotSize, SlotWatch};
use crate::Result;
use crate::postgres::{Query, Replication, Wal, quote_literal};
use pgcdc_lifecycle::Orders;
use tokio_util::sync::CancellationToken;

/// How long to wait for the answer to a [`Question`].
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The least time between two questions.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// Something for the loop to react to.
#[derive(Debug)]
pub(super) enum Input {
    /// The owner wants an end.
    Stop,
    /// The owner wants a pause.
    Pause,
    /// A heartbeat is due.
    Heartbeat,
    /// How far the server has come; `None` when it did not answer in time.
    ServerAt(Option<Lsn>),
    /// How much WAL the server keeps for the slot; `None` when it did not answer in time.
    Slot(Option<SlotSize>),
    /// A message of the replication stream.
    Wal(Wal),
    /// Nothing else came for as long as the loop wanted to wait.
    Turn,
}

/// How long the loop waits for an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Not at all, since more messages are there: other tasks get their turn, and the loop goes on.
    Yield,
    /// Up to this time.
    UpTo(Duration),
}

/// The sources of inputs.
pub(super) struct Inputs<'a> {
    /// The replication session.
    pub(super) replication: &'a mut Replication,
    /// `None` without `heartbeat.interval.ms`.
    pub(super) heartbeat: Option<Heartbeat>,
    /// The owner's orders, of which the loop obeys the one to pause.
    pub(super) orders: Orders,
    /// The order to stop, apart from `orders`, whose pause is waited for at the same time.
    pub(super) shutdown: CancellationToken,
    /// Asked while `--until-idle` waits for the server to catch up.
    pub(super) question: Question<'a>,
    /// Asked for the metrics of the slot.
    pub(super) slot: SlotWatch<'a>,
}

impl Inputs<'_> {
    /// The next input. The orders to stop and to pause count only where the stream `may_rest`, between
    /// transactions.
    ///
    /// # Errors
    /// When the replication session fails, or the server answers a question with an error.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped, and nothing by the arms that do not win: each
    /// source keeps its state.
    pub(super) async fn next(&mut self, wait: Wait, may_rest: bool) -> Result<Input> {
        let Self { replication, heartbeat, orders, shutdown, question, slot } = self;
        tokio::select! {
            biased;
            () = shutdown.cancelled(), if may_rest => Ok(Input::Stop),
            () = orders.paused(), if may_rest => Ok(Input::Pause),
            () = Heartbeat::due(heartbeat.as_mut()), if heartbeat.is_some() => Ok(Input::Heartbeat),
            answer = question.pending.answer(), if question.pending.is_asked() => Ok(Input::ServerAt(answer?)),
            size = slot.pending.answer(), if slot.pending.is_asked() => Ok(Input::Slot(size)),
            wal = replication.receive(), if wait != Wait::Yield => Ok(Input::Wal(wal?)),
            () = wait.over() => Ok(Input::Turn),
        }
    }
}

impl Wait {
    /// Ends when the loop has waited long enough.
    async fn over(self) {
        match self {
            Self::Yield => tokio::task::yield_now().await,
            Self::UpTo(time) => tokio::time::sleep(time).await,
        }
    }
}

/// Asks the server how far it has come in its WAL. A walsender that still reads old WAL sends
/// nothing by itself for a while, so an idle stream could not tell whether it has caught up.
pub(super) struct Question<'a> {
    /// The session to ask on.
    query: &'a Query,
    /// The slot's name.
    slot: &'a str,
    /// When the server was asked last.
    asked: Instant,
    /// The open question.
    pending: Pending<'a, Result<Option<Lsn>>>,
}

impl<'a> Question<'a> {
    /// No question yet. The first may be asked a second after `now`.
    pub(super) fn new(query: &'a Query, slot: &'a str, now: Instant) -> Self {
        Self { query, slot, asked: now, pending: Pending::nothing() }
    }

    /// Asks, unless the question is open or was asked just now.
    pub(super) fn ask(&mut self) {
        if self.pending.is_asked() || self.asked.elapsed() < ASKED_AGAIN {
            return;
        }
        self.asked = Instant::now();
        self.pending.ask(sent_position(self.query, self.slot));
    }
}

/// The position up to which the slot's walsender has sent. `None` when the server does not answer
/// in time: a session that holds a lock on a catalog must not hold up the stream. Source:
/// PostgreSQL documentation, "The Cumulative Statistics System", view `pg_stat_replication`.
async fn sent_position(query: &Query, slot: &str) -> Result<Option<Lsn>> {
    let sql = format!(
        "SELECT r.sent_lsn FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
         WHERE s.slot_name = {}",
        quote_literal(slot)
    );
    let asked = query.value("read how far the server has come", &sql);
    match tokio::time::timeout(ANSWER_LIMIT, asked).await {
        Ok(sent) => Ok(sent?.and_then(|lsn| lsn.parse().ok())),
        Err(_) => Ok(None),
    }
}
