//! Watching a process, the walsender that serves it, and the broker, from outside.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pgcdc_testbed::signal::ProcessId;

use super::lab::Lab;

/// CPU seconds used so far, at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) cpu: f64,
    pub(super) walsender: f64,
    pub(super) broker: f64,
}

/// Reads CPU time and memory of a process that runs beside PostgreSQL and Kafka.
pub(super) struct Watch {
    process: ProcessId,
    /// The parent process of the walsender; `None` where nothing streams.
    postmaster: Option<ProcessId>,
    broker: ProcessId,
    /// The walsender, found once and kept: looking for it means reading all of /proc.
    walsender: Option<ProcessId>,
    /// CPU seconds of walsenders that are gone: Debezium connects more than once.
    walsenders_gone: f64,
    /// One-minute load average when the watch began.
    pub(super) load: f64,
    /// Peak resident memory in bytes since the watch began.
    pub(super) peak: u64,
    last: Reading,
}

impl Watch {
    /// Begins to watch `process`, whose peak memory is forgotten so that a process that serves several runs shows each.
    pub(super) fn begin(process: ProcessId, lab: &mut Lab) -> Self {
        // "5" resets VmHWM, see proc(5); a process that has just begun has nothing to forget, so a failure is no loss.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", process.pid), "5");
        let last = Reading { at: Instant::now(), cpu: 0.0, walsender: 0.0, broker: 0.0 };
        let (postmaster, broker) = (lab.postgres.daemon().process(), lab.kafka.daemon().process());
        Self {
            process,
            postmaster: Some(postmaster),
            broker,
            walsender: None,
            walsenders_gone: 0.0,
            load: load(),
            peak: 0,
            last,
        }
    }

    /// Looks for no walsender: the process reads from Kafka.
    pub(super) fn of_kafka_alone(mut self) -> Self {
        self.postmaster = None;
        self
    }

    /// Reads once. A process that has ended keeps its last reading. Costs some 50 µs once the walsender is known.
    pub(super) fn read(&mut self) -> Reading {
        if let Some(postmaster) = self.postmaster
            && self.walsender.is_none_or(|process| !process.is_alive())
        {
            self.walsenders_gone = self.last.walsender;
            self.walsender = postmaster.children().into_iter().find(|child| is_walsender(*child));
        }
        self.peak = self.peak.max(self.process.peak_memory().unwrap_or(0));
        let seconds = |process: ProcessId, last: f64| process.cpu().map_or(last, |cpu| cpu.as_secs_f64());
        self.last = Reading {
            at: Instant::now(),
            cpu: seconds(self.process, self.last.cpu),
            walsender: match self.walsender {
                Some(process) => self.walsenders_gone + process.cpu().map_or(0.0, |cpu| cpu.as_secs_f64()),
                None => self.walsenders_gone,
            },
            broker: seconds(self.broker, self.last.broker),
        };
        self.last
    }

    /// Says whether the process still runs.
    pub(super) fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    /// Bytes that the process has written, to files and pipes but not to sockets.
    pub(super) fn written(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/io", self.process.pid)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
    }
}

fn is_walsender(process: ProcessId) -> bool {
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    cmdline.starts_with(b"postgres: walsender")
}

/// The one-minute load average.
pub(super) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Waits until a server does nothing of its own any more, like cleaning up after the run before; a minute at most.
pub(super) fn settle(server: ProcessId) {
    const LOOK: Duration = Duration::from_millis(500);
    let used = || server.cpu().unwrap_or_default();
    let begin = Instant::now();
    let mut before = used();
    while begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(LOOK);
        let now = used();
        if now.saturating_sub(before) < LOOK / 10 {
            return;
        }
        before = now;
    }
}

/// A run from its first output to its last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    /// From the start of the run to the first output.
    pub(super) start_up: f64,
    /// From the first output to the last.
    pub(super) seconds: f64,
    /// The share of the output that came in that time. Output that was there at the first look is not counted.
    pub(super) share: f64,
    pub(super) cpu: f64,
    pub(super) walsender: f64,
    pub(super) broker: f64,
    pub(super) peak: u64,
    pub(super) load: f64,
}

impl Phase {
    /// Things per second of the phase, for `count` things in all.
    pub(super) fn rate(&self, count: f64) -> f64 {
        count * self.share / self.seconds
    }

    /// Things per second from the start of the run.
    pub(super) fn rate_with_start(&self, count: f64) -> f64 {
        count / (self.start_up + self.seconds)
    }

    /// A number of CPU seconds of this phase, per million things of `count` in all.
    pub(super) fn per_million(&self, cpu: f64, count: f64) -> f64 {
        cpu * 1e6 / (count * self.share)
    }
}

/// Follows a run that began at `begin` until `progress` says `goal` or, without a goal, until the process ends.
///
/// `progress` is asked every `pause`; what it counts need not be rows.
pub(super) fn follow(
    watch: &mut Watch,
    begin: Instant,
    (goal, pause, limit): (Option<u64>, Duration, Duration),
    mut progress: impl FnMut(&Watch) -> Result<u64>,
) -> Result<Phase> {
    let mut first: Option<(u64, Reading)> = None;
    let mut last: Option<(u64, Reading)> = None;
    let mut looked = begin;
    loop {
        let alive = watch.is_alive();
        let count = progress(watch)?;
        if count > last.map_or(0, |(count, _)| count) {
            let now = (count, watch.read());
            first.get_or_insert(now);
            last = Some(now);
        } else if looked.elapsed() > Duration::from_millis(200) {
            watch.read();
            looked = Instant::now();
        }
        if goal.is_some_and(|goal| count >= goal) || (goal.is_none() && !alive) {
            break;
        }
        anyhow::ensure!(alive, "it ended at {count} of {}", goal.unwrap_or(0));
        anyhow::ensure!(begin.elapsed() < limit, "it is at {count} after {} s", limit.as_secs());
        std::thread::sleep(pause);
    }
    let (first_count, first) = first.context("nothing came out")?;
    let (last_count, last) = last.context("nothing came out")?;
    anyhow::ensure!(last_count > first_count, "all came out between two looks: take more rows");
    Ok(Phase {
        start_up: first.at.duration_since(begin).as_secs_f64(),
        seconds: last.at.duration_since(first.at).as_secs_f64(),
        share: (last_count - first_count) as f64 / last_count as f64,
        cpu: last.cpu - first.cpu,
        walsender: last.walsender - first.walsender,
        broker: last.broker - first.broker,
        peak: watch.peak,
        load: watch.load,
    })
}
