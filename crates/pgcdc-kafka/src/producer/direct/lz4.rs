//! LZ4 frames as Kafka takes them: independent blocks of at most 64 KiB.
//!
//! Source: "LZ4 Frame Format Description" 1.6, and Kafka's KIP-57.
//!
//! A block that does not get smaller is stored as it is. There is no check sum of the content: the batch has its own. Before
//! version 2 of the message format Kafka's frames had a wrong header check sum (KIP-57); batches of today have the right one.

/// Bytes of a block before compression.
const BLOCK: usize = 64 * 1024;
/// Magic number; version 1 with independent blocks; blocks of 64 KiB; the check sum of the two bytes before.
const HEAD: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
/// The bit in a block's size that says that the block is not compressed.
const STORED: u32 = 1 << 31;

/// Appends a frame with `bytes` in it.
pub(super) fn frame(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&HEAD);
    for block in bytes.chunks(BLOCK) {
        let at = out.len();
        let most = lz4_flex::block::get_maximum_output_size(block.len());
        out.resize(at + 4 + most, 0);
        let size = match lz4_flex::block::compress_into(block, &mut out[at + 4..]) {
            Ok(size) if size < block.len() => size as u32,
            _ => {
                out[at + 4..at + 4 + block.len()].copy_from_slice(block);
                block.len() as u32 | STORED
            }
        };
        out[at..at + 4].copy_from_slice(&size.to_le_bytes());
        out.truncate(at + 4 + (size & !STORED) as usize);
    }
    out.extend_from_slice(&[0; 4]);
}

/// What a frame of [`frame`]'s holds; `None` when it is not one.
pub(super) fn unframe(frame: &[u8]) -> Option<Vec<u8>> {
    let mut rest = frame.strip_prefix(&HEAD[..])?;
    let mut out = Vec::new();
    loop {
        let size = u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?);
        let block = rest.split_off(..(size & !STORED) as usize)?;
        match size {
            0 => return Some(out),
            size if size & STORED > 0 => out.extend_from_slice(block),
            _ => out.extend_from_slice(&lz4_flex::block::decompress(block, BLOCK).ok()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::producer::direct::tests::unframed;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn a_frame_holds_what_went_in(
            piece in proptest::collection::vec(any::<u8>(), 0..2000),
            times in 0_usize..150,
        ) {
            let bytes = piece.repeat(times);
            let mut out = vec![9];
            frame(&bytes, &mut out);
            prop_assert_eq!(unframed(&out[1..]), bytes.clone());
            prop_assert_eq!(unframe(&out[1..]), Some(bytes));
        }
    }
}
