//! Changes as values, for a program that embeds capture.

use pgcdc_event::ChangeEvent;

use super::handle::Capture;
use crate::Result;
use crate::lane::EventReader;

/// The stream of changes for a program that embeds capture.
///
/// An event counts as processed, and may be confirmed to Postgres, when the next one is asked for
/// (or [`confirm`](Self::confirm) is called): until then a crash brings it again.
#[derive(Debug)]
pub struct Changes {
    events: EventReader,
    /// The capture that feeds it; dropped, and so stopped, with it.
    capture: Capture,
}

impl Changes {
    pub(crate) fn new(events: EventReader, capture: Capture) -> Self {
        Self { events, capture }
    }

    /// The capture that these changes come from: its state, its metrics, and the orders to pause or stop.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Why the changes ended: call it after [`next`](Self::next) returned `None`.
    ///
    /// # Errors
    /// The failure that ended capture, when it was not asked to stop.
    pub async fn finished(&mut self) -> Result<()> {
        self.capture.finished().await
    }

    /// The next change; `None` when capture has ended. While capture is paused, the next one comes after it is resumed.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<ChangeEvent> {
        self.events.next().await
    }

    /// Says that everything handed out so far has been processed.
    pub fn confirm(&mut self) {
        self.events.confirm();
    }
}
