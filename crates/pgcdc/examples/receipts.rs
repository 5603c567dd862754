//! Takes changes in batches, as a `futures::Stream`, and acknowledges each batch once it is stored.
//!
//! ```text
//! cargo run -p pgcdc --no-default-features --example receipts -- postgres://user@localhost/shop public.users
//! ```

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use pgcdc::{Capture, ChangeEvent};

#[tokio::main]
async fn main() -> Result<(), pgcdc::capture::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((url, tables)) = arguments.split_first() else { return Ok(()) };
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    // Ends by itself, so that the example does.
    let capture = Capture::builder(url, &tables)?.until_idle(Duration::from_secs(5));
    let mut changes = capture.changes()?.by_receipt();
    let acknowledger = changes.acknowledger();
    loop {
        let batch = batch(&mut changes, 100).await;
        if batch.is_empty() {
            return changes.close().await;
        }
        store(&batch).await;
        // Only now may Postgres forget them; a crash before this line brings the batch again.
        acknowledger.acknowledge(changes.receipt());
    }
}

/// Up to `most` changes, as many as come within a tenth of a second; none at the end.
async fn batch(changes: &mut (impl Stream<Item = ChangeEvent> + Unpin), most: usize) -> Vec<ChangeEvent> {
    let mut batch: Vec<ChangeEvent> = changes.next().await.into_iter().collect();
    while !batch.is_empty() && batch.len() < most {
        match tokio::time::timeout(Duration::from_millis(100), changes.next()).await {
            Ok(Some(change)) => batch.push(change),
            Ok(None) | Err(_) => break,
        }
    }
    batch
}

/// Stands for a write to somewhere durable.
async fn store(batch: &[ChangeEvent]) {
    tokio::time::sleep(Duration::from_millis(batch.len() as u64)).await;
}
