//! What an answer's status says: delivered, something about the record, or nothing about it.
//!
//! Only an answer about the *content* of the request is a verdict on the record. All others speak of the way to the
//! endpoint (credentials, the URL, a proxy, load): every record would get the same answer, so the sink waits.

use std::collections::BTreeSet;

use pgcdc_config::Section;
use reqwest::StatusCode;

/// Statuses about the content: the same request will never be taken.
const REJECT: &[u16] = &[400, 409, 410, 413, 414, 415, 422];

/// Which statuses are a verdict on the record.
///
/// By default these are 400, 409, 410, 413, 414, 415 and 422. A status below 300 always means that the record is delivered,
/// and no list can change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    reject: BTreeSet<u16>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The endpoint has the record.
    Delivered,
    /// The endpoint will never take this record.
    Rejected,
    /// It says nothing about the record: ask again later.
    Wait,
}

impl Default for Statuses {
    fn default() -> Self {
        Self { reject: REJECT.iter().copied().collect() }
    }
}

impl Statuses {
    /// Reads `retry_status` and `reject_status`, which move a status to the other side.
    pub(super) fn parse(section: &mut Section<'_, '_>) -> Self {
        // Below 300 a record is delivered; a status has three digits.
        let retry = section.numbers("retry_status", 300..=599).unwrap_or_default();
        let reject = section.numbers("reject_status", 300..=599).unwrap_or_default();
        for both in retry.iter().filter(|status| reject.contains(status)) {
            section.mistake_at(
                "retry_status",
                &format!("{both} is in \"retry_status\" and in \"reject_status\": take it out of one"),
            );
        }
        let mut statuses = Self::default();
        statuses.reject.extend(reject.iter().filter_map(|status| u16::try_from(*status).ok()));
        statuses.reject.retain(|status| !retry.contains(&i64::from(*status)));
        statuses
    }

    /// What an answer with this status means.
    pub(super) fn verdict(&self, status: StatusCode) -> Verdict {
        match status {
            _ if status.is_success() => Verdict::Delivered,
            _ if self.reject.contains(&status.as_u16()) => Verdict::Rejected,
            _ => Verdict::Wait,
        }
    }
}

/// What a person can do about a status that the sink waits for.
pub(super) fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        300..=399 => {
            "the endpoint sends elsewhere, and a redirect is not followed: write the new address as \"url\""
        }
        401 | 407 | 511 => "renew the credentials in \"url\" or \"headers\", or at the endpoint",
        402 => "the account at the endpoint has to be paid for",
        403 => "let these credentials write to the endpoint",
        404 | 405 | 501 => "is \"url\" right, is \"method\", and is the endpoint's service deployed?",
        421 => "is the host in \"url\" right?",
        426 | 505 => "the endpoint wants another protocol: is \"url\" right (https instead of http)?",
        431 => "make \"headers\" shorter, or let the endpoint take larger ones",
        408 | 425 | 429 | 500..=599 => "the endpoint is overloaded or has a fault: its log says which",
        _ => "if this says something about the record, add the status to \"reject_status\"",
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_config::TomlFile;

    use super::*;

    #[test]
    fn only_what_speaks_of_the_content_is_a_verdict() {
        let statuses = Statuses::default();
        for status in 100..=999 {
            let expect = match status {
                200..=299 => Verdict::Delivered,
                400 | 409 | 410 | 413 | 414 | 415 | 422 => Verdict::Rejected,
                _ => Verdict::Wait,
            };
            let status = StatusCode::from_u16(status).expect("three digits");
            assert_eq!(statuses.verdict(status), expect, "{status}");
            assert!(!hint(status).is_empty());
        }
    }

    #[test]
    fn lists_move_a_status() {
        let read = |text: &str| {
            let file = TomlFile::parse("s.toml", text).expect("TOML");
            let mut mistakes = Vec::new();
            let statuses = Statuses::parse(&mut Section::new("", file.root(), &mut mistakes));
            (statuses, mistakes)
        };
        let (statuses, mistakes) = read("retry_status = [409, 400]\nreject_status = [404, 302]");
        assert_eq!(mistakes, []);
        let of = |status| statuses.verdict(StatusCode::from_u16(status).expect("a status"));
        assert_eq!([409, 400, 401].map(of), [Verdict::Wait; 3]);
        assert_eq!([404, 302, 422].map(of), [Verdict::Rejected; 3]);
        for (text, expect) in [
            (
                "retry_status = [409]\nreject_status = [409]",
                "409 is in \"retry_status\" and in \"reject_status\"",
            ),
            ("retry_status = [200]", "\"retry_status\" must have numbers within 300 and 599, not 200"),
            ("reject_status = [\"404\"]", "\"reject_status\" must be a list of whole numbers, not array"),
            ("reject_status = 404", "\"reject_status\" must be a list of whole numbers, not integer"),
        ] {
            let (_, mistakes) = read(text);
            assert!(mistakes.len() == 1 && mistakes[0].message.contains(expect), "{mistakes:?}");
        }
    }
}
