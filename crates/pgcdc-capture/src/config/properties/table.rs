//! All groups of properties, in the order of the reference page.

use pgcdc_config::PropertyTable;

use super::{advanced, connect, connection, connector, converters, snapshot, worker};

/// Every property, in Debezium's order.
///
/// ```
/// use pgcdc_capture::config::properties::TABLE;
///
/// assert_eq!(TABLE.default_of("snapshot.mode"), Some("initial"));
/// assert!(TABLE.find("database.password").is_some_and(|row| row.is_secret()));
/// assert!(TABLE.find("producer.linger.ms").is_some_and(|row| row.is_family()));
/// ```
pub const TABLE: PropertyTable = PropertyTable {
    groups: &[
        ("Connect", connect::CONNECT),
        ("Connection", connection::CONNECTION),
        ("Driver", connection::DRIVER),
        ("Replication", connection::REPLICATION),
        ("Connector", connector::CONNECTOR),
        ("Selection", connector::SELECTION),
        ("Topics", connector::TOPICS),
        ("Heartbeat", connector::HEARTBEAT),
        ("Snapshot", snapshot::SNAPSHOT),
        ("Advanced", advanced::ADVANCED),
        ("Signals and notifications", advanced::SIGNALS),
        ("Worker", worker::WORKER),
        ("Avro converters", converters::AVRO),
        ("Other converters", converters::OTHERS),
        ("Pass-through", worker::PASS_THROUGH),
    ],
};
