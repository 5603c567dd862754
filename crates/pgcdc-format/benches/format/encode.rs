//! pgoutput message → Debezium's records: JSON, with Connect's schemas and without, and Avro.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use pgcdc_event::RecordBatch;

use crate::engagement::{Form, Kind, ROWS, encode, encoder, messages};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for (name_of_form, form) in
        [("plain", Form::Json), ("schema", Form::JsonWithSchemas), ("avro", Form::Avro)]
    {
        for (name, kind) in [("insert", Kind::Insert), ("update", Kind::Update), ("delete", Kind::Delete)] {
            let messages = messages(kind);
            let mut encoder = encoder(form);
            let mut batch = RecordBatch::new();
            for message in &messages {
                encode(&mut encoder, message, &mut batch);
            }
            let bytes = batch.position() as u64;
            group.throughput(Throughput::ElementsAndBytes { elements: u64::from(ROWS), bytes });
            group.bench_function(format!("{name_of_form}/{name}"), |bencher| {
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
