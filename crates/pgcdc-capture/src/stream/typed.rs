//! Changes as values, for programs that embed capture.

use std::sync::Arc;

use bytes::Bytes;
use pgcdc_event::{ChangeEvent, Datum, Operation, Relation, Row, SourceInfo};
use pgcdc_format::envelope::Context;
use pgcdc_format::pgoutput::{DecodeError, Tuple, TupleValue};

/// Builds an event from what the wire had. The values share one copy of the message.
pub(super) fn event(
    operation: Operation,
    relation: &Arc<Relation>,
    data: &[u8],
    before: Option<Tuple<'_>>,
    after: Option<Tuple<'_>>,
    context: &Context<'_>,
) -> Result<ChangeEvent, DecodeError> {
    let copy = Bytes::copy_from_slice(data);
    let row = |tuple| row(tuple, data, &copy);
    Ok(ChangeEvent {
        operation,
        relation: Arc::clone(relation),
        before: before.map(row).transpose()?,
        after: after.map(row).transpose()?,
        source: SourceInfo {
            lsn: context.lsn,
            last_commit: context.last_commit,
            xid: context.xid,
            timestamp_us: context.timestamp_us,
            snapshot: context.snapshot,
        },
    })
}

fn row(tuple: Tuple<'_>, data: &[u8], copy: &Bytes) -> Result<Row, DecodeError> {
    let copied = |part: &[u8]| {
        let at = part.as_ptr().addr() - data.as_ptr().addr();
        copy.slice(at..at + part.len())
    };
    let datum = |value: Result<TupleValue<'_>, DecodeError>| {
        Ok(match value? {
            TupleValue::Null => Datum::Null,
            TupleValue::Unchanged => Datum::Unchanged,
            TupleValue::Text(text) | TupleValue::Binary(text) => Datum::Text(copied(text)),
        })
    };
    Ok(Row(tuple.values().map(datum).collect::<Result<_, _>>()?))
}
