//! Messages of one partition, decoded and put in order.

use std::sync::{Mutex, PoisonError};

use pgcdc_format::decode::Decoder;
use pgcdc_kafka::consumer::Message;

use crate::order::history::{Fall, History};
use crate::{Record, Rejected};

/// Records that are decoded in one go, some 0.3 ms of work.
const PIECE: usize = 200;

/// Consecutive messages of one partition, decoded.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The messages as they were read, malformed ones among them.
    pub(super) messages: &'a [Message],
    /// The changes that are to be written.
    pub(super) records: Vec<Record<'a>>,
    /// Messages that are no change events: they become dead letters.
    pub(super) malformed: Vec<Rejected>,
    /// What is remembered of the partition after its last record.
    pub(super) bookmark: String,
}

impl<'a> Decoded<'a> {
    /// Decodes piece by piece, and yields in between, so that the task's other work goes on.
    pub async fn gradually(messages: &'a [Message], decoder: &Mutex<Decoder>) -> Self {
        let mut decoded = Self {
            messages,
            records: Vec::with_capacity(messages.len()),
            malformed: Vec::new(),
            bookmark: String::new(),
        };
        for piece in messages.chunks(PIECE) {
            decoded.add(piece, &mut decoder.lock().unwrap_or_else(PoisonError::into_inner));
            tokio::task::yield_now().await;
        }
        decoded
    }

    /// Gives the records their order. A record that begins another history is taken out, with all records behind it; its
    /// position is returned with the reason.
    pub(crate) fn mark(&mut self, history: &mut History) -> Option<(i64, Fall)> {
        let mut fallen = None;
        for record in &mut self.records {
            match history.mark(record.position, record.key, &record.change) {
                Ok(order) => record.order = order,
                Err(fall) => {
                    fallen = Some((record.position, fall));
                    break;
                }
            }
        }
        if let Some((position, _)) = fallen {
            let before = self.messages.iter().position(|message| message.offset == position);
            self.messages = &self.messages[..before.unwrap_or(0)];
            let kept = self.records.iter().position(|record| record.position == position);
            self.records.truncate(kept.unwrap_or(0));
            let last = self.messages.last().map(|message| message.offset);
            self.malformed.retain(|rejected| last.is_some_and(|last| rejected.position <= last));
        }
        self.bookmark = history.bookmark();
        fallen
    }

    /// Whether no message is left: nothing to write, and no dead letter.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many records are to be written.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// What is remembered of the partition after the last record.
    pub(crate) fn bookmark(&self) -> &str {
        &self.bookmark
    }

    fn add(&mut self, piece: &'a [Message], decoder: &mut Decoder) {
        for message in piece {
            match decoder.decode(message.key(), message.value()) {
                Ok(change) => self.records.push(Record::of(message, change)),
                Err(error) => {
                    self.malformed.push(Rejected { position: message.offset, reason: error.to_string() });
                }
            }
        }
    }
}
