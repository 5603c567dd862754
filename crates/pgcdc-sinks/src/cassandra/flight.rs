//! Requests on their way to the server.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use scylla::client::session::Session;
use scylla::errors::ExecutionError;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};

use super::group::Request;
use super::table::Statement;
use super::verdict::{Blame, blame, decide};
use crate::{Rejected, SinkError};

/// Rows on their way at a time.
const ROWS: usize = 640;

/// How many statements were sent, and the records that can never be written; or the store's failure.
type Sent = Result<(usize, Vec<Rejected>), SinkError>;

/// The requests of one batch of records. Dropping it gives up requests that have no answer yet.
pub(super) struct Flight<'s> {
    session: &'s Session,
    under_way: FuturesUnordered<BoxFuture<'s, Sent>>,
    /// How many rows the requests have that are under way.
    rows: usize,
    rejected: Vec<Rejected>,
}

impl<'s> Flight<'s> {
    pub(super) fn new(session: &'s Session) -> Self {
        Self { session, under_way: FuturesUnordered::new(), rows: 0, rejected: Vec::new() }
    }

    /// Waits until there is room for a request.
    pub(super) async fn add(&mut self, request: Request) -> Result<(), SinkError> {
        self.rows += request.len();
        self.under_way.push(send(self.session, request).boxed());
        while self.rows > ROWS
            && let Some(sent) = self.under_way.next().await
        {
            self.note(sent)?;
        }
        Ok(())
    }

    /// Hands new requests to the driver, and takes the answers that are there.
    pub(super) fn look(&mut self) -> Result<(), SinkError> {
        while let Some(Some(sent)) = self.under_way.next().now_or_never() {
            self.note(sent)?;
        }
        Ok(())
    }

    /// Waits for all answers; returns the records that can never be written.
    pub(super) async fn land(mut self) -> Result<Vec<Rejected>, SinkError> {
        while let Some(sent) = self.under_way.next().await {
            self.note(sent)?;
        }
        Ok(self.rejected)
    }

    fn note(&mut self, sent: Sent) -> Result<(), SinkError> {
        let (count, rejected) = sent?;
        self.rows -= count;
        self.rejected.extend(rejected);
        Ok(())
    }
}

/// Sends a request. When the server refuses rows that came together, each of them is sent again by itself, so that the one at
/// fault is found; all of them can be repeated.
async fn send(session: &Session, request: Request) -> Sent {
    let count = request.len();
    let mut refused = None;
    if count > 1 {
        match together(session, &request).await {
            Ok(()) => return Ok((count, Vec::new())),
            // One of the rows may be at fault. Sent one by one, the server tells which.
            Err(error) => match blame(&error) {
                Blame::Store(error) => return Err(error),
                Blame::Record(reason) | Blame::Unsure(reason) => {
                    refused = Some((reason, Arc::clone(&request[0].target)));
                }
            },
        }
    }
    let mut rejected = Vec::new();
    for statement in request {
        if let Err(error) = session.execute_unpaged(statement.prepared(), &statement.values).await {
            let reason = decide(session, &statement, blame(&error)).await?;
            rejected.push(Rejected { position: statement.position, reason });
        }
    }
    if let Some((reason, target)) = refused.filter(|_| rejected.is_empty())
        && !target.is_solitary.swap(true, Relaxed)
    {
        tracing::warn!(
            reason,
            "the server refuses these rows together and takes each by itself; they are sent one by one from now on"
        );
    }
    Ok((count, rejected))
}

/// Sends several statements as one unlogged batch.
async fn together(session: &Session, request: &[Statement]) -> Result<(), ExecutionError> {
    let prepared = request.iter().map(|one| BatchStatement::PreparedStatement(one.prepared().clone()));
    let mut batch = Batch::new_with_statements(BatchType::Unlogged, prepared.collect());
    batch.set_is_idempotent(true);
    if let Some(consistency) = request.first().and_then(|one| one.prepared().get_consistency()) {
        batch.set_consistency(consistency);
    }
    let values: Vec<_> = request.iter().map(|one| &one.values).collect();
    session.batch(&batch, values).await.map(drop)
}
