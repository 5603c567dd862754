//! Registrations as they stand in the field: what Debezium in Connect starts, starts here.

use super::expect;
use crate::harness::{Database, LONG, Reader, kafka, pgcdc, stop, streaming};

fn with_two_tables(name: &str) -> Database {
    let database = Database::create(name);
    database.sql("CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)");
    database
}

/// Connect ignores a property that nobody knows. So does `stream`, with a warning; `--strict` and `check` refuse it.
#[test]
fn an_unknown_property_is_a_warning_and_a_mistake_when_asked() {
    let database = with_two_tables("unknownkey");
    let connector = database
        .connector()
        .set("snapshott.mode", "no_data")
        .set("producer.override.max.partition.fetch.bites", "1");
    let file = connector.write();
    let file = file.to_string_lossy();
    let servers = kafka().bootstrap();
    let to_kafka = ["--bootstrap-servers", &servers];
    let run = |args: &[&str]| pgcdc(&[args, &["--config", &file], &to_kafka].concat());
    let lines = [
        format!("{file}:1: snapshott.mode: unknown property (hint: did you mean snapshot.mode?)"),
        format!(
            "{file}:1: producer.override.max.partition.fetch.bites: unknown property of a Kafka producer (hint: "
        ),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for args in [&["stream", "--strict"][..], &["check"]] {
        let finished = run(args);
        expect(&finished, 2, &lines);
    }
    let made = format!("SELECT count(*) FROM pg_replication_slots WHERE database = '{}'", database.name);
    assert_eq!(database.sql(&made), "0", "what is refused touches nothing");
    let finished = run(&["stream", "--until-idle", "1"]);
    expect(&finished, 0, &lines);
    let topics = [database.topic("a"), database.topic("b")];
    let mut reader = Reader::new(kafka(), &[&topics[0], &topics[1]]);
    assert_eq!(reader.read_all().len(), 2, "{}", finished.text());
}

/// A registration of Debezium 1.2: the server's name is the prefix, and only the table in the white list is captured.
#[test]
fn a_registration_of_debezium_1_means_what_it_meant() {
    let database = with_two_tables("whitelist");
    let connector = database
        .connector()
        .unset("topic.prefix")
        .set("database.server.name", &database.name)
        .set("table.whitelist", "public.b")
        .set("plugin.name", "wal2json");
    let mut process = streaming(&connector);
    database.sql("INSERT INTO a VALUES (3); INSERT INTO b VALUES (4)");
    let mut reader = Reader::new(kafka(), &[&database.topic("b")]);
    assert_eq!(reader.read(2, LONG).len(), 2);
    assert_eq!(kafka().end_offset(&database.topic("a"), 0).expect("the broker answers"), None);
    let plugin = format!("SELECT plugin FROM pg_replication_slots WHERE slot_name = '{}'", database.slot());
    assert_eq!(database.sql(&plugin), "pgoutput");
    let status = process.sigterm_and_wait(LONG).expect("it stops");
    let said = process.stderr();
    assert!(status.success(), "{said}");
    for text in [
        "database.server.name: this is what topic.prefix was called up to Debezium 1.9",
        "table.whitelist: this is what table.include.list was called",
        "plugin.name: wal2json is not read; pgcdc always reads pgoutput",
    ] {
        assert!(said.contains(text), "{text:?} is not in:\n{said}");
    }
}

/// Another plug-in's slot cannot be read: it is named, with both ways out.
#[test]
fn a_slot_of_another_plug_in_is_named() {
    let database = with_two_tables("otherplugin");
    let slot = database.slot();
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')"));
    let connector = database.connector().set("plugin.name", "decoderbufs").to(kafka());
    let file = connector.write();
    let file = file.to_string_lossy();
    let texts = [
        "test_decoding",
        "set slot.name to another name",
        &format!("SELECT pg_drop_replication_slot('{slot}');"),
    ];
    expect(&pgcdc(&["stream", "--config", &file, "--until-idle", "1"]), 2, &texts);
    expect(&pgcdc(&["check", "--config", &file]), 1, &texts);
}

/// The broker is asked how many partitions the topics have: the first group that matches, else the default.
#[test]
fn topics_are_made_as_their_group_says() {
    let database = with_two_tables("groups");
    database.sql("CREATE TABLE c(id int PRIMARY KEY); INSERT INTO c VALUES (5)");
    let connector = database
        .connector()
        .set("topic.creation.groups", "many, few")
        .set("topic.creation.default.partitions", "2")
        .set("topic.creation.default.replication.factor", "1")
        .set("topic.creation.many.include", r".*\.(a|b)")
        .set("topic.creation.many.exclude", r".*\.b")
        .set("topic.creation.many.partitions", "4")
        .set("topic.creation.few.include", r".*\.(a|b)")
        .set("topic.creation.few.partitions", "1")
        .set("topic.creation.few.cleanup.policy", "compact");
    let process = streaming(&connector);
    for (table, partitions) in [("a", 4), ("b", 1), ("c", 2)] {
        let topic = database.topic(table);
        let mut reader = Reader::new(kafka(), &[&topic]);
        reader.read(1, LONG);
        let there = |at: i32| kafka().end_offset(&topic, at).expect("the broker answers").is_some();
        assert!(there(partitions - 1) && !there(partitions), "{topic} has {partitions} partitions");
    }
    stop(process);
}
