//! Any bytes into every codec: the answer is an error or JSON, never a panic. And the types of which there is no recording.

use std::sync::{Arc, LazyLock};

use pgcdc_event::{Column, PgType, TypeKind};
use proptest::prelude::*;

use super::*;

/// A nullable column of a type.
fn column_of(oid: u32, name: &str, typmod: i32) -> Column {
    let range = (3904..=3927).contains(&oid);
    let base = PgType {
        oid,
        schema: "pg_catalog".into(),
        name: name.into(),
        kind: if range { TypeKind::Range } else { TypeKind::Base },
    };
    Column {
        name: "c".into(),
        pg_type: Arc::new(base),
        typmod,
        not_null: false,
        default: None,
        key_position: None,
        in_identity: false,
        generated: false,
        comment: None,
    }
}

/// A column of an array of another column's type.
fn array_of(column: &Column) -> Column {
    let array = PgType {
        oid: 1,
        schema: "pg_catalog".into(),
        name: format!("_{}", column.pg_type.name).into(),
        kind: TypeKind::Array(Arc::clone(&column.pg_type)),
    };
    Column { pg_type: Arc::new(array), ..column.clone() }
}

/// Types by number, name and modifier: at least one of each family.
const EVERY_TYPE: &[(u32, &str, i32)] = &[
    (oid::BOOL, "bool", -1),
    (oid::BYTEA, "bytea", -1),
    (oid::INT8, "int8", -1),
    (oid::OID, "oid", -1),
    (oid::TEXT, "text", -1),
    (oid::POINT, "point", -1),
    (oid::LSEG, "lseg", -1),
    (oid::PATH, "path", -1),
    (oid::BOX, "box", -1),
    (oid::POLYGON, "polygon", -1),
    (oid::LINE, "line", -1),
    (oid::CIRCLE, "circle", -1),
    (oid::FLOAT4, "float4", -1),
    (oid::FLOAT8, "float8", -1),
    (oid::MONEY, "money", -1),
    (oid::DATE, "date", -1),
    (oid::TIME, "time", -1),
    (oid::TIME, "time", 0),
    (oid::TIMESTAMP, "timestamp", -1),
    (oid::TIMESTAMP, "timestamp", 3),
    (oid::TIMESTAMPTZ, "timestamptz", -1),
    (oid::TIMETZ, "timetz", -1),
    (oid::INTERVAL, "interval", -1),
    (oid::BIT, "bit", 1),
    (oid::BIT, "bit", 9),
    (oid::VARBIT, "varbit", -1),
    (oid::NUMERIC, "numeric", -1),
    (oid::NUMERIC, "numeric", (10 << 16 | 2) + 4),
    (oid::NUMERIC, "numeric", (5 << 16 | 2046) + 4),
    (oid::JSONB, "jsonb", -1),
    (oid::TSTZRANGE, "tstzrange", -1),
    (16_400, "hstore", -1),
    (16_401, "geometry", -1),
    (16_402, "geography", -1),
    (16_403, "vector", 3),
    (16_404, "halfvec", -1),
    (16_405, "sparsevec", -1),
    (16_406, "something", -1),
];

/// Sets of options, so that each value of each option is in one of them.
fn every_option() -> Vec<TypeOptions> {
    use {BinaryMode as B, DecimalMode as D, TimePrecision as T};
    let times = [
        T::Adaptive,
        T::AdaptiveTimeMicroseconds,
        T::Connect,
        T::IsoString,
        T::Microseconds,
        T::Nanoseconds,
        T::Structured,
    ];
    let mut all: Vec<_> =
        times.map(|time| TypeOptions { time, include_unknown: true, ..TypeOptions::default() }).into();
    for (decimal, binary) in [(D::Precise, B::Base64), (D::Double, B::Hex), (D::String, B::Base64UrlSafe)] {
        all.push(TypeOptions {
            decimal,
            binary,
            decimal_format: DecimalFormat::Numeric,
            hstore: HstoreMode::Map,
            interval: IntervalMode::String,
            money_fraction_digits: 0,
            ..TypeOptions::default()
        });
    }
    all
}

/// A codec of each type and of its array, under each set of options, with a description for failures.
static EVERY_CODEC: LazyLock<Vec<(String, Codec)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for options in every_option() {
        for &(oid, name, typmod) in EVERY_TYPE {
            let single = column_of(oid, name, typmod);
            for column in [array_of(&single), single] {
                if let Some(codec) = Codec::compile(&column, &options) {
                    all.push((format!("{} under {options:?}", column.pg_type.name), codec));
                }
            }
        }
    }
    all
});

