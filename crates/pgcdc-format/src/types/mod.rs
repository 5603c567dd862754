//! A Postgres value's text form turned into the JSON, or the Avro, that Debezium writes for its type.
//!
//! | Postgres | Connect type (logical type) by default | file |
//! |---|---|---|
//! | `bool`, `bit(1)` | boolean | `family`, `bit` |
//! | `int2`, `int4`, `int8`, `oid` | int16, int32, int64, int64 | `number` |
//! | `float4`, `float8` | float, double | `number` |
//! | `numeric(p,s)`, `money` | bytes (`Decimal`) | `numeric`, `money` |
//! | `numeric` | struct (`VariableScaleDecimal`) | `numeric` |
//! | `text`, `varchar`, `char`, `citext`, `inet`, ranges, … | string | `family` |
//! | `uuid`, `json`, `xml`, `ltree`, enums, … | string (`Uuid`, `Json`, `Xml`, `Ltree`, `Enum`, …) | `family` |
//! | `bytea` | bytes | `binary` |
//! | `bit(n)`, `varbit` | bytes (`Bits`) | `bit` |
//! | `date` | int32 (`Date`) | `temporal` |
//! | `time`, `timestamp` | int64 (`MicroTime`, `MicroTimestamp`) | `temporal` |
//! | `timetz`, `timestamptz` | string (`ZonedTime`, `ZonedTimestamp`) | `temporal` |
//! | `interval` | int64 (`MicroDuration`) | `interval` |
//! | arrays | array | `family/array` |
//! | `hstore` | string (`Json`) | `hstore` |
//! | `point`, `box`, `geometry`, … | struct (`Point`, `Geometry`, …) | `geo` |
//! | `vector`, `halfvec`, `sparsevec` | array or struct | `vector` |
//!
//! [`Codec::compile`] looks at a column once, when its table's `Relation` message arrives, and settles everything that does
//! not depend on the row: family, precision, schema, default. For a row [`Codec::append`] then only reads text and appends
//! bytes.
//!
//! Reading order: `options`; `plan` (which family a type belongs to) with `oid` and `logical` (its schema); `family` (one
//! match per value) with what families are made of; then a file per group of types, as the table says, with `calendar` below
//! them; the replacements of a value: `default`, `unavailable`, `failures`; masks and cuts: `shaping`, with `mask` and
//! `measure`. `avro` is the binary form.
//!
//! The codecs rely on these settings of the session, which pgcdc fixes: DateStyle ISO, IntervalStyle postgres, TimeZone UTC,
//! bytea_output hex, lc_monetary C, UTF-8.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Data type mappings"; recordings (`types/testdata`).

mod avro;
mod binary;
mod bit;
mod calendar;
mod default;
mod failures;
mod family;
mod fault;
mod geo;
mod hstore;
mod interval;
mod logical;
mod mask;
mod measure;
mod money;
mod number;
mod numeric;
mod oid;
mod options;
mod plan;
mod shaping;
mod temporal;
mod unavailable;
mod vector;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
pub(crate) use fuzz::check_any_text;
#[cfg(test)]
mod tests;

pub(crate) use avro::AvroCodec;
pub(crate) use failures::ColumnFailures;
pub use failures::{FailedColumn, FailureMode, Failures};
pub use mask::HashMask;
pub(crate) use numeric::{big_endian, decimal_digits, negate, shortest};
pub use options::{
    BinaryMode, DecimalFormat, DecimalMode, HstoreMode, IntervalMode, TimePrecision, TypeOptions,
};
pub use shaping::{Shaping, source_type_name};

pub use crate::java::{append_f32, append_f64};
pub use crate::json::{write_json_escaped, write_json_string};

use pgcdc_event::Column;

use crate::schema::Schema;
use family::{Family, Reform};
use fault::Fault;

/// The replacement for a value that could not be converted.
enum StandIn {
    /// The form of SQL NULL: Debezium does not read the value.
    Null,
    /// The form of a failed conversion: the column's default, else null.
    Missing,
}

/// Why a value cannot be converted. Its text is safe to log: it never quotes the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (type {pg_type})")]
pub struct ValueError {
    /// The Postgres type's name.
    pub pg_type: Box<str>,
    /// The reason, one of a fixed set of texts; never the value itself, which may be private.
    pub reason: &'static str,
}

