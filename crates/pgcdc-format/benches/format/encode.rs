//! pgoutput message → Debezium's records, with Connect's schemas and without.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use pgcdc_event::RecordBatch;

use crate::engagement::{Kind, ROWS, encode, encoder, messages};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for (form, schemas) in [("plain", false), ("schema", true)] {
        for (name, kind) in [("insert", Kind::Insert), ("update", Kind::Update), ("delete", Kind::Delete)] {
            let messages = messages(kind);
            let mut encoder = encoder(schemas);
            let mut batch = RecordBatch::new();
            for message in &messages {
                encode(&mut encoder, message, &mut batch);
            }
            let bytes = batch.position() as u64;
            group.throughput(Throughput::ElementsAndBytes { elements: u64::from(ROWS), bytes });
            group.bench_function(format!("{form}/{name}"), |bencher| {
                bencher.iter(|| {
                    for message in &messages {
                        batch.clear();
                        encode(&mut encoder, message, &mut batch);
                        black_box(batch.position());
                    }
                });
            });
        }
    }
    group.finish();
}
