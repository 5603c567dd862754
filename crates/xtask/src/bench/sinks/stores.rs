//! Looking into the stores while they are filled.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::TryStreamExt as _;
use pgcdc_testbed::Redis;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use tokio::runtime::Runtime;

/// Cassandra's tables.
pub(super) struct Tables {
    runtime: Runtime,
    session: Session,
}

impl Tables {
    pub(super) fn connect(node: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot make a runtime")?;
        let session = runtime.block_on(SessionBuilder::new().known_node(node).build());
        let session = session.with_context(|| format!("cannot connect to Cassandra at {node}"))?;
        Ok(Self { runtime, session })
    }

    fn run(&self, statement: String) -> Result<()> {
        let done = self.runtime.block_on(self.session.query_unpaged(statement.as_str(), ()));
        done.map(drop).with_context(|| format!("Cassandra: {statement}"))
    }

    /// Makes the table with the columns' proper types; the bare loop makes the same.
    pub(super) fn create(&self, keyspace: &str) -> Result<()> {
        let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
        self.run(format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}"))?;
        self.run(format!(
            "CREATE TABLE {keyspace}.engagement_events (id bigint PRIMARY KEY, content_id uuid, device text, duration_ms int, \
             event_ts timestamp, event_type text, raw_payload text, user_id uuid)"
        ))
    }

    pub(super) fn drop(&self, keyspace: &str) -> Result<()> {
        self.run(format!("DROP KEYSPACE {keyspace}"))
    }

    /// Whether a row is there.
    pub(super) fn has(&self, keyspace: &str, id: i64) -> Result<bool> {
        let query = format!("SELECT id FROM {keyspace}.engagement_events WHERE id = {id}");
        let answer =
            self.runtime.block_on(self.session.query_unpaged(query, ())).context("cannot read a row")?;
        Ok(answer.into_rows_result().context("Cassandra's answer")?.rows_num() > 0)
    }

    /// How many rows there are.
    pub(super) fn count(&self, keyspace: &str) -> Result<u64> {
        let query = format!("SELECT id FROM {keyspace}.engagement_events");
        self.runtime.block_on(async {
            let pager = self.session.query_iter(query, ()).await.context("cannot read the rows")?;
            let mut rows = pager.rows_stream::<(i64,)>().context("Cassandra's rows")?;
            let mut count = 0;
            while rows.try_next().await.context("cannot read a page")?.is_some() {
                count += 1;
            }
            Ok(count)
        })
    }
}

/// Asks Redis how far it is, without a process for each question.
pub(super) struct Offsets {
    answers: BufReader<TcpStream>,
    question: String,
}

impl Offsets {
    pub(super) fn connect(redis: &Redis, key: &str, topic: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", redis.port())).context("cannot connect to Redis")?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).context("cannot limit a wait")?;
        Ok(Self {
            answers: BufReader::new(stream),
            question: format!("HGET {{{key}}}:offsets {topic}-0\r\n"),
        })
    }

    /// The offset after the last record that is there.
    pub(super) fn next(&mut self) -> Result<u64> {
        self.answers.get_mut().write_all(self.question.as_bytes()).context("cannot ask Redis")?;
        let mut line = String::new();
        self.answers.read_line(&mut line).context("Redis does not answer")?;
        if line.starts_with("$-1") {
            return Ok(0);
        }
        line.clear();
        self.answers.read_line(&mut line).context("Redis does not answer")?;
        line.trim().parse().with_context(|| format!("Redis answered {line:?}"))
    }
}

/// The number of members, and the sum of their scores.
pub(super) fn scores(redis: &Redis, key: &str) -> Result<String> {
    let lines = redis.command(&["ZRANGE", key, "0", "-1", "WITHSCORES"])?;
    let sum: f64 = lines.chunks_exact(2).filter_map(|pair| pair[1].parse::<f64>().ok()).sum();
    Ok(format!("{} {sum}", lines.len() / 2))
}
