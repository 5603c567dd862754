//! Reading one request.

use std::io::{BufRead, Error, ErrorKind, Read as _, Result};
use std::time::Instant;

/// One recorded request.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`, …
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Headers in order, as sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When its last byte was read.
    pub at: Instant,
    /// The status it was answered with; none when the connection was dropped on purpose.
    pub answered: Option<u16>,
}

impl Request {
    /// The value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Says whether it was answered with a 2xx.
    pub fn accepted(&self) -> bool {
        self.answered.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Reads one request; none at the end of the connection.
pub(super) fn read(reader: &mut impl BufRead) -> Result<Option<Request>> {
    const LIMIT: usize = 256 << 20;
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut parts = first.split(' ');
    let (method, path) =
        (parts.next().unwrap_or_default().to_owned(), parts.next().unwrap_or_default().to_owned());
    let mut headers = Vec::new();
    while let Some(line) = line(reader)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header without a colon"))?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new(), at: Instant::now(), answered: None };
    if request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        loop {
            let size = line(reader)?.ok_or_else(|| bad("a chunk is missing"))?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16);
            let size = size.ok().filter(|size| *size < LIMIT).ok_or_else(|| bad("a chunk's size"))?;
            reader.take(size as u64).read_to_end(&mut request.body)?;
            line(reader)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length") {
        let length = length
            .parse::<usize>()
            .ok()
            .filter(|length| *length < LIMIT)
            .ok_or_else(|| bad("Content-Length"))?;
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body)?;
    }
    request.at = Instant::now();
    Ok(Some(request))
}

fn line(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut text = String::new();
    if reader.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn bodies_by_length_and_by_chunks() {
        let mut wire = &b"POST /a?b HTTP/1.1\r\nContent-Length: 3\r\nX: y\r\n\r\nabcPOST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"[..];
        let first = read(&mut wire).expect("reads").expect("a request");
        assert_eq!(
            (first.path.as_str(), &first.body[..], first.header("x")),
            ("/a?b", &b"abc"[..], Some("y"))
        );
        let second = read(&mut wire).expect("reads").expect("a request");
        assert_eq!((second.method.as_str(), &second.body[..]), ("POST", &b"de"[..]));
        assert!(read(&mut wire).expect("reads").is_none());
    }
}
