//! The requests that a producer needs, and their answers, in each version that pgcdc knows.
//!
//! ```text
//!  ApiVersions ─▶ Versions: for each request the newest version that both sides have
//!                     │
//!                     ├▶ Request: bytes to send, written in place
//!                     └▶ Answer: the fields of what came back
//! ```
//! They are written by hand. `Produce` has to be, since batches are not copied, and it needs the same building blocks as
//! the other seven requests, whose fields are few.
//!
//! From some version on a request is *flexible* (KIP-482): lengths are variable-length numbers, one greater than the length, so
//! that zero is a null; and each structure ends with tagged fields, which are skipped unless one is wanted.
//!
//! Sources: Kafka's documentation, "Protocol Guide"; for each field Kafka's own descriptions of messages
//! (`clients/src/main/resources/common/message`).

mod answer;
mod request;
mod versions;

pub(super) use self::answer::{Answer, CurrentLeader, Metadata, PartitionMetadata, TopicMetadata};
pub(super) use self::request::{Head, Request};
pub(super) use self::versions::{API_VERSIONS, Apart, Version, Versions};
