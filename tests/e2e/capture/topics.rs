//! Topics that others change while the connector runs.

use std::collections::BTreeSet;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, types::RDKafkaErrorCode};

use super::{stop, streaming};
use crate::harness::{Database, LONG, Reader, kafka, kafka_options, own_kafka};
use pgcdc_testbed::Kafka;

/// Runs one request of an administrator.
fn administer<T>(broker: &Kafka, request: impl AsyncFnOnce(&AdminClient<DefaultClientContext>) -> T) -> T {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap()).create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(request(&admin))
}

/// Rows that were on their way come to the topic that is made again, and those after them too.
#[test]
fn a_topic_that_is_deleted_is_made_again() {
    // Only the connector makes topics here.
    let (broker, _dir) = own_kafka(kafka_options().setting("auto.create.topics.enable", "false"));
    let database = Database::create("deleted_topic");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mut process = streaming(&database.connector().to(&broker));
    let topic = database.topic("t");
    Reader::new(&broker, &[&topic]).read(1, LONG);
    let deleted =
        administer(&broker, async |admin| admin.delete_topics(&[&topic], &AdminOptions::new()).await);
    assert_eq!(deleted.expect("the broker answers"), [Ok::<_, (String, RDKafkaErrorCode)>(topic.clone())]);
    database.sql("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)");
    process.wait_for_stderr("was it deleted?", LONG).expect("it is told");
    database.sql("INSERT INTO t VALUES (4)");
    let mut reader = Reader::new(&broker, &[&topic]);
    let ids = |record: &crate::harness::Record| record.json()["after"]["id"].as_i64();
    reader.read_until(LONG, |records| {
        let found: BTreeSet<i64> = records.iter().filter_map(ids).collect();
        found.is_superset(&BTreeSet::from([2, 3, 4]))
    });
    stop(process);
}

/// A topic that somebody deletes and makes anew between two records is another topic: its id says so. Records go on into it, and a
/// warning says that those before are gone.
#[test]
fn a_topic_that_somebody_makes_anew_is_noticed() {
    for exactly_once in [false, true] {
        let database = Database::create("topic_anew");
        database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        // Without records there is no reason to ask the brokers but the age of what they said.
        let mut connector = database.connector().set("producer.override.metadata.max.age.ms", "1000");
        if exactly_once {
            connector = connector.exactly_once();
        }
        let mut process = streaming(&connector);
        let topic = database.topic("t");
        Reader::new(kafka(), &[&topic]).read(1, LONG);
        let spec = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        administer(kafka(), async |admin| {
            let options = AdminOptions::new();
            admin.delete_topics(&[&topic], &options).await.expect("the broker answers");
            // The old one is there for a moment yet.
            while admin.create_topics([&spec], &options).await.expect("the broker answers")[0].is_err() {}
        });
        process.wait_for_stderr("a topic was made anew under the same name", LONG).expect("it is told");
        database.sql("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)");
        Reader::new(kafka(), &[&topic]).read(2, LONG);
        let said = process.stderr();
        assert!(!said.contains("starts again"), "{said}");
        stop(process);
    }
}

/// A batch that is larger than the topic takes is made smaller, since each record fits.
#[test]
fn batches_are_as_large_as_the_topic_takes_them() {
    let database = Database::create("small_batches");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text)");
    let topic = database.topic("t");
    let spec = NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "20000");
    let made = administer(kafka(), async |admin| admin.create_topics([&spec], &AdminOptions::new()).await);
    made.expect("the broker answers").remove(0).expect("the topic can be made");
    // Text that does not become smaller by compression, in one transaction, so that batches grow.
    database.sql(
        "INSERT INTO t SELECT i, (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 50) WHERE i > 0)
         FROM generate_series(1, 1000) i",
    );
    let process = streaming(&database.connector());
    database.sql(
        "INSERT INTO t SELECT i, (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 50) WHERE i > 0)
         FROM generate_series(1001, 2000) i",
    );
    assert_eq!(Reader::new(kafka(), &[&topic]).read(2000, LONG).len(), 2000);
    let said = process.stderr();
    assert!(!said.contains("starts again"), "{said}");
    stop(process);
}
