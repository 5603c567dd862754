//! A publication that is younger than the changes the slot is at.

use pgcdc_testbed::PostgresOptions;

use super::{stop, streaming};
use crate::harness::{Connector, Database, LONG, Reader, kafka, own_postgres};

/// A slot, a row, and a publication made after both.
fn younger(database: &Database) -> Connector {
    let (slot, publication) = (database.slot(), database.publication());
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    database.sql("INSERT INTO t VALUES (1)");
    database.sql(&format!("CREATE PUBLICATION {publication} FOR TABLE t"));
    database.connector().set("snapshot.mode", "no_data").set("publication.autocreate.mode", "disabled")
}

fn ids(database: &Database, last: i64) -> Vec<i64> {
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let id = |record: &crate::harness::Record| record.json()["after"]["id"].as_i64().unwrap_or(-1);
    reader
        .read_until(LONG, |records| records.iter().any(|record| id(record) == last))
        .iter()
        .map(id)
        .collect()
}

#[test]
fn up_to_postgresql_17_the_connector_stops_with_both_ways_out() {
    let database = Database::create("younger");
    let connector = younger(&database);
    let mut process = connector.start();
    let status = process.wait_timeout(LONG);
    let said = process.stderr();
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    let (slot, publication) = (database.slot(), database.publication());
    for part in ["younger", "snapshot.mode=when_needed", "trust_slot", &slot, &publication] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    // The way without a snapshot, as it was said.
    database.sql(&format!("SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn())"));
    let process = streaming(&connector.set("offset.mismatch.strategy", "trust_slot"));
    database.sql("INSERT INTO t VALUES (2)");
    assert_eq!(ids(&database, 2), [2]);
    stop(process);
}

#[test]
fn from_postgresql_18_on_the_connector_says_that_changes_are_skipped() {
    let (server, _dir) = own_postgres(PostgresOptions::version(18));
    let database = Database::create_on(&server, "younger");
    let process = streaming(&younger(&database));
    database.sql("INSERT INTO t VALUES (2)");
    assert_eq!(ids(&database, 2), [2]);
    let said = process.stderr();
    for part in ["the server skips changes", "younger", "snapshot.mode=when_needed", "trust_slot"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    stop(process);
}
