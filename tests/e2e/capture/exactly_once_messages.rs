//! Exactly once with logical messages that belong to no transaction, between and inside of transactions. What is to
//! arrive is read from a second slot of the same server.

use std::time::Duration;

use serde_json::Value;

use super::{exactly_once::connector, stop, streaming};
use crate::harness::{Database, LONG, Reader, eventually, kafka};

/// How often the process is killed while it works.
const KILLS: u32 = 6;

/// Reads from the second slot: rows of `t` by their id, and messages in base64, in the server's order.
const EXPECTED: &str =
    "SELECT CASE get_byte(data, 0) WHEN 73 THEN 'row ' || convert_from(substring(data FROM 14), 'UTF8')
            WHEN 77 THEN 'message ' || encode(substring(data FROM 18), 'base64') END
     FROM pg_logical_slot_get_binary_changes('{slot}', NULL, NULL, 'proto_version', '1',
                                             'publication_names', '{publication}', 'messages', 'true')
     WHERE get_byte(data, 0) = 73 OR (get_byte(data, 0) = 77 AND substring(data FROM 11 FOR 2) = 'hb')";

/// The case as it was reported: the commit record comes right behind a message.
#[test]
fn a_transaction_that_ends_with_a_message_arrives() {
    let database = Database::create("once_heartbeat");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY)");
    let connector = connector(&database);
    let process = streaming(&connector);
    let insert = |from: i64| {
        for id in from..from + 10 {
            database.sql(&format!(
                "BEGIN; INSERT INTO t VALUES ({id}); SELECT pg_logical_emit_message(false, 'hb', 'x'); COMMIT;"
            ));
        }
    };
    insert(1);
    let position = database.position();
    eventually(LONG, "the slot confirms the ten transactions", || database.has_confirmed(&position));
    stop(process);
    insert(11);
    let process = streaming(&connector);
    let position = database.position();
    eventually(LONG, "the slot confirms the twenty transactions", || database.has_confirmed(&position));
    database.sql("INSERT INTO t VALUES (21)");
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let ids: Vec<i64> = records_until(&mut reader, |value| value["after"]["id"] == 21)
        .iter()
        .filter_map(|value| value["after"]["id"].as_i64())
        .collect();
    assert_eq!(ids, (1..=21).collect::<Vec<_>>());
    stop(process);
}

/// Four writers with messages in every place, rollbacks, empty transactions and other tables; the process is killed again
/// and again.
#[test]
fn messages_and_transactions_of_many_writers_arrive_once_whatever_is_killed() {
    let database = Database::create("once_messages");
    database.sql(
        "CREATE TABLE t(id bigint PRIMARY KEY); CREATE TABLE excluded(id bigint); CREATE TABLE emptied(id int);
         CREATE PROCEDURE load(writer int, count int) LANGUAGE plpgsql AS $$
         DECLARE n bigint; id bigint;
         BEGIN
           FOR n IN 1..count LOOP
             id := writer * 1000000 + n * 10;
             IF n % 7 <> 1 THEN INSERT INTO t VALUES (id); END IF;
             IF n % 5 = 2 THEN PERFORM pg_logical_emit_message(false, 'hb', 'first ' || id); END IF;
             IF n % 3 = 0 THEN INSERT INTO t VALUES (id + 1), (id + 2); END IF;
             IF n % 11 = 3 THEN INSERT INTO excluded VALUES (id); END IF;
             IF n % 50 = 4 THEN TRUNCATE emptied; END IF;
             IF n % 13 = 5 THEN PERFORM pg_logical_emit_message(true, 'hb', 'inside ' || id); END IF;
             IF n % 4 <> 0 THEN PERFORM pg_logical_emit_message(false, 'hb', 'last ' || id); END IF;
             IF n % 17 = 6 THEN ROLLBACK; ELSE COMMIT; END IF;
             IF n % 6 = 0 THEN
               PERFORM pg_logical_emit_message(false, 'hb', 'between ' || id);
               PERFORM pg_logical_emit_message(false, 'hb', 'again ' || id);
               PERFORM pg_logical_emit_message(false, 'no', 'not captured');
             END IF;
             PERFORM pg_sleep(0.002);
           END LOOP;
         END $$",
    );
    let connector = connector(&database)
        .set("table.include.list", "public.t,public.emptied")
        .set("publication.autocreate.mode", "filtered")
        .set("message.prefix.exclude.list", "no")
        .set("heartbeat.interval.ms", "20");
    let mut process = streaming(&connector);
    let oracle = format!("{}_oracle", database.name);
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{oracle}', 'pgoutput')"));
    std::thread::scope(|scope| {
        for writer in 1..=4 {
            let database = &database;
            scope.spawn(move || database.sql(&format!("CALL load({writer}, 1500)")));
        }
        for kill in 0..KILLS {
            std::thread::sleep(Duration::from_millis(600 + u64::from(kill * 5 % 7) * 250));
            process.kill9().expect("killed");
            process = connector.start();
        }
    });
    database.sql("INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(false, 'hb', 'end')");
    let position = database.position();
    eventually(LONG, "everything is confirmed", || database.has_confirmed(&position));
    let expected = EXPECTED.replace("{slot}", &oracle).replace("{publication}", &database.publication());
    let expected = database.sql(&expected);
    let of = |kind: &str| -> Vec<String> {
        expected.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect()
    };
    let (rows, messages) = (of("row "), of("message "));
    assert!(rows.len() > 5000 && messages.len() > 4000, "{} rows, {} messages", rows.len(), messages.len());

    let read =
        |topic: &str, last: fn(&Value) -> bool| records_until(&mut Reader::new(kafka(), &[topic]), last);
    let found: Vec<String> = read(&database.topic("t"), |value| value["after"]["id"] == 1)
        .iter()
        .map(|value| value["after"]["id"].as_i64().expect("a row with an id").to_string())
        .collect();
    assert_same(&found, &rows);
    let found: Vec<String> =
        read(&format!("{}.message", database.name), |value| value["message"]["content"] == "ZW5k")
            .iter()
            .map(|value| value["message"]["content"].as_str().expect("a message").to_owned())
            .collect();
    assert_same(&found, &messages);
    stop(process);
}

/// Reads until the last record is there; the values of all.
#[track_caller]
fn records_until(reader: &mut Reader, last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut seen = 0;
    let records = reader.read_until(LONG, |records| {
        let found = records[seen..].iter().any(|record| last(&record.json()));
        seen = records.len();
        found
    });
    records.iter().map(crate::harness::Record::json).collect()
}

/// The same strings in the same order, each as often; says where they part.
#[track_caller]
fn assert_same(found: &[String], expected: &[String]) {
    let part = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let at = part.unwrap_or_else(|| found.len().min(expected.len()));
    assert!(
        found == expected,
        "{} found, {} expected; they part at {at}: {:?} and {:?}",
        found.len(),
        expected.len(),
        found.get(at),
        expected.get(at)
    );
}
