//! Delivery reports, collected inside of librdkafka's `poll`, on the thread that polls.
//!
//! librdkafka reports each record once: durable, or not delivered and why. The record's handle travels as the opaque pointer of
//! the message. Only the first failure is kept: a producer that failed is dropped, and what it did not report is sent again by
//! the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use crate::{Error, Logging};

/// What librdkafka reported and the client has not taken yet.
#[derive(Default)]
pub(crate) struct Reports {
    /// Also gets tokens.
    pub(super) logging: Logging,
    /// What was reported since the last poll.
    pub(super) collected: Mutex<Collected>,
}

/// Reports of one poll.
#[derive(Default)]
pub(super) struct Collected {
    /// Handles of records that are durable.
    pub(super) delivered: Vec<usize>,
    /// Bytes of their keys and values.
    pub(super) bytes: usize,
    /// Why a record was not delivered, or the client can not go on.
    pub(super) failure: Option<Error>,
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.logging.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let fatal = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal);
        self.logging.error(error.clone(), reason);
        if fatal {
            self.lock()
                .failure
                .get_or_insert_with(|| Error::client(format!("Kafka producer: {reason}"), error));
        }
    }
}

impl Reports {
    /// What was reported and not taken yet.
    pub(super) fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, handle: usize) {
        let mut collected = self.lock();
        match result {
            Ok(message) => {
                collected.delivered.push(handle);
                collected.bytes += message.key_len() + message.payload_len();
            }
            Err((error, message)) => {
                let topic = message.topic();
                collected.failure.get_or_insert_with(|| {
                    Error::client(format!("deliver a record to topic {topic:?}"), error.clone())
                });
            }
        }
    }
}
