//! What the owner of a capture tells it to do while it runs: stop, pause, resume.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The receiving end. Cloned for each place that waits for an order.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    shutdown: CancellationToken,
    pause: watch::Receiver<bool>,
}

impl Orders {
    /// Orders by a token that is cancelled to stop; the sender says whether the capture is to pause.
    pub(crate) fn new(shutdown: CancellationToken, paused: bool) -> (Self, watch::Sender<bool>) {
        let (sender, pause) = watch::channel(paused);
        (Self { shutdown, pause }, sender)
    }

    /// Whether the capture was told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// Waits for the order to stop.
    pub(crate) async fn stopped(&self) {
        self.shutdown.cancelled().await;
    }

    /// Whether the capture is to pause.
    pub(crate) fn is_paused(&self) -> bool {
        *self.pause.borrow()
    }

    /// Waits for the order to pause.
    pub(crate) async fn paused(&mut self) {
        self.wait_for(true).await;
    }

    /// Waits for the order to go on.
    pub(crate) async fn resumed(&mut self) {
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
