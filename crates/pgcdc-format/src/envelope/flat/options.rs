/// `delete.tombstone.handling.mode`: what a delete becomes.
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

/// A field of `add.fields` or `add.headers`.
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

/// The options of the transform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwrap {
    /// `delete.tombstone.handling.mode`.
    pub delete: DeleteHandling,
    /// `add.fields`.
    pub add_fields: Vec<AddField>,
    /// `add.headers`.
    pub add_headers: Vec<AddField>,
}
