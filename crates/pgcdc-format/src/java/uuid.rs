//! Java's `UUID.nameUUIDFromBytes`, with which Debezium makes a UUID of its placeholder.
//!
//! The UUID is the MD5 hash of the name, with the version 3 in the upper half of byte 6 and the variant in the two upper
//! bits of byte 8. Unlike RFC 9562's version 3, no namespace is hashed before the name.

use md5::{Digest, Md5};

/// The version 3 UUID that Java's `UUID.nameUUIDFromBytes` makes of a name.
pub(crate) fn name_uuid(name: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut bytes: [u8; 16] = Md5::digest(name).into();
    bytes[6] = bytes[6] & 0x0f | 0x30;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_default_placeholder_has_debeziums_uuid() {
        assert_eq!(super::name_uuid(b"__debezium_unavailable_value"), "b68a35a7-17ad-35b3-af2a-ae46edb4545a");
    }
}
