//! Four things that rdkafka's safe interface does not offer: producing by a topic's handle, reading without a copy, a topic's id,
//! and a token for a client whose events nobody polls. This is the only file of the crate with `unsafe`.
//!
//! Producing by a topic's name costs a copy of the name for each record and, in librdkafka, a search through the list of all
//! topics that the producer knows: with a thousand tables as much as everything else together.
//!
//! What each call relies on stands beside it. In short: a topic's handle is destroyed before its client, since it holds the
//! client; a message that was read without a copy keeps its consumer alive; headers belong to whoever made them until a produce
//! call that succeeds takes them; and an event's contents are read before the event is destroyed.
#![expect(unsafe_code, reason = "calls of librdkafka, each with what it relies on")]

use std::any::Any;
use std::ffi::{CString, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new, rd_kafka_DescribeTopics,
    rd_kafka_DescribeTopics_result_topics, rd_kafka_TopicCollection_destroy,
    rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicDescription_error,
    rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_least_significant_bits,
    rd_kafka_Uuid_most_significant_bits, rd_kafka_admin_op_t, rd_kafka_error_code,
    rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_t,
    rd_kafka_flush, rd_kafka_header_add, rd_kafka_headers_copy, rd_kafka_headers_destroy,
    rd_kafka_headers_new, rd_kafka_headers_t, rd_kafka_oauthbearer_set_token, rd_kafka_producev,
    rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_resp_err_t,
    rd_kafka_topic_destroy, rd_kafka_topic_new, rd_kafka_topic_t, rd_kafka_vtype_t,
};
use rdkafka::client::{Client, OAuthToken};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaErrorCode;

use crate::producer::{Placement, librdkafka::Reports};

/// `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const UNASSIGNED: i32 = -1;

/// A record's headers, as librdkafka keeps them.
#[derive(Debug)]
pub(crate) struct Headers(NonNull<rd_kafka_headers_t>);

// SAFETY: an owned list without ties to a thread; nothing changes it by a shared reference.
unsafe impl Send for Headers {}
// SAFETY: as above; copying only reads it.
unsafe impl Sync for Headers {}

impl Headers {
    /// An empty list with room for `count` headers.
    ///
    /// # Panics
    /// When there is no memory for it, as other collections do.
    #[must_use]
    pub(crate) fn with_capacity(count: usize) -> Self {
        // SAFETY: has no preconditions; librdkafka itself aborts when there is no memory.
        Self::owned(unsafe { rd_kafka_headers_new(count) })
    }

    /// Appends a header; `None` is a null value.
    pub(crate) fn add(&mut self, name: &str, value: Option<&[u8]>) {
        let (bytes, length) = parts(value);
        // SAFETY: the list is ours; name and value are copied, with their lengths given.
        unsafe {
            rd_kafka_header_add(
                self.0.as_ptr(),
                name.as_ptr().cast(),
                name.len().cast_signed(),
                bytes,
                length.cast_signed(),
            );
        }
    }

    /// Takes a list over.
    fn owned(list: *mut rd_kafka_headers_t) -> Self {
        match NonNull::new(list) {
            Some(list) => Self(list),
            None => std::alloc::handle_alloc_error(std::alloc::Layout::new::<usize>()),
        }
    }
}

impl Clone for Headers {
    fn clone(&self) -> Self {
        // SAFETY: the list is alive as long as `self`.
        Self::owned(unsafe { rd_kafka_headers_copy(self.0.as_ptr()) })
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: nobody else owns the list.
        unsafe { rd_kafka_headers_destroy(self.0.as_ptr()) }
    }
}

/// A topic's handle, which belongs to one producer.
pub(crate) struct TopicHandle {
    /// librdkafka's object. It counts its references and is let go in `drop`.
    handle: NonNull<rd_kafka_topic_t>,
    /// The topic's name.
    name: String,
    /// The client must outlive the handle.
    client: Arc<BaseProducer<Reports>>,
}

// SAFETY: librdkafka's topic handles may be used by any thread ("rdkafka.h", threads).
unsafe impl Send for TopicHandle {}
// SAFETY: as above.
unsafe impl Sync for TopicHandle {}

