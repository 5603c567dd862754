//! The loop of the stream: reads the messages that are there, sends their records on, confirms
//! positions that are durable, and waits for the next [`Input`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcdc_event::Lsn;
use pgcdc_lifecycle::Orders;

use super::apply::{Applier, Before};
use super::heartbeat::Heartbeat;
use super::input::{Input, Inputs, Question, Wait};
use super::pace::{NAP, Pace};
use super::slot_watch::SlotWatch;
use super::xmin::Xmin;
use crate::Result;
use crate::config::Settings;
use crate::lane::Lane;
use crate::meters::Meters;
use crate::postgres::{Query, Replication, Wal};
use crate::tables::Tables;

/// The most messages that are taken before deliveries are looked at again.
const DRAIN: u32 = 1024;

/// When at least this many messages came at once, they are part of a backlog. Fewer are the tail of
/// a burst, and a reader waits for them.
const BACKLOG: u32 = 100;

/// How long the loop waits for an input when nothing is in flight.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long it waits while records are in flight: their deliveries are to be confirmed soon.
const PATIENCE_IN_FLIGHT: Duration = Duration::from_millis(2);

/// Why a stream ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing is left to do: it was idle for long enough, or there was nothing to stream.
    Done,
    /// The owner wants a pause.
    Paused,
    /// The owner wants an end.
    Stopped,
}

/// One run of the stream, from `START_REPLICATION` to an error, an end or a cancellation. The
/// connector lends it the parts that must outlive it, to drain them.
///
/// Dropping the future of [`run`](Self::run) is safe at any await: the server sends again what was
/// not confirmed.
pub(crate) struct Stream<'a> {
    /// The resolved configuration.
    pub(crate) settings: &'a Settings,
    /// The session, which has started to stream.
    pub(crate) replication: &'a mut Replication,
    /// The SQL session for the catalog.
    pub(crate) query: &'a Query,
    /// The encoders.
    pub(crate) tables: &'a mut Tables,
    /// Where changes go.
    pub(crate) lane: &'a mut Lane,
    /// The connector's counters.
    pub(crate) metrics: &'a Arc<Meters>,
    /// The orders to stop and to pause, which take effect at the end of a transaction. A caller to whom that takes too long
    /// drops the future.
    pub(crate) orders: Orders,
    /// `--until-idle`: how long nothing may change before the stream ends.
    pub(crate) until_idle: Option<Duration>,
    /// The server's position when the stream began. It must have been passed before the stream can
    /// count as idle.
    pub(crate) catch_up: Lsn,
    /// Where the stream begins.
    pub(crate) before: Before,
}

impl Stream<'_> {
    /// Runs until an error, until a stop or a pause is wanted and no transaction is open, or until idle.
    pub(crate) async fn run(&mut self) -> Result<Ended> {
        let now = Instant::now();
        let xmin = Xmin::start(self.settings, self.query).await?;
        let heartbeat = Heartbeat::new(self.settings);
        let run = Run {
            applier: Applier::new(
                self.settings,
                self.query,
                self.tables,
                self.lane,
                self.metrics,
                self.before,
                xmin,
            ),
            inputs: Inputs {
                replication: self.replication,
                heartbeat,
                orders: self.orders.clone(),
                shutdown: self.orders.shutdown().clone(),
                question: Question::new(self.query, &self.settings.slot.name, now),
                slot: SlotWatch::new(self.query, &self.settings.slot.name, now),
            },
            metrics: self.metrics,
            until_idle: self.until_idle,
            catch_up: self.catch_up,
            last_change: now,
            pace: Pace::new(now),
        };
        run.run().await
    }
}

/// The loop and its state between messages.
struct Run<'a> {
    /// Takes the messages.
    applier: Applier<'a>,
    /// What the loop waits for.
    inputs: Inputs<'a>,
    metrics: &'a Arc<Meters>,
    until_idle: Option<Duration>,
    catch_up: Lsn,
    /// When the last change of a captured table was taken.
    last_change: Instant,
    /// Decides about naps.
    pace: Pace,
}

