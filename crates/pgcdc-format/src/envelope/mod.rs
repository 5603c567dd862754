//! Debezium's records: a row's change as `before`/`after`/`source`/`op`, or flattened, as JSON or Avro.
//!
//! | field of an envelope | holds |
//! |---|---|
//! | `before` | the old row, as far as the replica identity sends it; null for an insert |
//! | `after` | the new row; null for a delete |
//! | `source` | the table, and where and when the change happened: see [`SourceTemplate`] |
//! | `transaction` | id and numbers with `provide.transaction.metadata`, else null |
//! | `op` | `c` create, `u` update, `d` delete, `r` read by a snapshot, `t` truncate |
//! | `ts_ms`, `ts_us`, `ts_ns` | when the change was encoded, in three units since 1970-01-01 UTC |
//!
//! A record's key is an object of the key's columns. With `schemas.enable` both halves stand in
//! `{"schema":…,"payload":…}`.
//!
//! | change | records |
//! |---|---|
//! | insert, update, truncate | one; a truncate's has no key |
//! | delete | one, then a tombstone: the same key and a null value, for compacted topics |
//! | update that changes the key | a delete, its tombstone, a create |
//!
//! A [`RelationEncoder`] is compiled once, when a table's `Relation` message arrives: field names are escaped, schemas and the
//! constant parts of `source` are rendered. For a row it then only appends the values between these pieces.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Data change events", and recordings of Debezium 3.7.0.Final
//! (`tests/conformance`).
//!
//! Reading order: `options`, `context` and `change` are what an encoder is given; `encoder` decides which records a change
//! makes. A record's value is then written by `json`, `flat` or `avro`, its columns by `row`, its key by `key`.
//! `message` and `transaction` make the records that no table's change makes.
//!
//! ```
//! use std::sync::Arc;
//! use pgcdc_event::{Column, PgType, RecordBatch, Relation, ReplicaIdentity, Snapshot, TableName, TopicId, TypeKind};
//! use pgcdc_format::envelope::{Change, Context, EnvelopeOptions, RelationEncoder, RowRef, TablePlan};
//!
//! let int4 = PgType { oid: 23, schema: "pg_catalog".into(), name: "int4".into(), kind: TypeKind::Base };
//! let id = Column {
//!     name: "id".into(), pg_type: Arc::new(int4), typmod: -1, not_null: true, default: None,
//!     key_position: Some(1), in_identity: true, generated: false, comment: None,
//! };
//! let relation = Relation {
//!     oid: 16384, name: TableName::new("public", "orders"), identity: ReplicaIdentity::Default,
//!     columns: vec![id], comment: None,
//! };
//! let plan = TablePlan {
//!     topic: TopicId(0), topic_name: "shop.public.orders".into(), included: vec![true],
//!     key: relation.primary_key(), key_field: None, shaping: Vec::new(), snapshot: true,
//! };
//! let options = EnvelopeOptions::new("shop", "shop");
//! let mut encoder = RelationEncoder::compile(Arc::new(relation), &plan, &options);
//!
//! let new = RowRef::Copied { line: b"7", columns: &[Some((0, 1))] };
//! let context = Context { snapshot: Snapshot::True, ..Context::default() };
//! let mut batch = RecordBatch::new();
//! encoder.encode(Change::Insert { new }, &context, &mut batch)?;
//!
//! let record = batch.get(0).expect("one record");
//! assert_eq!(record.key, Some(&br#"{"id":7}"#[..]));
//! assert!(record.value.is_some_and(|value| value.starts_with(br#"{"before":null,"after":{"id":7},"#)));
//! # Ok::<(), pgcdc_format::envelope::EncodeError>(())
//! ```

mod avro;
mod change;
mod context;
mod encoder;
mod error;
mod flat;
mod header;
mod json;
mod key;
mod message;
mod options;
mod row;
mod schemas;
mod source;
mod transaction;
mod transaction_block;

pub use avro::{AvroHalves, Half};
pub use change::Change;
pub use context::{Context, Ordinal};
pub use encoder::RelationEncoder;
pub use error::EncodeError;
pub use flat::{AddField, DeleteHandling, FieldSection, Unwrap};
pub use message::{MessageEncoder, MessageKind};
pub use options::{EnvelopeOptions, TablePlan};
pub use row::RowRef;
pub use source::SourceTemplate;

#[cfg(test)]
mod tests;
