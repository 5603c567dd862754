//! The two forms of a value: Debezium's envelope, and the row alone.
//!
//! | field of an envelope | here |
//! |---|---|
//! | `op` | the operation: `c`, `u`, `d`, `r`, `t` or `m` |
//! | `before`, `after` | the rows; null is none |
//! | `source` | [`Source`]: `lsn`, `ts_us` (else `ts_ms`), `sequence`, `txId`, `name`, `db`, `schema`, `table`, `snapshot` |
//! | `transaction`, `ts_ms`, … | not read |
//!
//! A row alone may carry the same facts as columns, where `add.fields` asked for them: `__lsn` or `__source_lsn`, and so on.

use std::borrow::Cow;
use std::sync::Arc;

use pgcdc_event::{Lsn, Operation};

use super::change::{Change, Form, Source};
use super::error::Error;
use super::json::Json;
use super::row::Row;
use super::scan::Scanner;
use super::semantic::RowSchema;
use super::sequence::Sequence;

/// The operation, `before`, `after` and `source` of an envelope.
pub(super) type EnvelopeParts<'a> = (Operation, Option<Row<'a>>, Option<Row<'a>>, Source<'a>);

/// The value at `before`, `after` or `source`: an object that was read, or why there is none.
enum Member<T> {
    /// Absent or null.
    Missing,
    /// The object, read.
    Object(T),
    /// Neither an object nor null: this may be a row with columns of these names.
    Other,
}

/// Reads an envelope in one pass; `None` when the object is not an envelope.
///
/// `before` and `after` are read as rows before it is known whether there is an `op` at all: that costs nothing for an envelope,
/// and a row alone rarely has columns of these names.
///
/// # Errors
/// When the object is an envelope with an unknown operation, with a `before` or `after` that is not an object, or without
/// the `after` that a create, update or read needs. Also when the text is not JSON.
pub(super) fn envelope<'a>(
    scanner: &mut Scanner<'a>,
    schema: &Option<Arc<RowSchema>>,
) -> Result<Option<EnvelopeParts<'a>>, Error> {
    let mut op = None;
    let (mut before, mut after, mut source) = (Member::Missing, Member::Missing, Member::Missing);
    scanner.object(|scanner, name| {
        match &*name {
            "before" => before = part(scanner, |scanner| Row::scan(scanner, schema.clone()))?,
            "after" => after = part(scanner, |scanner| Row::scan(scanner, schema.clone()))?,
            "source" => source = part(scanner, scan_source)?,
            "op" => op = Some(scanner.value()?),
            _ => drop(scanner.raw()?),
        }
        Ok(())
    })?;
    scanner.end()?;
    let (Some(Json::String(op)), Member::Object(source)) = (op, source) else { return Ok(None) };
    let operation = match op.as_bytes() {
        [letter] => Operation::from_letter(*letter),
        _ => None,
    };
    let operation =
        operation.ok_or_else(|| Error::new(format!("unknown operation {op:?} in the envelope")))?;
    let row = |part, which: &str| match part {
        Member::Missing => Ok(None),
        Member::Object(row) => Ok(Some(row)),
        Member::Other => Err(Error::new(format!("{which:?} of the envelope is not an object"))),
    };
    let (before, after) = (row(before, "before")?, row(after, "after")?);
    let needs_after = matches!(operation, Operation::Create | Operation::Update | Operation::Read);
    if needs_after && after.is_none() {
        return Err(Error::new(format!("the envelope of operation {op:?} has no \"after\"")));
    }
    Ok(Some((operation, before, after, source)))
}

/// Reads a member: an object by `read`, anything else only to step over it.
fn part<'a, T>(
    scanner: &mut Scanner<'a>,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<T, Error>,
) -> Result<Member<T>, Error> {
    scanner.space();
    if scanner.peek() == Some(b'{') {
        return read(scanner).map(Member::Object);
    }
    Ok(if scanner.value()?.is_null() { Member::Missing } else { Member::Other })
}

