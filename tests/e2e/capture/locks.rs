//! Who holds up the connector's start is named, with the way out.

use super::{run_until_idle, stop};
use crate::harness::{Database, LONG, Session, eventually, own_postgres, pgcdc, postgres_options};

/// A slot's creation waits for transactions that were open before: first an ordinary one, then a prepared one.
#[test]
fn transactions_that_hold_up_the_slot_are_named() {
    let (server, _dir) = own_postgres(postgres_options().setting("max_prepared_transactions", "5"));
    let database = Database::create_on(&server, "slot_waits");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text)");
    let mut holder = Session::open(&database);
    holder.run("BEGIN; INSERT INTO t VALUES (1, 'not for the log'); SELECT 1");
    database.sql("BEGIN; INSERT INTO t VALUES (2, 'secret'); PREPARE TRANSACTION 'left behind'");
    let connector = database.connector();
    let mut process = connector.start();
    process.wait_for_stderr(&format!("waits for process {}", holder.pid), LONG).expect("it is named");
    let said = process.stderr();
    assert!(said.contains("idle in transaction") && said.contains("transaction open since"), "{said}");
    assert!(said.contains(&format!("pg_terminate_backend({})", holder.pid)), "{said}");
    assert!(!said.contains("not for the log"), "a row's value is in the log: {said}");

    let config = connector.write();
    let check = pgcdc(&["check", "--config", &config.to_string_lossy()]).text();
    let own = database.sql("SELECT active_pid FROM pg_replication_slots");
    assert!(!check.contains(&format!("pg_terminate_backend({own})")), "check ends our own session: {check}");
    assert!(check.contains("is being made by process") && check.contains(&holder.pid), "{check}");

    drop(holder);
    process.wait_for_stderr("prepared transaction left behind", LONG).expect("it is named");
    assert!(process.stderr().contains("ROLLBACK PREPARED 'left behind'"), "{}", process.stderr());
    database.sql("ROLLBACK PREPARED 'left behind'");
    process.wait_for_stderr("streaming", LONG).expect("it goes on");
    let check = pgcdc(&["check", "--config", &config.to_string_lossy()]).text();
    assert!(check.contains("nothing, if that is this connector"), "{check}");
    stop(process);
}

/// `replica.identity.autoset.values` changes a table, which waits for everybody who reads it.
#[test]
fn a_lock_that_holds_up_a_replica_identity_is_named() {
    let database = Database::create("identity_waits");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let mut holder = Session::open(&database);
    holder.run("BEGIN; SELECT count(*) FROM t");
    let connector = database.connector().set("replica.identity.autoset.values", "public.t:FULL");
    let mut process = connector.start();
    process.wait_for_stderr(&format!("waits for process {}", holder.pid), LONG).expect("it is named");
    drop(holder);
    process.wait_for_stderr("streaming", LONG).expect("it goes on");
    assert_eq!(database.sql("SELECT relreplident FROM pg_class WHERE oid = 't'::regclass"), "f");
    stop(process);
}

/// A snapshot reads under locks of its tables; here of a slot that is there, so that nothing else is waited for.
#[test]
fn a_lock_that_holds_up_a_snapshot_is_named_and_with_a_limit_tried_again() {
    let database = Database::create("snapshot_waits");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let connector = database.connector().set("snapshot.mode", "no_data");
    run_until_idle(&connector);
    for (limited, text) in [(false, "waits for process"), (true, "55P03")] {
        // The session that reads the rows sleeps first: time to take the lock behind the snapshot's export. Before it,
        // the slot's creation would wait for the lock's transaction.
        let connector = connector.clone().set("snapshot.mode", "always");
        let connector = connector.set("database.initial.statements", "SELECT pg_sleep(3)");
        let connector = if limited {
            connector.set("snapshot.locking.mode", "shared").set("snapshot.lock.timeout.ms", "500")
        } else {
            connector
        };
        let mut holder = Session::open(&database);
        let mut process = connector.start();
        eventually(LONG, "the snapshot is exported", || {
            database.sql(
                "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pgcdc_snapshot_%'
                 AND database = current_database() AND confirmed_flush_lsn IS NOT NULL",
            ) == "1"
        });
        holder.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT 1");
        process.wait_for_stderr(text, LONG).expect("it is told");
        let said = process.stderr();
        assert!(said.contains("lock the snapshot's tables"), "{said}");
        drop(holder);
        process.wait_for_stderr("streaming", LONG).expect("it goes on");
        assert_eq!(process.stderr().contains("starts again"), limited, "{}", process.stderr());
        stop(process);
    }
}
