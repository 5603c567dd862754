//! Opening the session, and writing a batch.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use pgcdc_event::Operation;
use pgcdc_format::decode::{Change, Placeholder};
use pgcdc_kafka::consumer::Partition;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, NewSessionError, RequestAttemptError};
use tokio::task::JoinSet;

use super::CassandraConfig;
use super::clock::Clock;
use super::create::{add_columns, create_table, quote};
use super::table::{Target, Values};
use crate::{Batch, Outcome, Rejected, Sink, SinkError};

/// Statements of one lane in flight at a time.
const PIPELINE: usize = 512;
/// A batch is split into so many lanes at most, which run in parallel.
const LANES: usize = 4;
/// Statements that a lane of its own is worth.
const LANE: usize = 64;

/// A Cassandra sink.
pub struct Cassandra {
    session: Arc<Session>,
    config: CassandraConfig,
    placeholder: Placeholder,
    /// Tables met so far. The lock is held while one is made, so that partitions do not make it twice.
    targets: tokio::sync::Mutex<HashMap<String, Arc<Target>>>,
    clock: Clock,
    lanes: usize,
}

impl fmt::Debug for Cassandra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cassandra").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Cassandra {
    /// Connects, and makes the keyspace if it is to be made.
    ///
    /// # Errors
    /// Transient while no node answers.
    pub async fn open(config: &CassandraConfig) -> Result<Self, SinkError> {
        let mut builder = SessionBuilder::new()
            .known_nodes(&config.contact_points)
            .connection_timeout(Duration::from_secs(10))
            .tcp_nodelay(true);
        if let (Some(user), Some(password)) = (&config.username, &config.password) {
            builder = builder.user(user, password.expose());
        }
        if let Some(datacenter) = &config.datacenter {
            builder = builder.prefer_datacenter(datacenter.clone());
        }
        let session = builder.build().await.map_err(|error| match error {
            NewSessionError::IllegalConfig(_) | NewSessionError::EmptyKnownNodesList => {
                SinkError::fatal(format!("cannot connect to Cassandra: {error}"))
            }
            error => SinkError::transient(format!(
                "cannot connect to Cassandra at {:?}: {error}",
                config.contact_points
            )),
        })?;
        if session.get_cluster_state().get_keyspace(&config.keyspace).is_none() {
            if !config.create {
                return Err(SinkError::fatal(format!(
                    "keyspace {:?} does not exist: make it, or set create = true",
                    config.keyspace
                )));
            }
            let statement = format!(
                "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {}",
                quote(&config.keyspace),
                config.replication
            );
            define(&session, &statement).await?;
        }
        let placeholder = config.placeholder.as_deref().map_or_else(Placeholder::default, Placeholder::new);
        Ok(Self {
            session: Arc::new(session),
            lanes: std::thread::available_parallelism().map_or(1, usize::from).min(LANES),
            config: config.clone(),
            placeholder,
            targets: tokio::sync::Mutex::default(),
            clock: Clock::default(),
        })
    }

    /// The table that a change goes to; the inner error is the record's.
    async fn target(
        &self,
        partition: &Partition,
        change: &Change<'_>,
    ) -> Result<Result<Arc<Target>, String>, SinkError> {
        let of_topic = || partition.topic.rsplit('.').next().unwrap_or(&partition.topic);
        let name = match (&self.config.table, &change.source.table) {
            (Some(table), _) => table.as_str(),
            (None, Some(table)) if !table.is_empty() => table,
            (None, _) => of_topic(),
        };
        let target = match self.existing(name, change).await? {
            Ok(target) => target,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(row) = change.after.as_ref().filter(|_| self.config.create) else { return Ok(Ok(target)) };
        let fields = target.lacks(row, &self.placeholder);
        if fields.is_empty() {
            return Ok(Ok(target));
        }
        let statement = add_columns(&self.config.keyspace, name, fields.into_iter());
        let added = define(&self.session, &statement).await;
        self.targets.lock().await.remove(name);
        let refreshed = self.session.refresh_metadata().await;
        refreshed.map_err(|e| SinkError::transient(format!("cannot read Cassandra's schema: {e}")))?;
        let target = self.existing(name, change).await?;
        match (&target, added) {
            // Another process may have added them at the same time.
            (Ok(target), Err(error)) if !target.lacks(row, &self.placeholder).is_empty() => {
                return Err(error);
            }
            (_, Ok(())) => tracing::info!(table = name, "columns added"),
            _ => {}
        }
        Ok(target)
    }

    /// A table by its name, made if it is to be made.
    async fn existing(
        &self,
        name: &str,
        change: &Change<'_>,
    ) -> Result<Result<Arc<Target>, String>, SinkError> {
        let keyspace = &self.config.keyspace;
        let mut targets = self.targets.lock().await;
        if let Some(target) = targets.get(name) {
            return Ok(Ok(Arc::clone(target)));
        }
        let unprepared =
            |e| SinkError::transient(format!("cannot prepare statements for table {keyspace}.{name}: {e}"));
        let load = || Target::load(&self.session, keyspace, name, self.config.consistency);
        let mut found = load().await.map_err(unprepared)?;
        if found.is_none() {
            // It may be younger than what the driver knows.
            let refreshed = self.session.refresh_metadata().await;
            refreshed.map_err(|e| SinkError::transient(format!("cannot read Cassandra's schema: {e}")))?;
            found = load().await.map_err(unprepared)?;
        }
        if found.is_none() && self.config.create {
            let statement = match create_table(keyspace, name, change) {
                Ok(statement) => statement,
                Err(reason) => return Ok(Err(format!("table {keyspace}.{name} cannot be made: {reason}"))),
            };
            define(&self.session, &statement).await?;
            tracing::info!(table = %format!("{keyspace}.{name}"), "table made");
            found = load().await.map_err(unprepared)?;
        }
        let Some(target) = found else {
            return Err(SinkError::fatal(format!(
                "table {keyspace}.{name} does not exist: make it, or set create = true"
            )));
        };
        let target = Arc::new(target);
        targets.insert(name.to_owned(), Arc::clone(&target));
        Ok(Ok(target))
    }

    /// Executes statements in any order; returns those that can never be. Dropping the future ends it.
    async fn execute(&self, statements: Vec<Statement>) -> Result<Vec<Rejected>, SinkError> {
        let lanes = statements.len().div_ceil(LANE).clamp(1, self.lanes);
        if lanes == 1 {
            return execute(&self.session, statements).await;
        }
        let share = statements.len().div_ceil(lanes);
        let (mut statements, mut running) = (statements.into_iter(), JoinSet::new());
        for _ in 0..lanes {
            let (session, lane) = (Arc::clone(&self.session), statements.by_ref().take(share).collect());
            running.spawn(async move { execute(&session, lane).await });
        }
        let mut rejected = Vec::new();
        while let Some(ended) = running.join_next().await {
            rejected.extend(match ended {
                Ok(executed) => executed?,
                // The worker's panic then, as if it had executed them itself.
                Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
                Err(_) => return Err(SinkError::transient("writing to Cassandra was cut short")),
            });
        }
        Ok(rejected)
    }

    async fn forget_targets(&self) {
        self.targets.lock().await.clear();
    }
}

