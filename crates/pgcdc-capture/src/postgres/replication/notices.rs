//! Errors and notices of the server while it streams.
//!
//! One cause has words of its own. A publication that was made, or made again, after the changes
//! that the slot still has: the server decodes old changes with the catalog of that time, which has
//! no such publication.

use crate::postgres::wire::login;
use crate::{Error, SqlState};

/// The code of a publication that does not exist when the server looks it up (up to PostgreSQL 17).
const NO_PUBLICATION: SqlState = SqlState::UNDEFINED_OBJECT;

/// The same from PostgreSQL 18 on, where the server skips the change and warns.
const CHANGE_SKIPPED: SqlState = SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE;

/// The error that ends the stream.
pub(super) fn refused(payload: &[u8], slot: &str, publication: &str) -> Error {
    let error = login::refused("replication stream", payload);
    if error.sqlstate() != Some(NO_PUBLICATION) {
        return error;
    }
    Error::fatal(format!("{}. {}", error, younger(slot, publication)))
        .with_hint(ways_out(slot))
        .with_sqlstate(NO_PUBLICATION)
        .with_source(error)
}

/// Logs a notice. The first one that says that changes are skipped is a warning; all others are for
/// debugging.
pub(super) fn log(payload: &[u8], warned: &mut bool, slot: &str, publication: &str) {
    let code = field(payload, b'C').and_then(SqlState::parse);
    let skipped = field(payload, b'V') == Some("WARNING") && code == Some(CHANGE_SKIPPED);
    let text = field(payload, b'M').unwrap_or_default();
    if skipped && !std::mem::replace(warned, true) {
        tracing::warn!(
            hint = ways_out(slot),
            "the server skips changes: {text}. {}",
            younger(slot, publication)
        );
    } else {
        tracing::debug!("the server says: {text}");
    }
}

/// Says what happened: the publication is younger than the changes.
fn younger(slot: &str, publication: &str) -> String {
    format!(
        "Publication {publication} is younger than the changes that replication slot {slot} is at: the server looks a \
         publication up as of the position that it reads, and there it did not exist. It was made, or dropped and made \
         again, after these changes"
    )
}

/// The two ways out, as a hint.
fn ways_out(slot: &str) -> String {
    format!(
        "to make up for these changes, drop the slot, SELECT pg_drop_replication_slot('{slot}'), and start with \
         snapshot.mode=when_needed, which takes a new snapshot. To do without them, move the slot, \
         SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn()), and start with offset.mismatch.strategy=trust_slot"
    )
}

/// A field of an `ErrorResponse` or `NoticeResponse`. Source: PostgreSQL documentation, "Error and
/// Notice Message Fields".
fn field(payload: &[u8], code: u8) -> Option<&str> {
    let of = |field: &[u8]| field.first() == Some(&code);
    let found = payload.split(|byte| *byte == 0).find(|field| of(field))?;
    std::str::from_utf8(&found[1..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_that_is_younger_is_told_from_other_errors() {
        let payload = |code: &str| {
            format!("SERROR\0VERROR\0C{code}\0Mpublication \"p\" does not exist\0\0").into_bytes()
        };
        let error = refused(&payload("42704"), "my_slot", "my_pub");
        let (text, hint) = (error.to_string(), error.hint().unwrap_or_default().to_owned());
        assert!(text.contains("my_slot") && text.contains("my_pub") && !error.is_transient(), "{text}");
        assert!(
            hint.contains("when_needed") && hint.contains("trust_slot") && hint.contains("my_slot"),
            "{hint}"
        );
        assert!(refused(&payload("57P01"), "my_slot", "my_pub").is_transient());
        assert!(!refused(&payload("22023"), "my_slot", "my_pub").to_string().contains("younger"));
    }

    #[test]
    fn fields_are_found_and_a_torn_message_has_none() {
        let payload = b"SWARNUNG\0VWARNING\0C55000\0Mskipped\0\0";
        assert_eq!((field(payload, b'V'), field(payload, b'C')), (Some("WARNING"), Some("55000")));
        assert_eq!((field(b"", b'C'), field(b"\0", b'C'), field(b"\xff\0C\xfe", b'C')), (None, None, None));
        let mut warned = false;
        log(payload, &mut warned, "s", "p");
        assert!(warned);
    }
}
