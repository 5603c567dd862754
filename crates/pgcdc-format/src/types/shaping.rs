//! The rules by which the connector changes a column beyond its type: masks, cuts, and the source's type in the schema.
//!
//! Source: Debezium's documentation, `column.mask.…`, `column.truncate.…`, `column.propagate.source.type`; recordings
//! (`tests/conformance/shape_*`).

use pgcdc_event::{Column, TypeKind};

use super::binary::BinaryForm;
use super::family::{Family, Reform};
use super::mask::HashMask;
use super::measure::Measure;
use super::oid;
use super::options::BinaryMode;
use super::plan::below_domains;
use crate::schema::{Kind, Schema};

/// The rule for a column. Where several rules name a column, the first one counts.
///
/// | rule | the value | parameters of the schema |
/// |---|---|---|
/// | truncate to N | a text's first N UTF-16 units, or N bytes | `truncateLength` |
/// | mask with N | N asterisks | `masked` |
/// | hash | hexadecimal digits of a hash, at most as many as the column is long | `masked` |
/// | propagate | unchanged | type, length, scale and name in the source |
///
/// Only texts are masked and hashed. A text that is too short to be cut by its type's own limit gets no parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shaping {
    /// `column.truncate.to.N.chars`: the longest text, in UTF-16 units, or the most bytes.
    Truncate(usize),
    /// `column.mask.with.N.chars`: the number of asterisks.
    Mask(usize),
    /// `column.mask.hash.…`.
    Hash(HashMask),
    /// `column.propagate.source.type`, `datatype.propagate.source.type`: the schema tells the column's type in Postgres.
    Propagate,
}

/// The name of a column's type as Debezium's JDBC driver has it, which `datatype.propagate.source.type` matches behind the
/// table's name: `serial` for an `int4` with a sequence, else the type's own name.
#[must_use]
pub fn source_type_name(column: &Column) -> &str {
    super::measure::type_name(column)
}

impl Shaping {
    /// Adds the rule to the column's schema, and returns how it changes values; `None` when it does not.
    pub(super) fn apply(
        &self,
        column: &Column,
        snapshot: bool,
        family: &Family,
        schema: &mut Schema,
    ) -> Option<Reform> {
        let measure = Measure::of(column, snapshot);
        let mut note = |key: &str, value: String| schema.parameters.push((key.into(), value.into()));
        match self {
            Self::Truncate(most) => {
                let limit = i64::try_from(*most).unwrap_or(i64::MAX);
                if measure.length.is_some_and(|length| (0..=limit).contains(&i64::from(length))) {
                    return None;
                }
                note("truncateLength", most.to_string());
                match (family, &schema.kind) {
                    (
                        Family::Bytea(BinaryForm(BinaryMode::Bytes))
                        | Family::Unknown(BinaryForm(BinaryMode::Bytes)),
                        _,
                    ) => Some(Reform::CutBytes(*most)),
                    (_, Kind::String) => Some(Reform::Cut(*most)),
                    _ => None,
                }
            }
            Self::Mask(length) => {
                note("masked", "true".to_owned());
                is_text(column)
                    .then(|| Reform::Constant(format!("\"{}\"", "*".repeat(*length)).into_bytes().into()))
            }
            Self::Hash(mask) => {
                note("masked", "true".to_owned());
                let most = measure.length.and_then(|length| usize::try_from(length).ok());
                let most = most.filter(|length| *length > 0).unwrap_or(usize::MAX);
                is_text(column).then(|| Reform::Hash(mask.clone(), most))
            }
            Self::Propagate => {
                note("__debezium.source.column.type", measure.name);
                if let Some(length) = measure.length {
                    note("__debezium.source.column.length", length.to_string());
                }
                if let Some(scale) = measure.scale {
                    note("__debezium.source.column.scale", scale.to_string());
                }
                note("__debezium.source.column.name", column.name.to_string());
                None
            }
        }
    }
}

/// Whether the driver reads the type as a text. Columns of other types are not masked, even if their JSON is a string.
fn is_text(column: &Column) -> bool {
    let (base, _) = below_domains(&column.pg_type, column.typmod);
    matches!(base.kind, TypeKind::Enum(_))
        || matches!(base.oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::CHAR | oid::NAME)
}
