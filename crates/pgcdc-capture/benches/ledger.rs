//! Cost per record of the acknowledgement ledger: `cargo bench -p pgcdc-capture`.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::collections::VecDeque;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pgcdc_capture::ledger::{Ledger, Sequence};
use pgcdc_event::Lsn;

const RECORDS: u64 = 100_000;

/// Sends the records in transactions of `per`, `window` of them in flight, and delivers the oldest.
fn in_order(per: u64, window: usize) -> Lsn {
    let mut ledger = Ledger::new(Lsn::new(0));
    let mut flight = VecDeque::with_capacity(window);
    send(&mut ledger, per, |ledger, sequence| {
        flight.push_back(sequence);
        if flight.len() == window {
            deliver(ledger, flight.pop_front());
        }
    });
    for sequence in flight {
        deliver(&mut ledger, Some(sequence));
    }
    assert_eq!(ledger.in_flight().records, 0);
    ledger.confirmed()
}

/// Delivers records that were sent before, in an order of their own, as partitions of several brokers do.
fn shuffled(mut ledger: Ledger, order: &[Sequence]) -> Lsn {
    for sequence in order {
        deliver(&mut ledger, Some(*sequence));
    }
    assert_eq!(ledger.in_flight().records, 0);
    ledger.confirmed()
}

fn send(ledger: &mut Ledger, per: u64, mut sent: impl FnMut(&mut Ledger, Sequence)) {
    for transaction in 0..RECORDS / per {
        ledger.begin();
        for _ in 0..per {
            let sequence = ledger.record();
            sent(ledger, sequence);
        }
        ledger.commit(Lsn::new((transaction + 1) * 100));
    }
}

fn deliver(ledger: &mut Ledger, sequence: Option<Sequence>) {
    ledger.delivered(sequence.expect("one is in flight")).expect("it is waited for");
    black_box(ledger.confirmed());
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ledger");
    // A record of it is about 700 bytes in Kafka; the ledger itself sees none of them.
    group.throughput(Throughput::Elements(RECORDS));
    for per in [1, 1000] {
        group.bench_function(format!("in order/{per} a transaction"), |bencher| {
            bencher.iter(|| in_order(per, 4096));
        });
        group.bench_function(format!("out of order/{per} a transaction"), |bencher| {
            let make = || {
                let mut ledger = Ledger::new(Lsn::new(0));
                let mut order = Vec::with_capacity(usize::try_from(RECORDS).expect("fits"));
                send(&mut ledger, per, |_, sequence| order.push(sequence));
                shuffle(&mut order);
                (ledger, order)
            };
            bencher.iter_batched(make, |(ledger, order)| shuffled(ledger, &order), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// The same order every time.
fn shuffle(order: &mut [Sequence]) {
    let mut random = fastrand::Rng::with_seed(7);
    random.shuffle(order);
}

criterion_group!(benches, bench);
criterion_main!(benches);
