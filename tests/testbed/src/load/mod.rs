//! A load for tests that break things: transactions of random changes to `engagement_events`, a history of the committed
//! changes, and the comparison of a topic with that history.
//!
//! The program that runs the load says how statements reach the server, and reads the topic. `sql/engagement/schema.sql`
//! has the tables.

mod history;
mod order;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub use history::{Event, History, Told, check};
pub use order::without_repeats;

/// Pause between two groups of transactions: some 250 changes a second in all.
const PAUSE: Duration = Duration::from_millis(80);
/// Pieces of content, the leaderboard's members.
const CONTENT: u64 = 20;

/// A small random generator whose numbers depend on nothing but the seed (xorshift64*).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; the same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Another generator, for another thread.
    pub fn fork(&mut self) -> Self {
        Self::new(self.next())
    }
}

/// The running load.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    transactions: Arc<AtomicU64>,
    thread: JoinHandle<History>,
}

impl Load {
    /// Writes content and `rows` events, then starts. `execute` runs statements in one session and returns when they are
    /// committed; it panics when one fails.
    pub fn start(rows: u32, random: Random, mut execute: impl FnMut(&str) + Send + 'static) -> Self {
        execute(&format!(
            "INSERT INTO content SELECT md5('c' || n)::uuid, 'c' || n, 'Piece ' || n, 'video', n, now() FROM generate_series(0, {}) AS n;
             INSERT INTO engagement_events SELECT n, md5('c' || n % {CONTENT})::uuid, md5('u' || n)::uuid, 'play',
               date_trunc('milliseconds', now()) - n % 1200 * interval '1 second', n % 1000, 'v0', '{{\"n\": 1}}' FROM generate_series(1, {rows}) AS n",
            CONTENT - 1
        ));
        let (stop, transactions) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut writer = Writer {
            random,
            live: (1..=i64::from(rows)).collect(),
            toasted: HashSet::new(),
            next_id: i64::from(rows) + 1,
            version: 0,
            transaction: 0,
            history: History::default(),
        };
        let (stopped, committed) = (Arc::clone(&stop), Arc::clone(&transactions));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let group: String = (0..5).map(|_| writer.transaction()).collect();
                execute(&group);
                committed.store(writer.transaction, Ordering::SeqCst);
                std::thread::sleep(PAUSE);
            }
            writer.history
        });
        Self { stop, transactions, thread }
    }

    /// How many transactions are committed, at most: those that are under way count.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::SeqCst) + 5
    }

    /// Ends the load. All changes of the history are committed then.
    ///
    /// # Panics
    /// When a statement failed.
    pub fn stop(self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every transaction was committed")
    }
}

struct Writer {
    random: Random,
    live: Vec<i64>,
    /// Rows with a value out of line. A changed key would lose it: Postgres does not log it again.
    toasted: HashSet<i64>,
    next_id: i64,
    version: u64,
    transaction: u64,
    history: History,
}

impl Writer {
    /// One transaction's SQL. Its changes are noted as if they were committed already.
    fn transaction(&mut self) -> String {
        self.transaction += 1;
        let changes = 1 + self.random.below(8);
        let statements: String = (0..changes).map(|_| self.change()).collect();
        format!("BEGIN;\n{statements}COMMIT;\n")
    }

    fn change(&mut self) -> String {
        self.version += 1;
        let version = format!("v{}", self.version);
        match self.random.below(100) {
            0..55 => {
                let id = self.fresh_id();
                let (content, age, score) =
                    (self.random.below(CONTENT), self.random.below(1_000_000), self.random.below(100_000));
                let payload = self.payload(id);
                self.live.push(id);
                self.note(id, Event::Put(version.clone()));
                format!(
                    "INSERT INTO engagement_events VALUES ({id}, md5('c{content}')::uuid, nullif(md5('u{age}')::uuid, md5('u0')::uuid), 'play',
                     date_trunc('milliseconds', clock_timestamp()) - {age} * interval '1 millisecond', {score}, '{version}', {payload});\n"
                )
            }
            55..80 => {
                let at = self.pick();
                let id = self.live[at];
                self.note(id, Event::Put(version.clone()));
                let what = match self.random.below(4) {
                    0 => format!(", duration_ms = {}", self.random.below(100_000)),
                    1 => format!(", content_id = md5('c{}')::uuid", self.random.below(CONTENT)),
                    2 => format!(
                        ", event_ts = date_trunc('milliseconds', clock_timestamp()) - {} * interval '1 millisecond'",
                        self.random.below(1_000_000)
                    ),
                    _ => format!(", raw_payload = {}", self.payload(id)),
                };
                format!("UPDATE engagement_events SET device = '{version}'{what} WHERE id = {id};\n")
            }
            80..90 => {
                let at = self.pick();
                let id = self.live.swap_remove(at);
                self.note(id, Event::Delete);
                format!("DELETE FROM engagement_events WHERE id = {id};\n")
            }
            _ => {
                let at = self.pick();
                let old = self.live[at];
                if self.toasted.contains(&old) {
                    return String::new();
                }
                let id = self.fresh_id();
                self.live[at] = id;
                self.note(old, Event::Delete);
                self.note(id, Event::Put(version.clone()));
                format!("UPDATE engagement_events SET id = {id}, device = '{version}' WHERE id = {old};\n")
            }
        }
    }

    /// A small value, null, or one that is stored out of line.
    fn payload(&mut self, id: i64) -> String {
        self.toasted.remove(&id);
        match self.random.below(20) {
            0 => {
                self.toasted.insert(id);
                // Digests do not compress below the limit for values in line.
                format!(
                    "(SELECT jsonb_object_agg(n, md5({id}::text || n)) FROM generate_series(1, 120) AS n)"
                )
            }
            1..4 => "NULL".to_owned(),
            n => format!("'{{\"n\": {n}, \"text\": \"naïve “quotes” \\\\ and \\\\u00e9\"}}'"),
        }
    }

    fn pick(&mut self) -> usize {
        let count = self.live.len() as u64;
        self.random.below(count) as usize
    }

    fn fresh_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn note(&mut self, id: i64, event: Event) {
        self.history.rows.entry(id).or_default().push((self.transaction, event));
    }
}
