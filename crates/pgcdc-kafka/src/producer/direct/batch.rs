//! Record batches, written straight into what goes over the wire.
//!
//! Source: Kafka's documentation, "Message Format" (record batch, magic 2).
//!
//! ```text 0 8 12 16 17 21 23 27 │ offset │ length │ epoch │magic │ CRC │ attributes│ last │ first time, last time, producer
//! id, epoch, number, count │ records └──────────────── under the check sum ────────────────────────────────────────── ``` The
//! offset is 0 and the leader's epoch -1: the broker fills both in without another check sum. Times and numbers of records are
//! differences to the first record's. A record's lengths are zigzag varints, seven bits a byte, so its size is known only once
//! its parts are: the record is written behind a gap for its length, which is closed when the length has fewer bytes.

use super::compression::Compression;

/// Bytes of a batch's head, before the records.
pub(super) const HEAD: usize = 61;
/// Where the bytes under the check sum begin: at the attributes.
const CHECKED: usize = 21;
/// The format's version: record batches, since Kafka 0.11.
const MAGIC: u8 = 2;
/// The attribute of a batch that belongs to a transaction: readers of committed records wait for its end.
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
        let (later, number) = self.begin(timestamp_ms);
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
        self.end(handle);
    }

    /// Appends a record whose key, value and headers are encoded already.
    fn push_encoded(&mut self, timestamp_ms: i64, encoded: &[u8], handle: usize) {
        let (later, number) = self.begin(timestamp_ms);
        let length = 1 + varint_length(later) + varint_length(number) + encoded.len();
        put_varint(&mut self.bytes, length as i64);
        self.bytes.push(0);
        put_varint(&mut self.bytes, later);
        put_varint(&mut self.bytes, number);
        self.bytes.extend_from_slice(encoded);
        self.end(handle);
    }

    /// Makes room for the head, and gives the next record's time and number, relative to the first record's.
    #[inline]
    fn begin(&mut self, timestamp_ms: i64) -> (i64, i64) {
        if self.count == 0 {
            self.bytes.resize(HEAD, 0);
            (self.first_timestamp, self.last_timestamp) = (timestamp_ms, timestamp_ms);
        }
        self.last_timestamp = self.last_timestamp.max(timestamp_ms);
        (timestamp_ms.wrapping_sub(self.first_timestamp), i64::from(self.count))
    }

    /// Counts a record that was appended.
    #[inline]
    fn end(&mut self, handle: usize) {
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
        compression: Compression,
        transactional: bool,
        scratch: &mut Vec<u8>,
    ) -> (Sealed, Vec<u8>) {
        let Self { bytes: raw, count, first_timestamp, last_timestamp, handles } = self;
        let (mut bytes, rest, compression) = match (compression, raw.len() > LARGE) {
            (Compression::None, _) => (raw, Vec::new(), compression),
            (_, large) => {
                let mut own = Vec::new();
                // A huge batch is compressed into memory of its own. Others are compressed into `scratch`, and only the bytes
                // that they need are copied.
                let out = if large { &mut own } else { &mut *scratch };
                out.clear();
                out.reserve(raw.len() + raw.len() / 200 + 1024);
                out.extend_from_slice(&raw[..HEAD]);
                match compression.compress(&raw[HEAD..], out) {
                    Ok(()) => (if large { own } else { scratch.as_slice().to_vec() }, raw, compression),
                    Err(_) => (raw, Vec::new(), Compression::None),
                }
            }
        };
        let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
        put(12, &(-1_i32).to_be_bytes());
        put(16, &[MAGIC]);
        let attributes = compression.number() | if transactional { TRANSACTIONAL } else { 0 };
        put(CHECKED, &attributes.to_be_bytes());
        put(23, &(count - 1).to_be_bytes());
        put(27, &first_timestamp.to_be_bytes());
        put(35, &last_timestamp.to_be_bytes());
        put(57, &count.to_be_bytes());
        let length = i32::try_from(bytes.len() - 12).unwrap_or(i32::MAX);
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        (Sealed { bytes, count, handles, compression }, rest)
    }
}

/// A closed batch, as it goes over the wire.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) bytes: Vec<u8>,
    /// Records.
    pub(super) count: i32,
    /// The records' handles, each with how many records in a row have it.
    pub(super) handles: Vec<(usize, u32)>,
    pub(super) compression: Compression,
}

