//! `--format`: what the lines of `pgcdc stream --stdout` have.

use std::io::{IsTerminal as _, stdout};

use clap::ValueEnum;
use pgcdc_capture::{CaptureBuilder, Lines, StdoutFormat};

use super::stream::Source;
use crate::printer;

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JSON lines; key and value are the text that would be in Kafka. The default, unless a terminal shows the lines.
    Debezium,
    /// JSON lines in which key and value are JSON, for jq.
    Plain,
    /// A line for people: operation, table, key, columns old → new. The default on a terminal.
    Pretty,
}

/// JSON for a line that people read, whatever the connector's converters.
const AS_JSON: &[(&str, &str)] = &[
    ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("key.converter.schemas.enable", "false"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter.schemas.enable", "false"),
];

/// Values that people can read: times and numbers as texts, bytes in hex.
const AS_TEXT: &[(&str, &str)] = &[
    ("time.precision.mode", "isostring"),
    ("decimal.handling.mode", "string"),
    ("interval.handling.mode", "string"),
    ("binary.handling.mode", "hex"),
    ("hstore.handling.mode", "json"),
];

impl Format {
    /// The format that is meant where none is named.
    pub(crate) fn or_default(named: Option<Self>) -> Self {
        named.unwrap_or(if stdout().is_terminal() { Self::Pretty } else { Self::Debezium })
    }

    /// Reads the configuration. For people it is changed: records are JSON, and values texts. A transform may rely on the
    /// types of values: beside one they stay as they are.
    pub(crate) fn builder(self, source: &Source) -> anyhow::Result<CaptureBuilder> {
        if self != Self::Pretty {
            return source.builder();
        }
        let builder = source.builder_over(AS_JSON)?;
        if builder.settings().transforms.is_some() {
            return Ok(builder);
        }
        source.builder_over(&[AS_JSON, AS_TEXT].concat())
    }

    /// The format for the standard output that we have.
    pub(crate) fn of_stdout(self) -> StdoutFormat {
        let lines = match self {
            Self::Debezium => Lines::Debezium,
            Self::Plain => Lines::Plain,
            Self::Pretty => Lines::Pretty,
        };
        let is_terminal = stdout().is_terminal();
        StdoutFormat { lines, is_terminal, colour: printer::in_colour(is_terminal) }
    }
}
