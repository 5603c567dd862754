//! What its owner tells a connector or a sink to do while it runs: stop, pause, resume.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The receiving end of an owner's orders. Cloned for each place that waits for one.
///
/// ```
/// use pgcdc_lifecycle::Orders;
/// use tokio_util::sync::CancellationToken;
///
/// let stop = CancellationToken::new();
/// let (orders, pause) = Orders::new(stop.clone(), false);
/// pause.send_replace(true);
/// assert!(orders.is_paused() && !orders.is_stopped());
/// stop.cancel();
/// assert!(orders.is_stopped());
/// ```
#[derive(Clone, Debug)]
pub struct Orders {
    shutdown: CancellationToken,
    pause: watch::Receiver<bool>,
}

impl Orders {
    /// `shutdown` is cancelled to stop. The sender that is returned says whether to pause; it begins with `paused`.
    #[must_use]
    pub fn new(shutdown: CancellationToken, paused: bool) -> (Self, watch::Sender<bool>) {
        let (sender, pause) = watch::channel(paused);
        (Self { shutdown, pause }, sender)
    }

    /// Orders by a token and a sender that the owner has already.
    #[must_use]
    pub fn by(shutdown: CancellationToken, pause: &watch::Sender<bool>) -> Self {
        Self { shutdown, pause: pause.subscribe() }
    }

    /// The token that is cancelled to stop.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Whether the order to stop was given.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// Waits for the order to stop.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing; the same holds for the other waits.
    pub async fn stopped(&self) {
        self.shutdown.cancelled().await;
    }

    /// Whether it is to pause.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        *self.pause.borrow()
    }

    /// Waits for the order to pause.
    pub async fn paused(&mut self) {
        self.wait_for(true).await;
    }

    /// Waits for the order to go on.
    pub async fn resumed(&mut self) {
        self.wait_for(false).await;
    }

    async fn wait_for(&mut self, paused: bool) {
        if self.pause.wait_for(|now| *now == paused).await.is_err() {
            // The owner is gone: it gives no more orders, and its end has cancelled the token.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_order_is_seen_by_those_who_wait_and_those_who_look() {
        let (mut orders, pause) = Orders::new(CancellationToken::new(), false);
        let mut waiting = orders.clone();
        let waits = tokio::spawn(async move { waiting.paused().await });
        pause.send_replace(true);
        waits.await.expect("the order came");
        assert!(orders.is_paused() && !orders.is_stopped());
        pause.send_replace(false);
        orders.resumed().await;
        assert!(!orders.is_paused());
    }
}
