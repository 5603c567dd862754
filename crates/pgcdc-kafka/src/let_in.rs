//! What a process remembers of its brokers' doors: whether one has ever let it in, and since when they refuse.
//!
//! ```text
//!  Never ──── let in ───▶ Inside ◀─── let in ────┐
//!    │                       └─── refused ───▶ Refused since t
//!    └─ a refusal ends the client                 └─ a refusal ends the client after five minutes
//! ```
//! A client that was never let in has a mistake in its properties, and a person has to mend them. One that was let in before had the
//! right properties: a password is being changed, a token's file is being replaced, a directory of users is away. It tries
//! again with a warning, and ends when nobody has mended that in [`PATIENCE`].
//!
//! The properties of all clients of one connector come from one parse and share this memory: our own producer, the check before
//! librdkafka's clients, and those that are made anew after an error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long brokers may refuse a client that they let in before: as long as a record may wait (`delivery.timeout.ms`).
const PATIENCE: Duration = Duration::from_secs(300);

/// Whether brokers let in the clients with the same properties. Clones share it, so it outlives a producer that is made anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct LetIn(Arc<Mutex<Memory>>);

/// What is remembered.
#[derive(Clone, Copy, Debug, Default)]
enum Memory {
    #[default]
    Never,
    Inside,
    /// Since this time no broker has let a client in, and one at least has refused it.
    Refused(Instant),
}

impl LetIn {
    /// Notes that a broker has let a client in.
    pub(crate) fn note(&self) {
        self.change(|memory| *memory = Memory::Inside);
    }

    /// Whether that has ever happened. Then the properties were right, and a broker that hangs up is only away.
    pub(crate) fn ever(&self) -> bool {
        self.change(|memory| !matches!(memory, Memory::Never))
    }

    /// Notes that a broker refuses a client, or the client the broker. Returns whether to try again.
    pub(crate) fn bears_refusal(&self, now: Instant) -> bool {
        self.change(|memory| match *memory {
            Memory::Never => false,
            Memory::Inside => {
                *memory = Memory::Refused(now);
                true
            }
            Memory::Refused(since) => now.duration_since(since) <= PATIENCE,
        })
    }

    /// Changes the memory, or reads it.
    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        // Nothing can fail while it is locked.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_let_in_before_is_borne_with_for_a_while() {
        let (door, now) = (LetIn::default(), Instant::now());
        assert!(!door.ever() && !door.bears_refusal(now), "a stranger has a mistake in its properties");
        let clone = door.clone();
        clone.note();
        assert!(door.ever() && door.bears_refusal(now));
        assert!(door.bears_refusal(now + PATIENCE));
        assert!(!door.bears_refusal(now + PATIENCE + Duration::from_secs(1)));
        door.note();
        assert!(door.bears_refusal(now + PATIENCE + Duration::from_secs(2)), "the time counts anew");
    }
}
