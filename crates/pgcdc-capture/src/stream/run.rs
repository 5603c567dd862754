use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcdc_event::Lsn;

use super::apply::Applier;
use super::heartbeat::Heartbeat;
use super::pace::{NAP, Pace};
use super::xmin::Xmin;
use crate::Result;
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::postgres::{Query, Replication, Wal, quote_literal};
use crate::tables::Tables;

/// Messages taken before deliveries are looked at again.
const DRAIN: u32 = 1024;

/// So many at once are part of a backlog; fewer are the tail of a burst, whose readers wait.
const BACKLOG: u32 = 100;

/// How long the loop waits to hear how far the server is.
const ASKED_LIMIT: Duration = Duration::from_secs(2);

/// One run of the stream, from START_REPLICATION to an error, an end or a cancellation.
///
/// Dropping the future of [`run`](Self::run) is safe at any await: what was not confirmed is sent
/// again by the server.
pub(crate) struct Stream<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) replication: &'a mut Replication,
    pub(crate) query: &'a Query,
    pub(crate) tables: &'a mut Tables,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) metrics: &'a Arc<Metrics>,
    /// `--until-idle`.
    pub(crate) until_idle: Option<Duration>,
    /// Position that must have been seen before the stream can count as idle.
    pub(crate) catch_up: Lsn,
    /// End of the transaction before the first one, where that is known.
    pub(crate) last_commit: Option<Lsn>,
    /// Where the snapshot before was taken; zero without one.
    pub(crate) snapshot_at: Lsn,
}

impl Stream<'_> {
    /// Runs until an error, or until idle.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let now = Instant::now();
        let xmin = Xmin::start(self.settings, self.query).await?;
        let output = &mut self.outbox.output;
        let heartbeat = Heartbeat::new(self.settings, || {
            output.topic(&self.settings.heartbeat.topic(&self.settings.topic))
        });
        let run = Run {
            settings: self.settings,
            replication: self.replication,
            query: self.query,
            applier: Applier::new(
                self.settings,
                self.query,
                self.tables,
                self.outbox,
                self.metrics,
                (self.last_commit, self.snapshot_at),
                xmin,
            )?,
            metrics: self.metrics,
            until_idle: self.until_idle,
            catch_up: self.catch_up,
            heartbeat,
            last_change: now,
            asked: now,
            pace: Pace::new(now),
        };
        run.run().await
    }
}

/// The loop, and what it keeps between messages.
struct Run<'a> {
    settings: &'a Settings,
    replication: &'a mut Replication,
    query: &'a Query,
    applier: Applier<'a>,
    metrics: &'a Arc<Metrics>,
    until_idle: Option<Duration>,
    catch_up: Lsn,
    heartbeat: Option<Heartbeat>,
    last_change: Instant,
    /// When the server was last asked how far it is.
    asked: Instant,
    pace: Pace,
}

