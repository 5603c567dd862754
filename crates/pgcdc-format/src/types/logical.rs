//! The schemas of Connect's and Debezium's logical types.
//!
//! Each function returns a required schema, unless it says otherwise; [`Codec`](super::Codec) makes it optional for a
//! nullable column. All structured times have optional fields only, since an infinite value has none of them.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Data type mappings", and the recordings.

use super::interval::IntervalForm;
use super::options::{BinaryMode, DecimalMode, TimePrecision, TypeOptions};
use super::temporal::TimeUnit;
use crate::schema::{Logical, Schema};

/// Connect's `Decimal`: bytes of the unscaled number, with the scale as a parameter.
pub(super) fn decimal_schema(scale: u32) -> Schema {
    Schema::bytes().named(Logical::Decimal.name(), 1).with_parameter("scale", scale.to_string())
}

/// The schema of `money`: with `precise` a `Decimal` whose scale is `money.fraction.digits`.
pub(super) fn money_schema(options: &TypeOptions) -> Schema {
    match options.decimal {
        DecimalMode::Precise => decimal_schema(options.money_fraction_digits.into()),
        DecimalMode::Double => Schema::float64(),
        DecimalMode::String => Schema::string(),
    }
}

/// The schema of `bytea`, and of types that Debezium does not know.
pub(super) fn binary_schema(options: &TypeOptions) -> Schema {
    match options.binary {
        BinaryMode::Bytes => Schema::bytes(),
        _ => Schema::string(),
    }
}

/// The schema of a bit string of `length` bits: a boolean for one bit, else `Bits` with its length. `varbit` without a
/// length has the largest 32-bit number there.
pub(super) fn bits_schema(length: i32) -> Schema {
    if length > 1 {
        Schema::bytes().named("io.debezium.data.Bits", 1).with_parameter("length", length.to_string())
    } else {
        Schema::boolean()
    }
}

/// The schema of a `date`: days since 1970-01-01, ISO text, or year, month and day.
pub(super) fn date_schema(mode: TimePrecision) -> Schema {
    match mode {
        TimePrecision::Connect => Schema::int32().named(Logical::Date.name(), 1),
        TimePrecision::IsoString => Schema::string().named("io.debezium.time.IsoDate", 1),
        TimePrecision::Structured => {
            let mut fields = date_fields();
            fields.push(special_value());
            Schema::structure(fields).named("io.debezium.time.StructuredDate", 1)
        }
        _ => Schema::int32().named("io.debezium.time.Date", 1),
    }
}

/// The schema of a `time`: whole milliseconds (32 bits), microseconds or nanoseconds since midnight, ISO text, or its parts.
pub(super) fn time_schema(mode: TimePrecision, unit: TimeUnit) -> Schema {
    match (mode, unit) {
        (TimePrecision::Connect, _) => Schema::int32().named(Logical::Time.name(), 1),
        (_, TimeUnit::Millis) => Schema::int32().named("io.debezium.time.Time", 1),
        (_, TimeUnit::Micros) => Schema::int64().named("io.debezium.time.MicroTime", 1),
        (_, TimeUnit::Nanos) => Schema::int64().named("io.debezium.time.NanoTime", 1),
        (_, TimeUnit::Iso) => Schema::string().named("io.debezium.time.IsoTime", 1),
        (_, TimeUnit::Structured) => {
            let mut fields = time_fields();
            fields.push(int32("precision"));
            Schema::structure(fields).named("io.debezium.time.StructuredTime", 1)
        }
    }
}

/// The schema of a `timestamp`: whole milliseconds, microseconds or nanoseconds since 1970-01-01, ISO text, or its parts.
pub(super) fn timestamp_schema(mode: TimePrecision, unit: TimeUnit) -> Schema {
    match (mode, unit) {
        (TimePrecision::Connect, _) => Schema::int64().named(Logical::Timestamp.name(), 1),
        (_, TimeUnit::Millis) => Schema::int64().named("io.debezium.time.Timestamp", 1),
        (_, TimeUnit::Micros) => Schema::int64().named("io.debezium.time.MicroTimestamp", 1),
        (_, TimeUnit::Nanos) => Schema::int64().named("io.debezium.time.NanoTimestamp", 1),
        (_, TimeUnit::Iso) => Schema::string().named("io.debezium.time.IsoTimestamp", 1),
        (_, TimeUnit::Structured) => {
            let mut fields = date_fields();
            fields.extend(time_fields());
            fields.extend([special_value(), int32("precision")]);
            Schema::structure(fields).named("io.debezium.time.StructuredTimestamp", 1)
        }
    }
}

