//! The families: one value of an enum for each form that a column's values can have.
//!
//! A value is written by one match on its column's family. That match is the only decision that is made for each value, so
//! everything that a column fixes (precision, unit, delimiter) is inside the family.
//!
//! Families contain each other: a list's elements have a family (`array`), and a masked value has the family that it had before
//! (`reform`). So the three files import each other, and no other file of `types` is part of that circle.

mod array;
mod reform;

pub(super) use array::ArrayForm;
pub(super) use reform::Reform;

use super::binary::BinaryForm;
use super::bit::{append_bit, append_bits};
use super::fault::Fault;
use super::geo::Shape;
use super::hstore;
use super::interval::IntervalForm;
use super::money::MoneyForm;
use super::number::{append_float4, append_float8, append_int};
use super::numeric::Numeric;
use super::temporal::{self, DateForm, TimeForm, TimeUnit};
use super::vector;
use crate::json::write_json_string;

/// The form of a column's values. See the table in `types/mod.rs` for the types that have each of them.
#[derive(Clone, Debug)]
pub(super) enum Family {
    /// `bool`.
    Bool,
    /// `int2`, `int4`, `int8`, `oid`.
    Int,
    /// `float4`.
    Float4,
    /// `float8`.
    Float8,
    /// `numeric`.
    Numeric(Numeric),
    /// `money`.
    Money(MoneyForm),
    /// A type whose JSON is Postgres' own text: text, uuid, json, xml, inet, enums, ranges.
    Text,
    /// `bytea`.
    Bytea(BinaryForm),
    /// A type unknown to Debezium: its text as bytes.
    Unknown(BinaryForm),
    /// A type for which Debezium has a schema, but no value while streaming (`name`): written as SQL NULL.
    Absent,
    /// A type whose values never fit the schema that Debezium gives it (`bit[]`).
    NeverFits,
    /// `bit(1)` as a boolean.
    Bit,
    /// `bit(n)` and `varbit`.
    Bits,
    /// `date`.
    Date(DateForm),
    /// `time`.
    Time(TimeForm),
    /// `timetz` as text.
    TimeTz,
    /// `timetz`, structured.
    TimeTzStructured(i32),
    /// `timestamp`.
    Timestamp(TimeUnit, i32),
    /// `timestamptz` as text.
    TimestampTz(i32),
    /// `timestamptz`, structured.
    TimestampTzStructured(i32),
    /// `interval`.
    Interval(IntervalForm),
    /// `hstore` as JSON text.
    HstoreJson,
    /// `hstore` as a map.
    HstoreMap,
    /// Geometric types, Postgres' own and PostGIS'.
    Shape(Shape),
    /// pgvector's `vector`.
    Vector,
    /// pgvector's `halfvec`.
    HalfVector,
    /// pgvector's `sparsevec`.
    SparseVector,
    /// A list of values of another family.
    Array(Box<ArrayForm>),
    /// A value of another family, masked or cut.
    Shaped(Box<(Family, Reform)>),
}

impl Family {
    /// Appends the JSON of a value that Debezium reads through its JDBC driver, in snapshots and in lists. The driver converts
    /// some dates differently.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub(super) fn append_from_driver(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Date(form) => form.append_from_driver(text, out),
            Self::Absent => {
                write_json_string(text, out);
                Ok(())
            }
            Self::Shaped(shaped) => shaped.1.append(&shaped.0, text, true, out),
            _ => self.append(text, out),
        }
    }

    /// Appends the JSON of a value that is not null.
    ///
    /// # Errors
    /// When the text is not of the type's output format, or the value has no form. `out` may then hold a part of the value.
    pub(super) fn append(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Bool => {
                out.extend_from_slice(match text {
                    b"t" => b"true",
                    b"f" => b"false".as_slice(),
                    _ => return Err(Fault::Bad("not a boolean")),
                });
                Ok(())
            }
            Self::Int => append_int(text, out),
            Self::Text => {
                write_json_string(text, out);
                Ok(())
            }
            Self::TimestampTz(precision) => temporal::append_timestamptz(text, *precision, out),
            Self::Timestamp(unit, precision) => temporal::append_timestamp(text, *unit, *precision, out),
            Self::Numeric(form) => form.append(text, out),
            Self::Float8 => append_float8(text, out),
            Self::Float4 => append_float4(text, out),
            Self::Date(form) => form.append(text, out),
            Self::Time(form) => form.append(text, out),
            Self::Bytea(form) => form.append_bytea(text, out),
            Self::Array(form) => form.append(text, out),
            Self::Money(form) => form.append(text, out),
            Self::Unknown(form) => {
                form.append(text, out);
                Ok(())
            }
            Self::Absent => Err(Fault::Absent),
            Self::NeverFits => Err(Fault::Failed),
            Self::Bit => append_bit(text, out),
            Self::Bits => append_bits(text, out),
            Self::TimeTz => temporal::append_timetz(text, out),
            Self::TimeTzStructured(precision) => temporal::append_timetz_structured(text, *precision, out),
            Self::TimestampTzStructured(precision) => {
                temporal::append_timestamptz_structured(text, *precision, out)
            }
            Self::Interval(form) => form.append(text, out),
            Self::HstoreJson => hstore::append_json(text, out),
            Self::HstoreMap => hstore::append_map(text, out),
            Self::Shape(shape) => shape.append(text, out),
            Self::Vector => vector::append_vector(text, false, out),
            Self::HalfVector => vector::append_vector(text, true, out),
            Self::SparseVector => vector::append_sparse(text, out),
            Self::Shaped(shaped) => shaped.1.append(&shaped.0, text, false, out),
        }
    }
}