impl Run<'_> {
    async fn run(mut self) -> Result<()> {
        loop {
            let (drained, bytes) = self.drain().await?;
            self.applier.flush().await?;
            self.acknowledge()?;
            self.beat().await?;
            if drained == DRAIN {
                tokio::task::yield_now().await;
                continue;
            }
            let nap = self.pace.nap_after(drained, bytes, Instant::now());
            // Amid a backlog more is there at once, and small batches would go one after the other.
            let more = drained >= BACKLOG && self.pace.is_fast();
            let sent = !more && self.applier.outbox.output.send_now(false)?;
            if sent || nap {
                // Nobody reads while bytes pile up in the socket.
                if !sent {
                    std::thread::sleep(NAP);
                }
                tokio::task::yield_now().await;
                continue;
            }
            match tokio::time::timeout(self.patience(), self.replication.receive()).await {
                Ok(wal) => self.take(wal?).await?,
                Err(_) => self.acknowledge()?,
            }
            // Not only when nothing came: other databases' load keeps the server talking without a change for us.
            if self.is_idle().await? {
                return Ok(());
            }
        }
    }

    /// Takes what is there without waiting for the server, up to a limit; returns how many messages and bytes.
    async fn drain(&mut self) -> Result<(u32, usize)> {
        let (mut drained, mut bytes) = (0, 0);
        while drained < DRAIN
            && let Some(wal) = self.replication.try_receive()?
        {
            if let Wal::Data { data, .. } = &wal {
                bytes += data.len();
            }
            self.take(wal).await?;
            drained += 1;
        }
        Ok((drained, bytes))
    }

    #[inline]
    async fn take(&mut self, wal: Wal) -> Result<()> {
        match wal {
            Wal::Data { lsn, data } => {
                let large = data.len() > Replication::LARGE;
                self.applier.take(lsn, self.replication.bytes(data)).await?;
                if large {
                    self.replication.release();
                }
                if self.applier.gathered() >= Replication::LARGE {
                    self.applier.flush().await?;
                }
            }
            Wal::KeepAlive { wal_end } => self.applier.keepalive(wal_end).await?,
            Wal::Large => self.alone().await?,
        }
        Ok(())
    }

    /// Waits until nothing is in flight, so that a large row is in memory alone.
    async fn alone(&mut self) -> Result<()> {
        self.applier.flush().await?;
        self.applier.outbox.settle().await?;
        self.acknowledge()?;
        self.replication.admit();
        Ok(())
    }

    /// How long to wait for the next message before looking after other things.
    fn patience(&self) -> Duration {
        let mut patience = Duration::from_millis(250);
        if self.applier.outbox.ledger().in_flight().records > 0 {
            patience = Duration::from_millis(2);
        }
        if let Some(heartbeat) = &self.heartbeat {
            patience = patience.min(heartbeat.due_in());
        }
        patience
    }

    async fn is_idle(&mut self) -> Result<bool> {
        let Some(limit) = self.until_idle else { return Ok(false) };
        let ledger = self.applier.outbox.ledger();
        let done = !ledger.in_transaction() && ledger.in_flight().records == 0;
        if !done || self.last_change.elapsed() < limit {
            return Ok(false);
        }
        if self.applier.seen >= self.catch_up {
            return Ok(true);
        }
        // A server that still reads old WAL says nothing for a while: ask it how far it is.
        if self.asked.elapsed() < Duration::from_secs(1) {
            return Ok(false);
        }
        self.asked = Instant::now();
        let sql = format!(
            "SELECT r.sent_lsn FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
             WHERE s.slot_name = {}",
            quote_literal(&self.settings.slot.name)
        );
        // Somebody may hold a catalog's lock: the stream does not wait for that.
        let asked = self.query.value("read how far the server has come", &sql);
        let Ok(sent) = tokio::time::timeout(ASKED_LIMIT, asked).await else { return Ok(false) };
        self.applier.seen = self.applier.seen.max(sent?.and_then(|lsn| lsn.parse().ok()).unwrap_or_default());
        Ok(false)
    }

    /// Takes deliveries in and confirms what they complete.
    fn acknowledge(&mut self) -> Result<()> {
        self.applier.outbox.poll()?;
        let confirmed = self.applier.outbox.confirmable()?;
        self.replication.confirm(confirmed);
        let changes = self.applier.take_changes();
        if changes > 0 {
            self.last_change = Instant::now();
            Metrics::add(&self.metrics.changes, changes);
        }
        Metrics::set(&self.metrics.confirmed_lsn, confirmed.as_u64());
        Metrics::set(&self.metrics.server_lsn, self.applier.seen.as_u64());
        Ok(())
    }

    /// Sends a heartbeat when one is due. Its action writes WAL that comes back as a commit, which keeps a position moving
    /// that nobody else would confirm.
    async fn beat(&mut self) -> Result<()> {
        let Some(heartbeat) = &mut self.heartbeat else { return Ok(()) };
        if !heartbeat.is_due() {
            return Ok(());
        }
        heartbeat.act();
        let topic = heartbeat.topic;
        self.applier.heartbeat(topic).await
    }
}
