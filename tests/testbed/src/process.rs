//! A guard around a child process, such as the pgcdc binary under test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::daemon::tail;
use crate::signal::{ProcessId, send_all};
use crate::watchdog::Watchdog;

/// A running child; killed on drop, and by a watchdog when this program ends without dropping it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    id: Option<ProcessId>,
    status: Option<ExitStatus>,
    stderr: PathBuf,
    watchdog: Option<Watchdog>,
}

impl Process {
    /// Starts `command` with standard error in the file `stderr` (appended to, so that restarts share it) and, unless the
    /// caller has set it, standard output as the caller's.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(mut command: Command, stderr: impl AsRef<Path>) -> Result<Self> {
        let stderr = stderr.as_ref().to_owned();
        if let Some(parent) = stderr.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let file = File::options().create(true).append(true).open(&stderr);
        command
            .stderr(file.with_context(|| format!("cannot write {}", stderr.display()))?)
            .stdin(Stdio::null());
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let id = ProcessId::of(child.id());
        let watchdog = id.map(|id| Watchdog::watch(id, "KILL", &[])).transpose()?;
        Ok(Self { child, id, status: None, stderr, watchdog })
    }

    /// The process, for its CPU time and memory; none when it had ended before one could look.
    pub fn id(&self) -> Option<ProcessId> {
        self.id
    }

    /// The child itself, to take its standard output.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        std::fs::read(&self.stderr)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Says whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.poll().is_none()
    }

    /// Waits for its end up to `limit`; none when it still runs then.
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.poll() {
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                ended => return ended,
            }
        }
    }

    /// Waits until standard error contains `text`.
    ///
    /// # Errors
    /// When the process ends first or `limit` passes; with the end of standard error.
    pub fn wait_for_stderr(&mut self, text: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let running = self.is_running();
            if self.stderr().contains(text) {
                return Ok(());
            }
            if !running || Instant::now() > deadline {
                let what = if running { "is still running" } else { "has ended" };
                bail!(
                    "process {what} and has not said {text:?}; the end of its stderr:\n{}",
                    tail(&self.stderr, 20)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When it still runs after `limit`; it is killed then.
    pub fn sigterm_and_wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        if self.is_running()
            && let Some(id) = self.id
        {
            id.send("TERM")?;
        }
        self.wait_after_sigterm(limit)
    }

    /// Sends SIGTERM to all of them, so that none waits for another's end.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn sigterm_all<'a>(processes: impl IntoIterator<Item = &'a mut Process>) -> Result<()> {
        let running = processes.into_iter().filter_map(|one| one.id.filter(|_| one.is_running()));
        send_all(&running.collect::<Vec<_>>(), "TERM").map(drop)
    }

    /// Waits for the end of a process to which SIGTERM was sent.
    ///
    /// # Errors
    /// When it still runs after `limit`; it is killed then.
    pub fn wait_after_sigterm(&mut self, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.wait_timeout(limit) {
            return Ok(status);
        }
        self.kill9()?;
        bail!(
            "process did not leave within {} s of SIGTERM; the end of its stderr:\n{}",
            limit.as_secs(),
            tail(&self.stderr, 20)
        )
    }

    /// Kills it at once.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn kill9(&mut self) -> Result<()> {
        if self.is_running() {
            self.child.kill().context("cannot kill the child process")?;
            self.wait_timeout(Duration::from_secs(10)).context("the child process survived SIGKILL")?;
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
            if self.status.is_some()
                && let Some(watchdog) = self.watchdog.take()
            {
                watchdog.dismiss();
            }
        }
        self.status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill9();
    }
}
