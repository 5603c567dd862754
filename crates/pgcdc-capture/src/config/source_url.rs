//! `pgcdc stream --source postgres://… --tables a.b,c.d`: a configuration without a file.

use super::ConfigError;
use super::document::{Document, Place};
use super::settings::Settings;
use super::validate::is_topic_char;

const SOURCE: &str = "--source";
const EXAMPLE: &str = "write postgres://user:password@host:5432/database?sslmode=prefer";

/// Parameters of the URL that are properties by another name.
const PARAMETERS: &[(&str, &str)] = &[
    ("sslmode", "database.sslmode"),
    ("sslrootcert", "database.sslrootcert"),
    ("sslcert", "database.sslcert"),
    ("sslkey", "database.sslkey"),
    ("sslpassword", "database.sslpassword"),
];

impl Document {
    /// The configuration that stands for a URL and tables (`schema.table`, or `table` in `public`;
    /// none for all): slot `pgcdc`, publication `pgcdc_pub` made for these tables, topics named
    /// after the database, and JSON without schemas.
    ///
    /// # Errors
    /// When the URL cannot be read. Its text is never in the error: it may hold a password.
    pub fn from_source_url(url: &str, tables: &[String]) -> Result<Self, ConfigError> {
        let wrong = |what: &str| ConfigError::one(SOURCE, "", what, Some(EXAMPLE.to_owned()));
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or_else(|| wrong("does not begin with postgres://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_info, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let (host, port) = match host_port.strip_prefix('[').and_then(|h| h.split_once(']')) {
            Some((host, after)) => (host, after.strip_prefix(':').unwrap_or("")),
            None => host_port.split_once(':').unwrap_or((host_port, "")),
        };
        let plain = |text: &str, what: &str| {
            percent_decode(text).ok_or_else(|| wrong(&format!("has a malformed % escape in its {what}")))
        };
        let user = plain(user, "user")?;
        let user = if user.is_empty() { "postgres".to_owned() } else { user };
        let database = plain(path, "database")?;
        let database = if database.is_empty() { user.clone() } else { database };
        let host = if host.is_empty() { "localhost".to_owned() } else { plain(host, "host")? };
        let prefix: String = database.chars().map(|c| if is_topic_char(c) { c } else { '_' }).collect();
        let mut document = Self::from_pairs(
            SOURCE,
            [
                ("name", "pgcdc"),
                ("plugin.name", "pgoutput"),
                ("database.hostname", &host),
                ("database.user", &user),
                ("database.dbname", &database),
                ("topic.prefix", &prefix),
                ("slot.name", "pgcdc"),
                ("publication.name", "pgcdc_pub"),
                ("publication.autocreate.mode", "filtered"),
                ("key.converter.schemas.enable", "false"),
                ("value.converter.schemas.enable", "false"),
            ],
        );
        let place = || Place { source: SOURCE.to_owned(), line: None };
        if !port.is_empty() {
            document.set("database.port", port, place());
        }
        if !password.is_empty() {
            document.set("database.password", plain(password, "password")?, place());
        }
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let known = PARAMETERS.iter().find(|(n, _)| *n == name).map(|(_, property)| *property);
            let property = known.ok_or_else(|| {
                let names: Vec<_> = PARAMETERS.iter().map(|(n, _)| *n).collect();
                let remedy = format!("it may have {}; other properties go to --set", names.join(", "));
                ConfigError::one(SOURCE, "", format!("has an unknown parameter {name}"), Some(remedy))
            })?;
            document.set(property, plain(value, name)?, place());
        }
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
        Ok(document)
    }
}

impl Settings {
    /// The settings for a URL and tables; see [`Document::from_source_url`].
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_source_url(url: &str, tables: &[String]) -> Result<Self, ConfigError> {
        Self::from_document(&Document::from_source_url(url, tables)?)
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            let valid = digits.bytes().all(|b| b.is_ascii_hexdigit());
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| valid)?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}