/// Turns one column's values into JSON.
///
/// ```
/// use std::sync::Arc;
/// use pgcdc_event::{Column, PgType, TypeKind};
/// use pgcdc_format::types::{Codec, TypeOptions};
///
/// let date = PgType { oid: 1082, schema: "pg_catalog".into(), name: "date".into(), kind: TypeKind::Base };
/// let column = Column {
///     name: "born".into(), pg_type: Arc::new(date), typmod: -1, not_null: false, default: None,
///     key_position: None, in_identity: false, generated: false, comment: None,
/// };
/// let codec = Codec::compile(&column, &TypeOptions::default()).expect("dates are always written");
/// let mut json = Vec::new();
/// codec.append(b"2024-02-29", &mut json).expect("a date");
/// assert_eq!(json, b"19782");
/// ```
#[derive(Clone, Debug)]
pub struct Codec {
    /// The form of its values.
    family: Family,
    /// The field's schema.
    schema: Schema,
    /// The Postgres type's name, for errors.
    pg_type: Box<str>,
    /// The JSON for SQL NULL (see [`append_null`](Self::append_null)).
    null: Box<[u8]>,
    /// The JSON for a value that cannot be converted; `None` when the record cannot be written then.
    missing: Option<Box<[u8]>>,
    /// Whether a value that cannot be converted fails the record, even if something could replace it.
    strict: bool,
    /// Counts the values that cannot be converted. A key's codec does not count: the value's codec saw the same text.
    failures: Option<Box<ColumnFailures>>,
    /// The JSON for an unchanged TOAST value.
    unavailable: Box<[u8]>,
}

impl Codec {
    /// Compiles a column as its type says; `None` when Debezium leaves the type out: a type that it does not know, without
    /// `include.unknown.datatypes`, or an array of a type that it cannot put into lists.
    #[must_use]
    pub fn compile(column: &Column, options: &TypeOptions) -> Option<Self> {
        Self::compile_shaped(column, options, None, false)
    }

    /// Compiles a column for the value of a record, under the rule that shapes it. `snapshot` says that the column was read
    /// from the catalog for a snapshot, when Debezium knows less of a `numeric` without precision.
    ///
    /// A mask replaces every value; a default stays hidden behind it, too:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use pgcdc_event::{Column, PgType, TypeKind};
    /// use pgcdc_format::types::{Codec, Shaping, TypeOptions};
    /// # let text = PgType { oid: 25, schema: "pg_catalog".into(), name: "text".into(), kind: TypeKind::Base };
    /// # let column = Column {
    /// #     name: "note".into(), pg_type: Arc::new(text), typmod: -1, not_null: false, default: None,
    /// #     key_position: None, in_identity: false, generated: false, comment: None,
    /// # };
    /// let rule = Shaping::Mask(3);
    /// let codec = Codec::compile_shaped(&column, &TypeOptions::default(), Some(&rule), false).expect("text");
    /// let mut json = Vec::new();
    /// codec.append(b"secret", &mut json).expect("any text");
    /// assert_eq!(json, br#""***""#);
    /// ```
    #[must_use]
    pub fn compile_shaped(
        column: &Column,
        options: &TypeOptions,
        shaping: Option<&Shaping>,
        snapshot: bool,
    ) -> Option<Self> {
        let plan = plan::of_column(column, options)?;
        let mut schema = plan.schema;
        let reform = shaping.and_then(|shaping| shaping.apply(column, snapshot, &plan.family, &mut schema));
        schema.optional |= !column.not_null;
        if options.schema_comments {
            schema.doc = column.comment.clone().or(schema.doc);
        }
        schema.default = default::json(column, &plan.family);

        let token = |json: &str| Box::from(json.as_bytes());
        let null: Box<[u8]> = match &schema.default {
            Some(default) if column.not_null || options.replace_null_with_default => token(default),
            None if column.not_null => plan.fallback.into(),
            _ => token("null"),
        };
        let missing = match &schema.default {
            Some(default) if options.replace_null_with_default => Some(token(default)),
            _ if schema.optional => Some(token("null")),
            _ => None,
        };
        let unavailable = unavailable::json(&plan.family, &plan.base_name, &options.unavailable_placeholder)
            .map_or_else(|| missing.clone().unwrap_or_else(|| token("null")), Into::into);
        let pg_type = column.pg_type.name.clone();
        let strict = options.failures == FailureMode::Fail;
        let failures = None;
        let Some(reform) = reform else {
            let family = plan.family;
            return Some(Self { family, schema, pg_type, null, missing, strict, failures, unavailable });
        };
        // A nullable column's default replaces null only in the converter, after the rule was applied.
        let null = match &reform {
            Reform::Constant(_) => reform.of_json(null.into()).into(),
            _ if column.not_null => reform.of_json(null.into()).into(),
            _ => null,
        };
        Some(Self {
            null,
            missing: missing.map(|json| reform.of_json(json.into()).into()),
            // Debezium does not cut the placeholder of bytes.
            unavailable: match &reform {
                Reform::CutBytes(_) => unavailable,
                _ => reform.of_json(unavailable.into()).into(),
            },
            family: Family::Shaped(Box::new((plan.family, reform))),
            schema,
            pg_type,
            strict,
            failures,
        })
    }

