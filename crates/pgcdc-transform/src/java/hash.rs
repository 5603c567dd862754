use crate::data::Value;

/// Java's `hashCode()`, with which `PartitionRouting` chooses partitions.
///
/// A struct's differs between runs of a Java machine; here it is made of its values. The two numbers for a boolean, and 31
/// as the factor of strings and lists, are fixed by Java's specification.
pub(crate) fn hash_code(value: &Value) -> i32 {
    match value {
        Value::Null => 0,
        Value::Int8(number) => i32::from(*number),
        Value::Int16(number) => i32::from(*number),
        Value::Int32(number) => *number,
        Value::Int64(number) | Value::Date(number) => fold(*number),
        Value::Float32(number) => (if number.is_nan() { 0x7fc0_0000 } else { number.to_bits() }) as i32,
        Value::Float64(number) => {
            fold(if number.is_nan() { 0x7ff8_0000_0000_0000 } else { number.to_bits() } as i64)
        }
        Value::Boolean(value) => {
            if *value {
                1231
            } else {
                1237
            }
        }
        Value::String(text) => {
            text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
        }
        Value::Bytes(bytes) => bytes
            .iter()
            .rev()
            .fold(1, |hash: i32, byte| hash.wrapping_mul(31).wrapping_add(i32::from(*byte as i8))),
        Value::Decimal(number) => number.java_hash(),
        Value::Array(items) => list(items),
        Value::Map(entries) => entries
            .iter()
            .fold(0, |hash: i32, (key, value)| hash.wrapping_add(hash_code(key) ^ hash_code(value))),
        Value::Struct(inner) => list(inner.values()),
    }
}

/// `java.util.List.hashCode`.
fn list(items: &[Value]) -> i32 {
    items.iter().fold(1, |hash: i32, item| hash.wrapping_mul(31).wrapping_add(hash_code(item)))
}

/// `Long.hashCode`: both halves, each bit by exclusive or.
const fn fold(long: i64) -> i32 {
    (long ^ ((long as u64) >> 32) as i64) as i32
}

/// Debezium's `MurmurHash3` with its seed: a string by its UTF-8, everything else by the four bytes of its `hashCode()`.
/// It is an early, 128-bit form of the hash, of which the upper 32 bits are taken; later forms give other numbers.
pub(crate) fn murmur(value: &Value) -> i32 {
    match value {
        Value::String(text) => murmur_bytes(text.as_bytes()),
        other => murmur_int(hash_code(other)),
    }
}

/// The two lanes of the hash.
struct State {
    /// The hash so far.
    h: [u64; 2],
    /// The block that is mixed in next.
    k: [u64; 2],
    /// The factors, which change with each block in this form.
    c: [u64; 2],
}

impl State {
    const fn new() -> Self {
        const SEED: u64 = 9001;
        Self {
            h: [0x9368_e53c_2f6a_f274 ^ SEED, 0x586d_cd20_8f7c_d3fd ^ SEED],
            k: [0, 0],
            c: [0x87c3_7b91_1142_53d5, 0x4cf5_ad43_2745_937f],
        }
    }

    /// Mixes the block into the hash.
    const fn mix(&mut self) {
        let [h1, h2] = &mut self.h;
        let [k1, k2] = &mut self.k;
        let [c1, c2] = &mut self.c;
        *k1 = k1.wrapping_mul(*c1).rotate_left(23).wrapping_mul(*c2);
        *h1 = (*h1 ^ *k1).wrapping_add(*h2);
        *h2 = h2.rotate_left(41);
        *k2 = k2.wrapping_mul(*c2).rotate_left(23).wrapping_mul(*c1);
        *h2 = (*h2 ^ *k2).wrapping_add(*h1);
        *h1 = h1.wrapping_mul(3).wrapping_add(0x52dc_e729);
        *h2 = h2.wrapping_mul(3).wrapping_add(0x3849_5ab5);
        *c1 = c1.wrapping_mul(5).wrapping_add(0x7b7d_159c);
        *c2 = c2.wrapping_mul(5).wrapping_add(0x6bce_6396);
    }

    /// Mixes in the length in bytes, and takes the result.
    const fn finish(mut self, length: u64) -> i32 {
        let [h1, h2] = &mut self.h;
        *h2 ^= length;
        *h1 = h1.wrapping_add(*h2);
        *h2 = h2.wrapping_add(*h1);
        *h1 = avalanche(*h1);
        *h2 = avalanche(*h2);
        *h1 = h1.wrapping_add(*h2);
        (*h1 >> 32) as i32
    }
}

const fn avalanche(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

/// Bytes are signed in Java, so a negative byte changes the bits above it, too.
const fn spread(byte: u8, shift: u32) -> u64 {
    ((byte as i8 as i64) << shift) as u64
}

fn murmur_bytes(bytes: &[u8]) -> i32 {
    let mut state = State::new();
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        for (half, eight) in state.k.iter_mut().zip(block.chunks_exact(8)) {
            *half = eight.iter().rev().fold(0, |k, byte| k << 8 | u64::from(*byte));
        }
        state.mix();
        state.k = [0, 0];
    }
    let tail = blocks.remainder();
    for (at, byte) in tail.iter().enumerate() {
        let shift = u32::try_from(at % 8).unwrap_or(0) * 8;
        state.k[at / 8] ^= spread(*byte, shift);
    }
    if !tail.is_empty() {
        state.mix();
    }
    state.finish(bytes.len() as u64)
}

fn murmur_int(number: i32) -> i32 {
    let mut state = State::new();
    for (byte, shift) in number.to_le_bytes().into_iter().zip([0, 8, 16, 24]) {
        state.k[0] ^= spread(byte, shift);
    }
    state.mix();
    state.finish(4)
}
