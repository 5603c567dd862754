//! Avro written straight from rows, compared with the Avro of the same record's JSON.

use std::sync::Arc;

use pgcdc_event::{
    Lsn, PgType, RecordBatch, Relation, ReplicaIdentity, Snapshot, TableName, TopicId, TypeKind,
};

use crate::avro::{AvroOptions, Converter};
use crate::envelope::tests::{CONTEXT, column, message, options, tuple};
use crate::envelope::{
    AvroHalves, Change, Context, EnvelopeOptions, Half, Ordinal, RelationEncoder, RowRef, TablePlan, Unwrap,
};

/// A table with a column of any sort.
fn table() -> (Arc<Relation>, TablePlan) {
    let mut columns = vec![
        column("id", 20, "int8", true),
        column("name", 25, "text", false),
        column("at", 1184, "timestamptz", false),
        column("price", 1700, "numeric", false),
        column("tags", 1009, "_text", false),
        column("place", 600, "point", false),
    ];
    columns[1].default = Some("'nobody'::text".into());
    columns[4].pg_type = Arc::new(PgType {
        oid: 1009,
        schema: "pg_catalog".into(),
        name: "_text".into(),
        kind: TypeKind::Array(Arc::new(PgType { kind: TypeKind::Base, ..(*columns[1].pg_type).clone() })),
    });
    let relation = Relation {
        oid: 1,
        name: TableName::new("public", "t"),
        identity: ReplicaIdentity::Full,
        columns,
        comment: None,
    };
    let plan = TablePlan {
        topic: TopicId(7),
        topic_name: "p.public.t".into(),
        included: vec![true; 6],
        key: vec![0],
        key_field: None,
        shaping: Vec::new(),
        snapshot: false,
    };
    (Arc::new(relation), plan)
}

fn compile(options: &EnvelopeOptions) -> RelationEncoder {
    let (relation, plan) = table();
    RelationEncoder::compile(relation, &plan, options)
}

/// The converter of the schema in the text before a payload.
fn converter(head: &[u8], avro: &AvroOptions) -> Converter {
    let head = &head[br#"{"schema":"#.len()..];
    let schema = serde_json::Deserializer::from_slice(head).into_iter::<serde_json::Value>().next();
    Converter::of_json(schema.unwrap().unwrap().to_string().as_bytes(), avro).unwrap()
}

/// Encodes a change in JSON and by `encoder`. Of `converters`, of keys and of values, `None` says that this half is JSON.
fn compare(
    json: &mut RelationEncoder,
    encoder: &mut RelationEncoder,
    converters: [Option<&Converter>; 2],
    change: Change<'_>,
    context: &Context<'_>,
) {
    let (mut expected, mut binary) = (RecordBatch::new(), RecordBatch::new());
    json.encode(change, context, &mut expected).unwrap();
    encoder.encode(change, context, &mut binary).unwrap();
    assert_eq!(expected.len(), binary.len());
    let half = |number: u8, converter: Option<&Converter>, json: Option<&[u8]>| match (json, converter) {
        (Some(json), Some(converter)) => {
            let mut out = vec![0, 0, 0, 0, number];
            converter.append(json, &mut out).unwrap().then_some(out)
        }
        (json, _) => json.map(<[u8]>::to_vec),
    };
    let [keys, values] = converters;
    for (json, binary) in expected.iter().zip(binary.iter()) {
        assert_eq!(binary.key.map(<[u8]>::to_vec), half(1, keys, json.key), "{change:?}");
        assert_eq!(binary.value.map(<[u8]>::to_vec), half(2, values, json.value), "{change:?}");
        assert!(json.headers().eq(binary.headers()), "headers stay JSON");
    }
}

/// Each kind of change with each kind of context, under these options.
fn compare_all(options: &EnvelopeOptions, avro: AvroOptions, direct: bool) {
    let full = [
        Some("7"),
        Some("ü"),
        Some("2024-02-29 12:00:00.5+00"),
        Some("12.50"),
        Some("{a,NULL,\"b c\"}"),
        Some("(1,2)"),
    ];
    let (full, bare) = (message(&full), message(&[Some("8"), None, None, None, None, None]));
    let (full, bare) = (RowRef::Wire(tuple(&full)), RowRef::Wire(tuple(&bare)));
    let changes = [
        Change::Insert { new: full },
        Change::Insert { new: bare },
        Change::Update { old: None, new: full },
        Change::Update { old: Some((full, true)), new: full },
        Change::Update { old: Some((full, true)), new: bare },
        Change::Delete { old: full },
        Change::Truncate,
    ];
    let contexts = [
        CONTEXT,
        Context { last_commit: None, xid: None, snapshot: Snapshot::Last, ..CONTEXT },
        Context { origin: Some(("far", Lsn::new(77))), ..CONTEXT },
        Context { xmin: Some(5100), ..CONTEXT },
        Context { ordinal: Some(Ordinal { total: 300, of_table: 2 }), ..CONTEXT },
    ];
    let schemaful = compile(&EnvelopeOptions { key_schemas: true, value_schemas: true, ..options.clone() });
    let keys = converter(schemaful.key_head().unwrap(), &avro);
    let values = converter(schemaful.value_head(), &avro);
    for (key, value) in [(true, true), (false, true), (true, false)] {
        let halves = AvroHalves { key: key.then_some(avro), value: value.then_some(avro) };
        let mut encoder = compile(options).with_avro(&table().1, options, &halves).unwrap();
        assert_eq!(encoder.is_direct(), direct && value);
        encoder.number(Half::Key, 1);
        encoder.number(Half::Value, 2);
        let converters = [key.then_some(&keys), value.then_some(&values)];
        for change in changes {
            for context in &contexts {
                compare(&mut compile(options), &mut encoder, converters, change, context);
            }
        }
    }
}

#[test]
fn avro_straight_from_a_row_is_that_of_its_json() {
    let plain = EnvelopeOptions { skipped: String::new(), ..options() };
    compare_all(&plain, AvroOptions::default(), true);
    let mut keep = plain.clone();
    keep.types.replace_null_with_default = false;
    compare_all(&keep, AvroOptions { replace_null_with_default: false, ..AvroOptions::default() }, true);
    let unwrapped = EnvelopeOptions { unwrap: Some(Unwrap::default()), ..plain };
    compare_all(&unwrapped, AvroOptions::default(), false);
}
