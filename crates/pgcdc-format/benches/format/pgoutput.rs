//! pgoutput message → tuples → columns.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use pgcdc_format::pgoutput::{Message, Tuple, decode};

use crate::engagement::{Kind, ROWS, messages};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pgoutput");
    for (name, kind) in [("insert", Kind::Insert), ("update", Kind::Update), ("delete", Kind::Delete)] {
        let messages = messages(kind);
        let bytes = messages.iter().map(|message| message.len() as u64).sum();
        group.throughput(Throughput::ElementsAndBytes { elements: u64::from(ROWS), bytes });
        group.bench_function(name, |bencher| {
            bencher.iter(|| messages.iter().map(|message| columns(message)).sum::<usize>());
        });
    }
    group.finish();
}

/// Looks at every column of every tuple.
fn columns(message: &[u8]) -> usize {
    let count = |tuple: Tuple<'_>| tuple.values().map(black_box).count();
    match decode(message).expect("a message") {
        Message::Insert { new, .. } => count(new),
        Message::Update { old, new, .. } => old.map_or(0, |(_, old)| count(old)) + count(new),
        Message::Delete { old, .. } => count(old),
        other => panic!("{other:?} is not a row"),
    }
}
