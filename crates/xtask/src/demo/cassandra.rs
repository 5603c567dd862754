//! Reads the table that the Cassandra sink fills.

use anyhow::{Context, Result};
use futures_util::TryStreamExt as _;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::value::{CqlValue, Row};
use tokio::runtime::Runtime;

use super::state::{Event, Rows, instant_ms};

/// A connection to Cassandra.
pub(super) struct Reader {
    runtime: Runtime,
    session: Session,
}

impl Reader {
    pub(super) fn connect(port: u16) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot make a runtime")?;
        let session = runtime
            .block_on(SessionBuilder::new().known_node(format!("127.0.0.1:{port}")).build())
            .with_context(|| format!("cannot connect to Cassandra on port {port}"))?;
        Ok(Self { runtime, session })
    }

    /// Removes what an earlier demo left.
    pub(super) fn reset(&self) -> Result<()> {
        let dropped =
            self.runtime.block_on(self.session.query_unpaged("DROP KEYSPACE IF EXISTS engagement", &[]));
        dropped.map(|_| ()).context("cannot drop keyspace engagement")
    }

    /// All rows; none while the table does not exist yet.
    pub(super) fn rows(&self) -> Result<Rows> {
        self.runtime.block_on(async {
            let known = self
                .session
                .query_unpaged(
                    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'engagement' AND table_name = 'engagement_events'",
                    &[],
                )
                .await
                .context("cannot ask Cassandra for its tables")?;
            if known.into_rows_result().context("cassandra's answer")?.rows_num() == 0 {
                return Ok(Rows::new());
            }
            let query = "SELECT id, content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload FROM engagement.engagement_events";
            let pager = match self.session.query_iter(query, &[]).await {
                // The table is known to the schema a moment before it can be read.
                Err(error) if error.to_string().contains("does not exist") => return Ok(Rows::new()),
                answer => answer.context("cannot read engagement.engagement_events")?,
            };
            let mut stream = pager.rows_stream::<Row>().context("cassandra's rows")?;
            let mut rows = Rows::new();
            while let Some(row) = stream.try_next().await.context("cannot read a page of engagement.engagement_events")? {
                let mut columns = row.columns.into_iter().map(|value| value.map(text));
                let mut next = || columns.next().flatten();
                let Some(id) = next().and_then(|id| id.parse().ok()) else { continue };
                let event = Event {
                    content_id: next(),
                    user_id: next(),
                    event_type: next(),
                    event_ms: next().and_then(|text| text.parse().ok().or_else(|| instant_ms(&text))),
                    duration_ms: next(),
                    device: next(),
                    raw_payload: next(),
                };
                rows.insert(id, event);
            }
            Ok(rows)
        })
    }
}

/// The column's value whatever its type: without a Connect schema the sink chooses types from the first row it sees.
fn text(value: CqlValue) -> String {
    match value {
        CqlValue::Text(text) | CqlValue::Ascii(text) => text,
        CqlValue::Uuid(uuid) => uuid.to_string(),
        CqlValue::BigInt(number) => number.to_string(),
        CqlValue::Int(number) => number.to_string(),
        CqlValue::SmallInt(number) => number.to_string(),
        CqlValue::Double(number) => number.to_string(),
        CqlValue::Timestamp(at) => at.0.to_string(),
        other => format!("{other:?}"),
    }
}
