//! Cost of each step between pgoutput and JSON and back, on rows of sql/engagement.
//!
//! `cargo bench -p pgcdc-format`; a part of it with `-- pgoutput`, `-- encode` or `-- records`. Bytes per second count what a
//! step reads (pgoutput) or writes (records).
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod encode;
mod engagement;
mod pgoutput;
mod records;

use criterion::{Criterion, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    pgoutput::bench(criterion);
    encode::bench(criterion);
    records::bench(criterion);
}

criterion_group!(benches, all);
criterion_main!(benches);
