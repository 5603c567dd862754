//! A change → what its row contributes.

use pgcdc_event::{Lsn, Operation};
use pgcdc_format::decode::{Change, Decimal, Field, Form, Json, Placeholder, Row, Semantic, instant_us};
use pgcdc_kafka::consumer::Partition;

use super::Leaderboard;
use crate::Record;

/// One record for the script.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) offset: i64,
    /// Names the row among all that the leaderboard reads.
    pub(super) row: String,
    pub(super) lsn: Option<Lsn>,
    /// Whether it is a tombstone, which takes away only what was stored without an LSN.
    pub(super) tombstone: bool,
    /// `None`: the row contributes nothing (any more).
    pub(super) contribution: Option<Contribution>,
}

/// What a row adds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contribution {
    pub(super) time_us: i64,
    /// A number as Redis reads it.
    pub(super) score: String,
    pub(super) member: String,
}

/// `Ok(None)`: the record says nothing of any row.
pub(super) fn entry(
    board: &Leaderboard,
    partition: &Partition,
    record: &Record<'_>,
    placeholder: &Placeholder,
) -> Result<Option<Entry>, String> {
    let change = &record.change;
    let contribution = match change.operation {
        Operation::Message => return Ok(None),
        Operation::Truncate => return Err("TRUNCATE is not applied to a leaderboard".to_owned()),
        Operation::Delete => None,
        Operation::Create | Operation::Update | Operation::Read => match &change.after {
            Some(row) => contribution(board, row, placeholder)?,
            None => None,
        },
    };
    let row = match row_name(change) {
        Some(key) => format!("{}:{key}", partition.topic),
        // Rows of a table without a key can only be added up.
        None if matches!(change.operation, Operation::Create | Operation::Read) => {
            format!("{partition}@{}", record.message.offset)
        }
        None => return Err("the record has no key: which row changed cannot be told".to_owned()),
    };
    // An LSN helps only where deletes have one too: repeated records are told by it. Rows alone, whose
    // deletes are tombstones, go by their order.
    let by_lsn = change.form == Form::Envelope || change.rewritten;
    let lsn = change.source.lsn.filter(|_| by_lsn);
    let tombstone = change.form == Form::Tombstone;
    Ok(Some(Entry { offset: record.message.offset, row, lsn, tombstone, contribution }))
}

/// The key's values: the same with and without schema, and whatever the white space.
fn row_name(change: &Change<'_>) -> Option<String> {
    let key = change.key.as_ref()?;
    let values: Vec<String> = key
        .fields()
        .map(|f| {
            f.value
                .to_text()
                .map_or_else(|| "null".to_owned(), |text| serde_json::Value::from(&*text).to_string())
        })
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn contribution(
    board: &Leaderboard,
    row: &Row<'_>,
    placeholder: &Placeholder,
) -> Result<Option<Contribution>, String> {
    let field = |column: &str| match row.field(column) {
        None => Err(format!("the row has no column {column:?}")),
        Some(field) if placeholder.is(field.value) => {
            Err(format!("column {column:?} was not sent (unchanged TOAST value): set REPLICA IDENTITY FULL"))
        }
        Some(field) => Ok((!field.value.is_null()).then_some(field)),
    };
    let (member, score, time) = (field(&board.member)?, field(&board.score)?, field(&board.time)?);
    let (Some(member), Some(score), Some(time)) = (member, score, time) else { return Ok(None) };
    let score = number(&score).ok_or_else(|| format!("column {:?} is not a number", board.score))?;
    let time_us = instant_us(time.value, time.semantic)
        .ok_or_else(|| format!("column {:?} is not a point in time", board.time))?;
    let member = match member.value.to_text() {
        Some(text) => text.into_owned(),
        None => return Ok(None),
    };
    Ok(Some(Contribution { time_us, score, member }))
}

fn number(field: &Field<'_, '_>) -> Option<String> {
    let number = match (field.value, field.semantic) {
        (_, Some(Semantic::Decimal(_) | Semantic::VariableScaleDecimal)) => {
            Decimal::of(field.value, field.semantic)?.to_string()
        }
        (Json::Number(text), _) => (*text).to_owned(),
        (Json::String(text), _) => Decimal::from_text(text)?.to_string(),
        _ => return None,
    };
    number.parse::<f64>().ok().filter(|n| n.is_finite()).map(|_| number)
}
