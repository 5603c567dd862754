//! Random transactions from several sessions at once: every way in which a transaction, or a message, gets into the WAL or not.

use std::time::Duration;

use pgcdc_testbed::load::Random;
use tokio_postgres::{Client, NoTls};

use crate::harness::Database;

/// Sessions that write at the same time.
const WRITERS: u64 = 4;
/// Rows of a table that transactions fight over.
const KEYS: u64 = 40;

/// Tables with each kind of replica identity, a key that is checked at the commit, and one table that is not published.
pub(super) const SCHEMA: &str = "
    CREATE TABLE plain(id int PRIMARY KEY, v text, n int);
    CREATE TABLE whole(id int PRIMARY KEY, v text, n int);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE rival(id int PRIMARY KEY, v text, n int UNIQUE);
    CREATE TABLE later(id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text, n int);
    ALTER TABLE later REPLICA IDENTITY FULL;
    CREATE TABLE hidden(id int PRIMARY KEY, v text, n int);
    CREATE PUBLICATION everything FOR TABLE plain, whole, rival, later;";

/// The end of each topic.
pub(super) const LAST: &str = "
    INSERT INTO plain VALUES (-1, 'last', -1);
    INSERT INTO whole VALUES (-1, 'last', -1);
    INSERT INTO rival VALUES (-1, 'last', -1);
    INSERT INTO later VALUES (-1, 'last', -1);
    SELECT pg_logical_emit_message(true, 'seen', 'last');";

/// What became of the transactions.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    committed: u64,
    rolled_back: u64,
    /// Ended by the server: a deadlock, a key that is there twice.
    refused: u64,
    prepared: u64,
    messages: u64,
}

/// Runs `transactions` of them, shared by all sessions, and returns when all have ended.
pub(super) fn run(database: &Database, transactions: u64, mut random: Random) -> Counts {
    let threads: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (url, random) = (database.server.url(&database.name), random.fork());
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async move {
                    let mut writer = Writer::connect(&url, number, random).await;
                    for _ in 0..transactions / WRITERS {
                        writer.transaction().await;
                    }
                    writer.counts
                })
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a writer ran to its end")).fold(
        Counts::default(),
        |sum, counts| Counts {
            committed: sum.committed + counts.committed,
            rolled_back: sum.rolled_back + counts.rolled_back,
            refused: sum.refused + counts.refused,
            prepared: sum.prepared + counts.prepared,
            messages: sum.messages + counts.messages,
        },
    )
}

struct Writer {
    client: Client,
    number: u64,
    random: Random,
    version: u64,
    counts: Counts,
}