/// Reads the `source` block. A field of an unexpected type counts as absent.
fn scan_source<'a>(scanner: &mut Scanner<'a>) -> Result<Source<'a>, Error> {
    let mut source = Source::default();
    scanner.object(|scanner, name| {
        // Escapes stay as they are: resolving them would allocate a text for each record.
        if name == "sequence" {
            source.sequence = Sequence::parse(scanner.raw()?);
            return Ok(());
        }
        let wanted = matches!(
            &*name,
            "lsn" | "ts_us" | "ts_ms" | "txId" | "schema" | "table" | "snapshot" | "name" | "db"
        );
        if !wanted {
            return scanner.raw().map(drop);
        }
        let value = scanner.value()?;
        match &*name {
            "lsn" => source.lsn = value.as_i64().and_then(|n| u64::try_from(n).ok()).map(Lsn::new),
            "ts_us" => source.ts_us = value.as_i64().or(source.ts_us),
            "ts_ms" => source.ts_us = source.ts_us.or(value.as_i64().and_then(|ms| ms.checked_mul(1000))),
            "txId" => source.tx_id = value.as_i64().and_then(|n| u64::try_from(n).ok()),
            "schema" => source.schema = text_of(value),
            "table" => source.table = text_of(value),
            "name" => source.name = text_of(value),
            "db" => source.database = text_of(value),
            _ => source.read_by(&value),
        }
        Ok(())
    })?;
    Ok(source)
}

impl Source<'_> {
    /// Takes the value of `source.snapshot`: a word, in old releases of Debezium a boolean; `false` and null say that the row
    /// was streamed.
    fn read_by(&mut self, value: &Json<'_>) {
        self.snapshot = !matches!(value, Json::Null | Json::Bool(false)) && value.as_str() != Some("false");
        self.incremental = value.as_str() == Some("incremental");
    }
}

/// The text of a string; `None` for any other value.
fn text_of(value: Json<'_>) -> Option<Cow<'_, str>> {
    if let Json::String(text) = value { Some(text) } else { None }
}

/// Reads a row alone, with the fields that `add.fields` and `delete.tombstone.handling.mode=rewrite` add to it.
///
/// The added fields stay in the row, too: a sink writes them when its table has such columns.
pub(super) fn flattened<'a>(payload: &'a str, schema: Option<Arc<RowSchema>>) -> Result<Change<'a>, Error> {
    let row = Row::parse(payload, schema)?;
    let mut source = Source::default();
    let mut operation = None;
    let (mut rewritten, mut deleted) = (false, false);
    for field in row.fields().filter(|field| field.name.starts_with("__")) {
        let number = || field.value.as_i64();
        match field.name {
            "__deleted" => {
                rewritten = true;
                deleted = field.value == &Json::Bool(true) || field.value.as_str() == Some("true");
            }
            "__op" => {
                operation = field.value.as_str().and_then(|op| match op.as_bytes() {
                    [letter] => Operation::from_letter(*letter),
                    _ => None,
                });
            }
            "__lsn" | "__source_lsn" => {
                source.lsn = number().and_then(|n| u64::try_from(n).ok()).map(Lsn::new).or(source.lsn)
            }
            "__source_ts_us" => source.ts_us = number().or(source.ts_us),
            "__source_ts_ms" => source.ts_us = source.ts_us.or(number().and_then(|ms| ms.checked_mul(1000))),
            "__txId" | "__source_txId" => {
                source.tx_id = number().and_then(|n| u64::try_from(n).ok()).or(source.tx_id)
            }
            "__schema" | "__source_schema" => source.schema = text_of(field.value.clone()).or(source.schema),
            "__table" | "__source_table" => source.table = text_of(field.value.clone()).or(source.table),
            "__name" | "__source_name" => source.name = text_of(field.value.clone()).or(source.name),
            "__db" | "__source_db" => source.database = text_of(field.value.clone()).or(source.database),
            "__sequence" | "__source_sequence" => {
                source.sequence = Sequence::of(field.value).or(source.sequence)
            }
            "__snapshot" | "__source_snapshot" => source.read_by(field.value),
            _ => {}
        }
    }
    let deleted = deleted || operation == Some(Operation::Delete);
    let (operation, before, after) = if deleted {
        (Operation::Delete, Some(row), None)
    } else {
        (operation.unwrap_or(Operation::Update), None, Some(row))
    };
    let payload = Some(payload);
    Ok(Change { operation, form: Form::Flattened, key: None, before, after, source, rewritten, payload })
}
