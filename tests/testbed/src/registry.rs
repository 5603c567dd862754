//! A schema registry that speaks Confluent's API: Apicurio Registry with its storage in memory, from Maven.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::connect::rest;
use crate::daemon::{Daemon, Spec};
use crate::{cache, ports, tools};

const VERSION: &str = "2.6.13.Final";
const START_LIMIT: Duration = Duration::from_secs(90);
/// Where Confluent's API begins.
const API: &str = "/apis/ccompat/v7";

/// A schema registry.
#[derive(Debug)]
pub struct Registry {
    daemon: Daemon,
    tls_port: Option<u16>,
}

impl Registry {
    /// Starts a registry in `dir` on `port` (0: a free one). Its schemas are gone when it stops.
    ///
    /// # Errors
    /// When Java, Maven or the registry cannot be had, or it does not start; with the tail of its log.
    pub fn start(dir: impl AsRef<Path>, port: u16) -> Result<Self> {
        Self::start_with(dir.as_ref(), port, None, &[])
    }

    /// As [`Registry::start`], and with TLS on a free port of its own, by a certificate and its key in PEM.
    ///
    /// # Errors
    /// As [`Registry::start`].
    pub fn start_tls(dir: impl AsRef<Path>, certificate: &Path, key: &Path) -> Result<Self> {
        let tls_port = ports::free()?;
        let more = [
            format!("-Dquarkus.http.ssl-port={tls_port}"),
            format!("-Dquarkus.http.ssl.certificate.files={}", certificate.display()),
            format!("-Dquarkus.http.ssl.certificate.key-files={}", key.display()),
        ];
        Self::start_with(dir.as_ref(), 0, Some(tls_port), &more)
    }

    fn start_with(dir: &Path, port: u16, tls_port: Option<u16>, more: &[String]) -> Result<Self> {
        let java = tools::java()?;
        let home = home()?;
        let port = ports::or_free(port)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let jar = home.join(format!("apicurio-registry-app-{VERSION}-runner.jar"));
        let mut args: Vec<String> =
            ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx384m"].map(str::to_owned).to_vec();
        args.push("-Dquarkus.http.host=127.0.0.1".to_owned());
        args.push(format!("-Dquarkus.http.port={port}"));
        args.push("-Dquarkus.log.level=WARN".to_owned());
        args.extend_from_slice(more);
        args.extend(["-cp".to_owned(), format!("{}:{}/lib/*", jar.display(), home.display())]);
        args.push("io.quarkus.runner.GeneratedMain".to_owned());
        let spec = Spec::new("Apicurio Registry", java, args, port);
        let daemon = Daemon::start(spec, dir, START_LIMIT, || is_ready(port, tls_port))?;
        Ok(Self { daemon, tls_port })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.daemon.spec().port
    }

    /// The value of `schema.registry.url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{API}", self.port())
    }

    /// The same for its port with TLS, if it has one.
    pub fn tls_url(&self) -> Option<String> {
        self.tls_port.map(|port| format!("https://127.0.0.1:{port}{API}"))
    }

    /// One request below the API's root; status and answer (null when there is none).
    ///
    /// # Errors
    /// When the registry cannot be reached or does not answer in JSON.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        rest::request(self.port(), method, &format!("{API}{path}"), body)
    }

    /// Stops the registry in order.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.stop(Duration::from_secs(20))
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Errors
    /// As [`Registry::start`].
    pub fn restart(&mut self) -> Result<()> {
        let (port, tls_port) = (self.port(), self.tls_port);
        self.daemon.restart(START_LIMIT, || is_ready(port, tls_port))
    }
}

/// The directory with the registry's program; downloaded when it is not there.
fn home() -> Result<PathBuf> {
    cache::entry(&cache::dir(), &format!("apicurio-{VERSION}"), |into| {
        let archive =
            cache::maven_file(&format!("io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"), into)?;
        let output = Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(into).output();
        let output = output.context("cannot run tar")?;
        if !output.status.success() {
            bail!("cannot unpack {}: {}", archive.display(), String::from_utf8_lossy(&output.stderr).trim());
        }
        fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))
    })
}

/// Whether all ports answer. The port with TLS is opened apart, and may come later.
fn is_ready(port: u16, tls_port: Option<u16>) -> bool {
    rest::request(port, "GET", &format!("{API}/subjects"), None).is_ok_and(|(status, _)| status == 200)
        && tls_port.is_none_or(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
}
