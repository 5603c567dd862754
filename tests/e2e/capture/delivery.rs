//! Records in topics: keys, headers, partitions, topic creation, heartbeats.

use std::collections::HashSet;
use std::time::Duration;

use super::{stop, streaming};
use crate::harness::{Database, LONG, Reader, eventually, kafka};

/// Kafka's `Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ u32::try_from(data.len()).expect("a short key");
    let chunks = data.chunks_exact(4);
    let rest = chunks.remainder();
    for chunk in chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    for (at, byte) in rest.iter().enumerate() {
        h ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

/// Values of Kafka's own `UtilsTest.testMurmur2`.
#[test]
fn murmur2_is_javas() {
    let check =
        |text: &str, expect: i32| assert_eq!(murmur2(text.as_bytes()).cast_signed(), expect, "{text}");
    check("21", -973_932_308);
    check("foobar", -790_332_482);
    check("a-little-bit-long-string", -985_981_536);
    check("a-little-bit-longer-string", -1_486_304_829);
    check("abc", 479_470_107);
}

#[test]
fn records_lie_where_javas_producer_puts_them() {
    let database = Database::create("delivery");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text)");
    let connector = database
        .connector()
        .set("topic.creation.default.partitions", "4")
        .set("topic.creation.default.replication.factor", "1");
    let process = streaming(&connector);
    database.sql(
        "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i;
         UPDATE t SET v = 'new' WHERE id = 7;
         DELETE FROM t WHERE id = 7",
    );
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let records = reader.read(103, LONG);
    let mut used = HashSet::new();
    for record in records {
        let key = record.key.as_deref().expect("a table with a primary key has keyed records");
        let expect = (murmur2(key.as_bytes()) & 0x7fff_ffff) % 4;
        assert_eq!(record.partition.cast_unsigned(), expect, "{key}");
        used.insert(record.partition);
        let headers: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        let context = ["connectorLogicalName", "taskId", "connectorName"];
        for name in context.map(|name| format!("__debezium.context.{name}")) {
            assert!(headers.contains(&name.as_str()), "{name} in {headers:?}");
        }
    }
    assert_eq!(used.len(), 4, "the topic has the partitions it was asked to have");
    assert_eq!(kafka().end_offset(&database.topic("t"), 4).expect("the broker answers"), None);
    let seven: Vec<_> =
        records.iter().filter(|record| record.key.as_deref() == Some(r#"{"id":7}"#)).collect();
    let ops: Vec<String> = seven.iter().map(|record| record.op()).collect();
    assert_eq!(ops, ["c", "u", "d", ""], "in order, and a tombstone last");
    assert_eq!(seven[3].value, None);
    assert_eq!(seven[1].json()["after"]["v"], "new");
    stop(process);
}

#[test]
fn heartbeats_come_and_their_query_is_run() {
    let database = Database::create("heartbeat");
    database.sql("CREATE TABLE hb(id int PRIMARY KEY, n int); INSERT INTO hb VALUES (1, 0)");
    let connector = database
        .connector()
        .set("heartbeat.interval.ms", "200")
        .set("heartbeat.action.query", "UPDATE hb SET n = n + 1 WHERE id = 1");
    let process = streaming(&connector);
    let heartbeats = format!("__debezium-heartbeat.{}", database.name);
    let mut reader = Reader::new(kafka(), &[&heartbeats]);
    let records = reader.read(3, LONG);
    assert!(records[2].json()["ts_ms"].as_i64() > records[0].json()["ts_ms"].as_i64(), "{records:?}");
    assert_eq!(records[0].key.as_deref(), Some(format!(r#"{{"serverName":"{}"}}"#, database.name).as_str()));
    eventually(LONG, "the query ran three times", || database.sql("SELECT n >= 3 FROM hb") == "t");
    let mut reader = Reader::new(kafka(), &[&database.topic("hb")]);
    let captured = reader.read_until(Duration::from_secs(30), |records| {
        records.iter().filter(|record| record.op() == "u").count() >= 3
    });
    assert_eq!(captured[0].op(), "r");
    stop(process);
}
