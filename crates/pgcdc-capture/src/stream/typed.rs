//! Changes as values, for programs that embed capture.

use std::sync::Arc;

use bytes::Bytes;
use pgcdc_event::{ChangeEvent, Datum, Operation, Relation, Row, SourceInfo};
use pgcdc_format::envelope::Context;
use pgcdc_format::pgoutput::{DecodeError, Tuple, TupleValue};

/// Builds an event from what the wire had. The values share the message's memory.
pub(super) fn event(
    operation: Operation,
    relation: &Arc<Relation>,
    data: &Bytes,
    before: Option<Tuple<'_>>,
    after: Option<Tuple<'_>>,
    context: &Context<'_>,
) -> Result<ChangeEvent, DecodeError> {
    Ok(ChangeEvent {
        operation,
        relation: Arc::clone(relation),
        before: before.map(|tuple| row(tuple, data)).transpose()?,
        after: after.map(|tuple| row(tuple, data)).transpose()?,
        source: SourceInfo {
            lsn: context.lsn,
            last_commit: context.last_commit,
            xid: context.xid,
            timestamp_us: context.timestamp_us,
            snapshot: context.snapshot,
        },
    })
}

fn row(tuple: Tuple<'_>, data: &Bytes) -> Result<Row, DecodeError> {
    let datum = |value: Result<TupleValue<'_>, DecodeError>| {
        Ok(match value? {
            TupleValue::Null => Datum::Null,
            TupleValue::Unchanged => Datum::Unchanged,
            TupleValue::Text(text) | TupleValue::Binary(text) => Datum::Text(data.slice_ref(text)),
        })
    };
    Ok(Row(tuple.values().map(datum).collect::<Result<_, _>>()?))
}
