//! Connect schemas of the envelope and its blocks, in the JSON form that `JsonConverter` writes with `schemas.enable=true`.
//!
//! | name | version | of |
//! |---|---|---|
//! | `<topic>.Envelope` | 2 | a change; its fields `before` and `after` are `<topic>.Value` |
//! | `<topic>.Key` | | a change's key |
//! | `io.debezium.connector.postgresql.Source` | 1 | the `source` block |
//! | `event.block` | 1 | the `transaction` block |
//! | `io.debezium.connector.postgresql.MessageKey`, `MessageValue` | 1 | a logical message |
//! | `io.debezium.connector.common.ServerNameKey`, `Heartbeat` | 1 | a heartbeat |
//! | `io.debezium.connector.common.TransactionMetadataKey`, `…Value` | 1 | a transaction's begin and end |
//!
//! Avro schemas are made from these texts, so a change here changes both forms.
//!
//! Source: recordings of Debezium 3.7.0.Final (`tests/conformance`).

use super::options::EnvelopeOptions;
use super::row::RowEncoder;
use crate::json::write_json_string;

/// The values that `source.snapshot` may have, as the schema lists them (`io.debezium.data.Enum`).
pub(super) const SNAPSHOT_VALUES: &str =
    "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental";

/// The `source` block, as a field of that name.
pub(super) const SOURCE_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"version"},"#,
    r#"{"type":"string","optional":false,"field":"connector"},{"type":"string","optional":false,"field":"name"},"#,
    r#"{"type":"int64","optional":false,"field":"ts_ms"},{"type":"string","optional":true,"#,
    r#""name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"true,first,first_in_data_collection,"#,
    r#"last_in_data_collection,last,false,incremental"},"default":"false","field":"snapshot"},"#,
    r#"{"type":"string","optional":false,"field":"db"},{"type":"string","optional":true,"field":"sequence"},"#,
    r#"{"type":"int64","optional":true,"field":"ts_us"},{"type":"int64","optional":true,"field":"ts_ns"},"#,
    r#"{"type":"string","optional":false,"field":"schema"},{"type":"string","optional":false,"field":"table"},"#,
    r#"{"type":"int64","optional":true,"field":"txId"},{"type":"int64","optional":true,"field":"lsn"},"#,
    r#"{"type":"int64","optional":true,"field":"xmin"},{"type":"string","optional":true,"field":"origin"},"#,
    r#"{"type":"int64","optional":true,"field":"origin_lsn"}],"optional":false,"#,
    r#""name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"}"#,
);

/// The `transaction` block, as a field of that name.
pub(super) const TRANSACTION_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},"#,
    r#"{"type":"int64","optional":false,"field":"total_order"},"#,
    r#"{"type":"int64","optional":false,"field":"data_collection_order"}],"optional":true,"#,
    r#""name":"event.block","version":1,"field":"transaction"}"#,
);

/// The envelope's own times, as three fields: milliseconds, microseconds, nanoseconds.
pub(super) const TIMES_SCHEMA: &str = concat!(
    r#"{"type":"int64","optional":true,"field":"ts_ms"},{"type":"int64","optional":true,"field":"ts_us"},"#,
    r#"{"type":"int64","optional":true,"field":"ts_ns"}"#,
);

/// The key of a logical decoding message.
pub(super) const MESSAGE_KEY_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":true,"field":"prefix"}],"optional":false,"#,
    r#""name":"io.debezium.connector.postgresql.MessageKey","version":1}"#,
);

/// The key of a heartbeat.
pub(super) const SERVER_KEY_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"serverName"}],"optional":false,"#,
    r#""name":"io.debezium.connector.common.ServerNameKey","version":1}"#,
);

/// The value of a heartbeat.
pub(super) const HEARTBEAT_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"#,
    r#""name":"io.debezium.connector.common.Heartbeat","version":1}"#,
);

/// The key of the records that begin and end a transaction.
pub(super) const TRANSACTION_KEY_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"}],"optional":false,"#,
    r#""name":"io.debezium.connector.common.TransactionMetadataKey","version":1}"#,
);

/// The value of the records that begin and end a transaction.
pub(super) const TRANSACTION_VALUE_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"status"},"#,
    r#"{"type":"string","optional":false,"field":"id"},{"type":"int64","optional":true,"field":"event_count"},"#,
    r#"{"type":"array","items":{"type":"struct","fields":[{"type":"string","optional":false,"field":"data_collection"},"#,
    r#"{"type":"int64","optional":false,"field":"event_count"}],"optional":true,"name":"event.collection","version":1},"#,
    r#""optional":true,"field":"data_collections"},{"type":"int64","optional":false,"field":"ts_ms"}],"#,
    r#""optional":false,"name":"io.debezium.connector.common.TransactionMetadataValue","version":1}"#,
);

/// Appends the schema of a whole envelope.
pub(super) fn envelope_schema(row: &RowEncoder, topic: &str, options: &EnvelopeOptions, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"struct","fields":["#);
    for field in ["before", "after"] {
        row_schema(row, topic, options, out);
        out.extend_from_slice(br#","field":""#);
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(br#""},"#);
    }
    out.extend_from_slice(SOURCE_SCHEMA.as_bytes());
    out.push(b',');
    out.extend_from_slice(TRANSACTION_SCHEMA.as_bytes());
    out.extend_from_slice(br#",{"type":"string","optional":false,"field":"op"},"#);
    out.extend_from_slice(TIMES_SCHEMA.as_bytes());
    out.extend_from_slice(br#"],"optional":false,"name":"#);
    write_json_string(options.schema_names.schema(&format!("{topic}.Envelope")).as_bytes(), out);
    out.extend_from_slice(br#","version":2}"#);
}

/// Appends the schema of `before` or `after`, except for its end: the caller adds the field's name and closes it.
fn row_schema(row: &RowEncoder, topic: &str, options: &EnvelopeOptions, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"struct","fields":["#);
    for (at, (name, schema)) in row.fields().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        schema.append_json(Some(name), out);
    }
    out.extend_from_slice(br#"],"optional":true,"name":"#);
    write_json_string(options.schema_names.schema(&format!("{topic}.Value")).as_bytes(), out);
}