/// A record's statement, ready to be executed.
struct Statement {
    offset: i64,
    target: Arc<Target>,
    upsert: bool,
    values: Values,
}

async fn execute(session: &Session, statements: Vec<Statement>) -> Result<Vec<Rejected>, SinkError> {
    let executed = statements.into_iter().map(|Statement { offset, target, upsert, values }| async move {
        let statement = if upsert { &target.upsert } else { &target.delete };
        (offset, session.execute_unpaged(statement, values).await)
    });
    let mut results = stream::iter(executed).buffer_unordered(PIPELINE);
    let mut rejected = Vec::new();
    while let Some((offset, result)) = results.next().await {
        if let Err(error) = result {
            rejected.push(Rejected { offset, reason: classify(&error)? });
        }
    }
    Ok(rejected)
}

/// A statement of the data definition language.
async fn define(session: &Session, statement: &str) -> Result<(), SinkError> {
    session.query_unpaged(statement, ()).await.map(drop).map_err(|error| match &error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::SyntaxError | DbError::Invalid | DbError::Unauthorized | DbError::ConfigError,
            _,
        )) => SinkError::fatal(format!("Cassandra refused {statement:?}: {error}")),
        _ => SinkError::transient(format!("cannot define the schema: {error}")),
    })
}

/// The record's fault (`Ok` with the reason) or the store's.
fn classify(error: &ExecutionError) -> Result<String, SinkError> {
    match error {
        ExecutionError::BadQuery(bad) => Ok(format!("Cassandra's driver refuses the values: {bad}")),
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(code, message)) => match code {
            DbError::Invalid
                if message.contains("unconfigured table") || message.contains("does not exist") =>
            {
                Err(SinkError::transient(format!("the target table is gone: {message}")))
            }
            DbError::Invalid => Ok(format!("Cassandra refuses the row: {message}")),
            DbError::Unauthorized | DbError::AuthenticationError | DbError::SyntaxError => {
                Err(SinkError::fatal(format!("Cassandra refuses the statement: {message}")))
            }
            _ => Err(SinkError::transient(format!("Cassandra cannot write now: {code}: {message}"))),
        },
        other => Err(SinkError::transient(format!("Cassandra cannot be reached: {other}"))),
    }
}

