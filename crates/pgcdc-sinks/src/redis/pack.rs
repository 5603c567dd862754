//! The records of one call of the script, as one argument: an array of texts in MessagePack.

use std::io::Write as _;

use crate::order::Order;

/// What a row adds to the leaderboard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contribution<'r> {
    pub(super) time_us: i64,
    /// A number as Redis reads it.
    pub(super) score: std::borrow::Cow<'r, str>,
    pub(super) member: std::borrow::Cow<'r, str>,
}

/// The array while it is being written.
#[derive(Debug)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// How many texts there are: seven for each record.
    texts: u32,
    /// A text whose length is known only when it is there.
    scratch: Vec<u8>,
}

impl Packed {
    /// `array 32` and the place of its length.
    const HEAD: [u8; 5] = [0xdd, 0, 0, 0, 0];

    /// With room for so many records.
    pub(super) fn with_capacity(records: usize) -> Self {
        let mut bytes = Vec::with_capacity(Self::HEAD.len() + records * 160);
        bytes.extend_from_slice(&Self::HEAD);
        Self { bytes, texts: 0, scratch: Vec::new() }
    }

    /// Adds a record. `row` writes the name of the row among all that the leaderboard reads; a `contribution` that is not
    /// there means that the row contributes nothing (any more).
    pub(super) fn record(
        &mut self,
        offset: i64,
        row: impl FnOnce(&mut Vec<u8>),
        tombstone: bool,
        contribution: Option<&Contribution<'_>>,
        order: Option<&Order>,
    ) {
        self.scratch(|text| number(text, offset));
        self.scratch(row);
        match contribution {
            Some(contribution) => {
                self.text(b"u");
                self.scratch(|text| number(text, contribution.time_us));
                self.text(contribution.score.as_bytes());
                self.text(contribution.member.as_bytes());
            }
            // A tombstone removes only a row that was stored without an order.
            None => {
                [if tombstone { "t" } else { "d" }, "0", "0", ""].iter().for_each(|t| self.text(t.as_bytes()))
            }
        }
        match order {
            Some(order) => self.scratch(|text| order.digits(text)),
            None => self.text(b""),
        }
    }

    /// The argument.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes[1..Self::HEAD.len()].copy_from_slice(&self.texts.to_be_bytes());
        self.bytes
    }

    /// Adds a text that `write` makes.
    fn scratch(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        write(&mut scratch);
        self.text(&scratch);
        self.scratch = scratch;
    }

    /// Adds a text: `fixstr`, `str 8` or `str 32` of MessagePack, by its length.
    fn text(&mut self, text: &[u8]) {
        self.texts += 1;
        match (u8::try_from(text.len()), u32::try_from(text.len())) {
            (Ok(length @ 0..32), _) => self.bytes.push(0xa0 | length),
            (Ok(length), _) => self.bytes.extend_from_slice(&[0xd9, length]),
            (Err(_), length) => {
                self.bytes.push(0xdb);
                // A record of Kafka is shorter than 2 GiB.
                self.bytes.extend_from_slice(&length.unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
    }
}

fn number(text: &mut Vec<u8>, number: i64) {
    let _ = write!(text, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Kind;

    #[test]
    fn texts_of_any_length_and_the_number_of_them() {
        let mut packed = Packed::with_capacity(1);
        let long = "x".repeat(300);
        let contribution = Contribution { time_us: -5, score: "1.5".into(), member: long.as_str().into() };
        packed.record(
            7,
            |row| row.extend_from_slice(&[b'r'; 40]),
            false,
            Some(&contribution),
            Some(&Order { position: 9, change: 9, kind: Kind::Own, rank: 0 }),
        );
        packed.record(8, |_| {}, true, None, None);
        let mut expect = b"\xdd\0\0\0\x0e\xa17\xd9\x28".to_vec();
        expect.extend_from_slice(&[b'r'; 40]);
        expect.extend_from_slice(b"\xa1u\xa2-5\xa31.5\xdb\0\0\x01\x2c");
        expect.extend_from_slice(long.as_bytes());
        expect.extend_from_slice(b"\xb400000000000000000009");
        expect.extend_from_slice(b"\xa18\xa0\xa1t\xa10\xa10\xa0\xa0");
        assert_eq!(packed.finish(), expect);
    }
}
