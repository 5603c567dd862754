//! Cassandra and Redis, started once per run and only when a test asks for them, and a reader of Cassandra's tables.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pgcdc_testbed::{Cassandra, CassandraOptions, Redis, RedisOptions};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::value::{CqlValue, Row};
use tokio::runtime::Runtime;

use super::harness::scratch_dir;

static CASSANDRA: LazyLock<Cassandra> = LazyLock::new(|| {
    Cassandra::start(scratch_dir("cassandra"), 0, CassandraOptions::default()).expect("Cassandra starts")
});

static REDIS: LazyLock<Redis> =
    LazyLock::new(|| Redis::start(scratch_dir("redis"), 0, RedisOptions::default()).expect("Redis starts"));

/// The Cassandra that all tests share; each has a keyspace of its own.
pub(crate) fn cassandra() -> &'static Cassandra {
    &CASSANDRA
}

/// The Redis that all tests share; each has keys of its own.
pub(crate) fn redis() -> &'static Redis {
    &REDIS
}

/// A row: column → value as text, whatever the column's type; none for null.
pub(crate) type Fields = BTreeMap<String, Option<String>>;

/// A connection to Cassandra.
pub(crate) struct Cql {
    runtime: Runtime,
    session: Session,
}

impl Cql {
    /// Connects, and starts Cassandra first when no test has yet.
    pub(crate) fn connect() -> Self {
        Self::connect_to(cassandra())
    }

    /// Connects to a Cassandra of the test's own.
    pub(crate) fn connect_to(cassandra: &Cassandra) -> Self {
        Self::open(SessionBuilder::new().known_node(cassandra.contact_point()))
    }

    /// Connects as the builder says.
    pub(crate) fn open(builder: SessionBuilder) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let session = runtime.block_on(builder.build());
        Self { runtime, session: session.expect("Cassandra takes connections") }
    }

    /// Runs a statement.
    #[track_caller]
    pub(crate) fn run(&self, statement: &str) {
        if let Err(error) = self.runtime.block_on(self.session.query_unpaged(statement, ())) {
            panic!("{statement}: {error}");
        }
    }

    /// Makes a keyspace for tables that the test makes itself.
    #[track_caller]
    pub(crate) fn make_keyspace(&self, name: &str) {
        let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
        self.run(&format!("CREATE KEYSPACE {name} WITH replication = {replication}"));
    }

    /// A table's column names and types as CQL has them; empty while there is no such table.
    #[track_caller]
    pub(crate) fn columns(&self, keyspace: &str, table: &str) -> BTreeMap<String, String> {
        let query = format!(
            "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = '{keyspace}' AND table_name = '{table}'"
        );
        let rows = self.select(&query);
        rows.into_iter()
            .map(|mut row| {
                let mut take = |name: &str| row.remove(name).flatten().expect("system tables are complete");
                (take("column_name"), take("type"))
            })
            .collect()
    }

    /// All rows of a table, sorted; none while there is no such table, or one that is only just being made.
    #[track_caller]
    pub(crate) fn rows(&self, keyspace: &str, table: &str) -> Vec<Fields> {
        let query = format!("SELECT * FROM \"{keyspace}\".\"{table}\"");
        match self.try_select(&query) {
            Ok(mut rows) => {
                rows.sort();
                rows
            }
            // The second is what Cassandra says of a table that its schema has and its storage not yet.
            Err(error) if error.contains("does not exist") || error.contains("Unknown CF") => Vec::new(),
            Err(error) => panic!("{query}: {error}"),
        }
    }

    /// The rows that a query answers with.
    #[track_caller]
    fn select(&self, query: &str) -> Vec<Fields> {
        self.try_select(query).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    fn try_select(&self, query: &str) -> Result<Vec<Fields>, String> {
        let answer = self.runtime.block_on(self.session.query_unpaged(query, ()));
        let answer = answer.map_err(|error| error.to_string())?;
        let answer = answer.into_rows_result().expect("a SELECT answers with rows");
        let names: Vec<String> = answer.column_specs().iter().map(|spec| spec.name().to_owned()).collect();
        let rows = answer.rows::<Row>().expect("rows of any type");
        let fields = rows.map(|row| {
            let values = row.expect("a row").columns.into_iter().map(|value| value.map(text));
            names.iter().cloned().zip(values).collect()
        });
        Ok(fields.collect())
    }
}

/// A value as Postgres would print it; timestamps in milliseconds and dates in days since 1970.
fn text(value: CqlValue) -> String {
    match value {
        CqlValue::Text(text) | CqlValue::Ascii(text) => text,
        CqlValue::Uuid(uuid) => uuid.to_string(),
        CqlValue::BigInt(number) => number.to_string(),
        CqlValue::Int(number) => number.to_string(),
        CqlValue::SmallInt(number) => number.to_string(),
        CqlValue::Double(number) => number.to_string(),
        CqlValue::Boolean(flag) => flag.to_string(),
        CqlValue::Timestamp(at) => at.0.to_string(),
        CqlValue::Date(date) => (i64::from(date.0) - (1_i64 << 31)).to_string(),
        CqlValue::Decimal(decimal) => {
            let (bytes, scale) = decimal.as_signed_be_bytes_slice_and_exponent();
            decimal_text(bytes, usize::try_from(scale).expect("a scale that is not negative"))
        }
        other => format!("{other:?}"),
    }
}

/// Two's complement, big end first, with `scale` digits behind the point.
fn decimal_text(bytes: &[u8], scale: usize) -> String {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let start = if negative { -1_i128 } else { 0 };
    let number = bytes.iter().fold(start, |number, byte| number << 8 | i128::from(*byte));
    let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    format!("{}{whole}{point}{fraction}", if number < 0 { "-" } else { "" })
}
