//! A statement whose answer the stream's loop awaits beside everything else.

use std::pin::Pin;

/// A question to the server that is open, or none. It lives in the loop and is polled with the
/// other inputs, so it needs no task.
pub(super) struct Pending<'a, T>(Option<Pin<Box<dyn Future<Output = T> + 'a>>>);

impl<'a, T> Pending<'a, T> {
    /// Nothing is asked.
    pub(super) const fn nothing() -> Self {
        Self(None)
    }

    /// Asks. A question that is open is given up.
    pub(super) fn ask(&mut self, question: impl Future<Output = T> + 'a) {
        self.0 = Some(Box::pin(question));
    }

    /// Whether a question is open.
    pub(super) const fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for the answer; for ever when nothing was asked.
    ///
    /// # Cancel safety
    /// The question stays open when the future is dropped.
    pub(super) async fn answer(&mut self) -> T {
        let Some(question) = &mut self.0 else { return std::future::pending().await };
        let answer = question.as_mut().await;
        self.0 = None;
        answer
    }
}
