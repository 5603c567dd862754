//! Java's choice of a partition: the murmur2 hash of the key.
//!
//! A record with a key goes to `(murmur2(key) & 0x7fffffff) % partitions`, as Java's producer does it: the same row goes to the
//! same partition whoever writes the topic. The number of partitions is part of the formula, so adding some moves keys.

/// The partition of a key in a topic with so many partitions.
pub(super) fn of_key(key: &[u8], partitions: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % partitions.max(1)
}

/// Source: Austin Appleby's MurmurHash2, 32 bits, with the seed of Kafka's `Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    /// The multiplier of murmur2, as in Kafka's `Utils.murmur2`.
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ (bytes.len() as u32);
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let mut k = word.first_chunk().map_or(0, |four| u32::from_le_bytes(*four)).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kafka's own `UtilsTest` has them.
    #[test]
    fn hashes_are_javas() {
        let hash = |text: &str| murmur2(text.as_bytes()).cast_signed();
        assert_eq!(hash("21"), -973_932_308);
        assert_eq!(hash("foobar"), -790_332_482);
        assert_eq!(hash("a-little-bit-long-string"), -985_981_536);
        assert_eq!(hash("a-little-bit-longer-string"), -1_486_304_829);
        assert_eq!(hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58_897_971);
        assert_eq!(hash("abc"), 479_470_107);
    }
}