/// Gives a text to a codec of each type. The answer must be an error, or JSON when the text was UTF-8, and never be out of
/// proportion to the text.
pub(crate) fn check_any_text(text: &[u8]) {
    let mut out = Vec::new();
    for (name, codec) in EVERY_CODEC.iter() {
        out.clear();
        let written = codec.append(text, &mut out);
        // A numeric has as many digits as its column's scale says, two thousand at most.
        assert!(out.len() <= 4096 * (text.len() + 1), "{name}: {} bytes of {}", out.len(), text.len());
        if written.is_ok() && std::str::from_utf8(text).is_ok() {
            let json = serde_json::from_slice::<serde_json::Value>(&out);
            assert!(json.is_ok(), "{name}: {}", String::from_utf8_lossy(&out));
        }
    }
}

#[test]
fn types_without_a_recording() {
    let structured = TypeOptions { time: TimePrecision::Structured, ..TypeOptions::default() };
    let check = |oid, name, options: &TypeOptions, text: &str, expect: &str| {
        let mut out = Vec::new();
        let codec = Codec::compile(&column_of(oid, name, -1), options).expect(name);
        codec.append(text.as_bytes(), &mut out).expect(text);
        assert_eq!(String::from_utf8_lossy(&out), expect, "{name} {text}");
    };
    let plain = TypeOptions::default();
    check(
        oid::INTERVAL,
        "interval",
        &structured,
        "1 year -2 mons +3 days -04:05:06.789",
        r#"{"years":1,"months":-2,"days":3,"hours":-4,"minutes":-5,"seconds":-6,"nanos":-789000000,"precision":6}"#,
    );
    check(1, "vector", &plain, "[1,2.5,-3e-05]", "[1.0,2.5,-3.0E-5]");
    check(1, "halfvec", &plain, "[1,0.1]", "[1.0,0.1]");
    check(1, "sparsevec", &plain, "{1:1.5,3:2}/5", r#"{"dimensions":5,"vector":[[1,1.5],[3,2.0]]}"#);
    check(
        1,
        "geometry",
        &plain,
        "0101000020E6100000000000000000F03F0000000000000040",
        r#"{"wkb":"AQEAACDmEAAAAAAAAAAA8D8AAAAAAAAAQA==","srid":4326,"extensions":null}"#,
    );
    check(1, "isbn", &plain, "0-393-04002-X", r#""0-393-04002-X""#);
}

#[test]
fn a_not_null_column_without_a_value_holds_its_zero() {
    for (oid, name, expect) in [
        (oid::BOOL, "bool", "false"),
        (oid::NUMERIC, "numeric", r#"{"scale":0,"value":"AA=="}"#),
        (oid::TEXT, "text", r#""""#),
        (oid::NAME, "name", r#""""#),
        (oid::TIMESTAMPTZ, "timestamptz", r#""1970-01-01T00:00:00Z""#),
        (oid::DATE, "date", "0"),
        (1, "hstore", r#""{}""#),
    ] {
        let column = Column { not_null: true, ..column_of(oid, name, -1) };
        let mut out = Vec::new();
        Codec::compile(&column, &TypeOptions::default()).expect(name).append_null(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), expect, "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_codec_panic(text in proptest::collection::vec(any::<u8>(), 0..48)) {
        check_any_text(&text);
    }

    #[test]
    fn no_text_near_a_value_makes_a_codec_panic(text in r#"[-+0-9:. eE/{}()\[\],;"'\\xntfNULaBCy=>]{0,40}"#) {
        check_any_text(text.as_bytes());
        for &(oid, name, typmod) in EVERY_TYPE {
            for options in [TypeOptions::default(), TypeOptions { time: TimePrecision::Connect, ..TypeOptions::default() }] {
                let Some(codec) = Codec::compile(&column_of(oid, name, typmod), &options) else { continue };
                avro::tests::same_as_json(&codec, &options, &text, false);
            }
        }
    }

    #[test]
    fn any_default_expression_compiles(expression in r#"[-+0-9:. eE()'"aNUL_x]{0,24}"#) {
        for options in every_option() {
            for &(oid, name, typmod) in EVERY_TYPE {
                let column = Column { default: Some(expression.as_str().into()), ..column_of(oid, name, typmod) };
                if let Some(default) = Codec::compile(&column, &options).and_then(|codec| codec.schema.default) {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&default).is_ok(), "{name}: {default}");
                }
            }
        }
    }

    #[test]
    fn integers_pass_through(value in any::<i64>()) {
        let codec = Codec::compile(&column_of(oid::INT8, "int8", -1), &TypeOptions::default()).unwrap();
        let mut out = Vec::new();
        codec.append(value.to_string().as_bytes(), &mut out).unwrap();
        prop_assert_eq!(serde_json::from_slice::<i64>(&out).unwrap(), value);
    }

    #[test]
    fn text_lists_read_back(values in proptest::collection::vec(".{0,12}", 0..6)) {
        let codec = Codec::compile(&array_of(&column_of(oid::TEXT, "text", -1)), &TypeOptions::default()).unwrap();
        let quoted: Vec<_> = values
            .iter()
            .map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        let mut out = Vec::new();
        codec.append(format!("{{{}}}", quoted.join(",")).as_bytes(), &mut out).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Vec<String>>(&out).unwrap(), values);
    }
}
