//! `pgcdc stream --source postgres://… --tables a.b,c.d`: a configuration without a file.
//!
//! The URL is one of libpq's, with all of its parameters. Each becomes a property, so that `--set` can change it.

use super::ConfigError;
use super::conninfo::{self, Parameters};
use super::document::{Document, Place};
use super::settings::Settings;
use super::validate::{is_topic_char, nearest};

/// Where the properties of a URL come from, in messages.
pub(super) const SOURCE: &str = "--source";
const EXAMPLE: &str = "write postgres://user:password@host:5432/database?sslmode=prefer";

/// What becomes of a parameter of libpq.
#[derive(Clone, Copy)]
enum Fate {
    /// It is the property of this name.
    Property(&'static str),
    /// It is dealt with together with others.
    Part,
    /// It has nothing to act on here, which a warning says.
    Ignored,
    /// It asks for something that we do not do; why, and what to do.
    Refused(&'static str, &'static str),
}

use Fate::{Ignored, Part, Property, Refused};

const OAUTH: Fate = Refused("OAuth is not supported", "use scram-sha-256 or cert");
const CRL: Fate = Refused(
    "lists of revoked certificates are not looked at",
    "leave it out, and give the server a new key and certificate under an authority that did not sign the revoked one",
);

/// libpq's parameters (PostgreSQL 18), with the variable that stands in for one that is not given.
const PARAMETERS: &[(&str, &str, Fate)] = &[
    ("host", "PGHOST", Part),
    ("port", "PGPORT", Part),
    ("hostaddr", "PGHOSTADDR", Property("database.hostaddr")),
    ("user", "PGUSER", Part),
    ("password", "PGPASSWORD", Part),
    ("passfile", "PGPASSFILE", Property("database.passfile")),
    ("dbname", "PGDATABASE", Part),
    ("service", "", Refused("service files are not read", "write host, port and database into the URL")),
    ("servicefile", "", Refused("service files are not read", "write host, port and database into the URL")),
    ("channel_binding", "PGCHANNELBINDING", Property("database.channelBinding")),
    (
        "require_auth",
        "PGREQUIREAUTH",
        Refused(
            "ways to log in cannot be ruled out one by one",
            "channel_binding=require takes SCRAM over TLS and nothing else",
        ),
    ),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Property("database.connectTimeout")),
    ("client_encoding", "", Part),
    ("options", "PGOPTIONS", Property("database.options")),
    ("application_name", "PGAPPNAME", Property("database.ApplicationName")),
    ("fallback_application_name", "", Part),
    ("keepalives", "", Part),
    ("keepalives_idle", "", Property("database.keepalives_idle")),
    ("keepalives_interval", "", Property("database.keepalives_interval")),
    ("keepalives_count", "", Property("database.keepalives_count")),
    ("tcp_user_timeout", "", Property("database.tcp_user_timeout")),
    ("replication", "", Refused("pgcdc opens the replication session by itself", "leave it out")),
    ("gssencmode", "PGGSSENCMODE", Part),
    ("krbsrvname", "", Ignored),
    ("gsslib", "", Ignored),
    ("gssdelegation", "", Ignored),
    ("sslmode", "PGSSLMODE", Property("database.sslmode")),
    ("requiressl", "", Part),
    ("sslnegotiation", "PGSSLNEGOTIATION", Property("database.sslNegotiation")),
    ("sslcompression", "", Ignored),
    ("sslcert", "PGSSLCERT", Property("database.sslcert")),
    ("sslkey", "PGSSLKEY", Property("database.sslkey")),
    ("sslpassword", "", Property("database.sslpassword")),
    ("sslcertmode", "", Part),
    ("sslrootcert", "PGSSLROOTCERT", Property("database.sslrootcert")),
    ("sslcrl", "PGSSLCRL", CRL),
    ("sslcrldir", "PGSSLCRLDIR", CRL),
    ("sslsni", "PGSSLSNI", Property("database.sslsni")),
    ("sslkeylogfile", "", Ignored),
    (
        "requirepeer",
        "PGREQUIREPEER",
        Refused(
            "the owner of the server's process is not looked at",
            "leave it out; a socket's directory that only the server can write to does the same",
        ),
    ),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Property("database.ssl_min_protocol_version")),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Property("database.ssl_max_protocol_version")),
    ("min_protocol_version", "", Part),
    ("max_protocol_version", "", Part),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Property("database.targetServerType")),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Part),
    ("scram_client_key", "", Refused("keys of SCRAM are not taken", "give the password")),
    ("scram_server_key", "", Refused("keys of SCRAM are not taken", "give the password")),
    ("oauth_issuer", "", OAUTH),
    ("oauth_client_id", "", OAUTH),
    ("oauth_client_secret", "", OAUTH),
    ("oauth_scope", "", OAUTH),
];

