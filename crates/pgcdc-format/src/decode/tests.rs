//! `golden.jsonl`: records of real Debezium 3.7.0, taken from recordings.

use std::borrow::Cow;
use std::collections::HashMap;

use pgcdc_event::{Lsn, Operation};
use proptest::prelude::*;

use super::*;

struct Golden(HashMap<String, (Option<String>, Option<String>)>);

impl Golden {
    fn load() -> Self {
        let lines = include_str!("golden.jsonl").lines();
        Self(
            lines
                .map(|line| {
                    let case: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
                    let text = |name: &str| case[name].as_str().map(str::to_owned);
                    (text("case").expect("named"), (text("key"), text("value")))
                })
                .collect(),
        )
    }

    fn decode(&self, case: &str) -> Change<'_> {
        let (key, value) = &self.0[case];
        Decoder::default()
            .decode(key.as_ref().map(String::as_bytes), value.as_ref().map(String::as_bytes))
            .expect("golden records decode")
    }
}

fn texts(row: &Option<Row<'_>>) -> Vec<(String, String)> {
    row.iter()
        .flat_map(Row::fields)
        .map(|f| (f.name.to_owned(), f.value.to_text().map_or("NULL".to_owned(), Cow::into_owned)))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn envelope_with_and_without_schema() {
    let golden = Golden::load();
    for case in ["plain/0", "schemas/0"] {
        let change = golden.decode(case);
        assert_eq!((change.operation, change.form), (Operation::Create, Form::Envelope), "{case}");
        assert_eq!(texts(&change.key), pairs(&[("id", "1")]), "{case}");
        assert_eq!(texts(&change.after), pairs(&[("id", "1"), ("v", "one"), ("n", "1")]), "{case}");
        assert_eq!(change.before, None);
        assert_eq!(change.source.table.as_deref(), Some("t"));
        assert!(!change.source.snapshot);
        assert!(change.payload.expect("a payload").starts_with("{\"before\":null,"), "{case}");
    }
    let change = golden.decode("plain/0");
    assert_eq!(change.source.lsn, Some(Lsn::new(1_690_581_744)));
    assert_eq!(change.source.ts_us, Some(1_795_232_908_820_581));
    assert_eq!(change.source.tx_id, Some(5123));
    let change = golden.decode("schemas/0");
    let after = change.after.expect("a row");
    assert_eq!(after.field("id").expect("id").semantic, Some(&Semantic::Integer(32)));
    assert_eq!(after.field("v").expect("v").semantic, Some(&Semantic::Text));
    for case in ["plain/2", "schemas/2"] {
        let change = golden.decode(case);
        assert_eq!(change.operation, Operation::Delete, "{case}");
        assert_eq!(texts(&change.before), pairs(&[("id", "1"), ("v", "NULL"), ("n", "NULL")]));
    }
    assert!(golden.decode("snapshot/0").source.snapshot);
    assert_eq!(golden.decode("snapshot/0").operation, Operation::Read);
    assert_eq!(golden.decode("truncate/1").operation, Operation::Truncate);
    assert_eq!(golden.decode("message/0").operation, Operation::Message);
}

#[test]
fn flattened_forms_and_tombstones() {
    let golden = Golden::load();
    let change = golden.decode("flat/1");
    assert_eq!((change.operation, change.form), (Operation::Update, Form::Flattened));
    assert_eq!(texts(&change.after), pairs(&[("id", "1"), ("v", "one"), ("n", "1")]));
    for case in ["plain/3", "flat/3", "flat_schema/3"] {
        let change = golden.decode(case);
        assert_eq!((change.operation, change.form), (Operation::Delete, Form::Tombstone), "{case}");
        assert_eq!(texts(&change.key), pairs(&[("id", "1")]), "{case}");
    }
    let change = golden.decode("rewrite/1");
    assert_eq!(change.operation, Operation::Create);
    assert!(change.source.lsn.is_some());
    assert_eq!(change.source.table.as_deref(), Some("t"));
    assert_eq!(golden.decode("rewrite/3").operation, Operation::Delete);
}

#[test]
fn meanings_come_from_the_schema() {
    let golden = Golden::load();
    let change = golden.decode("temporal/1");
    let row = change.after.expect("a row");
    for name in ["ts", "tz"] {
        let field = row.field(name).expect("there");
        assert_eq!(
            instant_us(field.value, field.semantic),
            Some(1_709_202_896_789_012 + if name == "ts" { 7_200_000_000 } else { 0 })
        );
    }
    let time = row.field("t").expect("there");
    assert_eq!(time_of_day_ns(time.value, time.semantic), Some(45_296_789_012_000));
    let zoned = row.field("ttz").expect("there");
    assert_eq!(time_of_day_ns(zoned.value, zoned.semantic), Some(25_496_789_012_000));
    let date = row.field("d").expect("there");
    assert_eq!(date_days(date.value, date.semantic), Some(19_782));
    let change = golden.decode("numeric/1");
    let row = change.after.expect("a row");
    assert!(
        row.fields().filter(|f| !f.value.is_null()).any(|f| matches!(f.semantic, Some(Semantic::Decimal(_))))
    );
}

#[test]
fn placeholders_of_all_types_are_known() {
    let golden = Golden::load();
    let change = golden.decode("toast/1");
    let placeholder = Placeholder::default();
    let row = change.after.expect("a row");
    let missing: Vec<&str> = row.fields().filter(|f| placeholder.is(f.value)).map(|f| f.name).collect();
    assert_eq!(missing, ["big", "bj", "bb", "ba", "bi", "bd", "bu", "bv", "bx", "h"]);
}

#[test]
fn decimals() {
    let cases: [(&str, &[u8], i32); 8] = [
        ("0", &[0], 0),
        ("3.14", &[0x01, 0x3A], 2),
        ("-1", &[0xFF], 0),
        ("-128", &[0x80], 0),
        ("128", &[0x00, 0x80], 0),
        ("-0.5", &[0xFB], 1),
        ("1e3", &[1], -3),
        ("18446744073709551616", &[1, 0, 0, 0, 0, 0, 0, 0, 0], 0),
    ];
    for (text, unscaled, scale) in cases {
        assert_eq!(Decimal::from_text(text), Some(Decimal { unscaled: unscaled.to_vec(), scale }), "{text}");
    }
    for (text, plain) in [
        ("0", "0"),
        ("-12.50", "-12.50"),
        ("1e3", "1000"),
        ("-0.05", "-0.05"),
        ("18446744073709551616", "18446744073709551616"),
    ] {
        assert_eq!(Decimal::from_text(text).expect(text).to_string(), plain);
    }
    for text in ["", "-", ".", "NaN", "Infinity", "1x", "1e", "--1"] {
        assert_eq!(Decimal::from_text(text), None, "{text:?}");
    }
}

#[test]
fn instants_without_a_schema() {
    assert_eq!(iso_instant_us("1970-01-01"), Some(0));
    assert_eq!(iso_instant_us("1969-12-31T23:59:59.999999Z"), Some(-1));
    assert_eq!(iso_instant_us("2024-02-29 12:34:56+02:00"), Some(1_709_202_896_000_000));
    assert_eq!(iso_instant_us("0001-01-01T00:00:00Z"), Some(-62_135_596_800_000_000));
    for text in [
        "",
        "T",
        "2024",
        "2024-13-01",
        "2024-01-01T999999999999999999:00:00Z",
        "2024-01-01T25:00:00Z",
        "hello",
        "2024-01-01Tx",
    ] {
        assert_eq!(iso_instant_us(text), None, "{text:?}");
    }
    assert_eq!(instant_us(&Json::Number("1709210096789"), None), Some(1_709_210_096_789_000));
    assert_eq!(instant_us(&Json::Number("1709210096789012"), None), Some(1_709_210_096_789_012));
}

#[test]
fn mistakes_say_where() {
    let cases = [
        ("{", "value: expected '\"' at byte 1"),
        ("[1]", "value: is neither an envelope nor a row"),
        ("{\"op\":\"x\",\"source\":{}}", "unknown operation \"x\""),
        ("{\"op\":\"c\",\"source\":{},\"after\":null}", "has no \"after\""),
        ("{\"op\":\"c\",\"source\":{},\"after\":[]}", "is not an object"),
        ("{\"schema\":{\"type\":\"strunct\"},\"payload\":{}}", "type \"strunct\""),
        ("\u{0}\u{0}", "schema registry"),
    ];
    for (value, expected) in cases {
        let error = Decoder::default().decode(None, Some(value.as_bytes())).expect_err(value).to_string();
        assert!(error.contains(expected), "{value}: {error}");
    }
}

#[test]
fn a_row_whose_columns_are_called_schema_and_payload_stays_a_row() {
    for value in [
        r#"{"schema":"public","payload":"x"}"#,
        r#"{"op":"c","source":"web"}"#,
        r#"{"schema":null,"payload":1,"id":2}"#,
        r#"{"schema":null,"payload":"x"}"#,
        r#"{"schema":null,"payload":null}"#,
    ] {
        let change = Decoder::default().decode(None, Some(value.as_bytes())).expect(value).form;
        assert_eq!(change, Form::Flattened, "{value}");
    }
}

#[test]
fn a_known_schema_is_recognised_by_its_bytes() {
    let golden = Golden::load();
    let mut decoder = Decoder::default();
    for _ in 0..3 {
        for case in ["schemas/0", "schemas/2", "flat_schema/3"] {
            let (key, value) = &golden.0[case];
            let change =
                decoder.decode(key.as_ref().map(String::as_bytes), value.as_ref().map(String::as_bytes));
            assert_eq!(change.expect(case), golden.decode(case));
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(|n| serde_json::json!(n)),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Builds a tree from the scanner's view, to compare it with serde's.
fn tree(value: &Json<'_>) -> serde_json::Value {
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Bool(b) => (*b).into(),
        // serde_json's own parser of doubles is a bit off in the last place without `float_roundtrip`.
        Json::Number(text) => {
            text.parse::<i64>().map_or_else(|_| serde_json::json!(value.as_f64()), Into::into)
        }
        Json::String(text) => (&**text).into(),
        Json::Array(_) => value.elements().expect("an array").iter().map(tree).collect::<Vec<_>>().into(),
        Json::Object(_) => {
            let members = value.members().expect("an object");
            serde_json::Value::Object(members.into_iter().map(|(n, v)| (n.into_owned(), tree(&v))).collect())
        }
    }
}

proptest! {
    #[test]
    fn reads_what_serde_writes(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.expect("JSON");
        prop_assert_eq!(tree(&Json::parse(&text).expect("valid")), value);
    }

    #[test]
    fn agrees_with_serde_on_what_is_json(text in r#"[\[\]{}",:0-9eE+.tfn\\u a-]{0,12}"#) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        let ours = Json::parse(&text);
        // The scanner may leave escapes in skipped parts unread; serde reads numbers of any size too.
        if theirs { prop_assert!(ours.is_ok(), "{:?} should be JSON", text); }
    }

    #[test]
    fn numbers_in_texts_never_overflow(text in "[-+]?[0-9]{1,22}([-:T Z.+eE][-+]?[0-9]{0,22}){0,6}Z?", number: i64) {
        let number = number.to_string();
        for value in [Json::String(text.as_str().into()), Json::Number(&number)] {
            for semantic in [None, Some(Semantic::Date), Some(Semantic::Timestamp(Unit::Milli)), Some(Semantic::Time(Unit::Milli)),
                Some(Semantic::Timestamp(Unit::Nano)), Some(Semantic::Decimal(3)), Some(Semantic::MicroDuration)] {
                let semantic = semantic.as_ref();
                let _ = (instant_us(&value, semantic), time_of_day_ns(&value, semantic), date_days(&value, semantic));
                let _ = Decimal::of(&value, semantic).map(|decimal| (decimal.to_f64(), decimal.to_string()));
            }
        }
    }

    #[test]
    fn never_panics(key: Vec<u8>, value: Vec<u8>, text in ".{0,80}") {
        let mut decoder = Decoder::default();
        let _ = decoder.decode(Some(&key), Some(&value));
        let _ = decoder.decode(None, Some(text.as_bytes()));
        let _ = iso_instant_us(&text);
        let _ = Decimal::from_text(&text);
        let _ = time_of_day_ns(&Json::String(text.into()), None);
    }
}

/// The placeholder of each type as the encoder writes it, for a text of one's own.
#[test]
fn a_placeholder_of_ones_own_is_recognised_in_each_form() {
    use crate::types::{Codec, HstoreMode, TypeOptions};
    use pgcdc_event::{Column, PgType, TypeKind};
    use std::sync::Arc;
    let text = "é \"mine\" 😀";
    let pg_type =
        |oid, name: &str, kind| PgType { oid, schema: "pg_catalog".into(), name: name.into(), kind };
    let array = |oid, name: &str| {
        let element = Arc::new(pg_type(oid, name, TypeKind::Base));
        pg_type(1, &format!("_{name}"), TypeKind::Array(element))
    };
    let types = [
        pg_type(25, "text", TypeKind::Base),
        pg_type(17, "bytea", TypeKind::Base),
        pg_type(16_400, "hstore", TypeKind::Base),
        array(25, "text"),
        array(23, "int4"),
        array(2950, "uuid"),
    ];
    for (pg_type, hstore) in
        types.into_iter().flat_map(|t| [HstoreMode::Json, HstoreMode::Map].map(|mode| (t.clone(), mode)))
    {
        let options = TypeOptions { unavailable_placeholder: text.into(), hstore, ..TypeOptions::default() };
        let column = Column {
            name: "c".into(),
            pg_type: Arc::new(pg_type),
            typmod: -1,
            not_null: false,
            default: None,
            key_position: None,
            in_identity: false,
            generated: false,
            comment: None,
        };
        let mut json = Vec::new();
        Codec::compile(&column, &options).expect("a known type").append_unavailable(&mut json);
        let json = String::from_utf8(json).expect("JSON");
        assert!(Placeholder::new(text).is(&Json::parse(&json).expect("JSON")), "{json}");
    }
}

#[test]
fn a_row_with_columns_named_as_an_envelopes_keeps_its_schema() {
    let record = br#"{"schema":{"type":"struct","fields":[{"type":"string","optional":true,"field":"op"},
        {"type":"string","optional":true,"field":"source"},
        {"type":"int32","optional":true,"name":"io.debezium.time.Date","version":1,"field":"d"}],
        "optional":false},"payload":{"op":"x","source":"s","d":5}}"#;
    let mut decoder = Decoder::default();
    let change = decoder.decode(None, Some(record)).expect("a row");
    let row = change.after.expect("a row");
    assert_eq!(row.field("d").and_then(|field| field.semantic), Some(&Semantic::Date));
}

