//! The producer against a broker that counts as Kafka does, and answers as badly as brokers and networks can.

mod transactions;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Direct, HeaderBytes, why_not};
use crate::producer::{Placement, Sent};
use crate::{ClientProperties, Code, Error};

/// A topic's partitions in the model.
const PARTITIONS: i32 = 3;

/// What the broker does with the next batches, in turns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    /// An error code, without taking the batch.
    Refuse(i16),
    /// It takes the batch, and the answer is lost with the connection.
    Forget,
    /// The connection is lost before.
    Deaf,
    Slow,
}

#[derive(Default)]
struct Log {
    /// The number that the next batch must have.
    next: i32,
    /// First numbers of the last batches, which are known again.
    known: Vec<i32>,
    values: Vec<Vec<u8>>,
    /// So many of them are committed.
    committed: usize,
}

struct Model {
    logs: Mutex<HashMap<(String, i32), Log>>,
    moods: Vec<Mood>,
    turn: AtomicU32,
    port: u16,
    coordinator: transactions::Coordinator,
}

fn model(moods: &[Mood]) -> Arc<Model> {
    model_with(moods, &[Mood::Well])
}

fn model_with(moods: &[Mood], of_the_coordinator: &[Mood]) -> Arc<Model> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let logs = Mutex::default();
    let coordinator = transactions::Coordinator::new(of_the_coordinator);
    let model = Arc::new(Model { logs, moods: moods.to_vec(), turn: AtomicU32::new(0), port, coordinator });
    let same = Arc::clone(&model);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let model = Arc::clone(&same);
            std::thread::spawn(move || model.serve(stream));
        }
    });
    model
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn bytes(&mut self, count: usize) -> &[u8] {
        let (first, rest) = self.0.split_at(count);
        self.0 = rest;
        first
    }
    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.bytes(2).try_into().unwrap())
    }
    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.bytes(4).try_into().unwrap())
    }
    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.bytes(8).try_into().unwrap())
    }
    fn text(&mut self) -> String {
        let length = self.i16();
        String::from_utf8(self.bytes(usize::try_from(length).unwrap_or(0)).to_vec()).unwrap()
    }
    fn varint(&mut self) -> i64 {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.bytes(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            }
        }
    }
    fn counted(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.varint()).ok()?;
        Some(self.bytes(length).to_vec())
    }
}

impl Model {
    fn serve(&self, mut stream: TcpStream) {
        loop {
            let mut size = [0; 4];
            if stream.read_exact(&mut size).is_err() {
                return;
            }
            let mut request = vec![0; u32::from_be_bytes(size) as usize];
            stream.read_exact(&mut request).unwrap();
            let mut input = Input(&request);
            let (key, version, correlation) = (input.i16(), input.i16(), input.i32());
            let _client = input.text();
            let mut out = correlation.to_be_bytes().to_vec();
            match key {
                10 | 22 | 24 | 26 => {
                    let Some(answer) = self.coordinate(key, &mut input) else { return };
                    out.extend(answer);
                }
                3 => self.metadata(&mut input, &mut out),
                // A broker of Kafka 2.1, which answers by version 0 that it does not have a later version.
                18 if version > 0 => out.extend([0, 35, 0, 0, 0, 0]),
                18 => {
                    let ranges: [(i16, i16, i16); 6] =
                        [(0, 3, 7), (3, 0, 4), (10, 0, 2), (22, 0, 1), (24, 0, 1), (26, 0, 1)];
                    out.extend([0, 0, 0, 0, 0, 6]);
                    for (key, least, most) in ranges {
                        [key, least, most].iter().for_each(|number| out.extend(number.to_be_bytes()));
                    }
                }
                0 => {
                    let Some(answer) = self.produce(&mut input) else { return };
                    out.extend(answer);
                }
                other => panic!("request {other}"),
            }
            stream.write_all(&u32::try_from(out.len()).unwrap().to_be_bytes()).unwrap();
            if stream.write_all(&out).is_err() {
                return;
            }
        }
    }