    /// The same codec, counting the values that it cannot convert.
    pub(crate) fn counted(mut self, failures: ColumnFailures) -> Self {
        self.failures = Some(Box::new(failures));
        self
    }

    /// The same codec for a record without a schema, in which a NOT NULL column may be null.
    pub(crate) fn null_where_required(mut self) -> Self {
        self.missing.get_or_insert_with(|| b"null".as_slice().into());
        self
    }

    /// The same codec for a column that is never read: every value is written as SQL NULL. Debezium's snapshots do not read an
    /// excluded column, even when the key has it.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.family = Family::Shaped(Box::new((Family::Text, Reform::Constant(self.null.clone()))));
        self.unavailable = self.null.clone();
        self
    }

    /// The field's Connect schema, with `optional`, default and parameters.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Appends the JSON of a value that is not null.
    ///
    /// Where a value cannot be converted (NaN in a precise decimal, nanoseconds of a far year, a text that is not of the
    /// type's output format) and the column is nullable, this appends its default or null, as Debezium does.
    ///
    /// # Errors
    /// When nothing may replace such a value, or [`TypeOptions::failures`] is `Fail`. `out` may then hold a part of the
    /// value.
    #[inline]
    pub fn append(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        let start = out.len();
        match self.family.append(text, out) {
            Ok(()) => Ok(()),
            Err(fault) => self.append_fault(fault, start, out),
        }
    }

    /// Appends the JSON of a value that a snapshot read. It differs from [`append`](Self::append) for dates before year 1
    /// and infinite dates, which Debezium's snapshots write differently.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    #[inline]
    pub fn append_snapshot(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        let start = out.len();
        match self.family.append_from_driver(text, out) {
            Ok(()) => Ok(()),
            Err(fault) => self.append_fault(fault, start, out),
        }
    }

    /// Takes back the part of a value that was appended, and appends the replacement.
    #[cold]
    fn append_fault(&self, fault: Fault, start: usize, out: &mut Vec<u8>) -> Result<(), ValueError> {
        out.truncate(start);
        match self.judge(fault)? {
            StandIn::Null => self.append_null(out),
            StandIn::Missing => out.extend_from_slice(self.missing.as_deref().unwrap_or(b"null")),
        }
        Ok(())
    }

    /// Decides what replaces a value that could not be converted, and counts it.
    fn judge(&self, fault: Fault) -> Result<StandIn, ValueError> {
        let refused = |reason| Err(ValueError { pg_type: self.pg_type.clone(), reason });
        let reason = match fault {
            Fault::Absent => return Ok(StandIn::Null),
            // Debezium does not count this as a failure.
            Fault::Null if self.missing.is_some() => return Ok(StandIn::Missing),
            Fault::Bad(reason) => reason,
            Fault::Null | Fault::Failed => "the value has no form under these options",
        };
        if self.strict {
            return refused(reason);
        }
        if self.missing.is_none() {
            return refused(match fault {
                Fault::Bad(reason) => reason,
                _ => "the value has no form under these options and the column is NOT NULL",
            });
        }
        if let Some(failures) = &self.failures {
            failures.note(reason);
        }
        Ok(StandIn::Missing)
    }

    /// Appends the JSON for SQL NULL: `null`, or the default of a column that has one (Connect's
    /// `replace.null.with.default`). A NOT NULL column, whose value can only be absent in an old row, gets
    /// its default or the type's zero.
    #[inline]
    pub fn append_null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.null);
    }

    /// Appends the JSON for an unchanged TOAST value: `unavailable.value.placeholder` in the form of the
    /// column's type, or null where Debezium has no such form.
    #[inline]
    pub fn append_unavailable(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.unavailable);
    }
}
