//! A type's name, length and scale as Debezium gets them from its JDBC driver. `column.propagate.source.type` shows them,
//! and they decide whether a column can be truncated.
//!
//! | type | length | scale |
//! |---|---|---|
//! | `int2`, `int4`, `int8` | 5, 10, 19 digits | 0 |
//! | `float4`, `float8` | 8, 17 digits | 8, 17 |
//! | `numeric(p,s)` | p | s |
//! | `numeric` | 131,089, in a snapshot 0 | 0, in a snapshot none |
//! | `varchar(n)`, `char(n)`, `bit(n)` | n | 0 |
//! | `date`, `time`, `timestamp`, `interval`, … | the width of the longest text | digits of the second |
//! | `text` and all others | 2³¹ - 1 | 0 |
//!
//! Source: recordings (`tests/conformance/shape_propagate`); PostgreSQL manual, "Data Types", for the display widths.

use pgcdc_event::{Column, PgType, TypeKind};

use super::oid;

/// The driver's length of a type without a limit.
const UNLIMITED: i32 = i32::MAX;

/// A column's type as the driver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    /// `VARCHAR`, `SERIAL`, `_INT4`, or a type's own name, in capitals.
    pub(super) name: String,
    /// The longest value, in characters, digits or bits; `None` where Debezium tells none.
    pub(super) length: Option<i32>,
    /// Digits behind the point; `None` where Debezium tells none.
    pub(super) scale: Option<i32>,
}

impl Measure {
    /// The measure of a column. A snapshot tells less of a `numeric` without a precision than the stream does.
    pub(super) fn of(column: &Column, snapshot: bool) -> Self {
        let name = type_name(column).to_uppercase();
        let typmod = column.typmod;
        if matches!(&*column.pg_type.name, "vector" | "halfvec" | "sparsevec")
            && column.pg_type.kind == TypeKind::Base
        {
            return Self { name, length: (typmod != -1).then_some(typmod), scale: Some(0) };
        }
        if snapshot && column.pg_type.oid == oid::NUMERIC && typmod == -1 {
            return Self { name, length: Some(0), scale: None };
        }
        let (length, scale) = if typmod == -1 {
            defaults(&column.pg_type)
        } else {
            (precision(&column.pg_type, typmod), scale(&column.pg_type, typmod))
        };
        Self { name, length: Some(length), scale: Some(scale) }
    }
}

/// The driver's name of the type: a column that takes its values from a sequence is a `serial`.
pub(super) fn type_name(column: &Column) -> &str {
    let serial = column.default.as_deref().is_some_and(|default| default.contains("nextval("));
    match column.pg_type.oid {
        oid::INT2 if serial => "smallserial",
        oid::INT4 if serial => "serial",
        oid::INT8 if serial => "bigserial",
        _ => &column.pg_type.name,
    }
}

/// Length and scale of a column without a modifier of its own: a domain has those of the type below it.
fn defaults(pg_type: &PgType) -> (i32, i32) {
    match &pg_type.kind {
        TypeKind::Domain { base, typmod: -1 } => defaults(base),
        TypeKind::Domain { base, typmod } => (length(base, *typmod), scale(base, *typmod)),
        _ => (length(pg_type, -1), scale(pg_type, -1)),
    }
}

/// The precision of a type, or for a type without precision the width of its longest value.
fn length(pg_type: &PgType, typmod: i32) -> i32 {
    match precision(pg_type, typmod) {
        0 => 131_089,
        precision => precision,
    }
}

/// The type whose width counts: for an array that of its elements.
fn base_oid(pg_type: &PgType) -> u32 {
    match &pg_type.kind {
        TypeKind::Array(element) => element.oid,
        _ => pg_type.oid,
    }
}

/// The driver's precision of a type; 0 for a `numeric` without one.
fn precision(pg_type: &PgType, typmod: i32) -> i32 {
    // A second has at least two digits behind its point, if it has any.
    let second = match typmod {
        -1 => 7,
        0 => 0,
        1 => 3,
        digits => digits.saturating_add(1),
    };
    match base_oid(pg_type) {
        oid::INT2 => 5,
        oid::INT4 | oid::OID => 10,
        oid::INT8 => 19,
        oid::FLOAT4 => 8,
        oid::FLOAT8 => 17,
        oid::NUMERIC if typmod == -1 => 0,
        oid::NUMERIC => (typmod.wrapping_sub(4) >> 16) & 0xffff,
        oid::BOOL | oid::CHAR => 1,
        oid::BPCHAR | oid::VARCHAR if typmod == -1 => UNLIMITED,
        oid::BPCHAR | oid::VARCHAR => typmod.saturating_sub(4),
        oid::BIT => typmod,
        oid::VARBIT if typmod == -1 => UNLIMITED,
        oid::VARBIT => typmod,
        oid::DATE => 13,
        oid::TIME => second.saturating_add(8),
        oid::TIMETZ => second.saturating_add(14),
        oid::TIMESTAMP => second.saturating_add(22),
        oid::TIMESTAMPTZ => second.saturating_add(28),
        oid::INTERVAL => 49,
        _ => UNLIMITED,
    }
}

/// The driver's scale of a type.
fn scale(pg_type: &PgType, typmod: i32) -> i32 {
    match base_oid(pg_type) {
        oid::FLOAT4 => 8,
        oid::FLOAT8 => 17,
        oid::NUMERIC if typmod == -1 => 0,
        oid::NUMERIC => typmod.wrapping_sub(4) & 0xffff,
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL if typmod == -1 => 6,
        oid::INTERVAL => typmod & 0xffff,
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => typmod,
        _ => 0,
    }
}
