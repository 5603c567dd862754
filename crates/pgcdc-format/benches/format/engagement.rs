//! The table `engagement_events` and rows as `load_events` of sql/engagement makes them, about 300 bytes each.

use std::sync::Arc;

use pgcdc_event::{
    Column, Lsn, PgType, RecordBatch, Relation, ReplicaIdentity, TableName, TopicId, TypeKind,
};
use pgcdc_format::avro::AvroOptions;
use pgcdc_format::envelope::{
    AvroHalves, Change, Context, EnvelopeOptions, RelationEncoder, RowRef, TablePlan,
};
use pgcdc_format::pgoutput::{Message, Tuple, decode};

/// So many different rows go through one iteration: more than a branch predictor learns by heart.
pub(crate) const ROWS: u32 = 512;

const COLUMNS: [(&str, u32, &str); 8] = [
    ("id", 20, "int8"),
    ("content_id", 2950, "uuid"),
    ("user_id", 2950, "uuid"),
    ("event_type", 25, "text"),
    ("event_ts", 1184, "timestamptz"),
    ("duration_ms", 23, "int4"),
    ("device", 25, "text"),
    ("raw_payload", 3802, "jsonb"),
];

/// What happened to a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Insert,
    /// With the whole old row, as REPLICA IDENTITY FULL sends it.
    Update,
    /// With the key alone, as the default identity sends it.
    Delete,
}

fn texts(n: u32) -> [String; 8] {
    let hash = |salt: u64| {
        let mut word = (u64::from(n) << 8 | salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word ^= word >> 29;
        word = word.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word ^ word >> 32
    };
    let uuid = |salt| {
        let (a, b) = (hash(salt), hash(salt + 1));
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    };
    let pick = |list: &[&str]| list[n as usize % list.len()].to_owned();
    [
        (90_000_000 + n).to_string(),
        uuid(1),
        uuid(3),
        pick(&["play", "pause", "finish", "click"]),
        format!("2026-11-{:02} {:02}:{:02}:{:02}.{:03}+00", 1 + n % 28, n % 24, n % 60, n * 7 % 60, n % 1000),
        (u64::from(n) * 7919 % 900_001).to_string(),
        pick(&["ios", "android", "web-firefox", "web-chrome", "tv"]),
        format!(
            r#"{{"app": {}, "net": {{"ip": "10.{}.{}.7", "kind": "wifi"}}, "from": "https://example.test/article/{}", "session": "{:016x}{:016x}"}}"#,
            n % 40,
            n % 199,
            n % 251,
            n % 1500,
            hash(5),
            hash(6)
        ),
    ]
}

fn tuple(texts: &[Option<&str>], message: &mut Vec<u8>) {
    message.extend_from_slice(&u16::try_from(texts.len()).expect("few columns").to_be_bytes());
    for text in texts {
        match text {
            None => message.push(b'n'),
            Some(text) => {
                message.push(b't');
                message.extend_from_slice(&u32::try_from(text.len()).expect("short").to_be_bytes());
                message.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// One pgoutput message.
pub(crate) fn message(kind: Kind, n: u32) -> Vec<u8> {
    let new = texts(n);
    let whole = new.each_ref().map(|text| Some(text.as_str()));
    let mut message = vec![match kind {
        Kind::Insert => b'I',
        Kind::Update => b'U',
        Kind::Delete => b'D',
    }];
    message.extend_from_slice(&1u32.to_be_bytes());
    match kind {
        Kind::Insert => {
            message.push(b'N');
            tuple(&whole, &mut message);
        }
        Kind::Update => {
            let mut old = texts(n + 1);
            old[0].clone_from(&new[0]);
            message.push(b'O');
            tuple(&old.each_ref().map(|text| Some(text.as_str())), &mut message);
            message.push(b'N');
            tuple(&whole, &mut message);
        }
        Kind::Delete => {
            let mut key = [None; 8];
            key[0] = whole[0];
            message.push(b'K');
            tuple(&key, &mut message);
        }
    }
    message
}

/// [`ROWS`] messages of one kind.
pub(crate) fn messages(kind: Kind) -> Vec<Vec<u8>> {
    (0..ROWS).map(|n| message(kind, n)).collect()
}

fn relation() -> Relation {
    let column = |(at, (name, oid, type_name)): (usize, &(&str, u32, &str))| Column {
        name: (*name).into(),
        pg_type: Arc::new(PgType {
            oid: *oid,
            schema: "pg_catalog".into(),
            name: (*type_name).into(),
            kind: TypeKind::Base,
        }),
        typmod: -1,
        not_null: at == 0 || *name == "event_ts",
        default: None,
        key_position: (at == 0).then_some(1),
        in_identity: at == 0,
        generated: false,
        comment: None,
    };
    Relation {
        oid: 1,
        name: TableName::new("public", "engagement_events"),
        identity: ReplicaIdentity::Default,
        columns: COLUMNS.iter().enumerate().map(column).collect(),
        comment: None,
    }
}

/// The form of records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    JsonWithSchemas,
    Avro,
}

/// The table's encoder with the connector's defaults.
pub(crate) fn encoder(form: Form) -> RelationEncoder {
    let schemas = form == Form::JsonWithSchemas;
    let options = EnvelopeOptions {
        key_schemas: schemas,
        value_schemas: schemas,
        context_headers: true,
        ..EnvelopeOptions::new("engagement", "engagement")
    };
    let relation = Arc::new(relation());
    let plan = TablePlan {
        topic: TopicId(0),
        topic_name: "engagement.public.engagement_events".into(),
        included: vec![true; COLUMNS.len()],
        key: relation.primary_key(),
        key_field: None,
        shaping: Vec::new(),
        snapshot: false,
    };
    let encoder = RelationEncoder::compile(relation, &plan, &options);
    if form != Form::Avro {
        return encoder;
    }
    let avro = Some(AvroOptions::default());
    let encoder =
        encoder.with_avro(&plan, &options, &AvroHalves { key: avro, value: avro }).expect("a schema");
    assert!(encoder.is_direct());
    encoder
}

fn wire(tuple: Tuple<'_>) -> RowRef<'_> {
    RowRef::Wire(tuple)
}

/// Decodes one message and appends its records.
pub(crate) fn encode(encoder: &mut RelationEncoder, message: &[u8], batch: &mut RecordBatch) {
    let change = match decode(message).expect("a message") {
        Message::Insert { new, .. } => Change::Insert { new: wire(new) },
        Message::Update { old, new, .. } => {
            Change::Update { old: old.map(|(_, old)| (wire(old), true)), new: wire(new) }
        }
        Message::Delete { old, .. } => Change::Delete { old: wire(old) },
        other => panic!("{other:?} is not a row"),
    };
    let context = Context {
        lsn: Lsn::new(1_690_582_024),
        last_commit: Some(Lsn::new(1_690_582_000)),
        xid: Some(5124),
        xmin: None,
        timestamp_us: 1_795_232_908_821_707,
        now_ns: 1_795_232_909_072_232_093,
        ordinal: None,
        ..Context::default()
    };
    encoder.encode(change, &context, batch).expect("encodes");
}
