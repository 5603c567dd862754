//! Decides which family a column's type belongs to, and which schema it gets.
//!
//! The order of the questions: the type below all domains; whether it is an array; a type that Debezium knows by number
//! (`pg_type.oid`, for built-in types); by name (extensions, whose numbers differ from server to server); else an unknown type.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Data type mappings".

use pgcdc_event::{Column, PgType, TypeKind};

use super::binary::BinaryForm;
use super::family::{ArrayForm, Family};
use super::geo::Shape;
use super::interval::IntervalForm;
use super::logical::{
    binary_schema, bits_schema, circle_schema, date_schema, decimal_schema, geometry_schema, interval_schema,
    line_schema, money_schema, point_schema, time_schema, timestamp_schema, zoned_time_schema,
    zoned_timestamp_schema,
};
use super::money::MoneyForm;
use super::numeric::Numeric;
use super::oid;
use super::options::{DecimalMode, HstoreMode, TimePrecision, TypeOptions};
use super::temporal::{DateForm, TimeForm, TimeUnit, append_timestamp};
use crate::schema::Schema;

/// The result of compiling a type: the family and schema of one column.
pub(super) struct Plan {
    /// The form of its values.
    pub(super) family: Family,
    /// Its schema, required unless Debezium makes it optional for every column.
    pub(super) schema: Schema,
    /// The JSON of a value that is absent from a NOT NULL column: Debezium writes the type's zero. This happens in old rows of
    /// which only the key was sent.
    pub(super) fallback: Vec<u8>,
    /// The name of the type below all domains, by which the placeholder of a TOASTed value is chosen.
    pub(super) base_name: Box<str>,
}

/// Plans a column; `None` when records leave its type out.
pub(super) fn of_column(column: &Column, options: &TypeOptions) -> Option<Plan> {
    let (base, typmod) = below_domains(&column.pg_type, column.typmod);
    let (family, schema) = match &base.kind {
        TypeKind::Array(element) => of_array(base, element, typmod, options)?,
        _ => of_type(base, typmod, options, false).or_else(|| unknown(base, options))?,
    };
    let fallback = fallback(&family, options);
    Some(Plan { family, schema, fallback, base_name: base.name.clone() })
}

/// The type below all domains, and its modifier. The column's own modifier counts first, then that of the outermost domain
/// that has one: Postgres allows a modifier at one place only.
pub(super) fn below_domains(pg_type: &PgType, typmod: i32) -> (&PgType, i32) {
    let (mut pg_type, mut typmod) = (pg_type, typmod);
    while let TypeKind::Domain { base, typmod: inner } = &pg_type.kind {
        if typmod == -1 {
            typmod = *inner;
        }
        pg_type = base;
    }
    (pg_type, typmod)
}

/// A type that Debezium does not know: bytes where `include.unknown.datatypes` asks for it.
fn unknown(base: &PgType, options: &TypeOptions) -> Option<(Family, Schema)> {
    if base.oid == oid::NAME {
        // Debezium always has a schema for it, but a value only with `include.unknown.datatypes`.
        let family = if options.include_unknown { Family::Text } else { Family::Absent };
        return Some((family, Schema::string()));
    }
    options.include_unknown.then(|| (Family::Unknown(BinaryForm(options.binary)), binary_schema(options)))
}

