//! A few requests of Kafka's protocol by hand: which brokers are there, who leads and coordinates, where does a partition end.
//!
//! Layout: <https://kafka.apache.org/protocol>, Metadata v0, FindCoordinator v1 and ListOffsets v1. Enough to wait on a condition without a
//! client library in everybody's build.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const METADATA: i16 = 3;
const LIST_OFFSETS: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;
const NOT_LEADER: i16 = 6;

/// A broker that answers and that the controller has let in.
pub(crate) fn is_ready(port: u16) -> bool {
    brokers(port).is_ok_and(|count| count >= 1)
}

/// How many brokers this one knows to be alive, itself among them.
pub(crate) fn brokers(port: u16) -> Result<i32> {
    // No topic is created: an empty list asks for all topics, as version 0 defines it.
    call(port, METADATA, 0, &0i32.to_be_bytes()).and_then(|answer| Cursor(&answer).i32())
}

/// The id of the broker that leads a partition, as this broker knows it; none when it has no leader, or there is no such topic.
pub(crate) fn leader(port: u16, topic: &str, partition: i32) -> Result<Option<i32>> {
    let mut body = 1i32.to_be_bytes().to_vec();
    body.extend((topic.len() as i16).to_be_bytes());
    body.extend(topic.as_bytes());
    let answer = call(port, METADATA, 0, &body)?;
    let mut cursor = Cursor(&answer);
    for _ in 0..cursor.i32()? {
        cursor.i32()?; // id
        cursor.text()?; // host
        cursor.i32()?; // port
    }
    cursor.i32()?; // one topic
    cursor.i16()?; // its error
    cursor.text()?;
    for _ in 0..cursor.i32()? {
        let (_error, index, leader) = (cursor.i16()?, cursor.i32()?, cursor.i32()?);
        for _ in 0..2 {
            // Replicas, and those in sync.
            for _ in 0..cursor.i32()? {
                cursor.i32()?;
            }
        }
        if index == partition {
            return Ok((leader >= 0).then_some(leader));
        }
    }
    Ok(None)
}

/// The id of the broker that coordinates a transactional id.
pub(crate) fn coordinator(port: u16, id: &str) -> Result<i32> {
    const FIND_COORDINATOR: i16 = 10;
    let mut body = (id.len() as i16).to_be_bytes().to_vec();
    body.extend(id.as_bytes());
    body.push(1); // of transactions
    let answer = call(port, FIND_COORDINATOR, 1, &body)?;
    let mut cursor = Cursor(&answer);
    cursor.i32()?; // throttled
    match cursor.i16()? {
        0 => {}
        code => bail!("kafka on port {port}: who coordinates {id}? error code {code}"),
    }
    cursor.text()?; // message
    cursor.i32()
}

pub(super) fn end_offset(port: u16, topic: &str, partition: i32) -> Result<Option<u64>> {
    let mut body = Vec::new();
    body.extend((-1i32).to_be_bytes()); // replica: a client
    body.extend(1i32.to_be_bytes());
    body.extend((topic.len() as i16).to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(1i32.to_be_bytes());
    body.extend(partition.to_be_bytes());
    body.extend((-1i64).to_be_bytes()); // timestamp: latest
    let answer = call(port, LIST_OFFSETS, 1, &body)?;
    let mut cursor = Cursor(&answer);
    cursor.i32()?; // one topic
    let name = cursor.i16()?;
    cursor.take(usize::try_from(name).unwrap_or(0))?;
    cursor.i32()?; // one partition
    cursor.i32()?; // its index
    match cursor.i16()? {
        0 => {
            cursor.i64()?; // timestamp
            Ok(u64::try_from(cursor.i64()?).ok())
        }
        UNKNOWN_TOPIC_OR_PARTITION | LEADER_NOT_AVAILABLE | NOT_LEADER => Ok(None),
        code => bail!("kafka on port {port}: cannot list the end of {topic}-{partition}: error code {code}"),
    }
}

fn call(port: u16, api: i16, version: i16, body: &[u8]) -> Result<Vec<u8>> {
    const CLIENT: &str = "pgcdc-testbed";
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, limit)
        .with_context(|| format!("cannot reach kafka on {address}"))?;
    stream.set_read_timeout(Some(limit))?;
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(1i32.to_be_bytes()); // correlation id
    request.extend((CLIENT.len() as i16).to_be_bytes());
    request.extend(CLIENT.as_bytes());
    request.extend(body);
    stream.write_all(&(request.len() as i32).to_be_bytes())?;
    stream.write_all(&request)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size).with_context(|| format!("kafka on {address} does not answer"))?;
    let size = u32::from_be_bytes(size);
    if !(4..1 << 24).contains(&size) {
        bail!("what listens on {address} is not kafka: an answer of {size} bytes");
    }
    let mut answer = vec![0; size as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer.split_off(4)) // behind the correlation id
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count).context("kafka's answer ends early")?;
        self.0 = rest;
        Ok(head)
    }
    fn text(&mut self) -> Result<&'a [u8]> {
        let length = self.i16()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }
    fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }
    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }
    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into()?))
    }
}
