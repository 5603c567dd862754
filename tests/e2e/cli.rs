//! The command line: exit codes and what it says.

mod check;
mod check_publication;
mod connector;
mod format;
mod listen;
mod mistakes;
mod registrations;
mod secrets;
mod slot;

use std::sync::LazyLock;

use pgcdc_testbed::Postgres;

use crate::harness::{Finished, own_postgres, postgres_options};

/// A server where user `pw` needs the password `right`, and slots may keep a megabyte of WAL.
static STRICT: LazyLock<Postgres> = LazyLock::new(|| {
    let options = postgres_options().setting("max_slot_wal_keep_size", "1MB");
    let (server, _) = own_postgres(options);
    let setup = "
        CREATE ROLE pw LOGIN SUPERUSER REPLICATION PASSWORD 'right';
        SELECT format('COPY (SELECT unnest(ARRAY[%L, %L])) TO %L',
                      'host all pw 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust', current_setting('hba_file'))
        \\gexec
        SELECT pg_reload_conf()";
    server.sql("postgres", setup).expect("the server can be set up");
    server
});

/// Expects an exit code, and each of `texts` in what was said.
#[track_caller]
fn expect(finished: &Finished, code: i32, texts: &[&str]) {
    let said = finished.text();
    assert_eq!(finished.code, code, "{said}");
    for text in texts {
        assert!(said.contains(text), "{text:?} is not in:\n{said}");
    }
}
