//! Standby statuses: tells the server how far we are, from a task of its own.
//!
//! This is the only way in which anything flows back to Postgres. The server keeps the position as
//! the slot's `confirmed_flush_lsn`, and may remove older WAL. Source: PostgreSQL documentation,
//! "Streaming Replication Protocol", *Standby status update*.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgcdc_event::Lsn;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The time between 1970-01-01 and 2000-01-01, PostgreSQL's epoch.
const POSTGRES_EPOCH: Duration = Duration::from_secs(946_684_800);

/// The shortest interval between statuses while the server owes an answer.
const UNANSWERED_INTERVAL: Duration = Duration::from_secs(5);

/// Sends statuses at an interval, and when the server asks. It is a task of its own, so that the
/// session lives on while the output takes nothing for minutes and nobody reads.
#[derive(Debug)]
pub(super) struct Feedback {
    /// What the task sends, written by the stream.
    shared: Arc<Shared>,
    /// Ended with the session. A write that fails ends it, too; the reader then notices that the
    /// connection is broken.
    task: JoinHandle<std::io::Result<()>>,
}

/// What the stream's loop and the task have in common. The loop writes, the task reads.
#[derive(Debug, Default)]
struct Shared {
    /// The position up to which the socket was read; reported as written.
    received: AtomicU64,
    /// The position up to which everything is durable at the output; reported as flushed and
    /// applied.
    confirmed: AtomicU64,
    /// The confirmation that was sent last.
    sent: AtomicU64,
    /// Wakes the task before the interval is over.
    now: Notify,
    /// The next status asks for an answer.
    ask: AtomicBool,
    /// The server owes an answer. Until it comes, statuses are rare: a busy server does not read
    /// them, and once they fill its receive window, the connection looks broken.
    unanswered: AtomicBool,
    /// The next status is the last one.
    stopping: AtomicBool,
}

impl Feedback {
    /// Starts the task. `interval` is the longest time between two statuses.
    pub(super) fn start<W>(mut writer: W, interval: Duration) -> Self
    where
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                loop {
                    let stopping = shared.stopping.load(Ordering::Acquire);
                    let confirmed = shared.confirmed.load(Ordering::Acquire);
                    let received = shared.received.load(Ordering::Relaxed);
                    let ask = shared.ask.swap(false, Ordering::AcqRel);
                    writer.write_all(&status(Lsn::new(received), Lsn::new(confirmed), now_us(), ask)).await?;
                    if stopping {
                        // CopyDone, and Terminate behind it.
                        writer.write_all(b"c\0\0\0\x04X\0\0\0\x04").await?;
                    }
                    writer.flush().await?;
                    shared.sent.store(confirmed, Ordering::Release);
                    if stopping {
                        return Ok(());
                    }
                    let unanswered = shared.unanswered.load(Ordering::Relaxed);
                    let pause = if unanswered { interval.max(UNANSWERED_INTERVAL) } else { interval };
                    let _ = tokio::time::timeout(pause, shared.now.notified()).await;
                }
            }
        });
        Self { shared, task }
    }

    /// Notes that everything up to here was read.
    #[inline]
    pub(super) fn received(&self, lsn: Lsn) {
        // Only the reader writes it.
        if lsn.as_u64() > self.shared.received.load(Ordering::Relaxed) {
            self.shared.received.store(lsn.as_u64(), Ordering::Relaxed);
        }
    }

    /// Notes that everything up to here is durable; sent at the next interval. A lower position
    /// than before changes nothing.
    pub(super) fn confirm(&self, lsn: Lsn) {
        self.shared.confirmed.fetch_max(lsn.as_u64(), Ordering::Release);
    }

    /// Sends a status at once.
    pub(super) fn send_now(&self) {
        self.shared.now.notify_one();
    }

    /// Sends a status at once that asks the server for an answer.
    pub(super) fn ask(&self) {
        self.shared.unanswered.store(true, Ordering::Relaxed);
        self.shared.ask.store(true, Ordering::Release);
        self.shared.now.notify_one();
    }

    /// Notes that the server has sent something.
    pub(super) fn heard(&self) {
        self.shared.unanswered.store(false, Ordering::Relaxed);
    }

    /// Sends the last status and ends the copy. [`is_sent`](Self::is_sent) says whether it went
    /// out.
    pub(super) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.now.notify_one();
    }

    /// Whether a confirmation of `lsn` or more was sent.
    pub(super) fn is_sent(&self, lsn: Lsn) -> bool {
        self.shared.sent.load(Ordering::Acquire) >= lsn.as_u64()
    }
}

impl Drop for Feedback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A standby status update in its `CopyData`: positions written, flushed and applied, our clock,
/// and whether the server is to answer. Source: PostgreSQL documentation, "Streaming Replication
/// Protocol", *Standby status update*.
fn status(received: Lsn, confirmed: Lsn, now_us: i64, ask: bool) -> [u8; 39] {
    let mut message = [0; 39];
    message[0] = b'd';
    message[1..5].copy_from_slice(&38_u32.to_be_bytes());
    message[5] = b'r';
    message[6..14].copy_from_slice(&received.max(confirmed).as_u64().to_be_bytes());
    message[14..22].copy_from_slice(&confirmed.as_u64().to_be_bytes());
    message[22..30].copy_from_slice(&confirmed.as_u64().to_be_bytes());
    message[30..38].copy_from_slice(&now_us.to_be_bytes());
    message[38] = ask.into();
    message
}

/// Microseconds since 2000-01-01.
fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH + POSTGRES_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[test]
    fn a_status_is_laid_out_as_the_manual_says() {
        let message = status(Lsn::new(0x0102), Lsn::new(1), 5, false);
        assert_eq!(message[..6], [b'd', 0, 0, 0, 38, b'r']);
        assert_eq!(message[6..14], [0, 0, 0, 0, 0, 0, 1, 2], "written");
        assert_eq!(message[14..22], [0, 0, 0, 0, 0, 0, 0, 1], "flushed");
        assert_eq!(message[22..30], [0, 0, 0, 0, 0, 0, 0, 1], "applied");
        assert_eq!(message[30..], [0, 0, 0, 0, 0, 0, 0, 5, 0], "clock, no reply wanted");
        assert_eq!(status(Lsn::ZERO, Lsn::new(9), 0, false)[13], 9, "what is flushed was also written");
        assert_eq!(status(Lsn::ZERO, Lsn::ZERO, 0, true)[38], 1, "a reply is wanted");
    }

    #[tokio::test]
    async fn the_last_confirmation_goes_out_before_the_copy_ends() {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let feedback = Feedback::start(ours, Duration::from_secs(3600));
        let mut first = [0; 39];
        theirs.read_exact(&mut first).await.unwrap();
        assert_eq!(first[21], 0, "nothing is confirmed yet");
        feedback.confirm(Lsn::new(7));
        assert!(!feedback.is_sent(Lsn::new(7)));
        feedback.stop();
        let mut rest = Vec::new();
        theirs.read_to_end(&mut rest).await.unwrap();
        assert_eq!((rest[21], &rest[39..]), (7, &b"c\0\0\0\x04X\0\0\0\x04"[..]));
        assert!(feedback.is_sent(Lsn::new(7)));
    }
}
