//! Clients that commit on a schedule, and the two stamps of each row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// When each row of a measurement was committed and when it arrived, in nanoseconds since the beginning; zero: not yet.
#[derive(Debug)]
pub(super) struct Stamps {
    begin: Instant,
    first: i64,
    committed: Vec<AtomicU64>,
    arrived: Vec<AtomicU64>,
}

impl Stamps {
    /// For `count` rows, the first of which has the id `first`.
    pub(super) fn new(first: i64, count: usize) -> Arc<Self> {
        let zeros = || (0..count).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { begin: Instant::now(), first, committed: zeros(), arrived: zeros() })
    }

    pub(super) fn len(&self) -> usize {
        self.committed.len()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A consumer has row `id`; ids of other measurements are ignored, and of several arrivals the first counts.
    pub(super) fn arrive(&self, id: i64) {
        let index = id.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(stamp) = index.and_then(|index| self.arrived.get(index)) {
            let _ = stamp.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Rows that have not arrived.
    pub(super) fn missing(&self) -> usize {
        self.arrived.iter().filter(|stamp| stamp.load(Ordering::Relaxed) == 0).count()
    }

    /// Milliseconds from commit to arrival, sorted. A value below zero means that the row reached the consumer before its client
    /// was scheduled again.
    pub(super) fn latencies(&self) -> Vec<f64> {
        let stamps = self.committed.iter().zip(&self.arrived);
        let mut all: Vec<f64> = stamps
            .map(|(from, to)| (to.load(Ordering::Relaxed) as f64 - from.load(Ordering::Relaxed) as f64) / 1e6)
            .collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

/// One row, about 300 bytes in the stream.
const INSERT: &str = "INSERT INTO engagement_events (id, user_id, event_type, event_ts, duration_ms, device, raw_payload) \
     VALUES ($1, md5(($1::bigint)::text)::uuid, 'play', now(), 1500, 'web-firefox', jsonb_build_object('session', md5('s' || $1::bigint), \
     'app', 17, 'from', 'https://example.test/article/1500', 'net', jsonb_build_object('ip', '10.1.2.7', 'kind', 'wifi')))";

/// Commits a row per stamp at `rate` a second, from `clients` connections in turns, and returns how long it took.
///
/// The schedule is open: a slow commit delays the next commit of its own client and of no other, and late commits follow at once.
pub(super) fn commit(url: &str, stamps: &Arc<Stamps>, rate: u32, clients: u32) -> Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..clients {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
                .await
                .context("cannot connect a client that commits")?;
            tokio::spawn(connection);
            let statement = client.prepare(INSERT).await?;
            connections.push((client, statement));
        }
        let begin = tokio::time::Instant::now();
        let tasks = connections.into_iter().enumerate().map(|(client, (connection, statement))| {
            let stamps = Arc::clone(stamps);
            tokio::spawn(async move {
                for index in (client..stamps.len()).step_by(clients as usize) {
                    let due = begin + Duration::from_secs_f64(index as f64 / f64::from(rate));
                    tokio::time::sleep_until(due).await;
                    let id = stamps.first + index as i64;
                    connection.execute(&statement, &[&id]).await?;
                    stamps.committed[index].store(stamps.now(), Ordering::Relaxed);
                }
                Ok::<(), tokio_postgres::Error>(())
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.context("a client that commits ended")?.context("a commit failed")?;
        }
        Ok(begin.elapsed())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::Stamps;

    #[test]
    fn the_first_arrival_of_a_known_id_counts() {
        let stamps = Stamps::new(100, 2);
        stamps.arrive(99);
        stamps.arrive(102);
        assert_eq!(stamps.missing(), 2, "neither belongs to this measurement");
        stamps.committed[1].store(1, Ordering::Relaxed);
        stamps.arrive(101);
        let first = stamps.arrived[1].load(Ordering::Relaxed);
        stamps.arrive(101);
        assert_eq!(stamps.arrived[1].load(Ordering::Relaxed), first);
        assert_eq!(stamps.missing(), 1);
        assert!(stamps.latencies()[1] >= 0.0);
    }
}
