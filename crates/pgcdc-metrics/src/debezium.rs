//! Debezium's JMX attributes, and the metrics of ours that say the same.
//!
//! Read with `javap` from the `…MXBean` interfaces of Debezium 3.7.0.Final (`debezium-connector-common`,
//! `debezium-connector-postgres`). Names of Kafka's own clients and of Connect are those of Kafka 4.3.

/// Our metric, and Debezium's or Kafka's attributes beside it.
pub(crate) const BESIDE: &[(&str, &[&str])] = &[
    ("pgcdc_connector_ready", &["Connected"]),
    ("pgcdc_snapshot_running", &["SnapshotRunning", "SnapshotCompleted"]),
    ("pgcdc_snapshot_tables", &["TotalTableCount"]),
    ("pgcdc_snapshot_tables_remaining", &["RemainingTableCount"]),
    ("pgcdc_snapshot_rows_total", &["TotalNumberOfReadEventsSeen"]),
    ("pgcdc_changes_total", &["TotalNumberOfEventsSeen"]),
    ("pgcdc_records_total", &["source-record-write-total"]),
    ("pgcdc_transactions_total", &["NumberOfCommittedTransactions"]),
    ("pgcdc_records_in_flight", &["source-record-active-count"]),
    ("pgcdc_confirmed_lsn_bytes", &["SourceEventPosition"]),
    ("pgcdc_lag_seconds", &["MilliSecondsBehindSource"]),
    (
        "pgcdc_commit_to_acknowledged_seconds",
        &[
            "MilliSecondsBehindSourceMinValue",
            "MilliSecondsBehindSourceMaxValue",
            "MilliSecondsBehindSourceAverageValue",
            "MilliSecondsBehindSourceP50",
            "MilliSecondsBehindSourceP95",
            "MilliSecondsBehindSourceP99",
        ],
    ),
    ("pgcdc_values_not_converted_total", &["NumberOfErroneousEvents"]),
    ("pgcdc_records_left_out_total", &["total-records-skipped"]),
    (
        "pgcdc_rows_total",
        &[
            "TotalNumberOfCreateEventsSeen",
            "TotalNumberOfUpdateEventsSeen",
            "TotalNumberOfDeleteEventsSeen",
            "NumberOfCreateEventsSeen",
            "NumberOfUpdateEventsSeen",
            "NumberOfDeleteEventsSeen",
            "NumberOfTruncateEventsSeen",
            "RowsScanned",
            "CapturedTables",
        ],
    ),
    ("pgcdc_producer_records_total", &["record-send-total"]),
    ("pgcdc_producer_requests_total", &["request-total"]),
    ("pgcdc_producer_bytes_total", &["outgoing-byte-total"]),
    ("pgcdc_producer_retries_total", &["record-retry-total"]),
    ("pgcdc_producer_queued_bytes", &["CurrentQueueSizeInBytes"]),
    ("pgcdc_sink_records_total", &["sink-record-send-total"]),
    ("pgcdc_sink_write_seconds", &["put-batch-avg-time-ms"]),
    ("pgcdc_sink_retries_total", &["total-retries"]),
    ("pgcdc_sink_dead_letters_total", &["deadletterqueue-produce-requests"]),
    ("pgcdc_consumer_records_total", &["records-consumed-total"]),
    ("pgcdc_consumer_partitions", &["assigned-partitions"]),
    ("pgcdc_consumer_rebalances_total", &["rebalance-total"]),
];

/// Debezium's attributes that have no metric beside them, and why.
pub(crate) const WITHOUT: &[(&[&str], &str)] = &[
    (
        &["LastEvent", "LastTransactionId"],
        "A metric is a number. `pgcdc stream --stdout` shows the events, and `/status` the position.",
    ),
    (
        &["MilliSecondsSinceLastEvent"],
        "`rate(pgcdc_changes_total[5m]) == 0` tells that nothing comes; `pgcdc_lag_seconds` tells whether something waits.",
    ),
    (
        &[
            "NumberOfEventsFiltered",
            "NumberOfUnchangedEventsSkipped",
            "TotalNumberOfLogicalMessageEventsSeen",
        ],
        "Not counted yet.",
    ),
    (
        &["QueueTotalCapacity", "QueueRemainingCapacity", "MaxQueueSizeInBytes"],
        "There is no queue of events: what Kafka does not take is not read. `pgcdc_records_in_flight` and \
         `pgcdc_producer_queued_bytes` tell what waits.",
    ),
    (&["SnapshotDurationInSeconds"], "How long `pgcdc_snapshot_running` is 1."),
    (
        &["SnapshotPaused", "SnapshotPausedDurationInSeconds", "SnapshotAborted", "SnapshotSkipped"],
        "A snapshot is not paused; one that fails is a restart, with its reason in `pgcdc_restarts_total`.",
    ),
    (
        &[
            "ChunkId",
            "ChunkFrom",
            "ChunkTo",
            "TableFrom",
            "TableTo",
            "TableChunkCounts",
            "TableChunksCompletedCounts",
        ],
        "Incremental snapshots do not exist yet.",
    ),
];
