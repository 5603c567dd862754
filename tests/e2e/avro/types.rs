//! Every built-in type, and every sort of record: what Avro says is what JSON says.

use pgcdc_testbed::Process;
use serde_json::Value;

use super::{avro, decode, registry, stop, streaming};
use crate::harness::{Connector, Database, LONG, Reader, Record, kafka};

pub(crate) const TABLES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy "x"');
CREATE DOMAIN price AS numeric(8,3);
CREATE TABLE every(
  id bigint PRIMARY KEY, b bool, i2 int2 DEFAULT 7, i4 int4, i8 int8, o oid, f4 float4, f8 float8 DEFAULT 1.5,
  n numeric(12,2), nv numeric, ni numeric(40,0), p price, m money, t text DEFAULT 'it''s ü', v varchar(20), c char(5), ch "char", nm name,
  by bytea, d date DEFAULT '2024-02-29', ti time, ti3 time(3), tz timetz, ts timestamp, ts3 timestamp(3), tsz timestamptz, iv interval,
  u uuid, j json, jb jsonb, x xml, ip inet, ci cidr, ma macaddr, ma8 macaddr8, b1 bit(1), b8 bit(8), bv varbit,
  pt point, li line, ls lseg, bo box, pa path, po polygon, cc circle,
  r4 int4range, r8 int8range, rn numrange, rt tsrange, rz tstzrange, rd daterange, tv tsvector, mo mood,
  ab bool[], ai int4[], al int8[], af float8[], at text[], an numeric(6,2)[], ad date[], au uuid[], aj jsonb[], aby bytea[], amo mood[], ats timestamp[], atz timestamptz[]);
CREATE TABLE filled(id int, s text NOT NULL, a text DEFAULT 'd', d numeric(5,2) NOT NULL DEFAULT 3.14, f float8 NOT NULL, ts timestamptz NOT NULL, pt point NOT NULL, PRIMARY KEY (s, id));
CREATE TABLE keyless(a int, b text); ALTER TABLE keyless REPLICA IDENTITY FULL;
ALTER TABLE every REPLICA IDENTITY FULL;
INSERT INTO every(id) VALUES (1);
"#;

pub(crate) const CHANGES: &str = r#"
INSERT INTO every VALUES (2, true, -32768, 2147483647, -9223372036854775808, 4294967295, 1.1, 2.5e-300,
  -1234567890.12, 0.000012300, 1234567890123456789012345678901234567890, 12.5, '$1,234.56', E'quote " \\ \n \u00fc\U0001F600', 'vc', 'ch', 'x', 'nm',
  '\x00ff80', '2024-02-29', '23:59:59.999999', '12:00:00.5', '12:30:00+02', '2024-02-29 12:00:00.123456', '1969-12-31 23:59:59.999', '2024-02-29 12:00:00.123456+02', '1 year 2 mons 3 days 04:05:06.789',
  '0123abcd-0123-4567-89ab-0123456789ab', '{"a": [1, null]}', '{"b": "\u00fc"}', '<a>b</a>', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'1', B'10101010', B'10110011100',
  '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1),(2,0))', '((0,0),(1,1),(2,0))', '<(1,2),3>',
  '[1,5)', '[1,5)', '[1.5,2.5]', '[2024-01-01,2024-01-02)', '[2024-01-01 00:00+00,2024-01-02 00:00+00)', '[2024-01-01,2024-01-02)', 'a fat cat', 'happy "x"',
  '{t,f,NULL}', '{1,NULL,-3}', '{9223372036854775807}', '{1.5,NaN}', '{a,NULL,"b \"c\"",""}', '{1.50,NULL}', '{2024-02-29}', '{0123abcd-0123-4567-89ab-0123456789ab}', '{"{\"a\": 1}"}', '{"\\x00ff"}', '{sad,ok}', '{"2024-02-29 12:00:00"}', '{"2024-02-29 12:00:00+00"}');
