//! The options of `ExtractNewRecordState` that the encoder does itself.

/// `delete.tombstone.handling.mode`: the records that a delete becomes.
///
/// | mode | the delete's record | Debezium's tombstone behind it |
/// |---|---|---|
/// | `drop` | none | none |
/// | `tombstone` | a null value, with its schema where values have one | none |
/// | `rewrite` | the old row with `"__deleted":"true"` | none |
/// | `rewrite-with-tombstone` | the old row with `"__deleted":"true"` | kept |
/// | `delete-to-tombstone` | no value at all | none |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeleteHandling {
    /// `drop`: neither a delete nor a tombstone.
    Drop,
    /// `tombstone`: the delete becomes a null value with its schema; Debezium's own tombstone is left out.
    #[default]
    Tombstone,
    /// `rewrite`: the delete becomes the old row with `__deleted`; no tombstone.
    Rewrite,
    /// `rewrite-with-tombstone`: as `rewrite`, and the tombstone follows.
    RewriteWithTombstone,
    /// `delete-to-tombstone`: the delete becomes a tombstone without a schema.
    DeleteToTombstone,
}

impl DeleteHandling {
    /// Whether rows carry the field `__deleted`.
    pub(super) const fn rewrites(self) -> bool {
        matches!(self, Self::Rewrite | Self::RewriteWithTombstone)
    }
}

/// A block of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldSection {
    /// `source`.
    Source,
    /// `before`.
    Before,
    /// `after`.
    After,
    /// `transaction`.
    Transaction,
}

/// A field of `add.fields` or `add.headers`, such as `source.lsn` or `op:operation`.
///
/// ```
/// use pgcdc_format::envelope::{AddField, FieldSection, Unwrap};
///
/// // add.fields = source.lsn, with the default prefix `__`.
/// let lsn = AddField { section: Some(FieldSection::Source), field: "lsn".into(), name: "__source_lsn".into() };
/// let unwrap = Unwrap { add_fields: vec![lsn], ..Unwrap::default() };
/// assert!(unwrap.add_headers.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddField {
    /// The block to look in. `None` looks in Debezium's order: the envelope's own fields (`op`, `ts_ms`, …), then the
    /// transaction block, then the source block.
    pub section: Option<FieldSection>,
    /// The field's name in that block.
    pub field: String,
    /// The name that the record gives it, prefix included.
    pub name: String,
}

/// The options of the transform. The default has no added fields and makes a delete a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwrap {
    /// `delete.tombstone.handling.mode`.
    pub delete: DeleteHandling,
    /// `add.fields`, in the order in which they follow the row's columns.
    pub add_fields: Vec<AddField>,
    /// `add.headers`, in the order of the record's headers.
    pub add_headers: Vec<AddField>,
}