type Field = (&'static str, Schema);

fn int32(name: &'static str) -> Field {
    (name, Schema::int32().optional())
}

fn int8(name: &'static str) -> Field {
    (name, Schema::int8().optional())
}

/// `POSITIVE_INFINITY` or `NEGATIVE_INFINITY` in place of all other fields.
fn special_value() -> Field {
    ("specialValue", Schema::string().optional())
}

fn date_fields() -> Vec<Field> {
    vec![int32("year"), int8("month"), int8("day")]
}

fn time_fields() -> Vec<Field> {
    vec![int8("hour"), int8("minute"), int8("second"), int32("nanos")]
}

/// The structured form of a `timetz`, which keeps its offset.
pub(super) fn zoned_time_schema() -> Schema {
    let mut fields = time_fields();
    fields.extend([int32("offsetSeconds"), int32("precision")]);
    Schema::structure(fields).named("io.debezium.time.StructuredZonedTime", 1)
}

/// The structured form of a `timestamptz`, always at UTC.
pub(super) fn zoned_timestamp_schema() -> Schema {
    let mut fields = date_fields();
    fields.extend(time_fields());
    fields.extend([
        int32("offsetSeconds"),
        ("zoneId", Schema::string().optional()),
        special_value(),
        int32("precision"),
    ]);
    Schema::structure(fields).named("io.debezium.time.StructuredZonedTimestamp", 1)
}

/// The schema of an `interval`: microseconds, ISO text, or its parts, each of which may be negative.
pub(super) fn interval_schema(form: IntervalForm) -> Schema {
    match form {
        IntervalForm::Micros => Schema::int64().named("io.debezium.time.MicroDuration", 1),
        IntervalForm::Iso => Schema::string().named("io.debezium.time.Interval", 1),
        IntervalForm::Structured(_) => Schema::structure([
            int32("years"),
            int32("months"),
            int32("days"),
            int32("hours"),
            int32("minutes"),
            ("seconds", Schema::int64().optional()),
            int32("nanos"),
            int32("precision"),
        ])
        .named("io.debezium.time.StructuredDuration", 1),
    }
}

/// A `point`: its coordinates, and the same as WKB ("well-known binary").
pub(super) fn point_schema() -> Schema {
    Schema::structure([
        ("x", Schema::float64()),
        ("y", Schema::float64()),
        ("wkb", Schema::bytes().optional()),
        ("srid", Schema::int32().optional()),
    ])
    .named("io.debezium.data.geometry.Point", 1)
    .with_doc("Geometry (POINT)")
}

/// A shape as WKB, with `extensions` that name its Postgres type. Optional whatever the column is, as are the two below:
/// Debezium's builders say so.
pub(super) fn geometry_schema() -> Schema {
    Schema::structure([
        ("wkb", Schema::bytes()),
        ("srid", Schema::int32().optional()),
        ("extensions", Schema::map(Schema::string(), Schema::string()).optional()),
    ])
    .named("io.debezium.data.geometry.Geometry", 2)
    .with_doc("Geometry")
    .optional()
}

/// A circle: its center and its radius.
pub(super) fn circle_schema() -> Schema {
    Schema::structure([("center", point_schema()), ("radius", Schema::float64())])
        .named("io.debezium.data.geometry.Circle", 1)
        .with_doc("Geometry (CIRCLE)")
        .optional()
}

/// A line: the coefficients of `ax + by + c = 0`.
pub(super) fn line_schema() -> Schema {
    Schema::structure([("a", Schema::float64()), ("b", Schema::float64()), ("c", Schema::float64())])
        .named("io.debezium.data.geometry.Line", 1)
        .with_doc("Geometry (LINE)")
        .optional()
}