impl Writer {
    async fn connect(url: &str, number: u64, random: Random) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
        tokio::spawn(connection);
        client
            .batch_execute("SET deadlock_timeout = '50ms'; SET lock_timeout = '5s'")
            .await
            .expect("settings of a session");
        Self { client, number, random, version: 0, counts: Counts::default() }
    }

    /// One transaction of a random shape. What the server refuses is rolled back, as a program would do.
    async fn transaction(&mut self) {
        // Pauses of all lengths, 20 ms on average: both bursts and single transactions meet a kill.
        if self.random.below(5) == 0 {
            tokio::time::sleep(Duration::from_millis(self.random.below(200))).await;
        }
        for sql in self.shape() {
            match self.client.batch_execute(&sql).await {
                Ok(()) => {}
                Err(error) if error.as_db_error().is_some() => {
                    self.counts.refused += 1;
                    self.client.batch_execute("ROLLBACK").await.expect("a session goes on after an error");
                }
                Err(error) => panic!("the session ended: {error}"),
            }
        }
    }

    /// The strings to send. Several statements in one string are one transaction unless they say otherwise.
    fn shape(&mut self) -> Vec<String> {
        let body = self.body();
        let alone = self.message(false);
        let kind = self.random.below(100);
        self.count(kind);
        let one = match kind {
            // A message that is no part of the transaction, and the commit right behind it.
            0..14 => format!("BEGIN; {body} {alone} COMMIT;"),
            14..20 => {
                let transaction = format!("BEGIN; {alone} {body} {alone} COMMIT;");
                return vec![alone.clone(), alone.clone(), transaction, alone];
            }
            20..26 => format!("BEGIN; {alone} ROLLBACK;"),
            26..34 => format!("BEGIN; {body} ROLLBACK;"),
            34..48 => {
                let (undone, last) = (self.body(), self.body());
                format!("BEGIN; {body} SAVEPOINT s; {undone} {alone} ROLLBACK TO SAVEPOINT s; {last} COMMIT;")
            }
            48..52 => {
                let inner = self.body();
                format!(
                    "BEGIN; SAVEPOINT a; {body} SAVEPOINT b; {inner} RELEASE SAVEPOINT b; ROLLBACK TO SAVEPOINT a; {alone} COMMIT;"
                )
            }
            52..60 => {
                self.version += 1;
                let (name, between) = (format!("p{}_{}", self.number, self.version), self.body());
                let end = if self.random.below(4) == 0 { "ROLLBACK" } else { "COMMIT" };
                let id = self.number * 100_000_000 + self.version * 5_000 + 4_999;
                // Its row is nobody else's, so that others can go on while it is prepared.
                let prepare = format!(
                    "BEGIN; INSERT INTO plain VALUES ({id}, 'prepared', 1); PREPARE TRANSACTION '{name}';"
                );
                let between = format!("BEGIN; {between} {alone} COMMIT;");
                return vec![prepare, between, format!("{end} PREPARED '{name}'"), alone];
            }
            60..61 => {
                let rows = 200 + self.random.below(2_000);
                let first = self.number * 100_000_000 + self.version * 5_000;
                self.version += 1;
                format!(
                    "BEGIN; INSERT INTO plain SELECT {first} + g, 'bulk', g FROM generate_series(0, {rows}) g; {alone} COMMIT;"
                )
            }
            61..65 => {
                "BEGIN; INSERT INTO hidden SELECT coalesce(max(id), 0) + 1, 'x', 1 FROM hidden; COMMIT;"
                    .to_owned()
            }
            65..66 if self.random.below(4) == 0 => "BEGIN; TRUNCATE whole, later; COMMIT;".to_owned(),
            66..76 => {
                let inside = self.message(true);
                format!("BEGIN; {inside} {body} {inside} COMMIT;")
            }
            76..80 => {
                let inside = self.message(true);
                return vec![format!("BEGIN; {inside} COMMIT;"), alone];
            }
            _ => format!("BEGIN; {body} COMMIT;"),
        };
        vec![one]
    }

    fn count(&mut self, kind: u64) {
        match kind {
            20..34 => self.counts.rolled_back += 1,
            52..60 => self.counts.prepared += 1,
            _ => self.counts.committed += 1,
        }
    }

    /// A logical message; one of six has a prefix that the connectors leave out.
    fn message(&mut self, transactional: bool) -> String {
        self.counts.messages += 1;
        self.version += 1;
        let prefix = if self.random.below(6) == 0 { "unseen" } else { "seen" };
        format!(
            "SELECT pg_logical_emit_message({transactional}, '{prefix}', 'w{} {}');",
            self.number, self.version
        )
    }

    /// One to six changes.
    fn body(&mut self) -> String {
        (0..=self.random.below(6)).map(|_| self.change()).collect()
    }

    fn change(&mut self) -> String {
        self.version += 1;
        let value = format!("w{} {}", self.number, self.version);
        let (key, other) = (self.random.below(KEYS), self.random.below(KEYS));
        let table = ["plain", "whole", "rival", "later"][self.random.below(4) as usize];
        match self.random.below(10) {
            0..4 if table == "later" => format!(
                "INSERT INTO later SELECT {key}, '{value}', {other} WHERE NOT EXISTS (SELECT FROM later WHERE id = {key});"
            ),
            // A key that is there already ends the transaction.
            0 if self.random.below(4) == 0 => {
                format!("INSERT INTO {table} VALUES ({key}, '{value}', {other});")
            }
            0..4 => format!("INSERT INTO {table} VALUES ({key}, '{value}', {other}) ON CONFLICT DO NOTHING;"),
            4..7 => format!("UPDATE {table} SET v = '{value}' WHERE id = {key};"),
            7 if table == "later" => {
                // Two rows change their keys with each other; only the commit asks whether each is there once.
                format!(
                    "UPDATE later SET id = CASE id WHEN {key} THEN {other} ELSE {key} END, v = '{value}' WHERE id IN ({key}, {other});"
                )
            }
            7 => format!(
                "UPDATE {table} SET id = {other}, v = '{value}' WHERE id = {key} AND NOT EXISTS (SELECT FROM {table} WHERE id = {other});"
            ),
            _ => format!("DELETE FROM {table} WHERE id = {key};"),
        }
    }
}
