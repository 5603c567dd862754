//! The producer against a broker that counts as Kafka does, and answers as badly as brokers and networks can.

mod transactions;
mod wire;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use self::wire::{Input, Output};
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
    /// The producer's epoch of the last batch.
    epoch: i16,
}

struct Model {
    logs: Mutex<HashMap<(String, i32), Log>>,
    moods: Vec<Mood>,
    turn: AtomicU32,
    port: u16,
    coordinator: transactions::Coordinator,
    release: Release,
}

/// Which brokers the model is like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Release {
    /// Kafka 2.1: the old form of every request.
    Old,
    /// Kafka 4: the flexible form, and transactions of version 2.
    New,
}

const RELEASES: [Release; 2] = [Release::Old, Release::New];

fn model(moods: &[Mood]) -> Arc<Model> {
    model_with(Release::Old, moods, &[Mood::Well])
}

fn model_with(release: Release, moods: &[Mood], of_the_coordinator: &[Mood]) -> Arc<Model> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let logs = Mutex::default();
    let coordinator = transactions::Coordinator::new(of_the_coordinator);
    let (moods, turn) = (moods.to_vec(), AtomicU32::new(0));
    let model = Arc::new(Model { logs, moods, turn, port, coordinator, release });
    let same = Arc::clone(&model);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let model = Arc::clone(&same);
            std::thread::spawn(move || model.serve(stream));
        }
    });
    model
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
            let mut input = Input::new(&request);
            let (key, version, correlation) = (input.i16(), input.i16(), input.i32());
            let _client = input.text();
            let flexible = self.release == Release::New && (key != 18 || version > 0);
            input.flexible = flexible;
            input.close();
            let mut out = Output { bytes: Vec::new(), flexible };
            out.i32(correlation);
            if key != 18 {
                out.close();
            }
            let answered = match key {
                10 | 22 | 24 | 26 => self.coordinate(key, &mut input, &mut out),
                3 => {
                    self.metadata(&mut input, &mut out);
                    Some(())
                }
                18 => {
                    self.versions(version, &mut out);
                    Some(())
                }
                0 => self.produce(&mut input, &mut out),
                other => panic!("request {other}"),
            };
            if answered.is_none() {
                return;
            }
            stream.write_all(&u32::try_from(out.bytes.len()).unwrap().to_be_bytes()).unwrap();
            if stream.write_all(&out.bytes).is_err() {
                return;
            }
        }
    }

    fn versions(&self, version: i16, out: &mut Output) {
        let most = match self.release {
            // It answers by version 0 that it does not have a later one.
            Release::Old if version > 0 => {
                out.i16(35).i32(0);
                return;
            }
            Release::Old => [(0, 7), (3, 4), (10, 2), (22, 1), (24, 1), (26, 1)],
            Release::New => [(0, 13), (3, 13), (10, 6), (22, 6), (24, 5), (26, 5)],
        };
        out.i16(0).count(most.len());
        for (key, most) in most {
            out.i16(key).i16(0).i16(most).close();
        }
        if version > 0 {
            // One tagged field: the cluster's features.
            let mut features = Output { bytes: Vec::new(), flexible: true };
            features.count(1).text("transaction.version").i16(2).i16(0).close();
            let size = u8::try_from(features.bytes.len()).unwrap();
            out.i32(0).raw(&[1, 2, size]).raw(&features.bytes);
        }
    }

    fn metadata(&self, input: &mut Input<'_>, out: &mut Output) {
        let new = self.release == Release::New;
        out.i32(0).count(1).i32(9).text("127.0.0.1").i32(i32::from(self.port)).null().close();
        out.null().i32(9);
        let topics = input.count();
        out.count(topics);
        for _ in 0..topics {
            if new {
                assert_eq!(input.bytes(16), [0; 16]);
            }
            let name = input.text();
            input.close();
            out.i16(0).text(&name);
            if new {
                out.raw(&[7; 16]);
            }
            out.raw(&[0]).count(usize::try_from(PARTITIONS).unwrap());
            for partition in 0..PARTITIONS {
                out.i16(0).i32(partition).i32(9);
                if new {
                    out.i32(4).count(0);
                }
                out.count(0).count(0).close();
            }
            if new {
                out.i32(0);
            }
            out.close();
        }
        out.close();
    }

    /// `None` when the connection is to be cut.
    fn produce(&self, input: &mut Input<'_>, out: &mut Output) -> Option<()> {
        let id = input.text();
        assert_eq!(input.i16(), -1, "acks=all");
        let _timeout = input.i32();
        let mut cut = false;
        let topics = input.count();
        out.count(topics);
        for _ in 0..topics {
            let topic = input.text();
            let partitions = input.count();
            out.text(&topic).count(partitions);
            for _ in 0..partitions {
                let (partition, size) = (input.i32(), input.count());
                let batch = input.bytes(size);
                input.close();
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize;
                let append = || {
                    let refused = if id.is_empty() { None } else { self.join(&topic, partition) };
                    refused.unwrap_or_else(|| self.append(&topic, partition, batch))
                };
                let error = match self.moods[turn % self.moods.len()] {
                    Mood::Well => append(),
                    Mood::Refuse(code) => code,
                    Mood::Forget => {
                        append();
                        cut = true;
                        0
                    }
                    Mood::Deaf => return None,
                    Mood::Slow => {
                        std::thread::sleep(Duration::from_millis(5));
                        append()
                    }
                };
                out.i32(partition).i16(error).raw(&[0; 24]);
                if self.release == Release::New {
                    // No refused records, no message.
                    out.raw(&[1, 0]);
                }
                match error {
                    // The leader and its epoch: it is this broker all the same.
                    6 if out.flexible => out.raw(&[1, 0, 9]).i32(9).i32(5).close(),
                    _ => out.close(),
                };
            }
            input.close();
            out.close();
        }
        input.close();
        assert!(input.rest.is_empty(), "{} bytes behind the request", input.rest.len());
        out.i32(0).close();
        (!cut).then_some(())
    }

    /// Kafka's rules: the next number is taken, one of the last five is known, any other is out of order.
    fn append(&self, topic: &str, partition: i32, batch: &[u8]) -> i16 {
        let mut head = Input::new(batch);
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
        if epoch != log.epoch {
            // A new epoch counts from zero where the producer is known.
            if sequence != 0 && !log.known.is_empty() {
                return 45;
            }
            log.known.clear();
            log.epoch = epoch;
        }
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
        let records = if attributes & 7 == 3 { unframed(head.rest) } else { head.rest.to_vec() };
        let mut records = Input::new(&records);
        for number in 0..count {
            let mut record = Input::new(records.record());
            assert_eq!(record.bytes(1), [0]);
            assert!(record.varint() >= 0);
            assert_eq!(record.varint(), i64::from(number));
            let (key, value) = (record.counted().unwrap(), record.counted().unwrap());
            assert!(value.starts_with(&key));
            assert_eq!(record.varint(), 2);
            assert_eq!((record.counted().unwrap(), record.counted()), (b"a".to_vec(), Some(b"1".to_vec())));
            assert_eq!((record.counted().unwrap(), record.counted()), (b"b".to_vec(), None));
            assert!(record.rest.is_empty());
            log.values.push(value);
        }
        assert!(records.rest.is_empty());
        0
    }
}

/// What a frame holds, by the format's description.
pub(super) fn unframed(frame: &[u8]) -> Vec<u8> {
    let mut input = Input::new(frame);
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
    assert!(input.rest.is_empty());
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
    // A deaf broker costs three seconds each time, and one run meets five of them.
    let end = Instant::now() + Duration::from_secs(90);
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
        for release in RELEASES {
            let model = model_with(release, &[Mood::Well], &[Mood::Well]);
            let mut producer = producer(model.port, more);
            let mut durable = drive(&mut producer, 5, 20_000).unwrap();
            durable.sort_unstable();
            assert!(durable.into_iter().eq(0..20_000));
            check(&model, 5, 20_000);
        }
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
        for release in RELEASES {
            let model = model_with(release, &moods, &[Well]);
            let mut producer = producer(model.port, &[("batch.size", "4000")]);
            let mut durable = drive(&mut producer, 2, 3_000).unwrap();
            durable.sort_unstable();
            assert!(durable.into_iter().eq(0..3_000), "{release:?}, {moods:?}");
            check(&model, 2, 3_000);
        }
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
