//! One background process: started, awaited, stopped, killed, started again; by this program or by a later one.
//!
//! ```text
//!            start                  ready()
//! (nothing) ───────▶ starting ──────────────▶ running ──stop / kill9 / drop──▶ stopped ──restart──▶ starting
//!                        └── died, or the limit passed: an error with the tail of its log
//! ```
//! `service.json` in the service's directory holds what a later program needs to find the process again.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::signal::ProcessId;
use crate::watchdog::Watchdog;

/// What to run and how to stop it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// For messages: "PostgreSQL 15".
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// User and group to run as; `None` for those of this program.
    pub user: Option<(u32, u32)>,
    /// The signal that asks for an orderly end.
    pub stop_signal: String,
    /// A second directory that belongs to the service and goes when it is removed.
    pub extra_dir: Option<PathBuf>,
    /// The port it listens on.
    pub port: u16,
    /// More of its environment; a later program that starts it again does not know it.
    pub environment: Vec<(String, String)>,
}

impl Spec {
    /// A program that runs as this program's user, and ends in order on SIGTERM.
    pub fn new(name: &str, program: PathBuf, args: Vec<String>, port: u16) -> Self {
        let (name, stop_signal) = (name.to_owned(), "TERM".to_owned());
        let environment = Vec::new();
        Self { name, program, args, user: None, stop_signal, extra_dir: None, port, environment }
    }
}

/// A background process and the directory it lives in.
#[derive(Debug)]
pub struct Daemon {
    spec: Spec,
    dir: PathBuf,
    process: ProcessId,
    child: Option<Child>,
    watchdog: Option<Watchdog>,
    detached: bool,
}