#[test]
fn decimals_become_the_nearest_double() {
    let zeros = "0".repeat(400);
    for text in ["0.1", "-12.50", "123456789012345678.123456789", "0", "-0.001"] {
        assert_eq!(Decimal::from_text(text).map(|d| d.to_f64()), text.parse().ok(), "{text}");
    }
    assert_eq!(Decimal::from_text(&format!("1.{zeros}")).map(|d| d.to_f64()), Some(1.0));
    assert_eq!(Decimal::from_text(&format!("-1{zeros}")).map(|d| d.to_f64()), Some(f64::NEG_INFINITY));
}

#[test]
fn the_longest_decimals_take_no_minutes() {
    let text = format!("-{}.{}", "7".repeat(131_072), "3".repeat(16_383));
    assert_eq!(Decimal::from_text(&text).expect("a number").to_string(), text);
}

#[test]
fn the_end_of_a_day_is_midnight() {
    let micros = Semantic::Time(Unit::Micro);
    assert_eq!(time_of_day_ns(&Json::Number("86400000000"), Some(&micros)), Some(0));
    assert_eq!(time_of_day_ns(&Json::String("24:00:00".into()), None), Some(0));
    assert_eq!(time_of_day_ns(&Json::Number("86400000001"), Some(&micros)), None);
}
