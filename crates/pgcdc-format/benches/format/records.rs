//! A sink's side: record → change, and the columns a sink looks at.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use pgcdc_event::RecordBatch;
use pgcdc_format::decode::Decoder;

use crate::engagement::{Form, Kind, ROWS, encode, encoder, messages};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("records");
    for (form, schemas) in [("plain", false), ("schema", true)] {
        for (name, kind) in [("insert", Kind::Insert), ("update", Kind::Update)] {
            let records = records(kind, schemas);
            let bytes = records.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
            group.throughput(Throughput::ElementsAndBytes { elements: u64::from(ROWS), bytes });
            let mut decoder = Decoder::default();
            group.bench_function(format!("{form}/{name}"), |bencher| {
                bencher.iter(|| {
                    for (key, value) in &records {
                        let change = decoder.decode(Some(key), Some(value)).expect("a change");
                        let row = change.after.as_ref().expect("a row");
                        for column in ["user_id", "duration_ms", "event_ts"] {
                            black_box(row.field(column).expect("the column"));
                        }
                    }
                });
            });
        }
    }
    group.finish();
}

fn records(kind: Kind, schemas: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut encoder = encoder(if schemas { Form::JsonWithSchemas } else { Form::Json });
    let mut batch = RecordBatch::new();
    for message in &messages(kind) {
        encode(&mut encoder, message, &mut batch);
    }
    let bytes = |part: Option<&[u8]>| part.expect("an insert or update has both").to_vec();
    batch.iter().map(|record| (bytes(record.key), bytes(record.value))).collect()
}
