//! The buffer that a session reads into, and the messages in it. No I/O: the caller reads into
//! [`Inbox::room`].

use std::ops::Range;

/// Bytes of the buffer, and so the most that one read asks of the socket.
const ROOM: usize = 256 * 1024;

/// The least room for a read, in bytes. With less, the buffer's content is first moved to its
/// front.
const WORTHWHILE: usize = 64 * 1024;

/// A message of more bytes than this is announced before it gets memory.
pub(in crate::postgres) const LARGE_MESSAGE: usize = 4 * 1024 * 1024;

/// Bytes of tag and length.
const HEAD: usize = 5;

/// Cuts the server's bytes into messages in the buffer that they were read into: no message is
/// copied or allocated. Source: PostgreSQL documentation, "Message Formats" (a tag byte, a
/// big-endian length that counts itself, the body).
#[derive(Debug)]
pub(in crate::postgres) struct Inbox {
    /// The memory, all of it initialised. It grows for a large message and shrinks when that is
    /// released.
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
    /// Where the bytes that were read end.
    end: usize,
    /// Whether the large message at the front may have its memory.
    admitted: bool,
}

/// The answer of [`Inbox::next`].
#[derive(Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Next {
    /// A whole message: its tag, and where its body lies.
    Message(u8, Range<usize>),
    /// More bytes have to be read first.
    Incomplete,
    /// A large message is next, and was not admitted yet.
    Large,
    /// A length that no message can have. The session cannot go on.
    Malformed(i32),
}

impl Inbox {
    /// An empty buffer.
    pub(in crate::postgres) fn new() -> Self {
        Self { buffer: vec![0; ROOM], start: 0, end: 0, admitted: false }
    }

    /// Takes the next message. Its bytes stay valid until [`room`](Self::room) is called.
    #[inline]
    pub(in crate::postgres) fn next(&mut self) -> Next {
        let Some(length) = self.length() else { return Next::Incomplete };
        let Some(total) = usize::try_from(length).ok().filter(|&length| length >= 4).map(|length| length + 1)
        else {
            return Next::Malformed(length);
        };
        if self.end - self.start < total {
            return if total > LARGE_MESSAGE && !self.admitted { Next::Large } else { Next::Incomplete };
        }
        let at = self.start;
        self.start += total;
        self.admitted = false;
        Next::Message(self.buffer[at], at + HEAD..at + total)
    }

    /// Gives the large message at the front its memory, at the next call of [`room`](Self::room).
    pub(in crate::postgres) fn admit(&mut self) {
        self.admitted = true;
    }

    /// The bytes of a message that was just taken.
    #[inline]
    pub(in crate::postgres) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Frees the memory of a large message, once it was taken.
    pub(in crate::postgres) fn release(&mut self) {
        if self.buffer.len() > LARGE_MESSAGE && self.end - self.start <= ROOM {
            let mut small = vec![0; ROOM];
            let rest = &self.buffer[self.start..self.end];
            small[..rest.len()].copy_from_slice(rest);
            self.end = rest.len();
            self.start = 0;
            self.buffer = small;
        }
    }

    /// The tag of the next message; `None` while no byte of it was read.
    pub(in crate::postgres) fn tag(&self) -> Option<u8> {
        self.buffer[self.start..self.end].first().copied()
    }

    /// The bytes of a message that was just taken, owned: a large message gives its memory away,
    /// any other is copied.
    pub(in crate::postgres) fn take(&mut self, range: Range<usize>) -> Vec<u8> {
        if range.len() <= LARGE_MESSAGE {
            return self.buffer[range].to_vec();
        }
        let rest = self.buffer[self.start..self.end].to_vec();
        let mut taken = std::mem::replace(&mut self.buffer, vec![0; ROOM.max(rest.len())]);
        self.buffer[..rest.len()].copy_from_slice(&rest);
        (self.start, self.end) = (0, rest.len());
        taken.truncate(range.end);
        taken.drain(..range.start);
        taken
    }

