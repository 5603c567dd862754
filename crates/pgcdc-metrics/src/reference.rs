//! Renders `docs/metrics.md` from the table.

use std::fmt::Write as _;

use crate::debezium::{BESIDE, WITHOUT};
use crate::{Kind, Metric, TABLE};

const HEAD: &str = r#"# Metrics, health and status over HTTP

`--listen HOST:PORT` starts a small HTTP server beside `pgcdc stream` and `pgcdc sink`.

```console
$ pgcdc stream --config connector.json --listen 127.0.0.1:9464 &
$ curl 127.0.0.1:9464/readyz
ready
$ curl -s 127.0.0.1:9464/metrics | grep pgcdc_lag
```

| path | answer |
|---|---|
| `/metrics` | every metric below, as OpenMetrics text or, for a reader that does not ask for it, in Prometheus' text format 0.0.4 |
| `/healthz` | 200 while the process lives |
| `/readyz` | 200 while every connector streams or takes a snapshot, and every sink runs; else 503, and the reason as text |
| `/status` | JSON: of each connector and sink its state, since when, the reason, position and lag |

`/readyz` answers 503 while a connector or sink starts, is paused, stops or has failed. A connector that fails and tries again by itself stays
ready at first, since a short failure should not make Kubernetes take the pod away. It answers 503 once it has been trying for longer than
`--unready-after SECONDS` (60). `pgcdc_connector_ready` and `pgcdc_sink_ready` say the same as a metric.

The answers have names of tables, slots, topics and hosts, and error texts. They have no row, no password and no property's value, and nothing
can be changed through this port. So it may listen on every address, as a metrics port in a container does (`--listen 0.0.0.0:9464`). There is
no TLS and no login: where names are confidential, let only Prometheus reach it.

## The table

Every metric's name begins with `pgcdc_` and has its unit in the name. A connector's metrics have the label `connector`, a sink's the label
`sink`. The last column names Debezium's JMX attribute beside it, or, in lower case, the attribute of Kafka Connect or of Kafka's client.
`PGCDC_WRITE_REFERENCE=1 cargo test -p pgcdc-metrics reference` writes this page anew from `crates/pgcdc-metrics/src/groups.rs`.
"#;

const TITLES: [&str; 4] = ["Connector", "Producer of a connector", "Sink", "Consumer of a sink"];

/// The whole page, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for (title, group) in TITLES.iter().zip(TABLE) {
        let _ = write!(
            page,
            "\n### {title}\n\n| metric | kind | labels | what it tells | Debezium, Kafka |\n|---|---|---|---|---|\n"
        );
        group.iter().for_each(|metric| row(metric, &mut page));
    }
    page.push_str(
        "\n## Debezium's attributes without a metric beside them\n\n| attribute | why |\n|---|---|\n",
    );
    for (names, why) in WITHOUT {
        let _ = writeln!(page, "| {} | {why} |", code(names));
    }
    page
}

fn row(metric: &Metric, page: &mut String) {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let beside = BESIDE.iter().find(|(name, _)| *name == metric.name).map_or(&[][..], |(_, beside)| beside);
    let _ = writeln!(
        page,
        "| `{}` | {kind} | {} | {} | {} |",
        metric.name,
        code(metric.labels),
        metric.help,
        code(beside)
    );
}

fn code(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
