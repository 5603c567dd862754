//! libpq's parameters as Debezium's properties.

use pgcdc_config::{Document, Place};

use super::parameters::Meaning::{Ignored, Property};
use super::parameters::{PARAMETERS, SOURCE};
use crate::config::conninfo::Parameters;

/// What is wrong with the URL, as the rest of a sentence, and what to write instead.
pub(super) type Wrong = (String, String);

/// libpq's parameters with the properties that they become.
pub(super) struct Connection<'g> {
    /// The parameters of the URL and the environment; the last one of a name counts.
    pub(super) given: &'g Parameters,
}

impl<'g> Connection<'g> {
    /// The value of a parameter.
    pub(super) fn get(&self, wanted: &str) -> Option<&'g str> {
        self.given.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Sets the properties that the parameters stand for.
    ///
    /// # Errors
    /// When hosts and ports do not fit together, or a value asks for something that pgcdc does not
    /// do.
    pub(super) fn put(&self, document: &mut Document) -> Result<(), Wrong> {
        let mut set = |property: &str, value: &str| {
            document.set(property, value, Place { source: SOURCE.to_owned(), line: None });
        };
        let (hosts, port) = hosts(self.get("host"), self.get("hostaddr"), self.get("port"))?;
        set("database.hostname", &hosts);
        set("database.port", &port);
        if let Some(password) = self.get("password") {
            set("database.password", password);
        }
        for (name, value) in self.given {
            let meaning = PARAMETERS.iter().find(|(known, ..)| known == name).map(|(_, _, meaning)| *meaning);
            match meaning {
                // In libpq zero and less mean no limit.
                Some(Property("database.connectTimeout"))
                    if value.trim().parse::<i64>().is_ok_and(|n| n <= 0) => {}
                Some(Property(property)) => set(property, value),
                Some(Ignored) => set(&format!("database.{name}"), value),
                _ => {}
            }
        }
        self.put_words(&mut set)?;
        self.refuse()
    }

    /// Sets the properties of parameters whose values have other words than the property's.
    fn put_words(&self, set: &mut impl FnMut(&str, &str)) -> Result<(), Wrong> {
        if self.get("application_name").is_none()
            && let Some(name) = self.get("fallback_application_name")
        {
            set("database.ApplicationName", name);
        }
        match self.get("keepalives").map(str::trim) {
            None => {}
            Some("0") => set("database.tcpKeepAlive", "false"),
            Some("1") => set("database.tcpKeepAlive", "true"),
            Some(_) => return Err(wrong("keepalives is neither 0 nor 1", "write keepalives=1")),
        }
        match self.get("load_balance_hosts") {
            None | Some("disable") => {}
            Some("random") => set("database.loadBalanceHosts", "true"),
            Some(_) => return Err(wrong("load_balance_hosts is neither disable nor random", "write random")),
        }
        if self.get("requiressl") == Some("1") && self.get("sslmode").is_none() {
            set("database.sslmode", "require");
        }
        Ok(())
    }

    /// Refuses values that ask for something that pgcdc does not do.
    fn refuse(&self) -> Result<(), Wrong> {
        if self.get("sslcertmode").is_some_and(|mode| mode != "allow") {
            let remedy = "leave it out: our certificate is shown when sslcert names it and the server asks";
            return Err(wrong("sslcertmode: only allow is supported", remedy));
        }
        match self.get("gssencmode") {
            None | Some("disable" | "prefer") => Ok(()),
            _ => Err(wrong(
                "gssencmode: encryption by GSSAPI is not supported",
                "leave it out, and use sslmode=verify-full",
            )),
        }
    }
}

/// A mistake with its remedy.
fn wrong(what: &str, remedy: &str) -> Wrong {
    (what.to_owned(), remedy.to_owned())
}

/// Turns libpq's lists of hosts, addresses and ports into `database.hostname` and `database.port`.
fn hosts(host: Option<&str>, addresses: Option<&str>, port: Option<&str>) -> Result<(String, String), Wrong> {
    let names: Vec<&str> = match (host, addresses) {
        (Some(host), _) => host.split(',').map(str::trim).collect(),
        // Without names, a server's address is its name.
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
