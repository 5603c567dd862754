//! PostgreSQL 14 to 18: version 15 from Debian's directory where it is installed, all others from Maven.

mod binaries;
mod client;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::daemon::{Daemon, Spec};
use crate::{ports, tools};

pub use client::PostgresClient;

const START_LIMIT: Duration = Duration::from_secs(60);

/// How to start PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Major version, 14 to 18.
    pub version: u32,
    /// Lines for `postgresql.conf` beyond the testbed's own (logical WAL, 30 senders and slots), as name and value.
    pub settings: Vec<(String, String)>,
    /// More of the server's environment.
    pub environment: Vec<(String, String)>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { version: 15, settings: Vec::new(), environment: Vec::new() }
    }
}

impl PostgresOptions {
    /// Options for one major version.
    pub fn version(version: u32) -> Self {
        Self { version, ..Self::default() }
    }

    /// Adds a line to `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a variable to the server's environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A PostgreSQL server with one superuser, `postgres`, and trust authentication on 127.0.0.1.
#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
    client: PostgresClient,
    data: PathBuf,
}

impl Postgres {
    /// Starts PostgreSQL in `dir` on `port` (0: a free one). A cluster that is there already is used as it is.
    ///
    /// As root the server runs as user `postgres` (or `nobody`), since PostgreSQL refuses root; where that user cannot
    /// reach `dir`, its data lies in `/var/tmp` and goes when this value is dropped or the service is removed.
    ///
    /// # Errors
    /// When the binaries cannot be had, or the server does not start; with the tail of its log.
    pub fn start(dir: impl AsRef<Path>, port: u16, options: PostgresOptions) -> Result<Self> {
        let dir = dir.as_ref();
        let bin = binaries::find(options.version)?;
        tools::ensure("psql", "postgresql-client")?;
        let port = ports::or_free(port)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let user = if tools::is_root() { Some(service_user()?) } else { None };
        let (data, extra_dir) = data_dir(dir, port, user)?;
        if !data.join("PG_VERSION").exists() {
            init(&bin, &data, user)?;
        }
        configure(&data, port, &options, user)?;
        let spec = Spec {
            name: format!("PostgreSQL {}", options.version),
            program: bin.join("postgres"),
            args: vec!["-D".into(), data.to_string_lossy().into_owned()],
            user,
            // Fast shutdown: ends sessions, writes the checkpoint, waits for walsenders to send what is left.
            stop_signal: "INT".into(),
            extra_dir,
            port,
            environment: options.environment.clone(),
        };
        let client = PostgresClient { port };
        let daemon = Daemon::start(spec, dir, START_LIMIT, || client.is_ready())?;
        Ok(Self { daemon, client, data })
    }

    /// Finds the PostgreSQL that an earlier program left running in `dir`.
    ///
    /// # Errors
    /// As [`Daemon::attach`].
    pub fn attach(dir: impl AsRef<Path>) -> Result<Option<Self>> {
        Ok(Daemon::attach(dir.as_ref())?.map(|daemon| Self {
            client: PostgresClient { port: daemon.spec().port },
            data: daemon.spec().args.get(1).map(PathBuf::from).unwrap_or_default(),
            daemon,
        }))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.client.port
    }

    /// `postgres://postgres@127.0.0.1:PORT/db`.
    pub fn url(&self, db: &str) -> String {
        self.client.url(db)
    }

    /// A client that can be copied into other threads.
    pub fn client(&self) -> PostgresClient {
        self.client
    }

