use std::time::Duration;

use super::{Kind, Metric, Registry, TABLE};

fn all() -> impl Iterator<Item = &'static Metric> {
    TABLE.iter().copied().flatten()
}

/// A registry in which every metric has a value.
fn full() -> Registry {
    let registry = Registry::new();
    let capture = registry.capture("c");
    capture.changes.inc();
    capture.rows.table("public.t").create.inc();
    capture.restarts.inc("57P01");
    registry.producer("c").requests.inc();
    registry.sink("s").write_seconds.observe(Duration::from_millis(3));
    registry.consumer("s").records.inc();
    registry
}

#[test]
fn the_text_has_what_the_table_has() {
    let text = full().encode();
    for metric in all() {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let family = metric.name.trim_end_matches("_total");
        assert!(text.contains(&format!("# TYPE {family} {kind}\n")), "{family}: {text}");
        assert!(text.contains(&format!("# HELP {family} {}\n", metric.help)), "{family}: {text}");
        let sample =
            if metric.kind == Kind::Histogram { format!("{family}_count") } else { metric.name.to_owned() };
        assert!(text.contains(&format!("\n{sample}{{{}=\"", metric.labels[0])), "{sample}: {text}");
    }
    assert_eq!(text.matches("# TYPE ").count(), all().count(), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn names_are_those_of_prometheus() {
    let mut names: Vec<&str> = all().map(|metric| metric.name).collect();
    for metric in all() {
        let name = metric.name;
        assert!(name.starts_with("pgcdc_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(metric.kind == Kind::Counter, name.ends_with("_total"), "{name}");
        assert!(metric.kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
        assert!(metric.help.ends_with('.'), "{name}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().count(), "a name stands twice");
}

#[test]
fn handles_of_one_name_count_together_and_can_be_forgotten() {
    let registry = full();
    let (one, other) = (registry.sink("s"), registry.sink("other"));
    one.records.inc_by(2);
    registry.sink("s").records.inc_by(3);
    other.records.inc();
    assert_eq!(one.records.get(), 5);
    assert!(registry.encode().contains("pgcdc_sink_records_total{sink=\"s\"} 5\n"));
    registry.forget_sink("s");
    let text = registry.encode();
    assert!(
        !text.contains("sink=\"s\"") && text.contains("pgcdc_sink_records_total{sink=\"other\"} 1\n"),
        "{text}"
    );
    one.records.inc();
    assert_eq!(one.records.get(), 6, "a handle outlives its value in the registry");
}

#[test]
fn a_label_is_escaped() {
    let registry = Registry::new();
    registry.capture("a\"b\\c\nd").changes.inc();
    assert!(registry.encode().contains(r#"connector="a\"b\\c\nd""#));
}

#[test]
fn positions_up_to_the_last_are_written() {
    let registry = Registry::new();
    registry.capture("c").server_lsn.set(u64::MAX);
    assert!(registry.encode().ends_with("# EOF\n"));
}

#[test]
fn rows_and_restarts_are_told_apart_by_their_labels_and_forgotten_with_their_connector() {
    let registry = Registry::new();
    let (shop, other) = (registry.capture("shop"), registry.capture("other"));
    shop.rows.table("public.users").update.inc_by(7);
    registry.capture("shop").rows.table("public.users").update.inc();
    shop.restarts.inc("kafka");
    other.rows.table("public.users").read.inc();
    let text = registry.encode();
    let row = "pgcdc_rows_total{connector=\"shop\",table=\"public.users\",operation=\"update\"} 8\n";
    assert!(text.contains(row), "{text}");
    assert!(text.contains("pgcdc_restarts_total{connector=\"shop\",reason=\"kafka\"} 1\n"), "{text}");
    assert_eq!((shop.restarts.get("kafka"), other.restarts.get("kafka")), (1, 0));
    registry.forget_capture("shop");
    let text = registry.encode();
    assert!(!text.contains("shop") && text.contains("connector=\"other\",table="), "{text}");
}

#[test]
fn durations_fall_into_their_buckets() {
    let registry = Registry::new();
    let latency = registry.capture("c").commit_to_acknowledged;
    latency.observe(Duration::from_micros(100));
    latency.observe_many(Duration::from_millis(2), 3);
    latency.observe(Duration::from_secs(3600));
    let text = registry.encode();
    let has = |line: &str| assert!(text.contains(line), "{line}: {text}");
    has("pgcdc_commit_to_acknowledged_seconds_bucket{le=\"0.0001\",connector=\"c\"} 1\n");
    has("pgcdc_commit_to_acknowledged_seconds_bucket{le=\"0.0025\",connector=\"c\"} 4\n");
    has("pgcdc_commit_to_acknowledged_seconds_bucket{le=\"300.0\",connector=\"c\"} 4\n");
    has("pgcdc_commit_to_acknowledged_seconds_bucket{le=\"+Inf\",connector=\"c\"} 5\n");
    has("pgcdc_commit_to_acknowledged_seconds_count{connector=\"c\"} 5\n");
    has("pgcdc_commit_to_acknowledged_seconds_sum{connector=\"c\"} 3600.0061\n");
}

#[test]
fn the_older_format_names_counters_with_their_suffix() {
    let plain = full().encode_plain();
    let has = |line: &str| assert!(plain.contains(line), "{line}: {plain}");
    has("# HELP pgcdc_changes_total Changes read from the stream.\n# TYPE pgcdc_changes_total counter\n");
    has("# TYPE pgcdc_lag_bytes gauge\n");
    has("# TYPE pgcdc_sink_write_seconds histogram\n");
    has("\npgcdc_changes_total{connector=\"c\"} 1\n");
    assert!(!plain.contains("EOF"), "{plain}");
    let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&plain), samples(&full().encode()));
}

#[test]
fn an_age_grows_by_itself() {
    let registry = Registry::new();
    let lag = registry.capture("c").lag_seconds;
    assert!(registry.encode().contains("pgcdc_lag_seconds{connector=\"c\"} 0.0\n"), "{}", registry.encode());
    lag.begun(Some(1_000_000));
    let first = lag.get();
    std::thread::sleep(Duration::from_millis(2));
    assert!(lag.get() > first && first > 1e9);
    assert!(!registry.encode().contains("pgcdc_lag_seconds{connector=\"c\"} 0.0\n"));
    lag.begun(Some(i64::MAX));
    assert!(lag.get().abs() < 1e-9, "the other clock is ahead");
}

/// Every attribute that Debezium 3.7.0's beans have, read with `javap`.
const ATTRIBUTES: &str = "LastEvent MilliSecondsSinceLastEvent TotalNumberOfEventsSeen TotalNumberOfCreateEventsSeen
    TotalNumberOfUpdateEventsSeen TotalNumberOfDeleteEventsSeen TotalNumberOfReadEventsSeen NumberOfEventsFiltered
    NumberOfErroneousEvents Connected TotalTableCount RemainingTableCount SnapshotRunning SnapshotPaused SnapshotCompleted
    SnapshotAborted SnapshotSkipped SnapshotDurationInSeconds SnapshotPausedDurationInSeconds RowsScanned ChunkId ChunkFrom
    ChunkTo TableFrom TableTo TableChunkCounts TableChunksCompletedCounts CapturedTables SourceEventPosition
    MilliSecondsBehindSource NumberOfCommittedTransactions LastTransactionId NumberOfUnchangedEventsSkipped
    MilliSecondsBehindSourceMinValue MilliSecondsBehindSourceMaxValue MilliSecondsBehindSourceAverageValue
    MilliSecondsBehindSourceP50 MilliSecondsBehindSourceP95 MilliSecondsBehindSourceP99 QueueTotalCapacity
    QueueRemainingCapacity MaxQueueSizeInBytes CurrentQueueSizeInBytes NumberOfCreateEventsSeen NumberOfDeleteEventsSeen
    NumberOfUpdateEventsSeen NumberOfTruncateEventsSeen TotalNumberOfLogicalMessageEventsSeen";

#[test]
fn every_attribute_of_debezium_has_its_place() {
    use crate::debezium::{BESIDE, WITHOUT};
    for (name, _) in BESIDE {
        assert!(all().any(|metric| metric.name == *name), "{name} is no metric");
    }
    let placed = BESIDE.iter().map(|(_, names)| *names).chain(WITHOUT.iter().map(|(names, _)| *names));
    let mut placed: Vec<&str> =
        placed.flatten().copied().filter(|name| name.starts_with(char::is_uppercase)).collect();
    let mut attributes: Vec<&str> = ATTRIBUTES.split_whitespace().collect();
    placed.sort_unstable();
    attributes.sort_unstable();
    assert_eq!(placed, attributes, "left: what the page says; right: what Debezium has");
}

#[test]
fn the_reference_page_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let page = crate::reference();
    if std::env::var_os("PGCDC_WRITE_REFERENCE").is_some() {
        std::fs::write(path, &page).expect("docs/ is writable");
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == page,
        "docs/metrics.md is stale: PGCDC_WRITE_REFERENCE=1 cargo test -p pgcdc-metrics reference"
    );
}