impl Run<'_> {
    /// The loop itself: a turn, then one input.
    async fn run(mut self) -> Result<Ended> {
        loop {
            let wait = self.turn().await?;
            if self.is_idle() {
                return Ok(Ended::Done);
            }
            match self.inputs.next(wait, !self.in_transaction()).await? {
                Input::Stop => return Ok(Ended::Stopped),
                Input::Pause => return Ok(Ended::Paused),
                Input::Heartbeat => self.beat().await?,
                Input::ServerAt(position) => {
                    self.applier.seen = self.applier.seen.max(position.unwrap_or_default());
                }
                Input::Slot(Some(size)) => size.tell(&self.metrics.capture),
                Input::Wal(wal) => self.take(wal).await?,
                Input::Slot(None) | Input::Turn => {}
            }
        }
    }

    /// Takes the messages that are there without waiting, sends their records on and confirms
    /// durable positions. Returns how long to wait for more.
    async fn turn(&mut self) -> Result<Wait> {
        let (drained, bytes) = self.drain().await?;
        self.applier.flush().await?;
        self.acknowledge()?;
        if drained == DRAIN {
            return Ok(Wait::Yield);
        }
        let now = Instant::now();
        self.inputs.slot.ask_if_due(now);
        let nap = self.pace.nap_after(drained, bytes, now);
        // Amid a backlog more messages are there at once, and a batch that is sent now would be
        // small.
        let more = drained >= BACKLOG && self.pace.is_fast();
        if !more && self.applier.lane.send_now()? {
            return Ok(Wait::Yield);
        }
        if nap {
            // The thread sleeps, not only this task: nobody reads while bytes gather in the socket.
            std::thread::sleep(NAP);
            return Ok(Wait::Yield);
        }
        let in_flight = self.applier.lane.ledger().in_flight().records > 0;
        Ok(Wait::UpTo(if in_flight { PATIENCE_IN_FLIGHT } else { PATIENCE }))
    }

    /// Takes what is there without waiting for the server, up to a limit. Returns how many messages
    /// and bytes it took. Stops at the end of a transaction when a stop
    /// or a pause is wanted.
    async fn drain(&mut self) -> Result<(u32, usize)> {
        let (mut drained, mut bytes) = (0, 0);
        let resting = self.inputs.orders.is_paused() || self.inputs.orders.is_stopped();
        while drained < DRAIN
            && (!resting || self.in_transaction())
            && let Some(wal) = self.inputs.replication.try_receive()?
        {
            if let Wal::Data { data, .. } = &wal {
                bytes += data.len();
            }
            self.take(wal).await?;
            drained += 1;
        }
        Ok((drained, bytes))
    }

    /// Takes one message. The memory of a large one is freed before its records are sent, which
    /// copies them.
    #[inline]
    async fn take(&mut self, wal: Wal) -> Result<()> {
        match wal {
            Wal::Data { lsn, data } => {
                let large = data.len() > Replication::LARGE;
                self.applier.take(lsn, self.inputs.replication.bytes(data)).await?;
                if large {
                    self.inputs.replication.release();
                }
                if self.applier.lane.gathered() >= Replication::LARGE {
                    self.applier.flush().await?;
                }
            }
            Wal::KeepAlive { wal_end } => self.applier.keepalive(wal_end).await?,
            Wal::Large => self.alone().await?,
        }
        Ok(())
    }

    /// Waits until nothing is in flight, then admits a large message, so that it is in memory
    /// alone.
    async fn alone(&mut self) -> Result<()> {
        self.applier.flush().await?;
        self.applier.lane.make_way().await?;
        self.acknowledge()?;
        self.inputs.replication.admit();
        Ok(())
    }

    /// Whether a transaction is being read.
    fn in_transaction(&self) -> bool {
        self.applier.lane.ledger().in_transaction()
    }

    /// Whether `--until-idle` is fulfilled: there was no change for so long, everything is
    /// delivered, and the server's position at the start was passed. It is looked at in each turn,
    /// not only when nothing comes: load on other databases makes the server send keepalives all
    /// the time, without a change for us.
    fn is_idle(&mut self) -> bool {
        let Some(limit) = self.until_idle else { return false };
        let done = !self.in_transaction() && self.applier.lane.ledger().in_flight().records == 0;
        if !done || self.last_change.elapsed() < limit {
            return false;
        }
        if self.applier.seen >= self.catch_up {
            return true;
        }
        self.inputs.question.ask();
        false
    }

    /// Takes deliveries in, confirms the positions that they complete, and sets the metrics of
    /// positions.
    fn acknowledge(&mut self) -> Result<()> {
        self.applier.lane.poll()?;
        let confirmed = self.applier.lane.confirmable()?;
        self.inputs.replication.confirm(confirmed);
        let changes = self.applier.take_changes();
        if changes > 0 {
            self.last_change = Instant::now();
            self.metrics.capture.changes.inc_by(changes);
        }
        self.metrics.capture.confirmed_lsn.set(confirmed.as_u64());
        let seen = self.applier.seen.as_u64();
        self.metrics.capture.server_lsn.set(seen);
        self.metrics.capture.lag_bytes.set(seen.saturating_sub(confirmed.as_u64()));
        self.applier.measure();
        Ok(())
    }

    /// Sends a heartbeat. Its action writes WAL that comes back as a commit; confirming that commit
    /// keeps the slot moving when nothing else changes in the database.
    async fn beat(&mut self) -> Result<()> {
        let Some(heartbeat) = &mut self.inputs.heartbeat else { return Ok(()) };
        heartbeat.sent();
        heartbeat.act();
        self.applier.heartbeat().await
    }
}
