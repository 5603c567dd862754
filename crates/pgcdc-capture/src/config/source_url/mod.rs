//! `pgcdc stream --source postgres://… --tables a.b,c.d`: a configuration without a file.
//!
//! The URL is one of libpq's, with all of its parameters. Each becomes a property, so that `--set`
//! can change it, and everything behind here need not know where the configuration came from.

mod connection;
mod parameters;
#[cfg(test)]
mod tests;

use pgcdc_config::{ConfigError, Document, Environment, Place, Unresolved, substitute_url};

use super::conninfo;
use super::validate::is_topic_char;
use connection::Connection;
use parameters::Meaning::Refused;
use parameters::{PARAMETERS, check};

pub(super) use parameters::SOURCE;

/// The remedy for a URL that cannot be read.
const EXAMPLE: &str = "write postgres://user:password@host:5432/database?sslmode=prefer";

/// The document of `--source`, `--tables` and `--set`, with references to config providers
/// replaced. In the URL, the value of a user or a password is percent-encoded, so that it may have
/// any characters.
///
/// # Errors
/// When the URL cannot be read, or a reference cannot be resolved. Every such reference is named.
///
/// ```
/// use pgcdc_capture::config::from_source;
/// let tables = ["orders".to_owned()];
/// let env = |name: &str| (name == "SHOP_PASSWORD").then(|| "p@ss/word".to_owned());
/// let set = [("snapshot.mode".to_owned(), "no_data".to_owned())];
/// let document = from_source("postgres://me:${env:SHOP_PASSWORD}@db/shop", &tables, &set, &env)?;
/// let value = |key| document.entry(key).map(|entry| entry.value.expose());
/// assert_eq!(value("database.password"), Some("p@ss/word"));
/// assert_eq!(value("snapshot.mode"), Some("no_data"));
/// # Ok::<(), pgcdc_capture::config::ConfigError>(())
/// ```
pub fn from_source(
    url: &str,
    tables: &[String],
    overrides: &[(String, String)],
    env: Environment<'_>,
) -> Result<Document, ConfigError> {
    let provided = substitute_url(url, env)
        .map_err(|Unresolved { message, remedy }| ConfigError::one(SOURCE, "", message, Some(remedy)))?;
    let mut document = from_source_url(provided.as_deref().unwrap_or(url), tables)?;
    for entry in &mut document.entries {
        entry.provided = provided.is_some();
    }
    let mut set = Document::new("--set");
    set.apply(overrides);
    set.resolve_providers(env)?;
    for entry in set.entries {
        document.put(entry);
    }
    Ok(document)
}

/// The document of a URL and tables (`schema.table`, or `table` in `public`; none for all): slot
/// `pgcdc`, publication `pgcdc_pub` made for these tables, topics named after the database, and
/// JSON without schemas. libpq's environment variables stand in for parameters that the URL does
/// not have.
///
/// ```
/// let tables = ["orders".to_owned()];
/// let document = pgcdc_capture::config::from_source_url("postgres://me@db:5433/shop", &tables)?;
/// let value = |key| document.entry(key).map(|entry| entry.value.expose());
/// assert_eq!(value("database.hostname"), Some("db"));
/// assert_eq!(value("topic.prefix"), Some("shop"));
/// assert_eq!(value("table.include.list"), Some(r"public\.orders"));
/// # Ok::<(), pgcdc_capture::config::ConfigError>(())
/// ```
///
/// # Errors
/// When the URL cannot be read. Its text is never in the error: it may hold a password.
pub fn from_source_url(url: &str, tables: &[String]) -> Result<Document, ConfigError> {
    from_url_in(url, tables, &|name| std::env::var(name).ok())
}

/// As [`from_source_url`], with `env` for the environment.
fn from_url_in(url: &str, tables: &[String], env: Environment<'_>) -> Result<Document, ConfigError> {
    let wrong = |what: String| ConfigError::one(SOURCE, "", what, Some(EXAMPLE.to_owned()));
    let mut given = conninfo::parse(url).map_err(wrong)?;
    for (name, _) in &given {
        check(name)?;
    }
    for (name, variable, meaning) in PARAMETERS {
        let missing = !variable.is_empty() && !given.iter().any(|(given, _)| given == name);
        if let Some(value) = missing.then(|| env(variable)).flatten().filter(|value| !value.is_empty())
            && !matches!(meaning, Refused(..))
        {
            given.push(((*name).to_owned(), value));
        }
    }
    let connection = Connection { given: &given };
    let login = env("USER").or_else(|| env("LOGNAME")).unwrap_or_else(|| "postgres".to_owned());
    let user = connection.get("user").unwrap_or(&login);
    let database = connection.get("dbname").unwrap_or(user);
    let prefix: String = database.chars().map(|c| if is_topic_char(c) { c } else { '_' }).collect();
    let mut document = Document::from_pairs(
        SOURCE,
        [
            ("name", "pgcdc"),
            ("plugin.name", "pgoutput"),
            ("database.user", user),
            ("database.dbname", database),
            ("topic.prefix", &prefix),
            ("slot.name", "pgcdc"),
            ("publication.name", "pgcdc_pub"),
            ("publication.autocreate.mode", "filtered"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter.schemas.enable", "false"),
        ],
    );
    connection
        .put(&mut document)
        .map_err(|(what, remedy)| ConfigError::one(SOURCE, "", what, Some(remedy)))?;
    put_tables(tables, &mut document);
    Ok(document)
}

/// Sets `table.include.list` to names of tables, as regular expressions that match just them.
fn put_tables(tables: &[String], document: &mut Document) {
    let tables: Vec<String> = tables
        .iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .map(|t| if t.contains('.') { t.to_owned() } else { format!("public.{t}") })
        .map(|t| fancy_regex::escape(&t).into_owned())
        .collect();
    if !tables.is_empty() {
        let place = Place { source: "--tables".to_owned(), line: None };
        document.set("table.include.list", tables.join(","), place);
    }
}