impl Daemon {
    /// Starts `spec` with its log in `dir/log` and waits until `ready` says yes.
    ///
    /// # Errors
    /// When it cannot start, ends early, or is not ready within `limit`; with the tail of the log.
    pub fn start(spec: Spec, dir: &Path, limit: Duration, ready: impl Fn() -> bool) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        if let Some(running) = Self::attach(dir)? {
            bail!("{} runs already in {} (process {})", spec.name, dir.display(), running.process.pid);
        }
        let (child, process) = spawn(&spec, dir)?;
        let mut daemon =
            Self { spec, dir: dir.to_owned(), process, child: Some(child), watchdog: None, detached: false };
        daemon.adopt()?;
        daemon.wait_ready(limit, ready)?;
        Ok(daemon)
    }

    /// Finds the process that an earlier program started in `dir` and left running; `None` when it does not run.
    ///
    /// # Errors
    /// When `service.json` cannot be understood.
    pub fn attach(dir: &Path) -> Result<Option<Self>> {
        Ok(Self::last(dir)?.filter(Self::is_ours))
    }

    /// Finds the process that was last started in `dir`, whether or not it still runs.
    ///
    /// # Errors
    /// As [`Daemon::attach`].
    pub fn last(dir: &Path) -> Result<Option<Self>> {
        let file = dir.join("service.json");
        let Ok(text) = fs::read_to_string(&file) else { return Ok(None) };
        let (spec, process) =
            serde_json::from_str(&text).ok().and_then(|state| parse_state(&state)).with_context(|| {
                format!("cannot understand {}; stop the service by hand and remove the file", file.display())
            })?;
        Ok(Some(Self { spec, dir: dir.to_owned(), process, child: None, watchdog: None, detached: true }))
    }

    /// Lets the process outlive this program.
    pub fn detached(mut self) {
        self.detached = true;
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
    }

    /// The program that was started, and its settings.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The process, for its CPU time and memory.
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// Says whether the process runs.
    pub fn is_running(&mut self) -> bool {
        match &mut self.child {
            // Our own child cannot be mistaken for another, and right after exec its command line still reads as empty.
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => self.is_ours(),
        }
    }

    /// Asks the process to end and waits; after `limit` it is killed.
    ///
    /// # Errors
    /// When it survives even that.
    pub fn stop(&mut self, limit: Duration) -> Result<()> {
        let signal = self.spec.stop_signal.clone();
        self.end(&signal, limit)
    }

    /// Kills the process and its children at once, as a crash or the kernel's OOM killer would.
    ///
    /// # Errors
    /// When it survives.
    pub fn kill9(&mut self) -> Result<()> {
        self.end("KILL", Duration::from_secs(10))
    }

    /// Stops the service if it runs and removes its directories with all data.
    ///
    /// # Errors
    /// When it survives or a directory cannot be removed.
    pub fn remove(mut self, limit: Duration) -> Result<()> {
        self.stop(limit)?;
        for dir in self.spec.extra_dir.iter().chain([&self.dir]) {
            fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        Ok(())
    }

    /// Starts the process again, same directory, same port; stops it first if it still runs.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn restart(&mut self, limit: Duration, ready: impl Fn() -> bool) -> Result<()> {
        self.stop(Duration::from_secs(30))?;
        let (child, process) = spawn(&self.spec, &self.dir)?;
        self.child = Some(child);
        self.process = process;
        self.adopt()?;
        self.wait_ready(limit, ready)
    }

    /// The last `lines` lines of the log.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.dir.join("log"), lines)
    }

    fn adopt(&mut self) -> Result<()> {
        write_state(&self.spec, self.process, &self.dir)?;
        if !self.detached {
            let mut remove = vec![self.dir.as_path()];
            remove.extend(self.spec.extra_dir.as_deref());
            self.watchdog = Some(Watchdog::watch(self.process, &self.spec.stop_signal, &remove)?);
        }
        Ok(())
    }

    fn wait_ready(&mut self, limit: Duration, ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let alive = self.is_running();
            if alive && ready() {
                return Ok(());
            }
            let passed = Instant::now() > deadline;
            if !alive || passed {
                let what = if alive {
                    format!("is not ready after {} s", limit.as_secs())
                } else {
                    "ended early".to_owned()
                };
                let log = self.dir.join("log");
                let tail = self.log_tail(25);
                let _ = self.kill9();
                bail!(
                    "{} on port {} {what}; the end of {}:\n{tail}",
                    self.spec.name,
                    self.spec.port,
                    log.display()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(&mut self, signal: &str, limit: Duration) -> Result<()> {
        if self.is_running() {
            // PostgreSQL's children are process groups of their own and hold its shared memory: wait for them too.
            let children = self.process.children();
            self.process.send(signal)?;
            if signal == "KILL" {
                for child in &children {
                    child.send("KILL")?;
                }
            }
            let deadline = Instant::now() + limit;
            while self.is_running() {
                if Instant::now() > deadline {
                    self.process.send("KILL")?;
                    if let Some(child) = &mut self.child {
                        let _ = child.wait();
                    }
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            self.process
                .wait_gone(Duration::from_secs(5))
                .with_context(|| format!("cannot stop {}", self.spec.name))?;
            for child in children {
                child.wait_gone(Duration::from_secs(10))?;
            }
        }
        if let Some(mut child) = self.child.take() {
            // The process is gone; this takes it off the process table.
            let _ = child.wait();
        }
        let _ = fs::remove_file(self.dir.join("service.json"));
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
        Ok(())
    }

    /// The id and start time match, and the command line still names our program: nobody else's process is ever killed.
    fn is_ours(&self) -> bool {
        let Ok(cmdline) = fs::read(format!("/proc/{}/cmdline", self.process.pid)) else { return false };
        let program = self.spec.program.to_string_lossy();
        self.process.is_alive() && String::from_utf8_lossy(&cmdline).starts_with(&*program)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.detached {
            let _ = self.stop(Duration::from_secs(20));
            if let Some(dir) = &self.spec.extra_dir {
                let _ = fs::remove_dir_all(dir);
            }
        }
    }
}

/// The last `lines` lines of the file `path`.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn spawn(spec: &Spec, dir: &Path) -> Result<(Child, ProcessId)> {
    let path = dir.join("log");
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log);
    // A group of its own: Ctrl-C in the terminal is for us, and we stop the service in order. The root directory as
    // working directory, because a service under another user may not be able to enter ours.
    command.process_group(0).current_dir("/").env("LC_ALL", "C.UTF-8");
    command.envs(spec.environment.iter().map(|(name, value)| (name, value)));
    if let Some((user, group)) = spec.user {
        command.uid(user).gid(group);
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {} ({})", spec.name, spec.program.display()))?;
    match ProcessId::of(child.id()) {
        Some(process) => Ok((child, process)),
        None => {
            let _ = child.wait();
            bail!("{} ended at once; the end of {}:\n{}", spec.name, path.display(), tail(&path, 25))
        }
    }
}

fn write_state(spec: &Spec, process: ProcessId, dir: &Path) -> Result<()> {
    let state = json!({
        "name": spec.name, "program": spec.program, "args": spec.args, "stop_signal": spec.stop_signal, "port": spec.port,
        "user": spec.user.map(|(user, group)| [user, group]), "extra_dir": spec.extra_dir,
        "pid": process.pid, "started": process.started,
    });
    let file = dir.join("service.json");
    fs::write(&file, format!("{state:#}\n")).with_context(|| format!("cannot write {}", file.display()))
}

fn parse_state(state: &Value) -> Option<(Spec, ProcessId)> {
    let text = |key: &str| state.get(key)?.as_str().map(str::to_owned);
    let number = |value: &Value| value.as_u64();
    let user = state
        .get("user")?
        .as_array()
        .and_then(|pair| Some((number(pair.first()?)? as u32, number(pair.get(1)?)? as u32)));
    let args =
        state.get("args")?.as_array()?.iter().filter_map(|arg| arg.as_str().map(str::to_owned)).collect();
    let spec = Spec {
        name: text("name")?,
        program: text("program")?.into(),
        args,
        user,
        stop_signal: text("stop_signal")?,
        extra_dir: text("extra_dir").map(PathBuf::from),
        port: number(state.get("port")?)? as u16,
        environment: Vec::new(),
    };
    let process =
        ProcessId { pid: number(state.get("pid")?)? as u32, started: number(state.get("started")?)? };
    Some((spec, process))
}