/// The family and schema of an array; `None` when records leave it out. Debezium's lists follow other rules than single values:
///
/// | element | the list |
/// |---|---|
/// | `money`, `name`, `interval`, `varbit`, `xml`, `point`, `refcursor` | left out |
/// | `bit` | null: Debezium gives it the schema of a single value |
/// | Postgres' other geometric types | null: Debezium cannot convert them in a list |
/// | an enum | of its labels; below a domain, the schema lists no labels |
/// | an unknown type | bytes, with `include.unknown.datatypes` |
/// | any other | of its own form; null is allowed for most elements |
fn of_array(base: &PgType, element: &PgType, typmod: i32, options: &TypeOptions) -> Option<(Family, Schema)> {
    let list = |family, items: Schema| {
        // `pg_type.typdelim`: the types here whose elements are not separated by commas.
        let delimiter = match &*element.name {
            _ if element.oid == oid::BOX => b';',
            "geometry" | "geography" => b':',
            _ => b',',
        };
        let nullable = items.optional;
        Some((
            Family::Array(Box::new(ArrayForm { element: family, delimiter, nullable })),
            Schema::array(items),
        ))
    };
    match element.oid {
        // Debezium lists these types as not yet implemented.
        oid::MONEY | oid::NAME | oid::INTERVAL | oid::VARBIT | oid::XML | oid::POINT | oid::REFCURSOR => {
            return None;
        }
        // Debezium gives it the schema of a single value, which a list never fits.
        oid::BIT => {
            return Some((Family::NeverFits, bits_schema(typmod)));
        }
        _ => {}
    }
    if let TypeKind::Enum(_) = element.kind {
        let (family, items) = of_type(element, typmod, options, true)?;
        return list(family, items);
    }
    if matches!(below_domains(element, -1).0.kind, TypeKind::Enum(_)) {
        // In an array of domains over an enum, Debezium sees the enum but not its labels.
        return list(Family::Text, logical("io.debezium.data.Enum").with_parameter("allowed", ""));
    }
    if let Some((family, items)) = of_type(element, typmod, options, true) {
        // Elements of types without a rule of their own are required.
        let plain = matches!(family, Family::Vector | Family::HalfVector | Family::SparseVector)
            || matches!(base.oid, oid::INT2VECTOR | oid::OIDVECTOR)
            || matches!(element.oid, oid::TSVECTOR)
            || &*element.name == "isbn";
        let family = match family {
            // Debezium cannot convert a list of the driver's shapes.
            Family::Shape(shape) if !matches!(shape, Shape::Geometry | Shape::Geography) => Family::NeverFits,
            family => family,
        };
        return list(family, if plain { items } else { items.optional() });
    }
    if options.include_unknown {
        return list(Family::Unknown(BinaryForm(options.binary)), binary_schema(options));
    }
    None
}

/// A type that Debezium knows. `in_list`: the type is the element of an array.
fn of_type(base: &PgType, typmod: i32, options: &TypeOptions, in_list: bool) -> Option<(Family, Schema)> {
    if let TypeKind::Enum(labels) = &base.kind {
        let schema = logical("io.debezium.data.Enum").with_parameter("allowed", labels.join(","));
        return Some((Family::Text, schema));
    }
    if !matches!(base.kind, TypeKind::Base | TypeKind::Range) {
        return None;
    }
    Some(match base.oid {
        oid::BOOL => (Family::Bool, Schema::boolean()),
        oid::INT2 => (Family::Int, Schema::int16()),
        oid::INT4 => (Family::Int, Schema::int32()),
        oid::INT8 | oid::OID => (Family::Int, Schema::int64()),
        oid::FLOAT4 => (Family::Float4, Schema::float32()),
        oid::FLOAT8 => (Family::Float8, Schema::float64()),
        oid::NUMERIC => numeric(typmod, options),
        oid::MONEY => (Family::Money(MoneyForm::new(options)), money_schema(options)),
        oid::BYTEA => (Family::Bytea(BinaryForm(options.binary)), binary_schema(options)),
        oid::BIT | oid::VARBIT => {
            let schema = bits_schema(if base.oid == oid::VARBIT && typmod == -1 { i32::MAX } else { typmod });
            (if schema.name.is_some() { Family::Bits } else { Family::Bit }, schema)
        }
        other => {
            return of_text(other)
                .map(|schema| (Family::Text, schema))
                .or_else(|| of_time(other, typmod, options, in_list))
                .or_else(|| of_shape(other))
                .or_else(|| of_extension(base, options));
        }
    })
}

/// A text whose meaning a logical type names.
fn logical(name: &str) -> Schema {
    Schema::string().named(name, 1)
}

