//! The statement of the Cassandra sink, prepared once, with typed values.

use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt, stream};
use pgcdc_format::decode::{Decoder, instant_us};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use crate::{Level, Result, cpu_seconds};

/// Key first, then by name, then the timestamp, as the sink has them.
type Row = (i64, Uuid, String, i32, CqlTimestamp, String, String, Uuid, i64);

pub(crate) async fn run(records: &[Vec<u8>], node: &str, levels: &[Level]) -> Result<()> {
    let session = Arc::new(SessionBuilder::new().known_node(node).tcp_nodelay(true).build().await?);
    let rows: Arc<Vec<Row>> = Arc::new(records.iter().map(|record| row(record)).collect::<Result<_>>()?);
    for (at, level) in levels.iter().enumerate() {
        let Level { first: tasks, second: in_flight, third: together } = *level;
        let keyspace = format!("bare_{}_{at}", std::process::id());
        let statement = Arc::new(prepare(&session, &keyspace).await?);
        let (begin, before) = (Instant::now(), cpu_seconds()?);
        let share = rows.len().div_ceil(tasks);
        let mut running = Vec::new();
        for task in 0..tasks {
            let (session, rows, statement) = (session.clone(), rows.clone(), statement.clone());
            running.push(tokio::spawn(async move {
                let mine = task * share..((task + 1) * share).min(rows.len());
                let writes = mine.clone().step_by(together).map(|at| {
                    let (session, rows, statement) = (session.clone(), rows.clone(), statement.clone());
                    let these = at..(at + together).min(mine.end);
                    async move { write(&session, &statement, &rows[these]).await }
                });
                stream::iter(writes).buffer_unordered(in_flight).try_for_each(|_| async { Ok(()) }).await
            }));
        }
        for task in running {
            task.await??;
        }
        println!(
            "{}",
            serde_json::json!({
                "level": level.to_string(),
                "rows": rows.len(),
                "seconds": begin.elapsed().as_secs_f64(),
                "cpu": cpu_seconds()? - before,
            })
        );
        session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    }
    Ok(())
}

async fn write(session: &Session, statement: &PreparedStatement, rows: &[Row]) -> Result<()> {
    if let [row] = rows {
        session.execute_unpaged(statement, row).await?;
        return Ok(());
    }
    let statements = rows.iter().map(|_| BatchStatement::PreparedStatement(statement.clone())).collect();
    let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
    batch.set_is_idempotent(true);
    batch.set_consistency(Consistency::LocalQuorum);
    session.batch(&batch, rows).await?;
    Ok(())
}

async fn prepare(session: &Session, keyspace: &str) -> Result<PreparedStatement> {
    let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    session.query_unpaged(format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}"), ()).await?;
    let columns = "id bigint PRIMARY KEY, content_id uuid, device text, duration_ms int, event_ts timestamp, \
                   event_type text, raw_payload text, user_id uuid";
    session.query_unpaged(format!("CREATE TABLE {keyspace}.engagement_events ({columns})"), ()).await?;
    let insert = format!(
        "INSERT INTO {keyspace}.engagement_events (id, content_id, device, duration_ms, event_ts, event_type, raw_payload, \
         user_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
    );
    let mut statement = session.prepare(insert).await?;
    statement.set_is_idempotent(true);
    statement.set_consistency(Consistency::LocalQuorum);
    Ok(statement)
}

fn row(record: &[u8]) -> Result<Row> {
    let change = Decoder::default().decode(None, Some(record))?;
    let row = change.after.as_ref().ok_or("a record without a row")?;
    let text =
        |name: &str| row.get(name).and_then(|value| value.as_str()).ok_or_else(|| format!("no text {name}"));
    let number = |name: &str| {
        row.get(name).and_then(|value| value.as_i64()).ok_or_else(|| format!("no number {name}"))
    };
    let at = row
        .field("event_ts")
        .and_then(|field| instant_us(field.value, field.semantic))
        .ok_or("no event_ts")?;
    let lsn = change.source.lsn.ok_or("no LSN")?;
    Ok((
        number("id")?,
        text("content_id")?.parse()?,
        text("device")?.to_owned(),
        i32::try_from(number("duration_ms")?)?,
        CqlTimestamp(at.div_euclid(1000)),
        text("event_type")?.to_owned(),
        text("raw_payload")?.to_owned(),
        text("user_id")?.parse()?,
        i64::try_from(lsn.as_u64())?,
    ))
}
