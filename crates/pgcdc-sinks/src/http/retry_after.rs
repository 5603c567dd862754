//! `Retry-After`: seconds, or an HTTP date (RFC 9110 §10.2.3, §5.6.7).

use std::time::{Duration, SystemTime};

use pgcdc_format::decode::iso_instant_us;

/// Longer waits are cut: a partition should not stand still for a day because of one answer.
const LONGEST: Duration = Duration::from_secs(600);

/// How long to wait from `now` on; `None` when the text is neither form.
pub(super) fn parse(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = http_date(text)?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO).min(LONGEST))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that is sent today.
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (clock, zone) = (parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if zone != "GMT" || parts.next().is_some() {
        return None;
    }
    let micros = iso_instant_us(&format!("{year}-{month:02}-{day}T{clock}Z"))?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(micros).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // 06 Nov 1994 08:49:37
        assert_eq!(parse("3", now), Some(Duration::from_secs(3)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:42 GMT", now), Some(Duration::from_secs(5)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse("999999", now), Some(LONGEST));
        for text in ["", "soon", "-1", "Sun, 06 Nov 1994", "Sun, 06 Foo 1994 08:49:42 GMT"] {
            assert_eq!(parse(text, now), None, "{text:?}");
        }
    }
}
