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
