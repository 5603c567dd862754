//! A change → what its row contributes.

use std::borrow::Cow;
use std::io::Write as _;

use pgcdc_event::Operation;
use pgcdc_format::decode::{Decimal, Field, Form, Json, Placeholder, Row, Semantic, instant_us};
use pgcdc_kafka::consumer::Partition;

use super::config::Leaderboard;
use super::pack::{Contribution, Packed};
use crate::Record;
use crate::hints::{NUMERIC_HINT, may_be_numeric};

/// Adds a record for the script. A record that concerns no row adds nothing.
///
/// # Errors
/// Why it can never be written; nothing was added.
pub(super) fn pack(
    board: &Leaderboard,
    partition: &Partition,
    record: &Record<'_>,
    placeholder: &Placeholder,
    packed: &mut Packed,
) -> Result<(), String> {
    let change = &record.change;
    let contribution = match change.operation {
        Operation::Message => return Ok(()),
        Operation::Truncate => return Err("TRUNCATE is not applied to a leaderboard".to_owned()),
        Operation::Delete => None,
        Operation::Create | Operation::Update | Operation::Read => match &change.after {
            Some(row) => contribution(board, row, placeholder)?,
            None => None,
        },
    };
    let position = record.position;
    let key = change.key.as_ref().filter(|key| key.fields().next().is_some());
    if key.is_none() && !matches!(change.operation, Operation::Create | Operation::Read) {
        return Err("the record has no key: which row changed cannot be told".to_owned());
    }
    let row = |text: &mut Vec<u8>| match key {
        Some(key) => row_name(partition, key, text),
        // Rows of a table without a key can only be added up.
        None => drop(write!(text, "{partition}@{position}")),
    };
    packed.record(
        position,
        row,
        change.form == Form::Tombstone,
        contribution.as_ref(),
        record.order.as_ref(),
    );
    Ok(())
}

/// The key's values: the same with and without schema, and whatever the white space.
fn row_name(partition: &Partition, key: &Row<'_>, text: &mut Vec<u8>) {
    text.extend_from_slice(partition.topic.as_bytes());
    for (at, field) in key.fields().enumerate() {
        text.push(if at == 0 { b':' } else { b',' });
        match field.value.to_text() {
            // Writing to a Vec does not fail.
            Some(value) => drop(serde_json::to_writer(&mut *text, &*value)),
            None => text.extend_from_slice(b"null"),
        }
    }
}

/// What a row adds to its member; `None` when member, score or time is null.
fn contribution<'r>(
    board: &Leaderboard,
    row: &'r Row<'_>,
    placeholder: &Placeholder,
) -> Result<Option<Contribution<'r>>, String> {
    let field = |column: &str| match row.field(column) {
        None => Err(format!("the row has no column {column:?}")),
        Some(field) if placeholder.is(field.value) => {
            Err(format!("column {column:?} was not sent (unchanged TOAST value): set REPLICA IDENTITY FULL"))
        }
        Some(field) => Ok((!field.value.is_null()).then_some(field)),
    };
    let (member, score, time) = (field(&board.member)?, field(&board.score)?, field(&board.time)?);
    let (Some(member), Some(score), Some(time)) = (member, score, time) else { return Ok(None) };
    let score = number(&score).ok_or_else(|| {
        let hint = if may_be_numeric(&score) { NUMERIC_HINT } else { "" };
        format!("column {:?} is not a number{hint}", board.score)
    })?;
    let time_us = instant_us(time.value, time.semantic)
        .ok_or_else(|| format!("column {:?} is not a point in time", board.time))?;
    let Some(member) = member.value.to_text() else { return Ok(None) };
    Ok(Some(Contribution { time_us, score, member }))
}

/// The largest score, so that no sum of a board's rows leaves the range of a double: Redis takes no NaN, and an infinite
/// sum would stay.
const LARGEST: f64 = 1e300;

/// A field as a score's text; `None` when it is no number, or beyond what a board can add up.
///
/// A number that a double cannot tell from zero becomes `0`: Redis refuses such a text, in the middle of the script.
fn number<'r>(field: &Field<'r, '_>) -> Option<Cow<'r, str>> {
    let number = match (field.value, field.semantic) {
        (_, Some(Semantic::Decimal(_) | Semantic::VariableScaleDecimal)) => {
            Cow::Owned(Decimal::of(field.value, field.semantic)?.to_string())
        }
        (Json::Number(text), _) => Cow::Borrowed(*text),
        (Json::String(text), _) => Cow::Owned(Decimal::from_text(text)?.to_string()),
        _ => return None,
    };
    let value: f64 = number.parse().ok()?;
    match value.is_normal() {
        true => (value.abs() <= LARGEST).then_some(number),
        false => (value.is_subnormal() || value == 0.0).then_some(Cow::Borrowed("0")),
    }
}
