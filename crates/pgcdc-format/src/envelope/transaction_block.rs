//! The `transaction` block of a change: `{"id":"xid:lsn","total_order":1,"data_collection_order":1}`.

use pgcdc_event::Lsn;

use super::context::Context;

/// Appends the `transaction` block of a change: null where the connector does not number changes.
#[inline]
pub(super) fn append_block(context: &Context<'_>, out: &mut Vec<u8>) {
    let Some(ordinal) = context.ordinal else {
        out.extend_from_slice(b"null");
        return;
    };
    out.extend_from_slice(br#"{"id":""#);
    append_id(context.xid, context.lsn, out);
    out.extend_from_slice(br#"","total_order":"#);
    number(ordinal.total, out);
    out.extend_from_slice(br#","data_collection_order":"#);
    number(ordinal.of_table, out);
    out.push(b'}');
}

/// Appends a transaction's id as Debezium writes it: `xid:lsn`, with the position of the change, begin or commit that
/// the record is about. So the id is the same for a whole transaction only up to the colon.
pub(super) fn append_id(xid: Option<u32>, lsn: Lsn, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(xid.map_or("null", |xid| digits.format(xid)).as_bytes());
    out.push(b':');
    number(lsn.as_u64(), out);
}

/// Appends a number's decimal digits.
pub(super) fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