impl std::fmt::Debug for TopicHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Topic").field(&self.name).finish()
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: made by `new`, dropped once; the client is still there.
        unsafe { rd_kafka_topic_destroy(self.handle.as_ptr()) }
    }
}

impl TopicHandle {
    /// A handle for the topic of this name; `None` when no topic can have it.
    pub(crate) fn new(client: &Arc<BaseProducer<Reports>>, name: &str) -> Option<Self> {
        let text = CString::new(name).ok()?;
        // SAFETY: the client is alive, the name ends with a zero; no configuration: the client's own.
        let handle =
            unsafe { rd_kafka_topic_new(client.client().native_ptr(), text.as_ptr(), ptr::null_mut()) };
        Some(Self { handle: NonNull::new(handle)?, name: name.to_owned(), client: Arc::clone(client) })
    }

    /// The topic's name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the handle was made by this client.
    pub(crate) fn is_of(&self, client: &Arc<BaseProducer<Reports>>) -> bool {
        Arc::ptr_eq(&self.client, client)
    }

    /// Hands a record over; its bytes are copied.
    #[inline]
    pub(crate) fn produce(
        &self,
        placement: Placement,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Option<Headers>,
        handle: usize,
    ) -> Result<(), RDKafkaErrorCode> {
        let (key, key_length) = parts(key);
        let (value, value_length) = parts(value);
        let list = headers.as_ref().map_or(ptr::null_mut(), |headers| headers.0.as_ptr());
        // SAFETY: client and topic are alive; each tag is followed by the types that it stands for; key and value are
        // copied; the opaque is a number that comes back as such in the delivery report.
        let answer = unsafe {
            rd_kafka_producev(
                self.client.client().native_ptr(),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                self.handle.as_ptr(),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                placement.partition.unwrap_or(UNASSIGNED),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                placement.timestamp_ms.unwrap_or(0),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                RD_KAFKA_MSG_F_COPY,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                ptr::without_provenance_mut::<c_void>(handle),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                list,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        if answer == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            // The list is librdkafka's now; on failure it stays ours.
            std::mem::forget(headers);
            return Ok(());
        }
        Err(answer.into())
    }
}

/// Makes librdkafka's threads send their unfinished batches now, and waits a millisecond for the threads to wake up.
///
/// rdkafka's own call waits for no time at all, and so returns before they wake.
pub(crate) fn send_now(client: &BaseProducer<Reports>) {
    // SAFETY: the client is alive. The return value only says that records are left.
    unsafe { rd_kafka_flush(client.client().native_ptr(), 1) };
}

/// A message that stays in librdkafka's memory for as long as it is needed.
pub(crate) struct ReadMessage {
    // First, since fields are dropped in their order and the message must not outlive its consumer.
    message: BorrowedMessage<'static>,
    _consumer: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for ReadMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadMessage").field(&self.message.offset()).finish()
    }
}

impl ReadMessage {
    /// Keeps a message that this consumer has polled.
    pub(crate) fn new<C: ConsumerContext + 'static>(
        message: BorrowedMessage<'_>,
        consumer: &Arc<BaseConsumer<C>>,
    ) -> Self {
        // SAFETY: what a message borrows is its consumer, which is kept and dropped after it. It may be used and dropped
        // on any thread (it is `Send` and `Sync`), and is lent out for no longer than `self`.
        let message =
            unsafe { std::mem::transmute::<BorrowedMessage<'_>, BorrowedMessage<'static>>(message) };
        Self { message, _consumer: Arc::<BaseConsumer<C>>::clone(consumer) }
    }

    /// The message.
    pub(crate) fn message(&self) -> &BorrowedMessage<'_> {
        &self.message
    }
}

