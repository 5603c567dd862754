//! Rows of `COPY … TO STDOUT` in text format, which snapshots read.
//!
//! A row is one line. Tabs separate its columns, and a newline ends it.
//!
//! | in the line | in the value |
//! |---|---|
//! | `\N`, as a whole column | NULL |
//! | `\b` `\f` `\n` `\r` `\t` `\v` | the control characters 8, 12, 10, 13, 9 and 11 |
//! | `\\` | a backslash |
//! | `\` and any other byte | that byte |
//!
//! The server also reads `\123` and `\x7f`, but never writes them.
//!
//! Source: the PostgreSQL manual, `COPY`, "Text Format". Apart from these escapes a column has the text form that pgoutput
//! sends, so both ways share the codecs of [`types`](crate::types).

/// Splits one line of COPY text, given without its newline, into columns.
///
/// `columns` is cleared, and then holds for each column where its value begins and ends in `line`; `None` is NULL. Escapes
/// are resolved in place, which can only shorten a value: the bytes between two values are of no use afterwards.
///
/// Every line can be split; there is no error. An empty line is one empty column, so a table without columns needs care by
/// the caller. A backslash at the very end of a column stays.
///
/// ```
/// let mut line = b"7\t\\N\ta\\tb".to_vec();
/// let mut columns = Vec::new();
/// pgcdc_format::copy::split_line(&mut line, &mut columns);
/// let values: Vec<_> = columns.iter().map(|place| place.map(|(from, to)| &line[from..to])).collect();
/// assert_eq!(values, [Some(&b"7"[..]), None, Some(b"a\tb")]);
/// ```
pub fn split_line(line: &mut [u8], columns: &mut Vec<Option<(usize, usize)>>) {
    columns.clear();
    let mut start = 0;
    loop {
        let (end, escaped) = column_end(line, start);
        if &line[start..end] == b"\\N" {
            columns.push(None);
        } else if escaped {
            let length = unescape(&mut line[start..end]);
            columns.push(Some((start, start + length)));
        } else {
            columns.push(Some((start, end)));
        }
        if end == line.len() {
            return;
        }
        start = end + 1;
    }
}

/// Where the column that begins at `start` ends, and whether it holds a backslash. A tab inside a value is always escaped,
/// so the first raw tab ends the column.
fn column_end(line: &[u8], start: usize) -> (usize, bool) {
    match memchr::memchr2(b'\t', b'\\', &line[start..]) {
        None => (line.len(), false),
        Some(at) if line[start + at] == b'\t' => (start + at, false),
        Some(at) => {
            let from = start + at;
            let end = memchr::memchr(b'\t', &line[from..]).map_or(line.len(), |tab| from + tab);
            (end, true)
        }
    }
}

/// Resolves escapes in place; returns the length of the value.
fn unescape(value: &mut [u8]) -> usize {
    let (mut read, mut write) = (0, 0);
    while read < value.len() {
        let mut byte = value[read];
        read += 1;
        if byte == b'\\' && read < value.len() {
            byte = match value[read] {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => other,
            };
            read += 1;
        }
        value[write] = byte;
        write += 1;
    }
    write
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(line: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut line = line.to_vec();
        let mut columns = Vec::new();
        split_line(&mut line, &mut columns);
        columns.into_iter().map(|c| c.map(|(from, to)| line[from..to].to_vec())).collect()
    }

    #[test]
    fn null_empty_and_escapes_are_told_apart() {
        let text = |t: &str| Some(t.as_bytes().to_vec());
        assert_eq!(split(b"1\t\\N\t\ta\\tb\\\\N"), [text("1"), None, text(""), text("a\tb\\N")]);
        assert_eq!(split(b"\\\\N"), [text("\\N")]);
        assert_eq!(split(b""), [text("")]);
    }

    /// Escapes as the server does (`CopyAttributeOutText`).
    fn escape(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in value {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                8 => out.extend_from_slice(b"\\b"),
                12 => out.extend_from_slice(b"\\f"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                11 => out.extend_from_slice(b"\\v"),
                other => out.push(other),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn what_the_server_escapes_comes_back(values in proptest::collection::vec(proptest::option::of(proptest::collection::vec(1_u8.., 0..20)), 1..6)) {
            let line: Vec<Vec<u8>> = values.iter().map(|v| v.as_ref().map_or(b"\\N".to_vec(), |v| escape(v))).collect();
            prop_assert_eq!(split(&line.join(&b'\t')), values);
        }
    }
}