#[async_trait]
impl Sink for Cassandra {
    async fn check(&self) -> Result<(), SinkError> {
        let asked = self.session.query_unpaged("SELECT release_version FROM system.local", ()).await;
        asked.map(drop).map_err(|e| SinkError::transient(format!("Cassandra does not answer: {e}")))
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
        let mut outcome = Outcome { durable: true, rejected: Vec::new() };
        let mut targets = Vec::with_capacity(batch.records.len());
        for record in &batch.records {
            let offset = record.message.offset;
            let Some(timestamp) = self.clock.timestamp(batch.partition, record) else { continue };
            match record.change.operation {
                Operation::Message => continue,
                Operation::Truncate => {
                    let reason = "TRUNCATE cannot be repeated safely and is not applied".to_owned();
                    outcome.rejected.push(Rejected { offset, reason });
                    continue;
                }
                Operation::Create | Operation::Update | Operation::Read | Operation::Delete => {}
            }
            // A table that is still to be made holds nothing that could be deleted.
            match self.target(batch.partition, &record.change).await? {
                Ok(target) => targets.push((record, target, timestamp)),
                Err(_) if record.change.operation == Operation::Delete => {}
                Err(reason) => outcome.rejected.push(Rejected { offset, reason }),
            }
        }
        let mut statements = Vec::with_capacity(targets.len());
        for (record, target, timestamp) in targets {
            let values = match (&record.change.after, record.change.operation) {
                (Some(row), Operation::Create | Operation::Update | Operation::Read) => {
                    target.upsert(row, timestamp, &self.placeholder).map(|values| (true, values))
                }
                _ => target.delete(&record.change, timestamp).map(|values| (false, values)),
            };
            let offset = record.message.offset;
            match values {
                Ok((upsert, values)) => statements.push(Statement { offset, target, upsert, values }),
                Err(reason) => outcome.rejected.push(Rejected { offset, reason }),
            }
        }
        match self.execute(statements).await {
            Ok(rejected) => outcome.rejected.extend(rejected),
            Err(error) => {
                self.forget_targets().await;
                return Err(error);
            }
        }
        Ok(outcome)
    }

    async fn released(&self, partition: &Partition) {
        self.clock.forget(partition);
    }
}
