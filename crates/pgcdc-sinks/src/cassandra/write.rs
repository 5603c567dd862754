//! Opening the session, and writing a batch.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use pgcdc_event::Operation;
use pgcdc_format::decode::{Change, Placeholder};
use pgcdc_kafka::consumer::Partition;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::cluster::ClusterState;
use scylla::errors::{DbError, ExecutionError, NewSessionError, RequestAttemptError};

use super::clock::Clock;
use super::config::CassandraConfig;
use super::create::{add_columns, create_table, quote, without_schema};
use super::flight::Flight;
use super::group::Requests;
use super::table::{Statement, Target};
use super::verdict;
use crate::order::Advice;
use crate::store::Store;
use crate::{Batch, Outcome, Record, Rejected, Sink, SinkError};

/// Records that are converted between two looks at the answers.
const PIECE: usize = 250;

/// How old the driver's knowledge of the schema may be. A table that somebody changes is written to by its old columns
/// and types for no longer than this.
const SCHEMA_AGE: Duration = Duration::from_secs(10);

/// A Cassandra sink: rows of a topic in a table, the latest change of each row.
pub struct Cassandra {
    session: Session,
    config: CassandraConfig,
    placeholder: Placeholder,
    /// Tables met so far. The lock is held while one is made, so that partitions do not make it twice.
    targets: tokio::sync::Mutex<HashMap<String, Arc<Target>>>,
    /// The schema with which `targets` were last compared.
    compared: std::sync::Mutex<Weak<ClusterState>>,
    /// Chooses the timestamp of each record.
    clock: Clock,
    /// Warns once about records that do not say their order.
    advice: Advice,
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
            .cluster_metadata_refresh_interval(SCHEMA_AGE)
            .tcp_nodelay(true);
        if let (Some(user), Some(password)) = (&config.username, &config.password) {
            builder = builder.user(user, password.expose());
        }
        if let Some(datacenter) = &config.datacenter {
            builder = builder.prefer_datacenter(datacenter.clone());
        }
        if let Some(tls) = &config.tls {
            builder = builder.tls_context(Some(tls.client()));
        }
        let session = builder.build().await.map_err(|error| match error {
            NewSessionError::IllegalConfig(_) | NewSessionError::EmptyKnownNodesList => {
                SinkError::fatal(format!("cannot connect to Cassandra: {error}"))
            }
            error => {
                let points = &config.contact_points;
                SinkError::transient(format!("cannot connect to Cassandra at {points:?}: {error}"))
                    .with_hint("are the nodes up, are \"username\" and \"password\" right, and is \"tls\" as the server has it?")
            }
        })?;
        make_keyspace(&session, config).await?;
        let state = session.get_cluster_state();
        let is_scylla = state.get_nodes_info().iter().any(|node| node.sharder().is_some());
        let placeholder = config.placeholder.as_deref().map_or_else(Placeholder::default, Placeholder::new);
        Ok(Self {
            session,
            config: config.clone(),
            placeholder,
            targets: tokio::sync::Mutex::default(),
            compared: std::sync::Mutex::default(),
            clock: Clock::new(is_scylla),
            advice: Advice::default(),
        })
    }

    /// The name of the table that a change goes to.
    fn table<'n>(&'n self, partition: &'n Partition, change: &'n Change<'_>) -> &'n str {
        match (&self.config.table, &change.source.table) {
            (Some(table), _) => table,
            (None, Some(table)) if !table.is_empty() => table,
            (None, _) => partition.topic.rsplit('.').next().unwrap_or(&partition.topic),
        }
    }

    /// The table of a name, with the columns that a change needs. The inner error is the record's fault, the outer one the store's.
    async fn target(
        &self,
        name: &str,
        change: &Change<'_>,
    ) -> Result<Result<Arc<Target>, String>, SinkError> {
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

    /// A table by its name, made if `create` says so.
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
        let load = || Target::load(&self.session, keyspace, name, self.config.consistency);
        let mut found = load().await;
        if !matches!(found, Ok(Some(_))) {
            // The driver's schema may be older than the table, or the table has changed or is gone: read the schema anew.
            let refreshed = self.session.refresh_metadata().await;
            refreshed.map_err(|e| SinkError::transient(format!("cannot read Cassandra's schema: {e}")))?;
            found = load().await;
        }
        let mut found = found.map_err(|e| verdict::unprepared(&e))?;
        if found.is_none() && self.config.create {
            let statement = match create_table(keyspace, name, change) {
                Ok(statement) => statement,
                Err(reason) => return Ok(Err(format!("table {keyspace}.{name} cannot be made: {reason}"))),
            };
            make_keyspace(&self.session, &self.config).await?; // it may have been dropped with the table
            define(&self.session, &statement).await?;
            let made = format!("{keyspace}.{name}");
            match without_schema(change) {
                Some(hint) => tracing::warn!(table = %made, hint, "table made, with types that are guessed"),
                None => tracing::info!(table = %made, "table made"),
            }
            found = load().await.map_err(|e| verdict::unprepared(&e))?;
        }
        let Some(target) = found else {
            let what = format!("table {keyspace}.{name} does not exist");
            return Err(SinkError::transient(what).with_hint("make it, or set create = true"));
        };
        let target = Arc::new(target);
        targets.insert(name.to_owned(), Arc::clone(&target));
        Ok(Ok(target))
    }

    /// Writes a batch, piece by piece. Records that CQL cannot express go to `refused`; returns those that Cassandra refuses.
    async fn statements(
        &self,
        batch: &Batch<'_>,
        refused: &mut Vec<Rejected>,
    ) -> Result<Vec<Rejected>, SinkError> {
        let mut requests = Requests::new(&self.config, self.session.get_cluster_state());
        let mut flight = Flight::new(&self.session);
        for records in batch.records.chunks(PIECE) {
            for statement in self.convert(batch.partition, records, refused).await? {
                if let Some(request) = requests.add(statement) {
                    flight.add(request).await?;
                }
            }
            flight.look()?;
            // Let the driver's own tasks run: they send the requests.
            tokio::task::yield_now().await;
        }
        for request in requests.rest() {
            flight.add(request).await?;
        }
        flight.land().await
    }

    /// Turns records into statements. A record that changes no row (a logical message, a tombstone behind a delete) gives none.
    async fn convert(
        &self,
        partition: &Partition,
        records: &[Record<'_>],
        refused: &mut Vec<Rejected>,
    ) -> Result<Vec<Statement>, SinkError> {
        let mut statements = Vec::with_capacity(records.len());
        let mut hand = self.clock.look(partition);
        let mut places = Vec::new();
        // The last record's table, since most records of a batch go to the same table.
        let mut last: Option<(&str, Arc<Target>)> = None;
        for record in records {
            let position = record.position;
            self.advice.look(record);
            let Some(timestamp) = hand.timestamp(record) else { continue };
            match record.change.operation {
                Operation::Message => continue,
                Operation::Truncate => {
                    let reason = "TRUNCATE cannot be repeated safely and is not applied".to_owned();
                    refused.push(Rejected { position, reason });
                    continue;
                }
                Operation::Create | Operation::Update | Operation::Read | Operation::Delete => {}
            }
            let name = self.table(partition, &record.change);
            let known = last.as_ref().filter(|(last, target)| *last == name && !target.grows);
            let target = match known {
                Some((_, target)) => Ok(Arc::clone(target)),
                None => self.target(name, &record.change).await?,
            };
            let target = match target {
                Ok(target) => target,
                // A table that is still to be made holds nothing that could be deleted.
                Err(_) if record.change.operation == Operation::Delete => continue,
                Err(reason) => {
                    refused.push(Rejected { position, reason });
                    continue;
                }
            };
            let values = match (&record.change.after, record.change.operation) {
                (Some(row), Operation::Create | Operation::Update | Operation::Read) => {
                    target.upsert(row, timestamp, &self.placeholder, &mut places).map(|values| (true, values))
                }
                _ => target.delete(&record.change, timestamp).map(|values| (false, values)),
            };
            match values {
                Ok((is_upsert, values)) => {
                    if last.as_ref().is_none_or(|(last, _)| *last != name) {
                        last = Some((name, Arc::clone(&target)));
                    }
                    statements.push(Statement { position, target, is_upsert, values });
                }
                Err(reason) => refused.push(Rejected { position, reason }),
            }
        }
        self.clock.note(partition, &hand);
        Ok(statements)
    }

    /// Forgets tables that were changed, or made again, since they were prepared. Looks only when the driver has read the
    /// schema anew.
    async fn forget_changed_targets(&self) {
        let state = self.session.get_cluster_state();
        {
            let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
            if std::ptr::eq(compared.as_ptr(), Arc::as_ptr(&state)) {
                return;
            }
            // While the weak reference lives no other state can have the same address, so comparing addresses is enough.
            *compared = Arc::downgrade(&state);
        }
        let keyspace = state.get_keyspace(&self.config.keyspace);
        let mut targets = self.targets.lock().await;
        targets.retain(|name, target| {
            let now = keyspace.and_then(|keyspace| keyspace.tables.get(name));
            let stale = target.is_stale(now);
            if stale {
                tracing::info!(table = %name, "the table's columns changed; it is looked up again");
            }
            !stale
        });
    }

    /// Forgets all tables, after a failure: one of them may have been changed or be gone.
    async fn forget_targets(&self) {
        self.targets.lock().await.clear();
    }
}