    fn metadata(&self, input: &mut Input<'_>, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            out.extend(text.as_bytes());
        };
        out.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9]);
        text(out, "127.0.0.1");
        out.extend(i32::from(self.port).to_be_bytes());
        out.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9]);
        let topics = input.i32();
        out.extend(topics.to_be_bytes());
        for _ in 0..topics {
            let name = input.text();
            out.extend([0, 0]);
            text(out, &name);
            out.push(0);
            out.extend(PARTITIONS.to_be_bytes());
            for partition in 0..PARTITIONS {
                out.extend([0, 0]);
                out.extend(partition.to_be_bytes());
                out.extend(9_i32.to_be_bytes());
                out.extend([0; 8]);
            }
        }
    }

    /// `None` when the connection is to be cut.
    fn produce(&self, input: &mut Input<'_>) -> Option<Vec<u8>> {
        let id = input.text();
        assert_eq!(input.i16(), -1, "acks=all");
        let _timeout = input.i32();
        let mut cut = false;
        let topics = input.i32();
        let mut out = topics.to_be_bytes().to_vec();
        for _ in 0..topics {
            let topic = input.text();
            let partitions = input.i32();
            out.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
            out.extend(topic.as_bytes());
            out.extend(partitions.to_be_bytes());
            for _ in 0..partitions {
                let (partition, size) = (input.i32(), input.i32());
                let batch = input.bytes(usize::try_from(size).unwrap()).to_vec();
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize;
                let error = match self.moods[turn % self.moods.len()] {
                    _ if !id.is_empty() && !self.coordinator.has(&topic, partition) => 48,
                    Mood::Well => self.append(&topic, partition, &batch),
                    Mood::Refuse(code) => code,
                    Mood::Forget => {
                        self.append(&topic, partition, &batch);
                        cut = true;
                        0
                    }
                    Mood::Deaf => return None,
                    Mood::Slow => {
                        std::thread::sleep(Duration::from_millis(5));
                        self.append(&topic, partition, &batch)
                    }
                };
                out.extend(partition.to_be_bytes());
                out.extend(error.to_be_bytes());
                out.extend([0; 24]);
            }
        }
        assert!(input.0.is_empty(), "{} bytes behind the request", input.0.len());
        out.extend([0; 4]);
        (!cut).then_some(out)
    }

    /// Kafka's rules: the next number is taken, one of the last five is known, any other is out of order.
    fn append(&self, topic: &str, partition: i32, batch: &[u8]) -> i16 {
        let mut head = Input(batch);
        assert_eq!(head.i64(), 0);
        assert_eq!(usize::try_from(head.i32()).unwrap(), batch.len() - 12);
        assert_eq!((head.i32(), head.bytes(1)), (-1, &[2][..]));
        assert_eq!(head.i32().cast_unsigned(), crc32c::crc32c(&batch[21..]));
        let (attributes, last, first, latest) = (head.i16(), head.i32(), head.i64(), head.i64());
        assert_eq!(head.i64(), 77);
        let epoch = head.i16();
        let transactional = attributes & 0x10 > 0;
        if epoch != if transactional { self.coordinator.epoch() } else { 3 } {
            return 47;
        }
        let (sequence, count) = (head.i32(), head.i32());
        assert!(last == count - 1 && first <= latest);
        let mut logs = self.logs.lock().unwrap();
        let log = logs.entry((topic.to_owned(), partition)).or_default();
        if log.known.contains(&sequence) {
            return 46;
        }
        // Of a producer that it does not know it takes any.
        if sequence != log.next && !log.known.is_empty() {
            return 45;
        }
        log.next = sequence + count;
        log.known.push(sequence);
        if log.known.len() > 5 {
            log.known.remove(0);
        }
        let records = if attributes & 7 == 3 { unframed(head.0) } else { head.0.to_vec() };
        let mut records = Input(&records);
        for number in 0..count {
            let mut record = Input(records.bytes_of_record());
            assert_eq!(record.bytes(1), [0]);
            assert!(record.varint() >= 0);
            assert_eq!(record.varint(), i64::from(number));
            let (key, value) = (record.counted().unwrap(), record.counted().unwrap());
            assert!(value.starts_with(&key));
            assert_eq!(record.varint(), 2);
            assert_eq!((record.counted().unwrap(), record.counted()), (b"a".to_vec(), Some(b"1".to_vec())));
            assert_eq!((record.counted().unwrap(), record.counted()), (b"b".to_vec(), None));
            assert!(record.0.is_empty());
            log.values.push(value);
        }
        assert!(records.0.is_empty());
        0
    }
}

impl<'a> Input<'a> {
    fn bytes_of_record(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.varint()).unwrap();
        let (record, rest) = self.0.split_at(length);
        self.0 = rest;
        record
    }
}