INSERT INTO every(id, f4, f8, d, ts, tsz, at) VALUES (3, 'NaN', '-Infinity', 'infinity', '-infinity', 'infinity', '{}');
INSERT INTO every(id, i2, f8, t, d) VALUES (4, NULL, NULL, NULL, NULL);
UPDATE every SET t = repeat('long ü ', 300), i4 = i4 - 1 WHERE id = 2;
INSERT INTO filled(id, s, f, ts, pt) VALUES (1, 'k', 0.1, '2024-01-01 00:00+00', '(0,-1)'), (2, 'k2', 1e22, '0044-03-15 00:00+00 BC', '(1e10,2)');
UPDATE filled SET id = 10 WHERE id = 1;
DELETE FROM filled WHERE id = 2;
INSERT INTO keyless VALUES (1, 'x'); UPDATE keyless SET b = NULL; DELETE FROM keyless;
BEGIN; SELECT pg_logical_emit_message(true, 'outbox', 'content ü'); INSERT INTO filled(id, s, f, ts, pt) VALUES (77, 'end', 0, now(), '(0,0)'); COMMIT;
"#;

/// Topics without the prefix, in a fixed order: a prefix for JSON, another for Avro.
const TOPICS: [&str; 4] = ["public.every", "public.filled", "public.keyless", "message"];

fn half(database: &Database, name: &str, options: &[(&str, &str)]) -> Connector {
    let prefix = format!("{}_{name}", database.name);
    let mut connector = database
        .connector()
        .set("name", &prefix)
        .set("topic.prefix", &prefix)
        .set("slot.name", &prefix.to_lowercase())
        .set("skipped.operations", "none");
    for (key, value) in options {
        connector = connector.set(key, value);
    }
    connector
}

fn read(prefix: &str, transactions: bool, last: impl Fn(&Record) -> bool) -> Vec<Record> {
    let mut topics: Vec<String> = TOPICS.iter().map(|topic| format!("{prefix}.{topic}")).collect();
    topics.extend(transactions.then(|| format!("{prefix}.transaction")));
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut reader = Reader::new(kafka(), &names);
    reader.read_until(LONG, |records| {
        let has = |topic: &str| records.iter().any(|record| record.topic == *topic);
        records.iter().any(&last) && topics.iter().all(|topic| has(topic))
    });
    let mut records = reader.read_all().to_vec();
    records.sort_by_key(|record| (topics.iter().position(|topic| *topic == record.topic), record.offset));
    records
}

/// Without what differs between two connectors of one database.
fn bare(mut value: Value, prefix: &str) -> Value {
    let mask = |part: &mut Value| {
        for name in ["ts_ms", "ts_us", "ts_ns", "lsn", "txId", "sequence", "name"] {
            if let Some(field) = part.get_mut(name) {
                assert!(!field.is_null() || name == "txId", "{name} is there");
                *field = Value::Null;
            }
        }
    };
    mask(&mut value);
    if let Some(source) = value.get_mut("source") {
        assert_eq!(source["name"], prefix);
        mask(source);
    }
    value
}

