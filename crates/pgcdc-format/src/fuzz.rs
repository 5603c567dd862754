//! Seeds that a real server wrote, changed at random and put into every parser. A parser may answer with an error or a value; it
//! must never panic, and never take memory out of proportion.
//!
//! The corpus is in `fuzz/`: messages of pgoutput and columns' texts, in hexadecimal digits, one on each line. Each target
//! runs for as many seconds as `PGCDC_FUZZ_SECONDS` says, by default one; `cargo xtask fuzz` runs them for long. An input
//! that fails is printed in hexadecimal digits: it belongs into the corpus, as a line of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::copy::split_line;
use crate::decode::Decoder;
use crate::pgoutput::{Message, decode};

const MESSAGES: &str = include_str!("../fuzz/pgoutput.hex");
const TEXTS: &str = include_str!("../fuzz/texts.hex");
const RECORDS: &str = include_str!("decode/golden.jsonl");

/// A random source (xorshift64*). The seed is printed, so that a run can be repeated (`PGCDC_FUZZ_SEED`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// Makes one to four changes.
    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\"\\'{}()[],:;-+.eE0129 \t\nNntu";
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let length = self.below((bytes.len() - at).min(16) + 1);
            match self.below(8) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = BYTES[self.below(BYTES.len())],
                2 => bytes.insert(at, BYTES[self.below(BYTES.len())]),
                3 => drop(bytes.drain(at..at + length)),
                4 => bytes.extend_from_within(at..at + length),
                5 => bytes.truncate(at),
                // Lengths and counts are of two and four bytes.
                6 if bytes.len() >= at + 4 => {
                    let large = [0, 1, 0x7fff, 0xffff, 0x7fff_ffff, u32::MAX][self.below(6)];
                    bytes[at..at + 4].copy_from_slice(&large.to_be_bytes());
                }
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
            }
        }
        bytes.truncate(1 << 16);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs `check` on each seed as it is, and then on changed seeds until the time is over.
fn fuzz(target: &str, seeds: &[Vec<u8>], mut check: impl FnMut(&[u8])) {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let seed = number("PGCDC_FUZZ_SEED").unwrap_or(u64::from(clock)) | 1;
    let end = Instant::now() + Duration::from_secs(number("PGCDC_FUZZ_SECONDS").unwrap_or(1));
    let mut random = Random(seed);
    let mut run = |bytes: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| check(bytes))).is_err() {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("{target}, PGCDC_FUZZ_SEED={seed}, fails with\n{hex}");
        }
    };
    let mut inputs = 0_u64;
    for bytes in seeds {
        run(bytes);
        inputs += 1;
    }
    while Instant::now() < end {
        for _ in 0..64 {
            let mut bytes = seeds[random.below(seeds.len())].clone();
            random.change(&mut bytes, seeds);
            run(&bytes);
            inputs += 1;
        }
    }
    #[expect(clippy::print_stdout, reason = "shown by `cargo xtask fuzz`")]
    let () = println!("{target}: {inputs} inputs, PGCDC_FUZZ_SEED={seed}");
}

fn seeds(hex: &str) -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hex");
    hex.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

#[test]
fn pgoutput() {
    fuzz("pgoutput", &seeds(MESSAGES), |bytes| match decode(bytes) {
        Ok(Message::Insert { new, .. }) => {
            let _ = new.values().count();
        }
        Ok(Message::Update { old, new, .. }) => {
            let _ = new.values().count() + old.map_or(0, |(_, old)| old.values().count());
        }
        Ok(Message::Delete { old, .. }) => {
            let _ = old.values().count();
        }
        Ok(Message::Relation(body)) => {
            let _ = body.columns().count();
        }
        _ => {}
    });
}

#[test]
fn column_texts() {
    fuzz("column texts", &seeds(TEXTS), crate::types::check_any_text);
}

#[test]
fn copy_lines() {
    let texts = seeds(TEXTS);
    let lines: Vec<Vec<u8>> = texts.chunks(5).map(|columns| columns.join(&b'\t')).collect();
    let mut columns = Vec::new();
    fuzz("COPY lines", &lines, |line| {
        let mut line = line.to_vec();
        split_line(&mut line, &mut columns);
        let within = |column: &(usize, usize)| column.0 <= column.1 && column.1 <= line.len();
        assert!(columns.iter().flatten().all(within), "{columns:?}");
    });
}

#[test]
fn records() {
    let lines: Vec<Vec<u8>> = RECORDS.lines().map(|line| line.as_bytes().to_vec()).collect();
    fuzz("records", &lines, |record| {
        let mut decoder = Decoder::default();
        let _ = decoder.decode(None, Some(record)).map(|change| drop(change.after));
        let _ = decoder.decode(Some(record), None);
    });
}
