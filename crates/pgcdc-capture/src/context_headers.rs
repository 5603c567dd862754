//! The headers that Debezium gives every record (`extended.headers.enabled`).

use crate::config::Settings;

/// Names and values of the headers, with a new `runId` at each call.
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
