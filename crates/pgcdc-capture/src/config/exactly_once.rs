//! `exactly.once.support`, `transaction.boundary` and what goes with them, as Kafka Connect reads
//! them.
//!
//! In Connect the worker decides (`exactly.once.source.support=enabled`), and a connector that says
//! `required` insists on it. Here either word turns Kafka transactions on. Source: Kafka
//! documentation, "Kafka Connect", section "Exactly-once support".

use std::time::Duration;

use pgcdc_config::{Document, Reader, Warning};

use super::settings::{ExactlyOnce, Settings, TransactionBoundary};

const SUPPORT: &str = "exactly.once.support";
const WORKER: &str = "exactly.once.source.support";
const BOUNDARY: &str = "transaction.boundary";
const INTERVAL: &str = "transaction.boundary.interval.ms";
const FLUSH: &str = "offset.flush.interval.ms";
const FILE: &str = "offset.storage.file.filename";
const TIMEOUT: &str = "transaction.timeout.ms";

/// The first part of the transactional id when `group.id` is not set; Connect has no default for
/// it.
const GROUP: &str = "pgcdc";

/// Kafka's default of `transaction.timeout.ms`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the settings; `None` for at-least-once. `name` is the connector's, a part of the
/// transactional id.
pub(super) fn resolve(reader: &mut Reader<'_>, name: &str) -> Option<ExactlyOnce> {
    let is = |key: &str, word: &str| reader.text(key).is_some_and(|text| text.eq_ignore_ascii_case(word));
    let required = is(SUPPORT, "required");
    if !required && !is(WORKER, "enabled") {
        return None;
    }
    let interval = is(BOUNDARY, "interval");
    if required && reader.raw(WORKER).is_some() && !is(WORKER, "enabled") {
        let message = format!(
            "The '{SUPPORT}' value is invalid: This worker does not have exactly-once source support enabled."
        );
        reader.mistake(SUPPORT, message, format!("set {WORKER}=enabled, or leave it out"));
    }
    if reader.path(FILE).is_some() {
        let message = "an offset in a file cannot be part of a Kafka transaction, which exactly-once needs";
        reader.mistake(FILE, message, "name a topic in offset.storage.topic instead");
    }
    let boundary = if interval {
        let key = if reader.raw(INTERVAL).is_some() { INTERVAL } else { FLUSH };
        match reader.millis(key) {
            // Zero means as often as possible.
            Duration::ZERO => TransactionBoundary::Poll,
            interval => TransactionBoundary::Interval(interval),
        }
    } else {
        TransactionBoundary::Poll
    };
    let group = reader.text("group.id").unwrap_or(GROUP);
    Some(ExactlyOnce {
        transactional_id: format!("{group}-{name}-0"),
        boundary,
        timeout: timeout(reader, boundary),
    })
}

/// The producer's `transaction.timeout.ms`: as it is set, else long enough for the other
/// properties.
fn timeout(reader: &mut Reader<'_>, boundary: TransactionBoundary) -> Duration {
    let twice_interval = match boundary {
        TransactionBoundary::Poll => Duration::ZERO,
        TransactionBoundary::Interval(interval) => interval * 2,
    };
    let set = |name: &str| {
        // The connector's own value wins, as it does for the producer.
        let keys = [format!("producer.override.{name}"), format!("producer.{name}")];
        let found = keys.into_iter().find(|key| reader.raw(key).is_some())?;
        let millis = reader.raw(&found)?.trim().parse().ok()?;
        Some((found, Duration::from_millis(millis)))
    };
    match set(TIMEOUT) {
        None => {
            let message = set("delivery.timeout.ms").or_else(|| set("message.timeout.ms"));
            let message = message.map_or(Duration::ZERO, |(_, timeout)| timeout);
            DEFAULT_TIMEOUT.max(twice_interval).max(message)
        }
        Some((key, timeout)) => {
            if timeout < twice_interval {
                let message = format!(
                    "The '{key}' value is invalid: a transaction that ends every {INTERVAL} ({} ms) would be aborted by the broker before",
                    twice_interval.as_millis() / 2
                );
                reader.mistake(&key, message, format!("at least twice {INTERVAL} is expected"));
            }
            timeout
        }
    }
}

/// Takes warnings away that are wrong with exactly-once, and adds those that are right without it.
pub(super) fn adjust(settings: &Settings, document: &Document, warnings: &mut Vec<Warning>) {
    if settings.exactly_once.is_some() {
        warnings.retain(|warning| !matches!(&*warning.key, "group.id" | FLUSH));
        return;
    }
    for key in [BOUNDARY, INTERVAL] {
        let Some(entry) = document.entry(key) else { continue };
        let value = entry.value.expose().trim();
        if !value.is_empty() && !value.eq_ignore_ascii_case("poll") {
            warnings.push(Warning {
                place: entry.place.to_string(),
                key: key.to_owned(),
                reason: format!("no Kafka transactions are written without {SUPPORT}=required"),
            });
        }
    }
}
