//! Keys of a `type = "cassandra"` sink.

use pgcdc_config::Section;
use pgcdc_event::Secret;
use scylla::statement::Consistency;

use crate::store::{Key, key};
use crate::tls::{TLS, Tls};

/// Keys of `type = "cassandra"`.
pub(crate) const KEYS: &[Key] = &[
    key("contact_points", "texts", "required", "Some nodes, as host:port."),
    key("keyspace", "text", "required", "Keyspace of the target table."),
    key("table", "text", "", "Target table; the source table's name unless set."),
    key(
        "create",
        "boolean",
        "false",
        "Make keyspace and table when they are missing, from the source's columns and key, and add columns that appear later.",
    ),
    key(
        "replication",
        "text",
        "{'class': 'SimpleStrategy', 'replication_factor': 1}",
        "Replication of a keyspace that is made, in CQL.",
    ),
    key(
        "consistency",
        "text",
        "local_quorum",
        "Consistency level of writes: any, one, two, three, quorum, all, local_one, local_quorum or each_quorum.",
    ),
    key(
        "unlogged_batch_rows",
        "number",
        "10",
        "How many rows of the same replicas go in one request at most, 1 to 100; 1 sends each row by itself.",
    ),
    key("username", "text", "", "User to log in as; goes together with `password`."),
    key("password", "secret", "", "Password of that user."),
    TLS,
    key("datacenter", "text", "", "Datacenter whose nodes are asked first."),
    key(
        "unavailable_value_placeholder",
        "text",
        "__debezium_unavailable_value",
        "What the connector writes for a TOAST value that did not change; such columns stay as they are.",
    ),
];

/// What the file says of a Cassandra sink.
///
/// ```toml
/// [[sink]]
/// name = "events"
/// type = "cassandra"
/// topics = ["shop.public.events"]
/// contact_points = ["10.0.0.1:9042", "10.0.0.2:9042"]
/// keyspace = "shop"
/// create = true
/// ```
#[derive(Clone, Debug)]
pub struct CassandraConfig {
    /// `contact_points`: `host:port` of some nodes.
    pub contact_points: Vec<String>,
    /// `keyspace`.
    pub keyspace: String,
    /// `table`; the source table's name when it is not set.
    pub table: Option<String>,
    /// `create`: make keyspace and table when they are missing (default: no).
    pub create: bool,
    /// `replication`: of a keyspace that is made, in CQL (default: `SimpleStrategy` with factor 1).
    pub replication: String,
    /// `consistency` of writes (default: `local_quorum`).
    pub consistency: Consistency,
    /// `unlogged_batch_rows`: rows of the same replicas that go in one request, at most, unless they have 5 KiB before
    /// (default: 10; 1: each by itself).
    pub unlogged_batch_rows: usize,
    /// `username`.
    pub username: Option<String>,
    /// `password`.
    pub password: Option<Secret>,
    /// `tls`: how to encrypt connections (default: not at all).
    pub tls: Option<Tls>,
    /// `datacenter`: the one to prefer.
    pub datacenter: Option<String>,
    /// `unavailable_value_placeholder`, when the connector's is not Debezium's default.
    pub placeholder: Option<String>,
}

/// Cassandra's `unlogged_batch_across_partitions_warn_threshold`: of more it warns in its log.
const UNLOGGED_BATCH_ROWS: usize = 10;

const CONSISTENCIES: &[(&str, Consistency)] = &[
    ("any", Consistency::Any),
    ("one", Consistency::One),
    ("two", Consistency::Two),
    ("three", Consistency::Three),
    ("quorum", Consistency::Quorum),
    ("all", Consistency::All),
    ("local_one", Consistency::LocalOne),
    ("local_quorum", Consistency::LocalQuorum),
    ("each_quorum", Consistency::EachQuorum),
];

impl CassandraConfig {
    /// Reads the keys of a `[[sink]]`; `None` when a required one is missing. Mistakes are noted in the section.
    pub(crate) fn parse(section: &mut Section<'_, '_>) -> Option<Self> {
        let contact_points = section.texts("contact_points");
        if contact_points.as_ref().is_some_and(Vec::is_empty) {
            section.mistake_at(
                "contact_points",
                "\"contact_points\" must name at least one node as \"host:port\"",
            );
        }
        let keyspace = section.text("keyspace");
        let table = section.optional_text("table");
        for (key, name) in [("keyspace", &keyspace), ("table", &table)] {
            if name.as_ref().is_some_and(|name| name.is_empty() || name.len() > 48 || name.contains('"')) {
                section.mistake_at(key, &format!("{key:?} must have 1 to 48 characters and no quotes"));
            }
        }
        let create = section.flag("create");
        let replication = section.optional_text("replication");
        let consistency = section.optional_text("consistency");
        let consistency = consistency.and_then(|text| {
            let found = CONSISTENCIES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
            if found.is_none() {
                let known: Vec<&str> = CONSISTENCIES.iter().map(|(name, _)| *name).collect();
                section.mistake_at(
                    "consistency",
                    &format!("unknown \"consistency\" {text:?}; known are {}", known.join(", ")),
                );
            }
            found.map(|(_, consistency)| *consistency)
        });
        let rows = section.optional_number("unlogged_batch_rows", 1..=100);
        let username = section.optional_text("username");
        let password = section.optional_text("password").map(Secret::new);
        if username.is_some() != password.is_some() {
            section.mistake_at("username", "\"username\" and \"password\" go together");
        }
        // The driver connects to addresses; a certificate may have the names that the file gives the nodes.
        let names = contact_points
            .iter()
            .flatten()
            .map(|point| point.rsplit_once(':').map_or(&**point, |(host, _)| host));
        let tls = Tls::parse(section, &names.map(str::to_owned).collect::<Vec<_>>());
        let datacenter = section.optional_text("datacenter");
        let placeholder = section.optional_text("unavailable_value_placeholder");
        Some(Self {
            contact_points: contact_points?,
            keyspace: keyspace?,
            table,
            create,
            replication: replication
                .unwrap_or_else(|| "{'class': 'SimpleStrategy', 'replication_factor': 1}".to_owned()),
            consistency: consistency.unwrap_or(Consistency::LocalQuorum),
            unlogged_batch_rows: rows.and_then(|rows| rows.try_into().ok()).unwrap_or(UNLOGGED_BATCH_ROWS),
            username,
            password,
            tls,
            datacenter,
            placeholder,
        })
    }
}
