//! A progress bar for the snapshot, where standard error is a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pgcdc_capture::metrics::CaptureMetrics;
use tokio::task::JoinHandle;

/// Shows a running capture's counters until it is finished or dropped.
pub(crate) struct Progress {
    /// Draws the bar five times a second; `None` where nobody sees it.
    task: Option<JoinHandle<()>>,
    bar: ProgressBar,
}

impl Progress {
    /// Starts showing; does nothing where nobody sees it.
    pub(crate) fn start(metrics: &CaptureMetrics) -> Self {
        if !stderr().is_terminal() {
            return Self { task: None, bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::new(0);
        let metrics = metrics.clone();
        let shown = bar.clone();
        let task = tokio::spawn(async move {
            loop {
                show(&shown, &metrics);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Self { task: Some(task), bar }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(task) = self.task {
            task.abort();
        }
        self.bar.finish_and_clear();
    }
}

/// Draws the bar once: rows of the snapshot against the server's estimate, which may be too low, or changes of the stream.
fn show(bar: &ProgressBar, metrics: &CaptureMetrics) {
    let rows = metrics.snapshot_rows.get();
    let changes = metrics.changes.get();
    let estimate = metrics.snapshot_estimate.get().max(rows);
    let style = if changes == 0 && rows > 0 {
        bar.set_length(estimate);
        bar.set_position(rows);
        ProgressStyle::with_template("snapshot {bar:40} {human_pos}/~{human_len} rows {per_sec}")
    } else {
        bar.set_position(changes);
        ProgressStyle::with_template("streaming {spinner} {human_pos} changes, {msg} in flight")
    };
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(metrics.in_flight.get().to_string());
}