/// Makes the keyspace if it is missing and is to be made.
async fn make_keyspace(session: &Session, config: &CassandraConfig) -> Result<(), SinkError> {
    if session.get_cluster_state().get_keyspace(&config.keyspace).is_some() {
        return Ok(());
    }
    if !config.create {
        let what = format!("keyspace {:?} does not exist", config.keyspace);
        return Err(SinkError::transient(what).with_hint("make it, or set create = true"));
    }
    let (name, replication) = (quote(&config.keyspace), &config.replication);
    define(session, &format!("CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {replication}")).await
}

/// A statement of the data definition language. Only one that no retry mends is fatal: the configuration is in it.
async fn define(session: &Session, statement: &str) -> Result<(), SinkError> {
    session.query_unpaged(statement, ()).await.map(drop).map_err(|error| match &error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::SyntaxError | DbError::ConfigError,
            _,
        )) => SinkError::fatal(format!("Cassandra refused {statement:?}: {error}"))
            .with_hint("mend the sink's configuration (\"replication\", \"keyspace\", \"table\")"),
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(code, _)) => {
            SinkError::transient(format!("cannot define the schema: {error}")).with_hint(verdict::hint(code))
        }
        _ => SinkError::transient(format!("cannot define the schema: {error}")),
    })
}

#[async_trait]
impl Store for CassandraConfig {
    async fn open(&self) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(Arc::new(Cassandra::open(self).await?))
    }
}

#[async_trait]
impl Sink for Cassandra {
    async fn check(&self) -> Result<(), SinkError> {
        let asked = self.session.query_unpaged("SELECT release_version FROM system.local", ()).await;
        asked.map(drop).map_err(|e| SinkError::transient(format!("Cassandra does not answer: {e}")))
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
        self.forget_changed_targets().await;
        let mut rejected = Vec::new();
        let written = self.statements(batch, &mut rejected).await;
        match written {
            Ok(refused) => rejected.extend(refused),
            Err(error) => {
                self.forget_targets().await;
                return Err(error);
            }
        }
        Ok(Outcome::Durable { rejected })
    }

    /// The timestamps order the writes: while the last statements of a batch are awaited, those of the next are sent. Not
    /// where tables are made: a delete that finds no table is left out, and a batch before it may be about to make one.
    fn concurrent_batches(&self) -> usize {
        if self.config.create { 1 } else { 2 }
    }

    fn compares_orders(&self) -> bool {
        true
    }

    fn how_to_begin_anew(&self) -> &'static str {
        "empty the target table (TRUNCATE) and forget the group's offsets (kafka-consumer-groups --delete-offsets)"
    }

    async fn released(&self, partition: &Partition) {
        self.clock.forget(partition);
    }
}
