//! The times that the sending thread waits.
//!
//! They belong together: a broker is doubted (1 s) before it is given up (3 s for a sign of life, `request.timeout.ms` for
//! anything else), and a record waits for longer than all of these (`delivery.timeout.ms`) before the producer ends.

use std::time::Duration;

/// The pause before a failed request is tried again.
pub(super) const BACKOFF: Duration = Duration::from_millis(100);
/// How long brokers may hang up as if `security.protocol` were wrong, before it is taken to be.
pub(super) const DOUBTFUL: Duration = Duration::from_secs(4);
/// The pause before a broker that refused this client is tried again: some lock a user out who tries too often.
pub(super) const REFUSED: Duration = Duration::from_secs(1);
/// The pause between two warnings of that.
pub(super) const REMIND: Duration = Duration::from_secs(30);
/// The first pause where a broker is ready again within milliseconds.
const SOON: Duration = Duration::from_millis(2);
/// After a connection was quiet for so long, the broker is asked for a sign of life together with the next request. Firewalls
/// forget connections after minutes, and a network can break at any time. The question costs thirty bytes.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// How long a broker may take for that sign, which costs it nothing. Then the connection is given up.
pub(super) const LIFE: Duration = Duration::from_secs(3);
/// How much longer the answer to a request may take than the broker was given for it.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// A leader that was sent nothing for so long may have forgotten the producer.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(600);
/// How long a broker may be out of reach, or owe an answer, before others are asked who does its work.
pub(super) const AWAY: Duration = Duration::from_secs(1);
/// The pause between two such questions.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(250);
/// How often the sender looks at its queues while records or requests wait.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How often it looks while nothing waits.
pub(super) const IDLE_TICK: Duration = Duration::from_secs(5);
/// How long brokers may name no leader for a topic that was there before.
pub(super) const UNKNOWN: Duration = Duration::from_secs(30);
/// How long brokers may say that a topic does not exist: whoever uses this producer makes it again.
pub(super) const GONE: Duration = Duration::from_secs(10);

/// A pause that doubles with each try, from 2 ms up to [`BACKOFF`].
pub(super) fn growing(tries: u32) -> Duration {
    (SOON * 2_u32.pow(tries.min(8))).min(BACKOFF)
}
