//! Watching a process, the walsender that serves it, and the broker, from outside.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pgcdc_testbed::signal::ProcessId;

/// What one run cost.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) seconds: f64,
    pub(super) cpu: f64,
    pub(super) walsender_cpu: f64,
    pub(super) broker_cpu: f64,
    pub(super) peak_bytes: u64,
    /// One-minute load average when the run began.
    pub(super) load: f64,
}

/// Samples what would be lost at a process's end.
pub(super) struct Watch {
    begin: Instant,
    load: f64,
    process: ProcessId,
    postmaster: ProcessId,
    broker: ProcessId,
    broker_before: Duration,
    walsender: Duration,
    peak: u64,
}

impl Watch {
    /// Begins with the start of `command`.
    pub(super) fn start(
        mut command: Command,
        postmaster: ProcessId,
        broker: ProcessId,
    ) -> Result<(Self, Child)> {
        let load = std::fs::read_to_string("/proc/loadavg")
            .ok()
            .and_then(|text| text.split(' ').next()?.parse().ok());
        let broker_before = broker.cpu().context("the broker is gone")?;
        let begin = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let Some(process) = ProcessId::of(child.id()) else {
            bail!("{} ended at once with {}", command.get_program().to_string_lossy(), child.wait()?);
        };
        let load = load.unwrap_or(0.0);
        let watch = Self {
            begin,
            load,
            process,
            postmaster,
            broker,
            broker_before,
            walsender: Duration::ZERO,
            peak: 0,
        };
        Ok((watch, child))
    }

    /// Looks once; says whether the process still runs. Costs about a millisecond.
    pub(super) fn sample(&mut self) -> bool {
        self.peak = self.peak.max(self.process.peak_memory().unwrap_or(0));
        for child in self.postmaster.children() {
            let cmdline = std::fs::read(format!("/proc/{}/cmdline", child.pid)).unwrap_or_default();
            if cmdline.starts_with(b"postgres: walsender") {
                self.walsender = self.walsender.max(child.cpu().unwrap_or_default());
            }
        }
        self.process.is_alive()
    }

    /// Ends the measurement. The process runs still, or is a zombie: nobody may have waited for it.
    pub(super) fn finish(mut self) -> Result<Figures> {
        let seconds = self.begin.elapsed().as_secs_f64();
        let cpu = self.process.cpu().context("the measured process is gone")?;
        self.sample();
        let broker = self.broker.cpu().context("the broker is gone")?.saturating_sub(self.broker_before);
        Ok(Figures {
            seconds,
            cpu: cpu.as_secs_f64(),
            walsender_cpu: self.walsender.as_secs_f64(),
            broker_cpu: broker.as_secs_f64(),
            peak_bytes: self.peak,
            load: self.load,
        })
    }
}
