//! The part of CONFIGURATION.md that lists the keys of a sinks file, made from the tables of keys.

use std::fmt::Write as _;

use crate::kinds::KINDS;
use crate::store::{Key, key};

/// What stands before the tables.
const HEAD: &str = "
# Sinks

The keys of the file that `pgcdc sink --config FILE` reads, in TOML. [docs/sinks.md](docs/sinks.md) has an example. This part is made from
`crates/pgcdc-sinks/src/kinds.rs`; `PGCDC_WRITE_REFERENCE=1 cargo test -p pgcdc-sinks reference` writes it anew. A key that is in none of
these lists is a mistake, and so is a value of another type; all mistakes come in one answer.

Every text may have Kafka Connect's references: `${env:NAME}`, `${file:/path:key}`, `${file:/path}`, `${dir:/path:file}`. A duration is a
number with a unit: `500ms`, `10s`, `10m`, `2h`, `1d`.
";

/// `[kafka]`, beside the properties of Kafka's clients.
const KAFKA: &[Key] = &[
    key(
        "bootstrap.servers",
        "text",
        "required",
        "Brokers to connect to first, as host:port with commas between.",
    ),
    key(
        "group.id",
        "text",
        "required",
        "First part of each sink's consumer group, which is `<group.id>-<name>`.",
    ),
    key(
        "*",
        "text",
        "",
        "Any property of Kafka's Java clients or of librdkafka, for all clients of the file.",
    ),
];

/// The keys of every `[[sink]]`.
const SINK: &[Key] = &[
    key(
        "name",
        "text",
        "required",
        "Name of the sink, unique in the file: part of its consumer group and of its dead letters.",
    ),
    key("type", "text", "required", "Kind of the store."),
    key("topics", "texts", "required", "Topics that the sink reads, by their names."),
    key(
        "batch.max",
        "number",
        "see the store",
        "How many records go to the store in one batch at most, 1 to 10000.",
    ),
    key("retry.initial", "duration", "200ms", "First wait between two tries; it doubles after each failure."),
    key("retry.max", "duration", "30s", "Longest wait between two tries."),
    key(
        "max_dead_letters",
        "number",
        "",
        "How many records of a partition in a row may become dead letters; the next one ends the sink. 0 ends it at the first, as errors.tolerance=none does in Kafka Connect. Without it any number may.",
    ),
    key(
        "new_history",
        "text",
        "stop",
        "What the sink does when the source's positions begin anew, after a restore or a failover to a server that was behind: `stop`, or `continue` and take what follows for newer than all that is stored.",
    ),
];

/// The part of CONFIGURATION.md about sinks, as Markdown. A test compares it with the page, so the page cannot be stale.
///
/// ```
/// let page = pgcdc_sinks::reference();
/// assert!(page.contains("| `max_dead_letters` | number |"));
/// ```
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    section("`[kafka]`", "", KAFKA, &mut page);
    section("`[[sink]]`", "", SINK, &mut page);
    for kind in KINDS {
        let about = format!("{} `batch.max` is {} unless set.\n\n", kind.about, kind.batch_max);
        section(&format!("`type = \"{}\"`", kind.name), &about, kind.keys, &mut page);
    }
    page
}

/// A heading with its table of keys.
fn section(title: &str, about: &str, keys: &[Key], page: &mut String) {
    let _ =
        write!(page, "\n## {title}\n\n{about}| key | type | default | what it does |\n|---|---|---|---|\n");
    for key in keys {
        let default = match key.default {
            "" => String::new(),
            "required" => "must be set".to_owned(),
            "see the store" => "see the store".to_owned(),
            default => format!("`{}`", key_cell(default)),
        };
        let _ = writeln!(page, "| `{}` | {} | {default} | {} |", key.name, key.value, key_cell(key.about));
    }
}

/// Text as it may stand between two bars.
fn key_cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of CONFIGURATION.md that begins with the heading of the sinks.
    #[test]
    #[cfg(all(feature = "cassandra", feature = "redis", feature = "http"))]
    fn the_reference_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../CONFIGURATION.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let (capture, there) = page.split_at(page.find("\n# Sinks\n").unwrap_or(page.len()));
        let made = reference();
        if std::env::var_os("PGCDC_WRITE_REFERENCE").is_some() {
            std::fs::write(path, format!("{capture}{made}")).expect("written");
        } else {
            assert!(
                there == made,
                "CONFIGURATION.md is stale: PGCDC_WRITE_REFERENCE=1 cargo test -p pgcdc-sinks reference"
            );
        }
    }
}
