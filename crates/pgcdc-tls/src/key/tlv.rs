//! The tags and lengths of DER, as far as key files need them: an element is a tag, a length and that many bytes.
//!
//! | length | written as |
//! |---|---|
//! | up to 127 | one byte |
//! | more | `80` plus the number of the bytes that follow, at most four here, big-endian |
//!
//! Source: ITU-T X.690, 8.1.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
/// An object identifier.
pub(super) const OBJECT: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, explicit.
pub(super) const EXPLICIT_0: u8 = 0xa0;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tlv<'a> {
    /// What the element is: one of the constants above, or another.
    pub(super) tag: u8,
    /// The content, without tag and length.
    pub(super) body: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The first element, and the bytes that follow it; `None` when there is no whole element.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Lengths without an end belong to BER.
            0x80 => return None,
            _ => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                if digits.len() > 4 {
                    return None;
                }
                (digits.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), rest)
            }
        };
        let (body, rest) = rest.split_at_checked(length)?;
        Some((Self { tag, body }, rest))
    }

    /// The elements within this one, when it has this tag.
    pub(super) fn inside(self, tag: u8) -> Option<Elements<'a>> {
        (self.tag == tag).then_some(Elements(self.body))
    }

    /// The content, when the element has this tag.
    pub(super) fn bytes(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.body)
    }

    /// A number from 0 to 2³² - 1.
    pub(super) fn number(self) -> Option<u32> {
        let digits = self.bytes(INTEGER)?;
        let small = digits.len() <= 5 && digits.first().is_some_and(|&sign| sign < 0x80);
        small.then(|| digits.iter().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)))
    }
}

/// Elements one after the other. The iterator ends at the first bytes that are not an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        let (element, rest) = Tlv::read(self.0)?;
        self.0 = rest;
        Some(element)
    }
}
