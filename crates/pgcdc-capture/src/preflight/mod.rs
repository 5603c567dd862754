//! What stands in the way of capture, and what mends it. `pgcdc check` prints it.
//!
//! It only reads: no slot, publication or topic is made. One file for each group of checks:
//! `server` and `role`, `slot` with `holder`, `publication`, `tables`, Kafka (in `kafka/check.rs`)
//! and `registry`. Each looks at what a start needs, so a finding that is ok means that the start
//! does not fail for this reason.

mod finding;
mod holder;
mod publication;
mod registry;
mod server;
mod slot;
mod tables;

pub use finding::{Finding, Severity};
pub(crate) use slot::other_slot_remedy;

use crate::Result;
use crate::config::Settings;
use crate::postgres::{CapturedTable, Query, captured_tables};

/// Logs in to the database, as Debezium does when it validates a configuration.
///
/// # Errors
/// When no server can be reached, or it does not let the user in.
pub async fn log_in(settings: &Settings) -> Result<()> {
    Query::connect(&settings.connection).await.map(|_| ())
}

/// Looks at everything that capture with these settings needs: the configuration itself, the
/// database, Kafka, and the schema registries. The findings come in this order. A part that cannot
/// be reached is a finding, and the others are looked at nevertheless.
///
/// ```no_run
/// # async fn example() -> Result<(), pgcdc_capture::Error> {
/// use pgcdc_capture::Capture;
/// use pgcdc_capture::preflight::{Severity, preflight};
/// let builder = Capture::from_file("shop-connector.json".as_ref(), &[])?;
/// for finding in preflight(builder.settings()).await {
///     if finding.severity == Severity::Error {
///         println!("{}: {}", finding.subject, finding.message);
///         println!("  {}", finding.remedy.unwrap_or_default());
///     }
/// }
/// # Ok(()) }
/// ```
pub async fn preflight(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for note in &settings.notes {
        let subject = if note.key.is_empty() { note.place.clone() } else { note.key.clone() };
        let message = format!("{}: {}", note.place, note.message);
        findings.push(Finding { severity: Severity::Warning, subject, message, remedy: note.remedy.clone() });
    }
    for warning in &settings.warnings {
        findings.push(Finding {
            severity: Severity::Warning,
            subject: warning.key.clone(),
            message: warning.to_string(),
            remedy: None,
        });
    }
    let mut names = Vec::new();
    match Query::connect(&settings.connection).await {
        Err(error) => findings.push(Finding::failure("database", &error)),
        Ok(query) => match database(settings, &query, &mut findings).await {
            Ok(tables) => names = tables.iter().map(|table| settings.topic.of(&table.name)).collect(),
            Err(error) => findings.push(Finding::failure("database", &error)),
        },
    }
    crate::kafka::check(settings, &names, &mut findings).await;
    registry::registries(settings, &mut findings).await;
    findings
}

/// The checks that need a session with the database. Returns the captured tables, whose topics are
/// checked next.
///
/// # Errors
/// When a query fails: the remaining checks of the database are left out.
async fn database(
    settings: &Settings,
    query: &Query,
    findings: &mut Vec<Finding>,
) -> Result<Vec<CapturedTable>> {
    let server = server::server(settings, query, findings).await?;
    server::role(settings, query, findings).await?;
    slot::slot(settings, query, findings).await?;
    let tables = captured_tables(&mut &*query, settings).await?;
    publication::publication(settings, query, server, &tables, findings).await?;
    tables::tables(settings, query, &tables, findings).await?;
    if tables.is_empty() {
        findings.push(Finding::error(
            "tables",
            format!("no table of database {} is captured", settings.connection.dbname),
            "each entry of table.include.list is a regular expression for the whole of schema.table",
        ));
    }
    Ok(tables)
}
