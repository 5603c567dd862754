//! Prometheus' text format 0.0.4, for readers that do not know OpenMetrics: `curl`, `promtool check metrics`, older agents.

use crate::{Kind, TABLE};

/// The content type of [`Registry::encode_plain`](crate::Registry::encode_plain).
pub const PLAIN_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Turns our OpenMetrics text into the older format. Two things differ: a counter's `HELP` and `TYPE` name it with its
/// `_total`, and there is no `# EOF`.
pub(crate) fn from_open_metrics(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            push(line, &mut plain);
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let described = (words.next(), words.next(), words.next());
        // The other comments, `EOF` and units, are not in this format.
        if let (Some(keyword @ ("HELP" | "TYPE")), Some(family), Some(rest)) = described {
            let total = if is_counter(family) { "_total" } else { "" };
            push(&format!("# {keyword} {family}{total} {rest}"), &mut plain);
        }
    }
    plain
}

fn is_counter(family: &str) -> bool {
    TABLE
        .iter()
        .copied()
        .flatten()
        .any(|metric| metric.kind == Kind::Counter && metric.name.strip_suffix("_total") == Some(family))
}

fn push(line: &str, text: &mut String) {
    text.push_str(line);
    text.push('\n');
}
