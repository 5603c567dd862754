//! Every recorded scenario, byte for byte: values and schemas (`testdata/README.md` says how they came about).

use std::sync::Arc;

use pgcdc_event::{Column, PgType, TypeKind};
use serde_json::Value;

use super::*;

const SCENARIOS: &[(&str, &str)] = &[
    ("snapshot_types_special", include_str!("testdata/snapshot_types_special.json")),
    ("snapshot_types", include_str!("testdata/snapshot_types.json")),
    ("types_pk", include_str!("testdata/types_pk.json")),
    ("conv_json_decimal", include_str!("testdata/conv_json_decimal.json")),
    ("ddl_add_column", include_str!("testdata/ddl_add_column.json")),
    ("ddl_change_type", include_str!("testdata/ddl_change_type.json")),
    ("ddl_not_null_default", include_str!("testdata/ddl_not_null_default.json")),
    ("dml_toast", include_str!("testdata/dml_toast.json")),
    ("types_array", include_str!("testdata/types_array.json")),
    ("types_array_lowerbound", include_str!("testdata/types_array_lowerbound.json")),
    ("types_bit", include_str!("testdata/types_bit.json")),
    ("types_bytea", include_str!("testdata/types_bytea.json")),
    ("types_composite", include_str!("testdata/types_composite.json")),
    ("types_defaults", include_str!("testdata/types_defaults.json")),
    ("types_domain", include_str!("testdata/types_domain.json")),
    ("types_enum", include_str!("testdata/types_enum.json")),
    ("types_float", include_str!("testdata/types_float.json")),
    ("types_generated", include_str!("testdata/types_generated.json")),
    ("types_geometric", include_str!("testdata/types_geometric.json")),
    ("types_hstore", include_str!("testdata/types_hstore.json")),
    ("types_int", include_str!("testdata/types_int.json")),
    ("types_interval", include_str!("testdata/types_interval.json")),
    ("types_ltree", include_str!("testdata/types_ltree.json")),
    ("types_money", include_str!("testdata/types_money.json")),
    ("types_net", include_str!("testdata/types_net.json")),
    ("types_null", include_str!("testdata/types_null.json")),
    ("types_numeric", include_str!("testdata/types_numeric.json")),
    ("types_numeric_infinity", include_str!("testdata/types_numeric_infinity.json")),
    ("types_numeric_special", include_str!("testdata/types_numeric_special.json")),
    ("types_range", include_str!("testdata/types_range.json")),
    ("types_search_oid", include_str!("testdata/types_search_oid.json")),
    ("types_temporal", include_str!("testdata/types_temporal.json")),
    ("types_temporal_extreme", include_str!("testdata/types_temporal_extreme.json")),
    ("types_temporal_special", include_str!("testdata/types_temporal_special.json")),
    ("types_text", include_str!("testdata/types_text.json")),
    ("types_uuid_json_xml", include_str!("testdata/types_uuid_json_xml.json")),
];

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn pg_type(value: &Value) -> PgType {
    let kind = if let Some(labels) = value["enum"].as_array() {
        TypeKind::Enum(labels.iter().map(|label| text(label).into()).collect())
    } else if value["array"].is_object() {
        TypeKind::Array(Arc::new(pg_type(&value["array"])))
    } else if value["domain"].is_object() {
        let typmod = value["typmod"].as_i64().unwrap() as i32;
        TypeKind::Domain { base: Arc::new(pg_type(&value["domain"])), typmod }
    } else {
        match value["kind"].as_str() {
            Some("composite") => TypeKind::Composite,
            Some("range") => TypeKind::Range,
            Some("multirange") => TypeKind::Multirange,
            _ => TypeKind::Base,
        }
    };
    PgType {
        oid: value["oid"].as_u64().unwrap() as u32,
        schema: text(&value["schema"]).into(),
        name: text(&value["name"]).into(),
        kind,
    }
}

fn column(value: &Value) -> Column {
    Column {
        name: text(&value["name"]).into(),
        pg_type: Arc::new(pg_type(&value["type"])),
        typmod: value["typmod"].as_i64().unwrap() as i32,
        not_null: value["not_null"].as_bool().unwrap(),
        default: value["default"].as_str().map(Into::into),
        key_position: None,
        in_identity: false,
        generated: value["generated"].as_bool().unwrap(),
        comment: None,
    }
}