/// Runs both forms over the same rows and compares them record by record.
fn compare(name: &str, options: &[(&str, &str)]) {
    let database = Database::create(name);
    database.sql(TABLES);
    let (json, binary) =
        (half(&database, "json", options), avro(half(&database, "avro", options), &registry().url()));
    let running: Vec<Process> = [&json, &binary].map(streaming).into();
    database.sql(CHANGES);
    let (json, binary) = (format!("{}_json", database.name), format!("{}_avro", database.name));
    let transactions = options.iter().any(|(key, _)| *key == "provide.transaction.metadata");
    let expected = read(&json, transactions, |record| {
        record.value.as_deref().is_some_and(|value| value.contains("\"id\":77"))
    });
    let found = read(&binary, transactions, |record| {
        record.raw_value.as_deref().is_some_and(|value| value.windows(3).any(|w| w == b"end"))
    });
    assert_eq!(found.len(), expected.len(), "as many records");
    assert!(expected.len() > 15, "{} records", expected.len());
    let keys = decode(registry(), found.iter().map(|record| record.raw_key.as_deref()));
    let values = decode(registry(), found.iter().map(|record| record.raw_value.as_deref()));
    for (at, (expected, found)) in expected.iter().zip(&found).enumerate() {
        let parse = |text: &Option<String>| {
            text.as_deref().map_or(Value::Null, |text| serde_json::from_str(text).expect("JSON"))
        };
        assert_eq!(keys[at], parse(&expected.key), "key of record {at} of {}", expected.topic);
        let (value, json_value) = (bare(values[at].clone(), &binary), bare(parse(&expected.value), &json));
        for part in ["before", "after"] {
            let (Some(ours), Some(theirs)) = (value[part].as_object(), json_value[part].as_object()) else {
                continue;
            };
            for (column, expected) in theirs {
                assert_eq!(&ours[column], expected, "{part}.{column} of record {at} of {}", found.topic);
            }
        }
        assert_eq!(value, json_value, "record {at} of {}", found.topic);
        // Headers are text whatever the converters are.
        let headers = |record: &Record| -> Vec<_> {
            record.headers.iter().filter(|(name, _)| !name.contains("context")).cloned().collect()
        };
        assert_eq!(headers(found), headers(expected), "headers of record {at}");
    }
    running.into_iter().for_each(stop);
}

#[test]
fn is_what_json_is_by_default() {
    compare("avro_default", &[]);
}

#[test]
fn is_what_json_is_with_connects_times_and_text_decimals() {
    compare(
        "avro_connect",
        &[
            ("time.precision.mode", "connect"),
            ("decimal.handling.mode", "string"),
            ("binary.handling.mode", "hex"),
            ("interval.handling.mode", "string"),
        ],
    );
}

#[test]
fn is_what_json_is_with_iso_times_and_doubles() {
    compare(
        "avro_iso",
        &[
            ("time.precision.mode", "isostring"),
            ("decimal.handling.mode", "double"),
            ("include.unknown.datatypes", "true"),
            ("provide.transaction.metadata", "true"),
        ],
    );
}

#[test]
fn is_what_json_is_flattened_and_transformed() {
    // The first is done by the encoder, the second by the chain.
    let unwrap = [("transforms", "u"), ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState")];
    let chain = [
        ("transforms", "u,h"),
        ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState"),
        ("transforms.h.type", "org.apache.kafka.connect.transforms.HoistField$Value"),
        ("transforms.h.field", "row"),
    ];
    for options in [&unwrap[..], &chain] {
        let database = Database::create("avro_flat");
        database.sql("CREATE TABLE t(id int PRIMARY KEY, n numeric(6,2), p point, t text DEFAULT 'x'); INSERT INTO t VALUES (1, 2.5, '(1,2)')");
        let connectors =
            [half(&database, "json", options), avro(half(&database, "avro", options), &registry().url())];
        let running = [streaming(&connectors[0]), streaming(&connectors[1])];
        database.sql("UPDATE t SET n = NULL, t = NULL; INSERT INTO t VALUES (2); DELETE FROM t WHERE id = 1; UPDATE t SET id = 3");
        let [mut json, mut binary] = ["json", "avro"]
            .map(|name| Reader::new(kafka(), &[&format!("{}_{name}.public.t", database.name)]));
        let expected = json.read(6, LONG).to_vec();
        let found = binary.read(expected.len(), LONG).to_vec();
        let keys = decode(registry(), found.iter().map(|record| record.raw_key.as_deref()));
        let values = decode(registry(), found.iter().map(|record| record.raw_value.as_deref()));
        for (at, expected) in expected.iter().enumerate() {
            assert_eq!(values[at], expected.json(), "record {at}");
            let key: Value = serde_json::from_str(expected.key.as_deref().expect("a key")).expect("JSON");
            assert_eq!(keys[at], key, "record {at}");
        }
        running.into_iter().for_each(stop);
    }
}
