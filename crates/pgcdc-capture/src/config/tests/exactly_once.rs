//! Exactly-once, as Connect's words turn it on.

use std::time::Duration;

use super::*;

const ON: (&str, &str) = ("exactly.once.support", "required");

#[test]
fn it_is_off_unless_one_of_connects_words_turns_it_on() {
    assert_eq!(settings(&[]).exactly_once, None);
    assert_eq!(settings(&[("exactly.once.support", "requested")]).exactly_once, None);
    assert_eq!(settings(&[("exactly.once.source.support", "preparing")]).exactly_once, None);
    let expect = ExactlyOnce {
        transactional_id: "pgcdc-shop-0".into(),
        boundary: TransactionBoundary::Poll,
        timeout: Duration::from_secs(60),
    };
    for on in [ON, ("exactly.once.support", "REQUIRED"), ("exactly.once.source.support", "enabled")] {
        let found = settings(&[on]);
        assert_eq!(found.exactly_once.as_ref(), Some(&expect));
        assert_eq!(found.warnings, []);
    }
}

#[test]
fn the_transactional_id_is_connects() {
    let found = settings(&[ON, ("group.id", "connect-cluster"), ("name", "orders")]);
    assert_eq!(found.exactly_once.map(|on| on.transactional_id).as_deref(), Some("connect-cluster-orders-0"));
    assert_eq!(found.warnings, []);
}

#[test]
fn an_interval_is_connects_flush_interval_unless_set_and_the_timeout_follows() {
    let check = |pairs: &[(&str, &str)], interval, timeout| {
        let pairs: Vec<_> = [ON, ("transaction.boundary", "interval")].iter().chain(pairs).copied().collect();
        let found = settings(&pairs).exactly_once.expect("on");
        let millis = Duration::from_millis;
        assert_eq!(
            (found.boundary, found.timeout),
            (TransactionBoundary::Interval(millis(interval)), millis(timeout))
        );
    };
    check(&[], 60_000, 120_000);
    check(&[("offset.flush.interval.ms", "1000")], 1_000, 60_000);
    check(
        &[("offset.flush.interval.ms", "1000"), ("transaction.boundary.interval.ms", "40000")],
        40_000,
        80_000,
    );
    check(
        &[("transaction.boundary.interval.ms", "5"), ("producer.transaction.timeout.ms", "5000")],
        5,
        5_000,
    );
    check(
        &[("transaction.boundary.interval.ms", "5"), ("producer.delivery.timeout.ms", "120000")],
        5,
        120_000,
    );
}

#[test]
fn what_cannot_be_is_refused_with_a_remedy() {
    let check = |pairs: &[(&str, &str)], expect: &str| {
        let pairs: Vec<_> = [ON].iter().chain(pairs).copied().collect();
        assert_eq!(error(&pairs).to_string(), expect);
    };
    check(
        &[("transaction.boundary", "connector")],
        "c.json:7: transaction.boundary: transaction.boundary=connector is refused: the Postgres connector does not define transaction boundaries, Debezium's neither (hint: set poll, the default, or interval)",
    );
    check(
        &[("exactly.once.source.support", "disabled")],
        "c.json:7: The 'exactly.once.support' value is invalid: This worker does not have exactly-once source support enabled. (hint: set exactly.once.source.support=enabled, or leave it out)",
    );
    check(
        &[("offset.storage.file.filename", "/o.json")],
        "c.json:7: offset.storage.file.filename: an offset in a file cannot be part of a Kafka transaction, which exactly-once needs (hint: name a topic in offset.storage.topic instead)",
    );
    check(
        &[
            ("transaction.boundary", "interval"),
            ("transaction.boundary.interval.ms", "6000"),
            ("producer.override.transaction.timeout.ms", "10000"),
        ],
        "c.json:7: The 'producer.override.transaction.timeout.ms' value is invalid: a transaction that ends every transaction.boundary.interval.ms (6000 ms) would be aborted by the broker before (hint: at least twice transaction.boundary.interval.ms is expected)",
    );
}

#[test]
fn boundaries_without_transactions_are_named_in_a_warning() {
    let found = settings(&[("transaction.boundary", "interval"), ("transaction.boundary.interval.ms", "5")]);
    let keys: Vec<_> = found.warnings.iter().map(|warning| &*warning.key).collect();
    assert_eq!(keys, ["transaction.boundary", "transaction.boundary.interval.ms"]);
    assert_eq!(settings(&[("transaction.boundary", "poll")]).warnings, []);
}