/// Fills in a sealed batch's producer id, epoch and first sequence number, and then the check sum.
pub(super) fn number(batch: &mut [u8], (id, epoch): (i64, i16), sequence: i32) {
    batch[43..51].copy_from_slice(&id.to_be_bytes());
    batch[51..53].copy_from_slice(&epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    let sum = crc32c::crc32c(&batch[CHECKED..]);
    batch[17..21].copy_from_slice(&sum.to_be_bytes());
}

/// Splits a sealed batch that has its numbers into two of about as many records each, which have the numbers that their records
/// had. `None` when it has a single record.
pub(super) fn split(sealed: &Sealed, transactional: bool) -> Option<[Sealed; 2]> {
    let bytes = &sealed.bytes;
    let long = |at: usize| Some(i64::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let (first_timestamp, id) = (long(27)?, long(43)?);
    let epoch = i16::from_be_bytes(*bytes.get(51..)?.first_chunk()?);
    let sequence = i32::from_be_bytes(*bytes.get(53..)?.first_chunk()?);
    let records = sealed.compression.decompress(bytes.get(HEAD..)?)?;
    let half = sealed.count / 2;
    if half == 0 {
        return None;
    }
    let handles =
        sealed.handles.iter().flat_map(|(handle, times)| std::iter::repeat_n(*handle, *times as usize));
    let (mut rest, mut halves) = (records.as_slice(), [Batch::default(), Batch::default()]);
    for (number, handle) in (0..sealed.count).zip(handles) {
        let length = usize::try_from(take_varint(&mut rest)?).ok()?;
        let mut record = rest.split_off(..length)?;
        record.split_off(..1)?;
        let later = take_varint(&mut record)?;
        take_varint(&mut record)?;
        let timestamp = first_timestamp.wrapping_add(later);
        halves[usize::from(number >= half)].push_encoded(timestamp, record, handle);
    }
    let mut first_number = sequence;
    let mut scratch = Vec::new();
    Some(halves.map(|half| {
        let (mut sealed, _) = half.seal(sealed.compression, transactional, &mut scratch);
        number(&mut sealed.bytes, (id, epoch), first_number);
        first_number = first_number.wrapping_add(sealed.count) & i32::MAX;
        sealed
    }))
}

/// Reads what [`put_varint`] wrote.
fn take_varint(bytes: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of a batch's first record, each record's time and rest, and their handles.
    type Contents = (i32, Vec<(i64, Vec<u8>)>, Vec<usize>);

    fn read(sealed: &Sealed) -> Contents {
        let first = i64::from_be_bytes(*sealed.bytes[27..].first_chunk().unwrap());
        let records = sealed.compression.decompress(&sealed.bytes[HEAD..]).unwrap();
        let (mut rest, mut found) = (records.as_slice(), Vec::new());
        while !rest.is_empty() {
            let length = usize::try_from(take_varint(&mut rest).unwrap()).unwrap();
            let mut record = rest.split_off(..length).unwrap();
            record.split_off(..1).unwrap();
            let later = take_varint(&mut record).unwrap();
            assert_eq!(take_varint(&mut record), Some(found.len() as i64));
            found.push((first + later, record.to_vec()));
        }
        let sequence = i32::from_be_bytes(*sealed.bytes[53..].first_chunk().unwrap());
        let handles = sealed.handles.iter().flat_map(|(handle, times)| vec![*handle; *times as usize]);
        (sequence, found, handles.collect())
    }

    #[test]
    fn the_halves_of_a_batch_have_its_records_and_numbers() {
        for compression in [Compression::None, Compression::Lz4, Compression::Snappy, Compression::Zstd(3)] {
            let mut batch = Batch::default();
            for number in 0..7_usize {
                let time = [100, 90, 105, 80, 200, 10, 300][number];
                batch.push(
                    time,
                    Some(b"key"),
                    Some(&vec![b'x'; number * 100]),
                    &HeaderBytes::new(),
                    number / 2,
                );
            }
            let (mut whole, _) = batch.seal(compression, false, &mut Vec::new());
            super::number(&mut whole.bytes, (77, 3), i32::MAX - 1);
            let [first, second] = split(&whole, false).unwrap();
            let (all, one, two) = (read(&whole), read(&first), read(&second));
            assert_eq!((first.count, second.count), (3, 4));
            assert_eq!((one.0, two.0), (i32::MAX - 1, 1));
            assert_eq!([one.1, two.1].concat(), all.1);
            assert_eq!([one.2, two.2].concat(), all.2);
            let checked = crc32c::crc32c(&second.bytes[CHECKED..]).to_be_bytes();
            assert_eq!(second.bytes[17..21], checked);
            let [single, _] = split(&first, false).unwrap();
            assert!(split(&single, false).is_none());
        }
    }
}
