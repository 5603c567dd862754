//! Logs, on standard error.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;

use clap::ValueEnum;
use pgcdc_connect::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::printer;

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// The filter, which `pgcdc serve` may be told to change.
static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging. `PGCDC_LOG` filters, in `tracing`'s syntax: `info`, `pgcdc_capture=debug`.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("PGCDC_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let (filter, handle) = reload::Layer::new(filter);
    let _ = FILTER.set(handle);
    let lines = fmt::layer().with_writer(stderr);
    let lines = match format {
        LogFormat::Text => {
            lines.with_ansi(printer::in_colour(stderr().is_terminal())).with_target(false).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
}

/// The most detailed level that is logged now.
pub(crate) fn level() -> Level {
    let now = LevelFilter::current().to_string();
    Level::parse(&now).unwrap_or(Level::INFO)
}

/// Replaces the filter; directives that make none leave it as it is.
pub(crate) fn set_filter(directives: &str) {
    let (Some(handle), Ok(filter)) = (FILTER.get(), EnvFilter::try_new(directives)) else { return };
    let _ = handle.reload(filter);
}