/// A topic's id. A topic that is deleted and created again under its name has another id. `None` when the broker has no ids, or
/// does not know the topic. Blocks until there is an answer.
pub(crate) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    limit: Duration,
) -> Result<Option<u128>, RDKafkaErrorCode> {
    let Ok(name) = CString::new(topic) else { return Ok(None) };
    let milliseconds = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
    let mut names = [name.as_ptr()];
    // SAFETY: the client outlives the call, and all that is made here is destroyed here, after its last use. The name is
    // copied. The request's own time-out (a minute) may end after ours: it then answers into a queue that is gone, which
    // librdkafka allows.
    unsafe {
        let handle = client.native_ptr();
        let queue = rd_kafka_queue_new(handle);
        let topics = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let options =
            rd_kafka_AdminOptions_new(handle, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        rd_kafka_DescribeTopics(handle, topics, options, queue);
        let event = rd_kafka_queue_poll(queue, milliseconds);
        let id = if event.is_null() { Err(RDKafkaErrorCode::OperationTimedOut) } else { described_id(event) };
        if !event.is_null() {
            rd_kafka_event_destroy(event);
        }
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_TopicCollection_destroy(topics);
        rd_kafka_queue_destroy(queue);
        id
    }
}

/// The id in an answer about one topic.
///
/// # Safety
/// The event is alive.
unsafe fn described_id(event: *mut rd_kafka_event_t) -> Result<Option<u128>, RDKafkaErrorCode> {
    // SAFETY: what the event holds lives as long as it does, and the array has as many elements as `count` says.
    unsafe {
        let failed = rd_kafka_event_error(event);
        if failed != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return match RDKafkaErrorCode::from(failed) {
                RDKafkaErrorCode::UnsupportedFeature => Ok(None),
                code => Err(code),
            };
        }
        let result = rd_kafka_event_DescribeTopics_result(event);
        let mut count = 0;
        let topics = if result.is_null() {
            ptr::null_mut()
        } else {
            rd_kafka_DescribeTopics_result_topics(result, &raw mut count)
        };
        if topics.is_null() || count == 0 {
            return Ok(None);
        }
        let topic = *topics;
        let error = rd_kafka_TopicDescription_error(topic);
        if !error.is_null() && rd_kafka_error_code(error) != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(None);
        }
        let id = rd_kafka_TopicDescription_topic_id(topic);
        if id.is_null() {
            return Ok(None);
        }
        let half = |bits: i64| u128::from(bits.cast_unsigned());
        let id = half(rd_kafka_Uuid_most_significant_bits(id)) << 64
            | half(rd_kafka_Uuid_least_significant_bits(id));
        Ok(Some(id).filter(|id| *id != 0))
    }
}

/// Pointer and length, as librdkafka takes them.
fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}

/// Gives a client a token for OAUTHBEARER. The client takes it also when it has one.
///
/// # Errors
/// librdkafka's objection, such as a token that has expired.
pub(crate) fn give_token<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> Result<(), String> {
    let text = |value: &str| CString::new(value).map_err(|_| "a token must not have a NUL byte".to_owned());
    let (value, principal) = (text(&token.token)?, text(&token.principal_name)?);
    let mut message = [0u8; 512];
    // SAFETY: the client lives through the call, both texts end with NUL, there are no extensions, and the buffer has the length
    // that is said. librdkafka copies the texts and ends its message with NUL.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            message.as_mut_ptr().cast(),
            message.len(),
        )
    };
    if code == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    let end = message.iter().position(|byte| *byte == 0).unwrap_or(message.len());
    Err(String::from_utf8_lossy(&message[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientProperties;
    use crate::producer::librdkafka::Librdkafka;

    #[test]
    fn handles_and_headers_are_made_copied_and_dropped() {
        let properties = ClientProperties::parse([("bootstrap.servers", "127.0.0.1:1")]).unwrap();
        let producer = Librdkafka::new(&properties).unwrap();
        assert!(producer.topic("a\0b").is_err());
        let topic = producer.topic("t").unwrap();
        let mut headers = Headers::with_capacity(1);
        headers.add("name", Some(b"value"));
        headers.add("null", None);
        for handle in 0..100 {
            let sent = producer.send(
                &topic,
                Placement::default(),
                Some(b"k"),
                Some(b"v"),
                Some(headers.clone()),
                handle,
            );
            assert_eq!(sent.unwrap(), crate::Sent::Queued);
        }
        assert!(
            producer.in_flight() >= 100,
            "and what librdkafka has to say of the broker that is not there"
        );
        drop(producer);
        assert_eq!(topic.name(), "t");
    }
}
