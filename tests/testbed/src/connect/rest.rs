//! HTTP requests with JSON in and out, each on a connection of its own.
//!
//! HTTP/1.0, so that the server neither keeps the connection nor cuts its answer into chunks: the body is all that follows the
//! head, up to the end of the connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// Connect answers slowly while it starts a connector or rebalances; its own limit is 90 s.
const LIMIT: Duration = Duration::from_secs(95);

/// Asks once. A body that is no JSON comes as a text.
///
/// # Errors
/// When nobody answers, or not in HTTP.
pub fn request(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let what = || format!("{method} http://{address}{path}");
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).with_context(what)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut text = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n");
    if !body.is_empty() {
        text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(&body);
    stream.write_all(text.as_bytes()).with_context(what)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(what)?;
    parse(&answer).with_context(what)
}

fn parse(answer: &[u8]) -> Result<(u16, Value)> {
    let answer = std::str::from_utf8(answer).context("the answer is not UTF-8")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("not HTTP: {}", head.lines().next().unwrap_or_default()))?;
    let body = match body.trim() {
        "" => Value::Null,
        // An error page of the server itself is not JSON; its text is worth more than a parse error.
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn status_and_body() {
        let (status, body) =
            parse(b"HTTP/1.1 201 Created\r\nA: b\r\n\r\n{\"name\":\"x\"}").expect("an answer");
        assert_eq!((status, body["name"].as_str()), (201, Some("x")));
        let (status, body) = parse(b"HTTP/1.1 204 No Content\r\n\r\n").expect("an answer");
        assert_eq!((status, body.is_null()), (204, true));
        assert!(parse(b"what?").is_err());
    }
}
