//! Compression of a batch's records, and back: a batch that is split has to be read again.
//!
//! Source: Kafka's documentation, "Message Format" (attributes), and KIP-110 (zstd). Snappy has the frame of snappy-java.
//!
//! The records of a batch are compressed as a whole, behind the batch's head, which stays readable. The lower three bits of the
//! head's attributes name the codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd (KIP-110, brokers since 2.1). Brokers keep a batch
//! as it came unless the topic's `compression.type` names another codec.

use std::io::{Read as _, Write as _};

use super::lz4;
use crate::ClientProperties;

/// Begins snappy-java's frame: its name, version 1, compatible with version 1.
const SNAPPY: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// Bytes of a snappy block before compression.
const SNAPPY_BLOCK: usize = 32 << 10;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// With a level from 0 to 9.
    Gzip(u32),
    Snappy,
    Lz4,
    /// With a level from 1 to 22.
    Zstd(i32),
}

impl Compression {
    /// Reads `compression.type` and `compression.level`; `None` for a type that is not known.
    pub(super) fn new(properties: &ClientProperties) -> Option<Self> {
        let set = properties.get("compression.type").or_else(|| properties.get("compression.codec"));
        let level = properties.get("compression.level").and_then(|level| level.parse::<i32>().ok());
        let level = level.filter(|level| *level >= 0);
        Some(match set.unwrap_or("lz4") {
            "none" => Self::None,
            "gzip" => Self::Gzip(level.map_or(6, |level| level.unsigned_abs().min(9))),
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd(level.map_or(3, |level| level.clamp(1, 22))),
            _ => return None,
        })
    }

    /// The number that a batch's attributes have.
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Gzip(_) => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd(_) => 4,
        }
    }

    /// Appends the compressed form of `raw`. An error leaves an unfinished rest behind what was there.
    pub(super) fn compress(self, raw: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::None => out.extend_from_slice(raw),
            Self::Gzip(level) => {
                let mut encoder = flate2::write::GzEncoder::new(&mut *out, flate2::Compression::new(level));
                encoder.write_all(raw)?;
                encoder.finish()?;
            }
            Self::Snappy => snappy(raw, out)?,
            Self::Lz4 => lz4::frame(raw, out),
            Self::Zstd(level) => out.extend_from_slice(&zstd::bulk::compress(raw, level)?),
        }
        Ok(())
    }

    /// What [`compress`](Self::compress) was given; `None` when `bytes` are not its result.
    pub(super) fn decompress(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::None => Some(bytes.to_vec()),
            Self::Gzip(_) => {
                let mut out = Vec::new();
                flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).ok()?;
                Some(out)
            }
            Self::Snappy => unsnappy(bytes),
            Self::Lz4 => lz4::unframe(bytes),
            Self::Zstd(_) => {
                let mut out = Vec::new();
                zstd::stream::copy_decode(bytes, &mut out).ok()?;
                Some(out)
            }
        }
    }
}

/// Writes blocks of snappy in the frame of Java's library (xerial): a magic, two versions, and each block behind its length.
fn snappy(raw: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
    out.extend_from_slice(&SNAPPY);
    let mut encoder = snap::raw::Encoder::new();
    for block in raw.chunks(SNAPPY_BLOCK) {
        let at = out.len();
        out.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
        let size = encoder.compress(block, &mut out[at + 4..]).map_err(std::io::Error::other)?;
        out[at..at + 4].copy_from_slice(&u32::try_from(size).unwrap_or(0).to_be_bytes());
        out.truncate(at + 4 + size);
    }
    Ok(())
}

/// Reads them; `None` when they are not in that frame.
fn unsnappy(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(&SNAPPY[..])?;
    let mut out = Vec::new();
    while let Some(size) = rest.split_off(..4) {
        let size = u32::from_be_bytes(*size.first_chunk()?) as usize;
        let block = rest.split_off(..size)?;
        out.extend_from_slice(&snap::raw::Decoder::new().decompress_vec(block).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_gives_back_what_it_was_given() {
        let raw: Vec<u8> = (0..200_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let kinds = [
            Compression::None,
            Compression::Gzip(6),
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd(3),
        ];
        for (number, kind) in (0..).zip(kinds) {
            assert_eq!(kind.number(), number);
            for raw in [&raw[..], &raw[..10], &[]] {
                let mut out = Vec::new();
                kind.compress(raw, &mut out).unwrap();
                assert_eq!(kind.decompress(&out).as_deref(), Some(raw), "{kind:?}");
            }
            let mut out = Vec::new();
            kind.compress(&raw, &mut out).unwrap();
            assert!(kind == Compression::None || out.len() < raw.len(), "{kind:?}");
            assert!(
                kind == Compression::None
                    || kind.decompress(&out[..out.len() / 2]).is_none_or(|cut| cut != raw)
            );
        }
    }
}
