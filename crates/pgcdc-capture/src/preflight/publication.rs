//! Checks the publication: whether it exists or can be made, and whether it sends all changes of
//! the captured tables.
//!
//! The statement is the one that a start would run ([`wanted_statement`]), so that the remedy can
//! be given to somebody with more rights.

use super::Finding;
use super::server::Server;
use crate::Result;
use crate::config::{PublicationMode, Settings};
use crate::postgres::{
    CapturedTable, PublicationState, Query, inspect_publication, publication_gaps, quote_identifier,
    wanted_statement,
};

/// Adds the findings about the publication: that it is there, would be made, or cannot be; changes
/// that it does not send; operations that it does not publish.
pub(super) async fn publication(
    settings: &Settings,
    query: &Query,
    server: Server,
    tables: &[CapturedTable],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let name = &settings.publication.name;
    let subject = format!("publication {name}");
    let state = inspect_publication(query, name).await?;
    match wanted_statement(&settings.publication, state.as_ref(), tables) {
        Err(error) => findings.push(Finding::failure(&subject, &error)),
        Ok(None) => {}
        Ok(Some(wanted)) => match obstacle(settings, query, server, state.as_ref(), tables).await? {
            Some(why) => {
                let what = if state.is_some() { "cannot be altered" } else { "cannot be made" };
                let remedy = format!("{};  -- {}", wanted.sql, why.1);
                findings.push(Finding::error(subject.clone(), format!("{what}: {}", why.0), remedy));
            }
            None if state.is_none() => {
                findings.push(Finding::ok(subject.clone(), "does not exist; it is made at the first start"));
            }
            None => {
                let lost = wanted.taken_away.join(", ");
                findings.push(if lost.is_empty() {
                    Finding::ok(subject.clone(), "gets the captured tables at the next start")
                } else {
                    Finding::warning(
                        subject.clone(),
                        format!("loses tables at the next start: {lost}; another connector that reads it no longer gets them"),
                        "set publication.name to a publication of this connector's own",
                    )
                });
            }
        },
    }
    for gap in publication_gaps(query, settings, tables).await? {
        findings.push(Finding::warning(subject.clone(), gap.what, gap.remedy));
    }
    if let Some(state) = &state {
        findings.push(operations(&subject, name, state));
    }
    Ok(())
}

/// The finding about the operations that the publication publishes (`publish` of
/// `CREATE PUBLICATION`). Capture never sees an operation that is left out there.
fn operations(subject: &str, name: &str, state: &PublicationState) -> Finding {
    let silent: Vec<&str> = ["insert", "update", "delete", "truncate"]
        .into_iter()
        .zip(state.publishes)
        .filter_map(|(name, published)| (!published).then_some(name))
        .collect();
    if silent.is_empty() {
        return Finding::ok(subject, "publishes inserts, updates, deletes and truncates");
    }
    Finding::warning(
        subject,
        format!("does not publish {}", silent.join(", ")),
        format!(
            "ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate');",
            quote_identifier(name)
        ),
    )
}

/// Why the role cannot make or alter the publication, and who can; `None` when it can. Source:
/// PostgreSQL documentation, `CREATE PUBLICATION` and "Logical Replication", section "Security".
async fn obstacle(
    settings: &Settings,
    query: &Query,
    server: Server,
    state: Option<&PublicationState>,
    tables: &[CapturedTable],
) -> Result<Option<(String, &'static str)>> {
    if server.standby {
        return Ok(Some(("the server is a standby".to_owned(), "on the primary")));
    }
    if server.read_only {
        let why = "sessions of the role are read-only (default_transaction_read_only)";
        return Ok(Some((why.to_owned(), "in a session that may write")));
    }
    let user = &settings.connection.user;
    // Managed services have roles of their own that may do what needs a superuser elsewhere.
    let superuser = "SELECT rolsuper OR coalesce((SELECT bool_or(pg_has_role(r.oid, 'MEMBER')) FROM pg_roles r
                     WHERE r.rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser')), false)
                     FROM pg_roles WHERE rolname = current_user";
    if query.value("read the role", superuser).await?.as_deref() == Some("t") {
        return Ok(None);
    }
    if settings.publication.autocreate == PublicationMode::AllTables {
        return Ok(Some((
            format!("FOR ALL TABLES takes a superuser, which {user} is not"),
            "as a superuser",
        )));
    }
    let creates = "SELECT has_database_privilege(current_database(), 'CREATE')";
    if state.is_none() && query.value("read the role", creates).await?.as_deref() != Some("t") {
        return Ok(Some((format!("{user} has no CREATE on the database"), "as the database's owner")));
    }
    if state.is_some_and(|state| !state.owned) {
        return Ok(Some((format!("{user} does not own it"), "as its owner")));
    }
    if settings.publication.autocreate == PublicationMode::NoTables {
        return Ok(None);
    }
    let oids: Vec<String> =
        tables.iter().filter(|table| table.published).map(|table| table.oid.to_string()).collect();
    let sql = format!(
        "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
         WHERE oid = ANY('{{{}}}'::oid[]) AND NOT pg_has_role(relowner, 'USAGE')",
        oids.join(",")
    );
    let others = query.value("read the tables' owners", &sql).await?;
    Ok(others.map(|names| (format!("{user} does not own {names}"), "as a superuser")))
}
