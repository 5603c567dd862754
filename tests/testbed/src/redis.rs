//! Redis, Debian's `redis-server`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::daemon::{Daemon, Spec};
use crate::{ports, tools};

const START_LIMIT: Duration = Duration::from_secs(20);

/// How to start Redis.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// Keeps an append-only file, fsynced at each write, so that data survives `kill9` and `restart`.
    pub append_only: bool,
}

/// A Redis server.
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
}

impl Redis {
    /// Starts Redis in `dir` on `port` (0: a free one).
    ///
    /// # Errors
    /// When redis-server is missing and cannot be installed, or does not start.
    pub fn start(dir: impl AsRef<Path>, port: u16, options: RedisOptions) -> Result<Self> {
        let dir = dir.as_ref();
        let program = tools::ensure("redis-server", "redis-server")?;
        tools::ensure("redis-cli", "redis-tools")?;
        let port = ports::or_free(port)?;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let aof = if options.append_only { "yes" } else { "no" };
        let args = [
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--dir",
            &dir.to_string_lossy(),
            "--save",
            "",
        ]
        .into_iter()
        .chain(["--appendonly", aof, "--appendfsync", "always", "--daemonize", "no"])
        .map(str::to_owned)
        .collect();
        let spec = Spec::new("Redis", program, args, port);
        let client = RedisClient { port };
        Ok(Self { daemon: Daemon::start(spec, dir, START_LIMIT, || client.is_ready())? })
    }

    /// Finds the Redis that an earlier program left running in `dir`.
    ///
    /// # Errors
    /// As [`Daemon::attach`].
    pub fn attach(dir: impl AsRef<Path>) -> Result<Option<Self>> {
        Ok(Daemon::attach(dir.as_ref())?.map(|daemon| Self { daemon }))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.daemon.spec().port
    }

    /// The address as sinks take it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// A client on redis-cli.
    pub fn client(&self) -> RedisClient {
        RedisClient { port: self.port() }
    }

    /// Runs one command; see [`RedisClient::command`].
    ///
    /// # Errors
    /// As there.
    pub fn command(&self, args: &[&str]) -> Result<Vec<String>> {
        self.client().command(args)
    }

    /// Stops the server in order.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.stop(Duration::from_secs(10))
    }

    /// Kills the server as a crash would.
    ///
    /// # Errors
    /// When it survives.
    pub fn kill9(&mut self) -> Result<()> {
        self.daemon.kill9()
    }

    /// Starts the server again on the same port.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn restart(&mut self) -> Result<()> {
        let client = self.client();
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

/// Commands for a Redis on 127.0.0.1, whoever started it.
#[derive(Debug, Clone, Copy)]
pub struct RedisClient {
    /// The port.
    pub port: u16,
}

impl RedisClient {
    /// Runs one command and returns the lines of its answer.
    ///
    /// # Errors
    /// When redis-cli is missing, or the server cannot be reached or answers with an error.
    pub fn command(&self, args: &[&str]) -> Result<Vec<String>> {
        let output = Command::new("redis-cli")
            .args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(args)
            .output()
            .context("cannot run redis-cli\n\nhint: apt-get install redis-tools")?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            bail!(
                "redis on port {}: {}: {}",
                self.port,
                args.join(" "),
                String::from_utf8_lossy(&text).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    fn is_ready(self) -> bool {
        self.command(&["PING"]).is_ok_and(|answer| answer == ["PONG"])
    }
}
