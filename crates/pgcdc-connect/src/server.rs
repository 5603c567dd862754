//! Listens, and bounds what a client may cost: open connections, the time for a request's head, the time of a silent client.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; further ones wait to be taken.
    pub connections: usize,
    /// How long the head of a request may take, from the moment when the connection is free for it.
    pub head: Duration,
    /// How long a body may be, in bytes.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 256, head: Duration::from_secs(30), body: 1 << 20 }
    }
}

/// Requests that are being answered at the end have so long.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// The pause after a connection could not be taken, for example because no file descriptor was free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until `shutdown`, then finishes those that are being answered.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, shutdown: CancellationToken) {
    let free = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    while let Some(permit) = shutdown.run_until_cancelled(Arc::clone(&free).acquire_owned()).await {
        let Ok(permit) = permit else { break };
        let stream = match shutdown.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok((stream, _))) => stream,
            Some(Err(error)) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (app, shutdown) = (app.clone(), shutdown.clone());
        tasks.spawn(async move {
            answer(stream, app, limits, shutdown).await;
            drop(permit);
        });
    }
    tasks.close();
    let _ = tokio::time::timeout(CLOSE_LIMIT, tasks.wait()).await;
}

/// Answers the requests of one connection.
async fn answer(stream: TcpStream, app: Router, limits: Limits, shutdown: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    tokio::pin!(connection);
    let ended = shutdown.run_until_cancelled(connection.as_mut()).await;
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        // What goes wrong with a client's connection is the client's matter.
        let _ = connection.await;
    }
}
