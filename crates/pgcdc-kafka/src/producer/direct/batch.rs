//! Record batches, written straight into what goes over the wire.
//!
//! Source: Kafka's documentation, "Message Format" (record batch, magic 2).

use super::lz4;

/// Bytes of a batch's head, before the records.
pub(super) const HEAD: usize = 61;
/// Where the bytes under the check sum begin: at the attributes.
const CHECKED: usize = 21;
const MAGIC: u8 = 2;
const LZ4: u16 = 3;
const TRANSACTIONAL: u16 = 0x10;
/// A batch of more bytes than this holds one huge record.
const LARGE: usize = 4 << 20;

/// A record's headers as they stand in it: their number, and each name and value with its length.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderBytes {
    count: i64,
    bytes: Vec<u8>,
}

impl HeaderBytes {
    /// No headers.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Removes all headers, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }

    /// Appends a header; `None` is a null value.
    pub(crate) fn add(&mut self, name: &str, value: Option<&[u8]>) {
        self.count += 1;
        put_bytes(&mut self.bytes, Some(name.as_bytes()));
        put_bytes(&mut self.bytes, value);
    }

    /// Appends all headers of another list.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.count += others.count;
        self.bytes.extend_from_slice(&others.bytes);
    }
}

/// An open batch: records of one partition are appended to it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The head, still zeros, and the records.
    bytes: Vec<u8>,
    /// Records.
    count: i32,
    first_timestamp: i64,
    last_timestamp: i64,
    /// The records' handles, each with how many records in a row have it.
    handles: Vec<(usize, u32)>,
}

impl Batch {
    /// An empty batch, in memory that an earlier one had.
    pub(super) fn reusing(mut bytes: Vec<u8>, mut handles: Vec<(usize, u32)>) -> Self {
        bytes.clear();
        handles.clear();
        Self { bytes, handles, ..Self::default() }
    }

    /// Whether it has no records.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes so far, head included.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The most bytes that a record of this key, value and headers can take.
    pub(super) fn most(key: Option<&[u8]>, value: Option<&[u8]>, headers: &HeaderBytes) -> usize {
        // Six numbers of at most ten bytes.
        key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + headers.bytes.len() + 60
    }

    /// Appends a record.
    #[inline]
    pub(super) fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &HeaderBytes,
        handle: usize,
    ) {
        if self.count == 0 {
            self.bytes.resize(HEAD, 0);
            (self.first_timestamp, self.last_timestamp) = (timestamp_ms, timestamp_ms);
        }
        self.last_timestamp = self.last_timestamp.max(timestamp_ms);
        let (later, number) = (timestamp_ms.wrapping_sub(self.first_timestamp), i64::from(self.count));
        // The attributes are a byte of zero.
        let length = 1
            + varint_length(later)
            + varint_length(number)
            + bytes_length(key)
            + bytes_length(value)
            + varint_length(headers.count)
            + headers.bytes.len();
        self.bytes.reserve(length + 10);
        put_varint(&mut self.bytes, length as i64);
        self.bytes.push(0);
        put_varint(&mut self.bytes, later);
        put_varint(&mut self.bytes, number);
        put_bytes(&mut self.bytes, key);
        put_bytes(&mut self.bytes, value);
        put_varint(&mut self.bytes, headers.count);
        self.bytes.extend_from_slice(&headers.bytes);
        self.count += 1;
        match self.handles.last_mut() {
            Some((last, times)) if *last == handle && *times < u32::MAX => *times += 1,
            _ => self.handles.push((handle, 1)),
        }
    }

    /// Compresses the batch and fills in its head, except for the fields that [`number`] sets. Also returns memory that is not
    /// needed any more. `scratch` is memory to compress into.
    pub(super) fn seal(
        self,
        compress: bool,
        transactional: bool,
        scratch: &mut Vec<u8>,
    ) -> (Sealed, Vec<u8>) {
        let Self { bytes: raw, count, first_timestamp, last_timestamp, handles } = self;
        let (mut bytes, rest) = match (compress, raw.len() > LARGE) {
            (false, _) => (raw, Vec::new()),
            (true, large) => {
                let mut own = Vec::new();
                // A huge batch is compressed into memory of its own. Others are compressed into `scratch`, and only the bytes
                // that they need are copied.
                let out = if large { &mut own } else { &mut *scratch };
                out.clear();
                out.reserve(raw.len() + raw.len() / 200 + 1024);
                out.extend_from_slice(&raw[..HEAD]);
                lz4::frame(&raw[HEAD..], out);
                (if large { own } else { scratch.as_slice().to_vec() }, raw)
            }
        };
        let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
        put(12, &(-1_i32).to_be_bytes());
        put(16, &[MAGIC]);
        let attributes = if compress { LZ4 } else { 0 } | if transactional { TRANSACTIONAL } else { 0 };
        put(CHECKED, &attributes.to_be_bytes());
        put(23, &(count - 1).to_be_bytes());
        put(27, &first_timestamp.to_be_bytes());
        put(35, &last_timestamp.to_be_bytes());
        put(57, &count.to_be_bytes());
        let length = i32::try_from(bytes.len() - 12).unwrap_or(i32::MAX);
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        (Sealed { bytes, count, handles }, rest)
    }
}

/// A closed batch, as it goes over the wire.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) bytes: Vec<u8>,
    /// Records.
    pub(super) count: i32,
    pub(super) handles: Vec<(usize, u32)>,
}

/// Fills in a sealed batch's producer id, epoch and first sequence number, and then the check sum.
pub(super) fn number(batch: &mut [u8], (id, epoch): (i64, i16), sequence: i32) {
    batch[43..51].copy_from_slice(&id.to_be_bytes());
    batch[51..53].copy_from_slice(&epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    let sum = crc32c::crc32c(&batch[CHECKED..]);
    batch[17..21].copy_from_slice(&sum.to_be_bytes());
}

/// Maps small numbers of either sign to small numbers.
#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Appends a number of variable length, seven bits a byte, the low ones first.
#[inline]
fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes that [`put_varint`] writes.
#[inline]
fn varint_length(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends a length and its bytes; `None` is a null.
#[inline]
fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => out.push(1), // -1
        Some(bytes) => {
            put_varint(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

/// Bytes that [`put_bytes`] writes.
#[inline]
fn bytes_length(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_length(bytes.len() as i64) + bytes.len())
}