/// The schema of a built-in type whose JSON is Postgres' own text.
fn of_text(type_oid: u32) -> Option<Schema> {
    Some(match type_oid {
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::CHAR
        | oid::INET
        | oid::CIDR
        | oid::MACADDR
        | oid::MACADDR8
        | oid::INT4RANGE
        | oid::NUMRANGE
        | oid::TSRANGE
        | oid::TSTZRANGE
        | oid::DATERANGE
        | oid::INT8RANGE => Schema::string(),
        oid::UUID => logical("io.debezium.data.Uuid"),
        oid::JSON | oid::JSONB => logical("io.debezium.data.Json"),
        oid::XML => logical("io.debezium.data.Xml"),
        oid::TSVECTOR => logical("io.debezium.data.Tsvector"),
        _ => return None,
    })
}

/// A date, a time, a timestamp or an interval, by `time.precision.mode` and the column's digits of fraction: six without a
/// modifier.
fn of_time(type_oid: u32, typmod: i32, options: &TypeOptions, in_list: bool) -> Option<(Family, Schema)> {
    let precision = if typmod == -1 { 6 } else { typmod };
    let structured = options.time == TimePrecision::Structured;
    Some(match type_oid {
        oid::DATE => (Family::Date(DateForm::new(options.time)), date_schema(options.time)),
        oid::TIME => {
            let unit = TimeUnit::of_time(options.time, precision);
            (Family::Time(TimeForm::new(unit, precision, in_list)), time_schema(options.time, unit))
        }
        oid::TIMETZ if structured => (Family::TimeTzStructured(precision), zoned_time_schema()),
        oid::TIMETZ => (Family::TimeTz, logical("io.debezium.time.ZonedTime")),
        oid::TIMESTAMP => {
            let unit = TimeUnit::of_timestamp(options.time, precision);
            (Family::Timestamp(unit, precision), timestamp_schema(options.time, unit))
        }
        oid::TIMESTAMPTZ if structured => {
            (Family::TimestampTzStructured(precision), zoned_timestamp_schema())
        }
        oid::TIMESTAMPTZ => (Family::TimestampTz(precision), logical("io.debezium.time.ZonedTimestamp")),
        oid::INTERVAL => {
            // The upper half of an interval's modifier says which of its parts are kept.
            let form = IntervalForm::new(options, if typmod == -1 { 6 } else { typmod & 0xffff });
            (Family::Interval(form), interval_schema(form))
        }
        _ => return None,
    })
}

/// A geometric type of Postgres itself.
fn of_shape(type_oid: u32) -> Option<(Family, Schema)> {
    let (shape, schema) = match type_oid {
        oid::POINT => (Shape::Point, point_schema()),
        oid::BOX => (Shape::Box, geometry_schema()),
        oid::LSEG => (Shape::Lseg, geometry_schema()),
        oid::PATH => (Shape::Path, geometry_schema()),
        oid::POLYGON => (Shape::Polygon, geometry_schema()),
        oid::CIRCLE => (Shape::Circle, circle_schema()),
        oid::LINE => (Shape::Line, line_schema()),
        _ => return None,
    };
    Some((Family::Shape(shape), schema))
}

/// A type of an extension, known by its name, in any schema: citext, isn, ltree, hstore, PostGIS, pgvector.
fn of_extension(base: &PgType, options: &TypeOptions) -> Option<(Family, Schema)> {
    if base.kind != TypeKind::Base {
        return None;
    }
    Some(match &*base.name {
        "citext" | "isbn" => (Family::Text, Schema::string()),
        "ltree" => (Family::Text, logical("io.debezium.data.Ltree")),
        "hstore" => match options.hstore {
            HstoreMode::Json => (Family::HstoreJson, logical("io.debezium.data.Json")),
            HstoreMode::Map => {
                (Family::HstoreMap, Schema::map(Schema::string(), Schema::string().optional()))
            }
        },
        "geometry" => (Family::Shape(Shape::Geometry), geometry_schema()),
        "geography" => (
            Family::Shape(Shape::Geography),
            Schema::structure([("wkb", Schema::bytes()), ("srid", Schema::int32().optional())])
                .named("io.debezium.data.geometry.Geography", 1)
                .with_doc("Geography"),
        ),
        "vector" => {
            (Family::Vector, Schema::array(Schema::float64()).named("io.debezium.data.DoubleVector", 1))
        }
        "halfvec" => {
            (Family::HalfVector, Schema::array(Schema::float32()).named("io.debezium.data.FloatVector", 1))
        }
        "sparsevec" => (
            Family::SparseVector,
            Schema::structure([
                ("dimensions", Schema::int16()),
                ("vector", Schema::map(Schema::int16(), Schema::float64())),
            ])
            .named("io.debezium.data.SparseDoubleVector", 1)
            .with_doc("Sparse double vector"),
        ),
        _ => return None,
    })
}

