//! Where rejected records go.

use async_trait::async_trait;
use pgcdc_kafka::consumer::{Message, Partition};

use crate::Error;

/// Takes rejected records. A trait so that the driver can be tested without Kafka.
#[async_trait]
pub trait Rejections: Send + Sync {
    /// Returns when the record is durable among the dead letters.
    ///
    /// # Errors
    /// When it cannot be written there; a transient error is tried again.
    async fn send(&self, partition: &Partition, message: &Message, reason: &str) -> Result<(), Error>;
}
