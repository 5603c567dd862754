//! One record as it was read, and the partition that it came from.
//!
//! A record is read without a copy: it holds librdkafka's message, and through it the fetch response that it came in. So a
//! record that is kept for long keeps a whole response in memory. A clone has a copy of its own.

use std::fmt;
use std::sync::Arc;

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use crate::native::ReadMessage;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub id: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.id)
    }
}

/// Headers in order: name, and value (`None` is a null value).
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// One record as it was read.
#[derive(Clone, Debug)]
pub struct Message {
    /// The record's position in its partition.
    pub offset: i64,
    /// Milliseconds since 1970-01-01, as the topic defines them.
    pub timestamp_ms: Option<i64>,
    /// The bytes, where librdkafka has them or as a copy.
    content: Content,
}

/// Where key, value and headers are.
#[derive(Debug)]
enum Content {
    Own {
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Headers,
    },
    /// In librdkafka's memory: nothing is copied, and headers are decoded when somebody asks.
    Read(ReadMessage),
}

impl Clone for Content {
    /// Copies the bytes: librdkafka's message has one owner.
    fn clone(&self) -> Self {
        match self {
            Self::Own { key, value, headers } => {
                Self::Own { key: key.clone(), value: value.clone(), headers: headers.clone() }
            }
            Self::Read(read) => Self::Own {
                key: read.message().key().map(<[u8]>::to_vec),
                value: read.message().payload().map(<[u8]>::to_vec),
                headers: headers_of(read.message()),
            },
        }
    }
}

/// Bytes of memory that headers are assumed to need, since they are not decoded.
const HEADERS_SIZE: usize = 256;

impl Message {
    /// A message without headers and time, for tests.
    #[must_use]
    pub fn new(offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        Self { offset, timestamp_ms: None, content: Content::Own { key, value, headers: Headers::new() } }
    }

    /// A message that stays where librdkafka has it.
    pub(super) fn read(read: ReadMessage) -> Self {
        let message = read.message();
        let (offset, timestamp_ms) = (message.offset(), message.timestamp().to_millis());
        Self { offset, timestamp_ms, content: Content::Read(read) }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Own { key, .. } => key.as_deref(),
            Content::Read(read) => read.message().key(),
        }
    }

    /// The value; `None` is a tombstone.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Own { value, .. } => value.as_deref(),
            Content::Read(read) => read.message().payload(),
        }
    }

    /// The headers, in order.
    #[must_use]
    pub fn headers(&self) -> Headers {
        match &self.content {
            Content::Own { headers, .. } => headers.clone(),
            Content::Read(read) => headers_of(read.message()),
        }
    }

    /// Bytes in memory, roughly: headers are not looked at.
    pub(super) fn size(&self) -> usize {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        length(self.key()) + length(self.value()) + HEADERS_SIZE + std::mem::size_of::<Self>()
    }
}

/// Copies a record's headers. A null value and an empty one stay apart.
fn headers_of(message: &BorrowedMessage<'_>) -> Headers {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    headers.unwrap_or_default()
}
