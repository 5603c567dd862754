use std::fmt;
use std::str::FromStr;

/// A position in Postgres' write-ahead log: a byte count since the cluster was made.
///
/// Text form `16/B374D848` for people (the manual's `pg_lsn` type), an integer for machines, as
/// Debezium writes it. Zero means "none".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(u64);

impl Lsn {
    /// No position.
    pub const ZERO: Self = Self(0);

    /// Wraps a byte position.
    #[must_use]
    pub const fn new(position: u64) -> Self {
        Self(position)
    }

    /// The byte position.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Whether this is [`Lsn::ZERO`], which means "none".
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// A text that is not of the form `16/B374D848`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a WAL position of the form 16/B374D848")]
pub struct ParseLsnError(String);

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (high, low) = text.split_once('/')?;
            if high.starts_with('+') || low.starts_with('+') {
                return None;
            }
            let high = u32::from_str_radix(high, 16).ok()?;
            let low = u32::from_str_radix(low, 16).ok()?;
            Some(Self(u64::from(high) << 32 | u64::from(low)))
        };
        parse().ok_or_else(|| ParseLsnError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rejects_what_is_not_a_position() {
        for text in ["", "/", "1", "1/", "/1", "G/0", "1/2/3", "100000000/0", "+1/1", " 1/1"] {
            assert!(text.parse::<Lsn>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_form_round_trips(position: u64) {
            let lsn = Lsn::new(position);
            prop_assert_eq!(lsn.to_string().parse::<Lsn>(), Ok(lsn));
        }
    }
}
