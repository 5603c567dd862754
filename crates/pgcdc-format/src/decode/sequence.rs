//! `source.sequence`: two positions by which transactions are ordered.
//!
//! A change's own position (`source.lsn`) is not enough for that: transactions that ran at the same time mix in the WAL, and are
//! sent one after the other in the order of their commits. So a later change may have a lower position.

use pgcdc_event::Lsn;

use super::json::Json;

/// The value of `source.sequence`: `["<end of the commit before>","<position of this change>"]`, a JSON array inside a text.
///
/// Debezium calls the first number the last completely processed commit. It is null until a connector without offsets
/// has read its first commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Where the commit record of the transaction before this change's ends.
    pub last_commit: Option<Lsn>,
    /// Position of the change. `source.lsn` repeats it, except in rows of an incremental snapshot.
    pub lsn: Option<Lsn>,
}

impl Sequence {
    /// Reads the text as it stands in the record, with or without the escapes of the JSON around it.
    ///
    /// `None` when it is not an array of two positions.
    ///
    /// ```
    /// use pgcdc_format::decode::Sequence;
    /// let sequence = Sequence::parse(r#"["24023128","24023176"]"#).expect("two positions");
    /// assert_eq!(sequence.lsn.map(|lsn| lsn.as_u64()), Some(24_023_176));
    /// assert_eq!(Sequence::parse(r#""[null,\"7\"]""#).and_then(|sequence| sequence.last_commit), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.trim_matches(['"', ' ']).strip_prefix('[')?.strip_suffix(']')?;
        let (last_commit, lsn) = inner.split_once(',')?;
        Some(Self { last_commit: position(last_commit)?, lsn: position(lsn)? })
    }

    /// Reads a decoded value.
    pub(super) fn of(value: &Json<'_>) -> Option<Self> {
        value.as_str().and_then(Self::parse)
    }
}

/// A position: `null`, or digits between quotation marks. The outer `None` says that it is neither.
fn position(text: &str) -> Option<Option<Lsn>> {
    let text = text.trim();
    if text == "null" {
        return Some(None);
    }
    text.trim_matches(['"', '\\']).parse().ok().map(|number| Some(Lsn::new(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_are_read_with_and_without_escapes() {
        let both = |last_commit: Option<u64>, lsn: Option<u64>| {
            Some(Sequence { last_commit: last_commit.map(Lsn::new), lsn: lsn.map(Lsn::new) })
        };
        let cases = [
            (r#""[\"24023128\",\"24023176\"]""#, both(Some(24_023_128), Some(24_023_176))),
            (r#"["24023128","24023176"]"#, both(Some(24_023_128), Some(24_023_176))),
            (r#""[null,\"7\"]""#, both(None, Some(7))),
            (r#"[ null , null ]"#, both(None, None)),
            ("null", None),
            ("[]", None),
            (r#"["x","1"]"#, None),
            (r#"["1"]"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(Sequence::parse(text), expected, "{text}");
        }
    }
}
