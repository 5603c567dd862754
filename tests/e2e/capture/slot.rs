//! Slots and publications: those that are there are used, those that are missing are made as configured.

use super::{ops, run_until_idle, stop, streaming, wait_streaming};
use crate::harness::{Database, LONG, eventually};

#[test]
fn an_existing_slot_and_publication_are_used() {
    let database = Database::create("existing");
    let (slot, publication) = (database.slot(), database.publication());
    database.sql(&format!(
        "CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY);
         CREATE PUBLICATION {publication} FOR TABLE a;
         SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput');
         INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)"
    ));
    // What the slot has kept since it was made arrives, and only of tables in the publication.
    let connector = database.connector().set("snapshot.mode", "no_data");
    let connector = connector.set("publication.autocreate.mode", "disabled");
    let (values, _) = run_until_idle(&connector);
    assert_eq!(ops(&values), "c1");
    assert_eq!(values[0]["source"]["table"], "a");
}

#[test]
fn publications_are_made_as_configured() {
    let check = |mode: &str, expect: &str| {
        let database = Database::create("autocreate");
        database.sql("CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY)");
        let connector = database.connector().set("publication.autocreate.mode", mode);
        run_until_idle(&connector.set("table.include.list", "public.a"));
        let found = database.sql(&format!(
            "SELECT puballtables, (SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_publication_tables
                                   WHERE pubname = p.pubname) FROM pg_publication p WHERE pubname = '{}'",
            database.publication()
        ));
        assert_eq!(found, expect, "{mode}");
    };
    check("all_tables", "t|a,b");
    check("filtered", "f|a");
    check("no_tables", "f|");
}

#[test]
fn a_missing_publication_is_an_error_when_none_may_be_made() {
    let database = Database::create("disabled");
    database.sql("CREATE TABLE a(id int PRIMARY KEY)");
    let connector = database.connector().set("publication.autocreate.mode", "disabled");
    let mut process = connector.start_with(&["--stdout"]);
    let status = process.wait_timeout(LONG).expect("it ends by itself");
    let said = process.stderr();
    assert!(!status.success(), "{said}");
    let publication = database.publication();
    assert!(said.contains(&publication) && said.contains("publication.autocreate.mode"), "{said}");
    assert!(said.contains("CREATE PUBLICATION"), "{said}");
}

/// A filtered publication follows the list when the connector starts with another one.
#[test]
fn a_filtered_publication_follows_the_list() {
    let database = Database::create("filtered");
    database.sql("CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY)");
    let connector = database.connector().set("publication.autocreate.mode", "filtered");
    run_until_idle(&connector.clone().set("table.include.list", "public.a"));
    database.sql("INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)");
    run_until_idle(&connector.clone().set("table.include.list", "public.[ab]"));
    database.sql("INSERT INTO b VALUES (3)");
    let (values, _) = run_until_idle(&connector.set("table.include.list", "public.[ab]"));
    assert_eq!(ops(&values), "c3");
}

#[test]
fn the_slot_stays_or_goes_as_configured() {
    for (drop, left) in [("true", "0"), ("false", "1")] {
        let database = Database::create("dropslot");
        database.sql("CREATE TABLE t(id int PRIMARY KEY)");
        stop(streaming(&database.connector().set("slot.drop.on.stop", drop)));
        let count =
            format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{}'", database.slot());
        assert_eq!(database.sql(&count), left, "slot.drop.on.stop={drop}");
    }
}

/// Two connectors on one slot: the second waits for the first to go, and then takes over.
#[test]
fn a_slot_in_use_is_waited_for() {
    let database = Database::create("inuse");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let first = streaming(&database.connector());
    let mut second = database.connector().set("snapshot.mode", "no_data").start();
    second.wait_for_stderr("is in use by process", LONG).expect("it says so");
    stop(first);
    wait_streaming(&mut second);
    eventually(LONG, "the second streams", || database.is_streaming());
    stop(second);
}