fn options(properties: &Value) -> TypeOptions {
    let mut options = TypeOptions::default();
    for (name, value) in properties.as_object().unwrap() {
        let value = text(value);
        match name.as_str() {
            "decimal.handling.mode" => {
                options.decimal = match value {
                    "precise" => DecimalMode::Precise,
                    "double" => DecimalMode::Double,
                    _ => DecimalMode::String,
                }
            }
            "time.precision.mode" => {
                options.time = match value {
                    "adaptive" => TimePrecision::Adaptive,
                    "adaptive_time_microseconds" => TimePrecision::AdaptiveTimeMicroseconds,
                    "connect" => TimePrecision::Connect,
                    "isostring" => TimePrecision::IsoString,
                    "microseconds" => TimePrecision::Microseconds,
                    "nanoseconds" => TimePrecision::Nanoseconds,
                    _ => TimePrecision::Structured,
                }
            }
            "binary.handling.mode" => {
                options.binary = match value {
                    "bytes" => BinaryMode::Bytes,
                    "base64" => BinaryMode::Base64,
                    "hex" => BinaryMode::Hex,
                    _ => BinaryMode::Base64UrlSafe,
                }
            }
            "interval.handling.mode" if value == "string" => options.interval = IntervalMode::String,
            "hstore.handling.mode" if value == "map" => options.hstore = HstoreMode::Map,
            "money.fraction.digits" => options.money_fraction_digits = value.parse().unwrap(),
            "include.unknown.datatypes" => options.include_unknown = value == "true",
            "unavailable.value.placeholder" => {
                options.unavailable_placeholder = match value.strip_prefix("hex:") {
                    Some("00ff") => vec![0, 255],
                    _ => value.as_bytes().to_vec(),
                }
            }
            "value.converter.decimal.format" if value.eq_ignore_ascii_case("numeric") => {
                options.decimal_format = DecimalFormat::Numeric;
            }
            "value.converter.replace.null.with.default" => {
                options.replace_null_with_default = value == "true"
            }
            _ => {}
        }
    }
    options
}

/// What is known to differ, and why.
const KNOWN: &[(&str, &str)] = &[
    // Debezium keeps the labels of an array's enum as they were when it first saw the type; a restart mends it.
    ("types_enum", "schema of a"),
];

/// The comparisons so far.
#[derive(Default)]
struct Comparisons {
    compared: usize,
    wrong: Vec<String>,
}

impl Comparisons {
    /// Compares one text. `place`: scenario, variant, and the name of the thing that is compared.
    fn add(&mut self, place: (&str, &str, String), is: Option<String>, expect: Option<String>) {
        let (scenario, variant, what) = place;
        self.compared += 1;
        if is == expect || KNOWN.contains(&(scenario, what.as_str())) {
            return;
        }
        let cut = |text: Option<String>| text.map(|text| text.chars().take(600).collect::<String>());
        let (is, expect) = (cut(is), cut(expect));
        self.wrong.push(format!("{scenario}/{variant} {what}\n  is     {is:?}\n  expect {expect:?}"));
    }
}

/// The JSON that a codec writes for a recorded value: a text, null, or `false` for an unchanged TOAST value.
fn json_of(codec: &Codec, value: &Value, snapshot: bool) -> String {
    let mut out = Vec::new();
    match value {
        Value::Null => codec.append_null(&mut out),
        Value::String(value) => {
            let text = value.as_bytes();
            let appended =
                if snapshot { codec.append_snapshot(text, &mut out) } else { codec.append(text, &mut out) };
            if let Err(error) = appended {
                out.extend_from_slice(error.to_string().as_bytes());
            }
        }
        _ => codec.append_unavailable(&mut out),
    }
    String::from_utf8(out).unwrap()
}

/// Compares schemas and values of one variant of a scenario. A text that a variant does not have is that of the first one.
fn compare(scenario: &str, fixture: &Value, variant: &Value, comparisons: &mut Comparisons) {
    let columns: Vec<Column> = fixture["columns"].as_array().unwrap().iter().map(column).collect();
    let name = text(&variant["name"]);
    let expected = |kind: &str, key: &str| {
        let found = variant[kind].get(key).or_else(|| fixture["variants"][0][kind].get(key));
        found.map(|value| value.as_str().map(str::to_owned))
    };
    let options = options(&variant["properties"]);
    let codecs: Vec<_> = columns.iter().map(|column| Codec::compile(column, &options)).collect();
    for (at, codec) in codecs.iter().enumerate().filter(|_| !name.ends_with("plain")) {
        let Some(expect) = expected("schemas", &at.to_string()) else { continue };
        let is = codec.as_ref().map(|codec| {
            let mut out = Vec::new();
            codec.schema().append_json(Some(&columns[at].name), &mut out);
            String::from_utf8(out).unwrap()
        });
        comparisons.add((scenario, name, format!("schema of {}", columns[at].name)), is, expect);
    }
    for (number, row) in fixture["rows"].as_array().unwrap().iter().enumerate() {
        let snapshot = row.get("snapshot").is_some();
        let places = row["columns"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap() as usize);
        for side in ["before", "after"] {
            let Some(values) = row.get(side).and_then(Value::as_array) else { continue };
            for (at, value) in places.clone().zip(values) {
                let key = format!("{number}.{side}.{at}");
                let Some(expect) = expected("values", &key) else { continue };
                if fixture["columns"][at]["volatile"] == true {
                    continue;
                }
                if let (Some(codec), Value::String(value)) = (&codecs[at], value) {
                    avro::tests::same_as_json(codec, &options, value, snapshot);
                }
                let is = codecs[at].as_ref().map(|codec| json_of(codec, value, snapshot));
                comparisons.add((scenario, name, format!("{} {key}", columns[at].name)), is, expect);
            }
        }
    }
}

#[test]
fn every_recorded_value_and_schema() {
    let mut comparisons = Comparisons::default();
    for (scenario, fixture) in SCENARIOS {
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        for variant in fixture["variants"].as_array().unwrap() {
            compare(scenario, &fixture, variant, &mut comparisons);
        }
    }
    let Comparisons { compared, wrong } = comparisons;
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 2_000, "only {compared} comparisons");
}