/// A `numeric` by its precision and scale. The table at [`DecimalMode`] shows the forms.
fn numeric(typmod: i32, options: &TypeOptions) -> (Family, Schema) {
    // `((precision << 16) | scale) + 4`: a negative scale shows as the large number that Debezium takes it for.
    let bounds = (typmod != -1).then(|| {
        let bits = typmod.wrapping_sub(4) as u32;
        (bits >> 16, bits & 0xffff)
    });
    let form = Numeric::new(bounds.map(|(_, scale)| scale), options.decimal, options.decimal_format);
    let schema = match (form, bounds) {
        (Numeric::Decimal { .. }, Some((precision, scale))) => {
            decimal_schema(scale).with_parameter("connect.decimal.precision", precision.to_string())
        }
        (Numeric::Double, _) => Schema::float64(),
        (Numeric::Text { .. }, _) => Schema::string(),
        _ => Schema::structure([("scale", Schema::int32()), ("value", Schema::bytes())])
            .named("io.debezium.data.VariableScaleDecimal", 1)
            .with_doc("Variable scaled decimal"),
    };
    (Family::Numeric(form), schema)
}

/// The JSON that Debezium falls back to where a NOT NULL column has no value: the type's zero.
fn fallback(family: &Family, options: &TypeOptions) -> Vec<u8> {
    let of_text = |text: &[u8]| {
        let mut out = Vec::new();
        if family.append(text, &mut out).is_err() {
            out = b"null".to_vec();
        }
        out
    };
    match family {
        Family::Bool | Family::Bit => b"false".to_vec(),
        Family::Int => b"0".to_vec(),
        Family::Float4 | Family::Float8 => b"0.0".to_vec(),
        Family::Numeric(_) => of_text(b"0"),
        Family::Money(_) if options.decimal == DecimalMode::String => {
            let digits = usize::from(options.money_fraction_digits);
            let point = if digits > 0 { "." } else { "" };
            format!("\"0{point}{}\"", "0".repeat(digits)).into_bytes()
        }
        Family::Money(_) => of_text(b"$0.00"),
        Family::Text | Family::Absent | Family::Bytea(_) | Family::Unknown(_) | Family::Bits => {
            b"\"\"".to_vec()
        }
        Family::NeverFits => b"null".to_vec(),
        Family::Date(_) => of_text(b"1970-01-01"),
        Family::Time(_) => of_text(b"00:00:00"),
        Family::TimeTz | Family::TimeTzStructured(_) => of_text(b"00:00:00+00"),
        Family::Timestamp(unit, precision) => {
            let mut out = Vec::new();
            let _ = append_timestamp(b"1970-01-01 00:00:00", *unit, *precision, &mut out);
            out
        }
        Family::TimestampTz(_) => b"\"1970-01-01T00:00:00Z\"".to_vec(),
        // For a moment that was not read, Debezium writes an offset and no zone.
        Family::TimestampTzStructured(_) => {
            let mut json = String::from_utf8(of_text(b"1970-01-01 00:00:00+00")).unwrap_or_default();
            json = json.replace("\"zoneId\":\"Z\"", "\"zoneId\":null");
            json.into_bytes()
        }
        Family::Interval(_) => of_text(b"00:00:00"),
        Family::HstoreJson => b"\"{}\"".to_vec(),
        Family::HstoreMap => b"{}".to_vec(),
        Family::Shape(shape) => shape.fallback(),
        Family::Vector | Family::HalfVector | Family::Array(_) => b"[]".to_vec(),
        Family::SparseVector => b"null".to_vec(),
        Family::Shaped(shaped) => shaped.1.of_json(fallback(&shaped.0, options)),
    }
}
