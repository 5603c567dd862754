//! The headers that Debezium gives every record (`extended.headers.enabled`).
//!
//! Names and values are those that Debezium 3.7 writes, except for the random `runId`. They are the
//! same for all records of a run, so they are made once and handed to the output.

use crate::config::Settings;

/// Names and values of the headers. The `runId` is a new one at each call; call it once for a run
/// of the connector.
pub(crate) fn context_headers(settings: &Settings) -> Vec<(String, String)> {
    let run = uuid::Uuid::now_v7().to_string();
    [
        ("__debezium.context.connectorLogicalName", settings.topic.prefix.as_str()),
        ("__debezium.context.taskId", "0"),
        ("__debezium.context.connectorName", "postgresql"),
        ("__debezium.context.runId", run.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
