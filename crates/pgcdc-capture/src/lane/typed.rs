//! Changes as values, for programs that embed capture.

use std::sync::Arc;

use bytes::Bytes;
use pgcdc_event::{ChangeEvent, Datum, Relation, Row, SourceInfo};
use pgcdc_format::envelope::Context;
use pgcdc_format::pgoutput::{DecodeError, Tuple, TupleValue};

use super::change::RowChange;

/// Makes an event of a change. All its values share one copy of the message, so an event costs one
/// allocation for its bytes.
///
/// # Errors
/// When a row of the message cannot be decoded.
pub(super) fn change(
    relation: &Arc<Relation>,
    change: RowChange<'_>,
    context: &Context<'_>,
) -> Result<ChangeEvent, DecodeError> {
    let copy = Bytes::copy_from_slice(change.data);
    let row = |tuple| tuple_row(tuple, change.data, &copy);
    Ok(ChangeEvent {
        operation: change.operation,
        relation: Arc::clone(relation),
        before: change.before.map(|(_, tuple)| row(tuple)).transpose()?,
        after: change.after.map(row).transpose()?,
        source: SourceInfo {
            lsn: context.lsn,
            last_commit: context.last_commit,
            xid: context.xid,
            timestamp_us: context.timestamp_us,
            snapshot: context.snapshot,
        },
    })
}

/// One row's values. Text stays as PostgreSQL sent it; nobody converts it before the program asks.
fn tuple_row(tuple: Tuple<'_>, data: &[u8], copy: &Bytes) -> Result<Row, DecodeError> {
    let datum = |value: Result<TupleValue<'_>, DecodeError>| {
        Ok(match value? {
            TupleValue::Null => Datum::Null,
            TupleValue::Unchanged => Datum::Unchanged,
            TupleValue::Text(text) | TupleValue::Binary(text) => Datum::Text(share(text, data, copy)),
        })
    };
    Ok(Row(tuple.values().map(datum).collect::<Result<_, _>>()?))
}

/// The part of `copy` that corresponds to `part` of `data`. Columns that were read again lie
/// outside of the message, and are copied.
fn share(part: &[u8], data: &[u8], copy: &Bytes) -> Bytes {
    match part.as_ptr().addr().checked_sub(data.as_ptr().addr()) {
        Some(from) if from + part.len() <= data.len() => copy.slice(from..from + part.len()),
        _ => Bytes::copy_from_slice(part),
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_event::{Operation, ReplicaIdentity, TableName};

    use super::*;

    #[test]
    fn a_row_that_was_read_again_is_no_part_of_the_message() {
        let relation = Arc::new(Relation {
            oid: 1,
            name: TableName::new("s", "t"),
            identity: ReplicaIdentity::Default,
            columns: Vec::new(),
            comment: None,
        });
        let mut message = vec![b'I'];
        Tuple::write(&[TupleValue::Text(b"old"), TupleValue::Null], &mut message);
        let mut again = Vec::new();
        Tuple::write(&[TupleValue::Text(b"new"), TupleValue::Unchanged], &mut again);
        for (bytes, first, second) in
            [(&message[1..], "old", Datum::Null), (&again[..], "new", Datum::Unchanged)]
        {
            let after = Some(Tuple::parse(bytes).expect("a tuple"));
            let parts = RowChange { operation: Operation::Create, before: None, after, data: &message };
            let event = change(&relation, parts, &Context::default()).expect("an event");
            let Row(values) = event.after.expect("a row");
            assert_eq!(values[..], [Datum::Text(Bytes::from_static(first.as_bytes())), second]);
        }
    }
}
