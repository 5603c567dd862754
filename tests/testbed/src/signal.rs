//! Processes by id: is it alive, is it still the same one, send it a signal, who are its children.
//!
//! Signals go through the shell's `kill`, which every Linux has: no `unsafe`, no further dependency.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A process, told apart from a later one that happens to get the same id by the time it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// Start time in clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub started: u64,
}

impl ProcessId {
    /// Looks up the running process `pid`; none when there is no such process or it is a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        stat(pid).filter(|s| s.state != 'Z' && s.state != 'X').map(|s| Self { pid, started: s.started })
    }

    /// Says whether this very process still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends `signal` (`TERM`, `INT`, `KILL`, `STOP`, …) if this very process still runs; says whether it did.
    ///
    /// # Errors
    /// When the shell cannot be started.
    pub fn send(self, signal: &str) -> Result<bool> {
        send_all(&[self], signal)
    }

    /// Waits until this process is gone.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait_gone(self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() > deadline {
                bail!("process {} still runs after {} s", self.pid, limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Lists the direct children of this process.
    pub fn children(self) -> Vec<ProcessId> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|pid| stat(pid).map(|s| (pid, s)))
            .filter(|(_, s)| s.parent == self.pid)
            .map(|(pid, s)| ProcessId { pid, started: s.started })
            .collect()
    }

    /// CPU time used so far, user and system together; none once the process is gone.
    pub fn cpu(self) -> Option<Duration> {
        // USER_HZ is 100 on every Linux that PostgreSQL and Java run on.
        stat(self.pid).filter(|s| s.started == self.started).map(|s| Duration::from_millis(s.ticks * 10))
    }

    /// Peak resident memory in bytes (`VmHWM`); none once the process is gone.
    pub fn peak_memory(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

/// Sends `signal` to each of the processes that still runs; says whether all of them did.
///
/// # Errors
/// When the shell cannot be started.
pub fn send_all(processes: &[ProcessId], signal: &str) -> Result<bool> {
    let alive: Vec<String> = processes
        .iter()
        .filter(|process| process.is_alive())
        .map(|process| process.pid.to_string())
        .collect();
    if alive.is_empty() {
        return Ok(false);
    }
    let sent = Command::new("sh")
        .args(["-c", "signal=$1; shift; kill -s \"$signal\" -- \"$@\"", "sh", signal])
        .args(&alive)
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot run sh to send SIG{signal} to process {}", alive.join(", ")))?;
    Ok(sent.success() && alive.len() == processes.len())
}

struct Stat {
    state: char,
    parent: u32,
    ticks: u64,
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may contain blanks: start behind the last one.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: number(1)? as u32,
        ticks: number(11)? + number(12)?,
        started: number(19)?,
    })
}

#[cfg(test)]
mod tests {
    use super::ProcessId;

    #[test]
    fn knows_this_process() {
        let me = ProcessId::of(std::process::id()).expect("this process runs");
        assert!(me.is_alive());
        assert!(me.peak_memory().expect("VmHWM") > 0);
        assert!(
            !ProcessId { started: me.started + 1, ..me }.is_alive(),
            "another start time is another process"
        );
    }
}