    /// Puts a file into the data directory, as the server wants its own files: `pg_hba.conf`, `server.crt`, `server.key`.
    /// The server reads it after `SELECT pg_reload_conf()`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_file(&self, name: &str, contents: &[u8]) -> Result<()> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let path = self.data.join(name);
        let put = || {
            let owner = fs::metadata(&self.data)?;
            fs::write(&path, contents)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid()))
        };
        put().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Runs SQL; see [`PostgresClient::sql`].
    ///
    /// # Errors
    /// As there.
    pub fn sql(&self, db: &str, text: &str) -> Result<String> {
        self.client.sql(db, text)
    }

    /// Creates a database; see [`PostgresClient::create_database`].
    ///
    /// # Errors
    /// As there.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.client.create_database(name)
    }

    /// Stops the server in order; it waits until connected walsenders have sent all WAL, killed after 20 s.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.stop(Duration::from_secs(20))
    }

    /// Kills the server and its backends as a crash would.
    ///
    /// # Errors
    /// When they survive.
    pub fn kill9(&mut self) -> Result<()> {
        self.daemon.kill9()
    }

    /// Starts the server again on the same port and data, after a stop or a kill.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn restart(&mut self) -> Result<()> {
        let client = self.client;
        self.daemon.restart(START_LIMIT, || client.is_ready())
    }

    /// The process behind it.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Lets the server outlive this program.
    pub fn detached(self) {
        self.daemon.detached();
    }
}

/// The user that runs the server when we are root.
fn service_user() -> Result<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let ids = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).context(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody\n\nhint: useradd --system postgres",
    )
}

/// The directory of the data, and the directory to remove with the service when the data lies outside `dir`.
fn data_dir(dir: &Path, port: u16, user: Option<(u32, u32)>) -> Result<(PathBuf, Option<PathBuf>)> {
    if user.is_none() || binaries::others_can_reach(dir) {
        let data = dir.join("data");
        make_owned(&data, user)?;
        return Ok((data, None));
    }
    // The name depends on directory and port alone, so that a second start finds the first one's data.
    let hash = dir
        .to_string_lossy()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let extra = PathBuf::from(format!("/var/tmp/pgcdc-postgres-{port}-{hash:016x}"));
    let data = extra.join("data");
    make_owned(&data, user)?;
    Ok((data, Some(extra)))
}

fn make_owned(data: &Path, user: Option<(u32, u32)>) -> Result<()> {
    fs::create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
    if let Some((user, group)) = user {
        std::os::unix::fs::chown(data, Some(user), Some(group))
            .with_context(|| format!("cannot give {} to user {user}", data.display()))?;
    }
    Ok(())
}

fn init(bin: &Path, data: &Path, user: Option<(u32, u32)>) -> Result<()> {
    let mut command = Command::new(bin.join("initdb"));
    command.arg("-D").arg(data).current_dir("/");
    command.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
    if let Some((user, group)) = user {
        use std::os::unix::process::CommandExt as _;
        command.uid(user).gid(group);
    }
    let output = command.output().with_context(|| format!("cannot run {}/initdb", bin.display()))?;
    if !output.status.success() {
        bail!("initdb failed in {}: {}", data.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn configure(data: &Path, port: u16, options: &PostgresOptions, user: Option<(u32, u32)>) -> Result<()> {
    let mut text = format!(
        "# Written by pgcdc-testbed at each start.\nport = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n\
         wal_level = logical\nmax_wal_senders = 30\nmax_replication_slots = 30\nmax_connections = 200\n\
         shared_buffers = '128MB'\nmax_wal_size = '8GB'\nlog_min_messages = warning\n"
    );
    for (name, value) in &options.settings {
        text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
    }
    // ALTER SYSTEM writes postgresql.auto.conf, which PostgreSQL reads last: tests may use it on top of this.
    let conf = data.join("testbed.conf");
    fs::write(&conf, text).with_context(|| format!("cannot write {}", conf.display()))?;
    let main = data.join("postgresql.conf");
    let old = fs::read_to_string(&main).with_context(|| format!("cannot read {}", main.display()))?;
    if !old.contains("testbed.conf") {
        fs::write(&main, old + "\ninclude 'testbed.conf'\n")
            .with_context(|| format!("cannot write {}", main.display()))?;
    }
    make_owned_file(&conf, user)
}

fn make_owned_file(path: &Path, user: Option<(u32, u32)>) -> Result<()> {
    let Some((user, group)) = user else { return Ok(()) };
    std::os::unix::fs::chown(path, Some(user), Some(group))
        .with_context(|| format!("cannot give {} away", path.display()))
}
