//! The least that librdkafka costs: a loop that produces records it holds in memory, and does nothing else.
//!
//! It runs as a process of its own (a hidden subcommand), so that its CPU time and memory can be read like those of the other
//! contenders. The records are a sample of a topic that pgcdc has written, again and again: same keys, values and headers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

/// The arguments of the process.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The broker
    #[arg(long)]
    bootstrap: String,
    /// The topic whose records to produce again
    #[arg(long)]
    from: String,
    /// The topic to produce them to
    #[arg(long)]
    to: String,
    /// How many records in all
    #[arg(long)]
    count: usize,
    /// How many different records
    #[arg(long, default_value_t = 100_000)]
    sample: usize,
}

/// The properties that pgcdc sets for librdkafka's producer: see `pgcdc-kafka`, `producer/librdkafka/client.rs` and
/// `producer/linger.rs`.
const PROPERTIES: [(&str, &str); 7] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("compression.type", "lz4"),
    ("partitioner", "murmur2_random"),
    ("linger.ms", "250"),
    ("queue.buffering.max.messages", "200000"),
    ("queue.buffering.max.kbytes", "16384"),
];

struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, _: usize) {
        if let Err((error, _)) = result {
            crate::printer::say(&format!("a record was not delivered: {error}"));
        }
    }
}

pub(super) fn run(options: &Options) -> Result<()> {
    let sample = read(options)?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.bootstrap);
    for (name, value) in PROPERTIES {
        config.set(name, value);
    }
    let producer: BaseProducer<Reports> = BaseProducer::from_config_and_context(&config, Reports)?;
    for (handle, record) in sample.iter().cycle().take(options.count).enumerate() {
        send(&producer, &options.to, record, handle)?;
        // As often as pgcdc's loop, which handles what a read from the socket brought and then polls.
        if handle % 128 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60)).context("the last records are not delivered")?;
    // The parent reads CPU time and memory while this process is there, and stops it.
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

fn send(producer: &BaseProducer<Reports>, topic: &str, record: &OwnedMessage, handle: usize) -> Result<()> {
    let mut waiting = BaseRecord {
        topic,
        partition: None,
        payload: record.payload(),
        key: record.key(),
        timestamp: None,
        headers: record.headers().cloned(),
        delivery_opaque: handle,
    };
    loop {
        match producer.send::<[u8], [u8]>(waiting) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                producer.poll(Duration::from_millis(1));
                waiting = refused;
            }
            Err((error, _)) => return Err(error).context("a record was refused"),
        }
    }
}

fn read(options: &Options) -> Result<Vec<OwnedMessage>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.bootstrap).set("group.id", "bench-bare");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(&options.from, 0, Offset::Beginning)?;
    consumer.assign(&from)?;
    let wanted = options.sample.min(options.count);
    let mut sample: Vec<OwnedMessage> = Vec::with_capacity(wanted);
    while sample.len() < wanted {
        match consumer.poll(Duration::from_secs(10)) {
            Some(Ok(message)) => {
                let headers: Option<OwnedHeaders> =
                    message.headers().map(rdkafka::message::BorrowedHeaders::detach);
                sample.push(OwnedMessage::new(
                    message.payload().map(<[u8]>::to_vec),
                    message.key().map(<[u8]>::to_vec),
                    String::new(),
                    rdkafka::Timestamp::NotAvailable,
                    0,
                    0,
                    headers,
                ));
            }
            Some(Err(error)) => return Err(error).with_context(|| format!("cannot read {}", options.from)),
            None if sample.is_empty() => bail!("there is nothing in {}", options.from),
            None => break,
        }
    }
    Ok(sample)
}