    /// Where to read more bytes into; never empty, unless a large message waits for
    /// [`admit`](Self::admit). Forgets the messages that were taken.
    pub(in crate::postgres) fn room(&mut self) -> &mut [u8] {
        let held = self.end - self.start;
        let wanted = match self.length().and_then(|length| usize::try_from(length).ok()) {
            Some(length) if self.admitted || length < LARGE_MESSAGE => length + 1,
            _ => 0,
        };
        if self.start > 0 && (held == 0 || self.start + wanted.max(held + WORTHWHILE) > self.buffer.len()) {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        if wanted > self.buffer.len() {
            self.buffer.reserve_exact(wanted - self.buffer.len());
            self.buffer.resize(wanted, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Notes that this many bytes were read into [`room`](Self::room).
    pub(in crate::postgres) fn filled(&mut self, bytes: usize) {
        self.end += bytes;
    }

    /// The length in the head of the next message; `None` while the head is not whole.
    #[inline]
    fn length(&self) -> Option<i32> {
        let head = self.buffer[self.start..self.end].get(1..HEAD)?;
        head.try_into().ok().map(i32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::postgres::wire::message;

    fn receive(inbox: &mut Inbox, bytes: &mut &[u8], most: usize) -> usize {
        let room = inbox.room();
        let count = room.len().min(bytes.len()).min(most);
        room[..count].copy_from_slice(&bytes[..count]);
        *bytes = &bytes[count..];
        inbox.filled(count);
        count
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// However the bytes arrive, the messages come out as they went in.
        #[test]
        fn messages_survive_any_cutting(
            bodies in proptest::collection::vec((any::<u8>(), 0_usize..700_000), 1..8),
            pieces in proptest::collection::vec(1_usize..400_000, 1..20),
        ) {
            let sent: Vec<(u8, Vec<u8>)> =
                bodies.iter().map(|&(tag, length)| (tag, vec![tag ^ 0x5a; length])).collect();
            let wire: Vec<u8> = sent.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
            let (mut inbox, mut rest, mut got) = (Inbox::new(), &wire[..], Vec::new());
            let mut pieces = pieces.iter().cycle();
            loop {
                match inbox.next() {
                    Next::Message(tag, range) => got.push((tag, inbox.bytes(range).to_vec())),
                    Next::Incomplete if rest.is_empty() => break,
                    Next::Incomplete => {
                        let piece = *pieces.next().unwrap();
                        prop_assert!(receive(&mut inbox, &mut rest, piece) > 0, "no room");
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert_eq!(got, sent);
        }
    }

    #[test]
    fn a_large_message_waits_to_be_admitted_and_its_memory_goes() {
        let body = vec![7; LARGE_MESSAGE + 1];
        let mut wire = message(b'd', &body);
        wire.extend(message(b'k', b"x"));
        let (mut inbox, mut rest) = (Inbox::new(), &wire[..]);
        while inbox.next() == Next::Incomplete {
            assert!(receive(&mut inbox, &mut rest, 1000) > 0);
        }
        assert_eq!(inbox.next(), Next::Large);
        assert!(inbox.buffer.len() <= ROOM);
        inbox.admit();
        let range = loop {
            match inbox.next() {
                Next::Message(b'd', range) => break range,
                Next::Incomplete => assert!(receive(&mut inbox, &mut rest, usize::MAX) > 0),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(inbox.bytes(range), body);
        inbox.release();
        assert_eq!(inbox.buffer.len(), ROOM);
        while !rest.is_empty() {
            receive(&mut inbox, &mut rest, usize::MAX);
        }
        assert!(matches!(inbox.next(), Next::Message(b'k', _)));
    }

    #[test]
    fn a_large_message_is_taken_with_its_memory_and_what_follows_stays() {
        let body: Vec<u8> = (0..=LARGE_MESSAGE).map(|at| at.to_le_bytes()[1]).collect();
        let mut wire = message(b'd', b"before");
        for _ in 0..2 {
            wire.extend(message(b'd', &body));
            wire.extend(message(b'd', b"between"));
        }
        let (mut inbox, mut rest, mut taken) = (Inbox::new(), &wire[..], Vec::new());
        loop {
            match inbox.next() {
                Next::Message(_, range) => {
                    let at = inbox.bytes(range.clone()).as_ptr();
                    let large = range.len() > LARGE_MESSAGE;
                    taken.push(inbox.take(range));
                    // Moved within its memory by the head of the message.
                    let here = taken.last().unwrap().as_ptr();
                    assert_eq!(at.wrapping_sub(HEAD) == here, large, "memory");
                    assert!(!large || inbox.buffer.len() == ROOM);
                }
                Next::Large => inbox.admit(),
                Next::Incomplete if rest.is_empty() => break,
                Next::Incomplete => assert!(receive(&mut inbox, &mut rest, 1_000_003) > 0),
                malformed @ Next::Malformed(_) => panic!("{malformed:?}"),
            }
        }
        assert!(taken == [&b"before"[..], &body, b"between", &body, b"between"]);
    }

    #[test]
    fn a_length_below_four_is_malformed() {
        let mut inbox = Inbox::new();
        receive(&mut inbox, &mut &[b'd', 0, 0, 0, 3][..], 9);
        assert_eq!(inbox.next(), Next::Malformed(3));
        let mut inbox = Inbox::new();
        receive(&mut inbox, &mut &[b'd', 0xff, 0, 0, 3][..], 9);
        assert!(matches!(inbox.next(), Next::Malformed(_)));
    }
}