impl Document {
    /// The configuration that stands for a URL and tables (`schema.table`, or `table` in `public`;
    /// none for all): slot `pgcdc`, publication `pgcdc_pub` made for these tables, topics named
    /// after the database, and JSON without schemas. libpq's environment variables stand in for
    /// parameters that the URL does not have.
    ///
    /// # Errors
    /// When the URL cannot be read. Its text is never in the error: it may hold a password.
    pub fn from_source_url(url: &str, tables: &[String]) -> Result<Self, ConfigError> {
        Self::from_url_in(url, tables, &|name| std::env::var(name).ok())
    }

    fn from_url_in(
        url: &str,
        tables: &[String],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let wrong = |what: String| ConfigError::one(SOURCE, "", what, Some(EXAMPLE.to_owned()));
        let mut given = conninfo::parse(url).map_err(wrong)?;
        for (name, _) in &given {
            check(name)?;
        }
        for (name, variable, fate) in PARAMETERS {
            let missing = !variable.is_empty() && !given.iter().any(|(given, _)| given == name);
            if let Some(value) = missing.then(|| env(variable)).flatten().filter(|value| !value.is_empty())
                && !matches!(fate, Refused(..))
            {
                given.push(((*name).to_owned(), value));
            }
        }
        let get = |wanted: &str| {
            given.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        let user = get("user").unwrap_or("postgres").to_owned();
        let database = get("dbname").unwrap_or(&user).to_owned();
        let prefix: String = database.chars().map(|c| if is_topic_char(c) { c } else { '_' }).collect();
        let mut document = Self::from_pairs(
            SOURCE,
            [
                ("name", "pgcdc"),
                ("plugin.name", "pgoutput"),
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
        document
            .put_connection(&given, get)
            .map_err(|(what, remedy)| ConfigError::one(SOURCE, "", what, Some(remedy)))?;
        document.put_tables(tables);
        Ok(document)
    }

    /// The properties that stand for libpq's parameters.
    fn put_connection<'g>(
        &mut self,
        given: &Parameters,
        get: impl Fn(&str) -> Option<&'g str>,
    ) -> Result<(), (String, String)> {
        let mut set = |property: &str, value: &str| {
            self.set(property, value, Place { source: SOURCE.to_owned(), line: None });
        };
        let (hosts, port) = hosts(get("host"), get("hostaddr"), get("port"))?;
        set("database.hostname", &hosts);
        set("database.port", &port);
        if let Some(password) = get("password") {
            set("database.password", password);
        }
        for (name, value) in given {
            let fate = PARAMETERS.iter().find(|(known, ..)| known == name).map(|(_, _, fate)| *fate);
            match fate {
                // To libpq zero and less mean no limit.
                Some(Property("database.connectTimeout"))
                    if value.trim().parse::<i64>().is_ok_and(|n| n <= 0) => {}
                Some(Property(property)) => set(property, value),
                Some(Ignored) => set(&format!("database.{name}"), value),
                _ => {}
            }
        }
        if get("application_name").is_none()
            && let Some(name) = get("fallback_application_name")
        {
            set("database.ApplicationName", name);
        }
        let number = |name: &str| get(name).map(str::trim);
        match number("keepalives") {
            None => {}
            Some("0") => set("database.tcpKeepAlive", "false"),
            Some("1") => set("database.tcpKeepAlive", "true"),
            Some(_) => {
                return Err(("keepalives is neither 0 nor 1".to_owned(), "write keepalives=1".to_owned()));
            }
        }
        match get("load_balance_hosts") {
            None | Some("disable") => {}
            Some("random") => set("database.loadBalanceHosts", "true"),
            Some(_) => {
                return Err((
                    "load_balance_hosts is neither disable nor random".to_owned(),
                    "write random".to_owned(),
                ));
            }
        }
        if get("sslcertmode").is_some_and(|mode| mode != "allow") {
            let remedy = "leave it out: our certificate is shown when sslcert names it and the server asks";
            return Err(("sslcertmode: only allow is supported".to_owned(), remedy.to_owned()));
        }
        if get("requiressl") == Some("1") && get("sslmode").is_none() {
            set("database.sslmode", "require");
        }
        match get("gssencmode") {
            None | Some("disable" | "prefer") => Ok(()),
            _ => Err((
                "gssencmode: encryption by GSSAPI is not supported".to_owned(),
                "leave it out, and use sslmode=verify-full".to_owned(),
            )),
        }
    }

    fn put_tables(&mut self, tables: &[String]) {
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
            self.set("table.include.list", tables.join(","), place);
        }
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

/// Whether libpq has such a parameter, and pgcdc does what it says.
fn check(name: &str) -> Result<(), ConfigError> {
    let wrong = |what: String, remedy: String| Err(ConfigError::one(SOURCE, "", what, Some(remedy)));
    match PARAMETERS.iter().find(|(known, ..)| *known == name) {
        Some((_, _, Refused(why, remedy))) => wrong(format!("{name}: {why}"), (*remedy).to_owned()),
        Some(_) => Ok(()),
        None => {
            let near = nearest(name, PARAMETERS.iter().map(|(known, ..)| *known));
            let remedy = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "a URL takes libpq's parameters; Debezium's properties go to --set".to_owned(),
            };
            wrong(format!("has an unknown parameter {name}"), remedy)
        }
    }
}

/// `database.hostname` and `database.port` of libpq's lists.
fn hosts(
    host: Option<&str>,
    addresses: Option<&str>,
    port: Option<&str>,
) -> Result<(String, String), (String, String)> {
    let names: Vec<&str> = match (host, addresses) {
        (Some(host), _) => host.split(',').map(str::trim).collect(),
        // Addresses alone: the server is called by its address.
        (None, Some(addresses)) => addresses.split(',').map(str::trim).collect(),
        (None, None) => vec!["localhost"],
    };
    let ports: Vec<&str> = port.unwrap_or_default().split(',').map(str::trim).collect();
    if ports.len() > 1 && ports.len() != names.len() {
        let what = format!("has {} ports for {} hosts", ports.len(), names.len());
        return Err((what, "name one port, or one for each host".to_owned()));
    }
    let port_of = |at: usize| match ports.get(at).or(ports.first()) {
        Some(&port) if !port.is_empty() => port,
        _ => "5432",
    };
    let first = port_of(0);
    let mut each = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let (name, port) = (if name.is_empty() { "localhost" } else { *name }, port_of(at));
        each.push(match (port == first, name.starts_with(['/', '@'])) {
            (true, _) => name.to_owned(),
            (false, true) => {
                let remedy = "give the socket's directory the port of the first host".to_owned();
                return Err((format!("has a socket of its own port in {name}"), remedy));
            }
            (false, false) if name.contains(':') => format!("[{name}]:{port}"),
            (false, false) => format!("{name}:{port}"),
        });
    }
    Ok((each.join(","), first.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ChannelBinding, SslMode, TargetServer};

    fn settings(url: &str, env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Settings::from_document(&Document::from_url_in(url, &[], &env)?)
    }

    #[test]
    fn parameters_of_libpq_mean_what_they_mean_there() {
        let url = "postgresql://u@h1,h2:5433,[::1]/d?sslmode=require&channel_binding=require&connect_timeout=1\
                   &application_name=app&options=-c%20work_mem%3D1MB&target_session_attrs=read-write\
                   &load_balance_hosts=random&keepalives=0&keepalives_idle=7&tcp_user_timeout=900&gssencmode=prefer";
        let c = settings(url, &[]).unwrap().connection;
        let hosts: Vec<_> = c.hosts.iter().map(|h| (&*h.name, h.port)).collect();
        assert_eq!(hosts, [("h1", 5432), ("h2", 5433), ("::1", 5432)]);
        assert_eq!((c.ssl.mode, c.channel_binding), (SslMode::Require, ChannelBinding::Require));
        assert_eq!(c.connect_timeout, Some(std::time::Duration::from_secs(2)));
        assert_eq!((&*c.application_name, &*c.options), ("app", "-c work_mem=1MB"));
        assert_eq!((c.target, c.load_balance), (TargetServer::ReadWrite, true));
        assert!(!c.keepalive.on);
        assert_eq!(c.keepalive.idle, Some(std::time::Duration::from_secs(7)));
        assert_eq!(c.keepalive.user_timeout, Some(std::time::Duration::from_millis(900)));
        let plain = settings("postgres://h/d", &[]).unwrap().connection;
        assert_eq!((&*plain.application_name, plain.connect_timeout), ("pgcdc", None));
        let fallback = settings("postgres://h/d?fallback_application_name=f", &[]).unwrap().connection;
        assert_eq!(&*fallback.application_name, "f");
    }

    #[test]
    fn the_environment_stands_in_for_what_the_url_does_not_say() {
        let env = [("PGPASSWORD", "secret"), ("PGSSLMODE", "disable"), ("PGHOST", "/run"), ("PGUSER", "x")];
        let c = settings("postgres:///d?sslmode=prefer", &env).unwrap().connection;
        assert_eq!(c.password.as_ref().map(|p| p.expose()), Some("secret"));
        assert_eq!((c.ssl.mode, &*c.hosts[0].name, &*c.user), (SslMode::Prefer, "/run", "x"));
        assert!(c.hosts[0].is_unix());
    }

    #[test]
    fn what_has_nothing_to_act_on_is_a_warning() {
        let settings =
            settings("postgres://h/d?krbsrvname=x&client_encoding=UTF8&sslcertmode=allow", &[]).unwrap();
        let keys: Vec<_> = settings.warnings.iter().map(|warning| &*warning.key).collect();
        assert_eq!(keys, ["database.krbsrvname"]);
    }

    #[test]
    fn what_is_not_done_is_said_with_its_name() {
        let check = |query: &str, said: &str| {
            let error = settings(&format!("postgres://u:hunter2@h/d?{query}"), &[]).unwrap_err().to_string();
            assert!(
                error.contains(said) && error.contains("hint: ") && !error.contains("hunter2"),
                "{error}"
            );
        };
        check("replication=database", "replication");
        check("sslmod=require", "did you mean sslmode?");
        check("colour=red", "unknown parameter colour");
        check("service=x", "service");
        check("sslcrl=/x", "sslcrl");
        check("requirepeer=postgres", "requirepeer");
        check("gssencmode=require", "gssencmode");
        check("sslrootcert=system&sslmode=require", "verify-full");
        check("sslnegotiation=direct", "sslmode=require");
        check("target_session_attrs=best", "targetServerType");
        check("port=1,2", "2 ports for 1 hosts");
        check("channel_binding=always", "channelBinding");
        check("sslcertmode=require", "sslcertmode");
    }
}