/// What a frame holds, by the format's description.
pub(super) fn unframed(frame: &[u8]) -> Vec<u8> {
    let mut input = Input(frame);
    assert_eq!(input.bytes(7), [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    let mut out = Vec::new();
    loop {
        let size = u32::from_le_bytes(input.bytes(4).try_into().unwrap());
        match size {
            0 => break,
            size if size >> 31 == 1 => out.extend_from_slice(input.bytes((size & (u32::MAX >> 1)) as usize)),
            size => out.extend(lz4_flex::block::decompress(input.bytes(size as usize), 64 << 10).unwrap()),
        }
    }
    assert!(input.0.is_empty());
    out
}

fn producer(port: u16, more: &[(&str, &str)]) -> Direct {
    let servers = format!("127.0.0.1:{port}");
    let all = [("bootstrap.servers", servers.as_str())].into_iter().chain(more.iter().copied());
    let properties = ClientProperties::parse(all).unwrap();
    assert_eq!(why_not(&properties), None);
    Direct::new(&properties).unwrap()
}

fn headers() -> HeaderBytes {
    let mut headers = HeaderBytes::new();
    headers.add("a", Some(b"1"));
    headers.add("b", None);
    headers
}

/// Sends records, and returns the handles in the order they became durable.
fn drive(producer: &mut Direct, topics: usize, count: usize) -> Result<Vec<usize>, Error> {
    let names: Vec<usize> = (0..topics).map(|number| producer.topic(&format!("t{number}"))).collect();
    let (headers, mut durable) = (headers(), Vec::new());
    let end = Instant::now() + Duration::from_secs(20);
    for handle in 0..count {
        let key = format!("{:05}", handle % 17);
        let value = format!("{key} {handle} {}", "x".repeat(handle % 300));
        loop {
            let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
            match producer.send(names[handle % topics], Placement::default(), key, value, &headers, handle)? {
                Sent::Queued => break,
                Sent::Full => producer.wait(Duration::from_millis(1), &mut durable)?,
            }
            assert!(Instant::now() < end, "no room");
        }
        if handle % 100 == 99 {
            producer.send_now();
            producer.poll(&mut durable)?;
        }
    }
    producer.send_now();
    while durable.len() < count {
        assert!(Instant::now() < end, "{} of {count} are durable", durable.len());
        producer.wait(Duration::from_millis(5), &mut durable)?;
    }
    assert_eq!(producer.queued_bytes(), 0);
    Ok(durable)
}

/// Each record once, those of a key in order.
fn check(model: &Model, topics: usize, count: usize) {
    let logs = model.logs.lock().unwrap();
    let mut all = 0;
    for ((topic, _), log) in &*logs {
        let mut last: HashMap<&[u8], usize> = HashMap::new();
        for value in &log.values {
            let mut words = value.split(|byte| *byte == b' ');
            let key = words.next().unwrap();
            let handle: usize = std::str::from_utf8(words.next().unwrap()).unwrap().parse().unwrap();
            assert_eq!(*topic, format!("t{}", handle % topics));
            assert!(last.insert(key, handle).is_none_or(|before| before < handle), "out of order");
            all += 1;
        }
    }
    assert_eq!(all, count, "each once");
}

#[test]
fn everything_arrives_once_and_in_order() {
    for more in
        [&[][..], &[("compression.type", "none")], &[("batch.size", "2000"), ("buffer.memory", "50000")]]
    {
        let model = model(&[Mood::Well]);
        let mut producer = producer(model.port, more);
        let mut durable = drive(&mut producer, 5, 20_000).unwrap();
        durable.sort_unstable();
        assert!(durable.into_iter().eq(0..20_000));
        check(&model, 5, 20_000);
    }
}

#[test]
fn refusals_and_lost_connections_cost_time_and_nothing_else() {
    use Mood::{Deaf, Forget, Refuse, Slow, Well};
    let moods = [
        &[Well, Well, Refuse(6), Well, Slow, Well, Well][..],
        &[Refuse(3), Well, Well, Well, Well, Well, Well, Well],
        &[Well, Refuse(19), Well, Well, Well, Refuse(7), Refuse(3)],
        &[Well, Well, Well, Forget, Well, Well, Slow, Well],
        &[Well, Deaf, Well, Well, Well, Slow, Forget, Well, Well, Refuse(5), Well],
    ];
    for moods in moods {
        // Now and then a request must get through: each holds up to six batches.
        let mut moods = moods.to_vec();
        moods.extend([Well; 14]);
        let model = model(&moods);
        let mut producer = producer(model.port, &[("batch.size", "4000")]);
        let mut durable = drive(&mut producer, 2, 3_000).unwrap();
        durable.sort_unstable();
        assert!(durable.into_iter().eq(0..3_000), "{moods:?}");
        check(&model, 2, 3_000);
    }
}

#[test]
fn what_cannot_be_delivered_is_said() {
    let too_large = model(&[Mood::Refuse(10)]);
    let error = drive(&mut producer(too_large.port, &[]), 1, 10).unwrap_err();
    assert_eq!(error.code(), Some(Code::MessageSizeTooLarge));
    assert!(error.to_string().contains("\"t0\""), "{error}");

    let late = [("delivery.timeout.ms", "300"), ("request.timeout.ms", "100"), ("linger.ms", "0")];
    let properties = ClientProperties::parse(late).unwrap();
    assert_eq!(why_not(&properties).as_deref(), Some("linger.ms"));
    let nobody = model(&[Mood::Deaf]);
    let error = drive(&mut producer(nobody.port, &late[..2]), 1, 10).unwrap_err();
    assert_eq!(error.code(), Some(Code::MessageTimedOut));
    assert!(error.is_transient());
}

#[test]
fn a_record_that_is_too_large_is_refused_at_once() {
    let model = model(&[Mood::Well]);
    let mut producer = producer(model.port, &[("max.request.size", "5000")]);
    let topic = producer.topic("t");
    while !producer.is_known(topic) {
        producer.wait(Duration::from_millis(10), &mut Vec::new()).unwrap();
    }
    let value = vec![b'x'; 5001];
    let sent = producer.send(topic, Placement::default(), None, Some(&value), &headers(), 0);
    let error = sent.unwrap_err();
    assert_eq!(error.code(), Some(Code::MessageSizeTooLarge));
    let nowhere = Placement { partition: Some(PARTITIONS), timestamp_ms: None };
    assert!(producer.send(topic, nowhere, None, None, &headers(), 0).is_err());
}
