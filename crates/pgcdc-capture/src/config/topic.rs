use std::collections::BTreeMap;
use std::time::Duration;

use pgcdc_event::TableName;

/// How topics are named and made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// `topic.prefix`.
    pub prefix: String,
    /// `topic.delimiter`.
    pub delimiter: String,
    /// `topic.naming.strategy`.
    pub naming: TopicNaming,
    /// `topic.transaction`.
    pub transaction: String,
    /// `topic.creation.default.*`; `None` leaves making topics to the broker.
    pub creation: Option<TopicCreation>,
}

impl TopicSettings {
    /// The topic of a table's changes: characters that Kafka does not allow become `_`.
    #[must_use]
    pub fn of(&self, table: &TableName) -> String {
        let Self { prefix, delimiter, .. } = self;
        let name = match self.naming {
            TopicNaming::Schema => {
                format!("{prefix}{delimiter}{}{delimiter}{}", table.schema, table.table)
            }
            TopicNaming::Table => format!("{prefix}{delimiter}{}", table.table),
        };
        sanitised(&name)
    }

    /// The topic of logical decoding messages; `topic.delimiter` has no part in it.
    #[must_use]
    pub fn of_messages(&self) -> String {
        format!("{}.message", self.prefix)
    }

    /// The topic of the begin and end of transactions.
    #[must_use]
    pub fn of_transactions(&self) -> String {
        format!("{}{}{}", self.prefix, self.delimiter, self.transaction)
    }
}

/// A name with what Kafka does not take replaced by underscores, as Debezium replaces it.
fn sanitised(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// `topic.naming.strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopicNaming {
    /// `SchemaTopicNamingStrategy`: `<prefix>.<schema>.<table>`.
    #[default]
    Schema,
    /// `DefaultTopicNamingStrategy`, which on Postgres gives `<prefix>.<table>`.
    Table,
}

/// `topic.creation.default.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCreation {
    /// `partitions`; -1 for the broker's default.
    pub partitions: i32,
    /// `replication.factor`; -1 for the broker's default.
    pub replication_factor: i32,
    /// The other settings, such as `cleanup.policy`.
    pub config: BTreeMap<String, String>,
}

/// `heartbeat.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// `heartbeat.interval.ms`; `None` for no heartbeats.
    pub interval: Option<Duration>,
    /// `topic.heartbeat.prefix`.
    pub topic_prefix: String,
    /// `topic.heartbeat.name`: the whole name.
    pub topic_name: Option<String>,
    /// `heartbeat.action.query`.
    pub action_query: Option<String>,
}

impl Heartbeat {
    /// The topic of heartbeats: `<heartbeat prefix>.<topic prefix>`, or the name that was given.
    #[must_use]
    pub fn topic(&self, topic: &TopicSettings) -> String {
        let usual = || format!("{}{}{}", self.topic_prefix, topic.delimiter, topic.prefix);
        self.topic_name.clone().unwrap_or_else(usual)
    }
}
