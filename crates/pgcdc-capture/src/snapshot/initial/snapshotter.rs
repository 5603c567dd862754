//! What all ways of reading a snapshot share: the row that is kept back, its marker, and the way to the lane.

use std::sync::Arc;

use pgcdc_event::Column;
use pgcdc_format::envelope::{Context, RelationEncoder};

use super::line::Line;
use super::marker::Markers;
use crate::Result;
use crate::clock::Clock;
use crate::config::Settings;
use crate::lane::Lane;
use crate::meters::Meters;
use crate::postgres::{CapturedTable, RowReader, quote_identifier};
use crate::tables::{Tables, included};

/// Rows between two looks at the output's deliveries.
const POLL_EVERY: u32 = 512;

/// Reads all captured tables under one exported snapshot, through the connector's tables and lane,
/// which it borrows.
pub(crate) struct Snapshotter<'a> {
    /// Filters, overrides and threads.
    pub(crate) settings: &'a Settings,
    /// Compiles the encoders.
    pub(crate) tables: &'a mut Tables,
    /// Takes the rows.
    pub(crate) lane: &'a mut Lane,
    /// The connector's counters.
    pub(crate) metrics: &'a Arc<Meters>,
}

/// The state of one snapshot that is being read.
pub(super) struct Run {
    /// What all records say of their source. The marker and the time of processing are set for each
    /// row.
    pub(super) context: Context<'static>,
    /// Follows the rows, to know the first of each table.
    pub(super) markers: Markers,
    /// The row that was read last. It is kept back, since the next row decides its marker.
    pub(super) pending: Line,
    /// Rows sent since the output's deliveries were last looked at.
    since_poll: u32,
    /// The time of processing that records carry.
    clock: Clock,
}

impl Run {
    /// No row yet.
    pub(super) fn new(context: Context<'static>) -> Self {
        Self {
            context,
            markers: Markers::default(),
            pending: Line::default(),
            since_poll: 0,
            clock: Clock::default(),
        }
    }
}

impl Snapshotter<'_> {
    /// The relation's columns for a `SELECT`. NULL stands in for columns that the column filters
    /// leave out, since the role may not be allowed to read them. When the filters leave out all
    /// columns, all are read, as with Debezium. Typed events have every column, in a snapshot as in
    /// the stream.
    pub(super) fn columns(&self, encoder: &RelationEncoder) -> String {
        let relation = encoder.relation();
        let included = included(self.settings, relation);
        let all = self.lane.shows_all_columns() || !included.contains(&true);
        let column = |(column, included): (&Column, &bool)| {
            if all || *included { quote_identifier(&column.name) } else { "NULL".to_owned() }
        };
        let columns: Vec<String> = relation.columns.iter().zip(&included).map(column).collect();
        columns.join(", ")
    }

    /// Whether `snapshot.include.collection.list` matches the table. Without the list every table
    /// is read.
    pub(super) fn wanted(&self, table: &CapturedTable) -> bool {
        self.settings.snapshot.include.as_ref().is_none_or(|list| list.matches(&table.name.to_string()))
    }

    /// Waits until nothing is in flight, and lets `reader` read the large row that is next. So the
    /// row is alone in memory.
    pub(super) async fn admit(&mut self, reader: &mut RowReader) -> Result<()> {
        self.lane.flush().await?;
        self.lane.make_way().await?;
        reader.admit();
        Ok(())
    }

    /// Sends the pending row, if there is one. `next` is the number of the next row's table; `None`
    /// at the snapshot's end. From time to time it also looks at deliveries and lets other tasks
    /// run.
    pub(super) async fn emit_pending(
        &mut self,
        encoder: &mut RelationEncoder,
        next: Option<usize>,
        run: &mut Run,
    ) -> Result<()> {
        let Some(place) = run.pending.place.take() else { return Ok(()) };
        run.context.snapshot = place.marker(next);
        run.context.now_ns = run.clock.tick();
        match &mut *self.lane {
            Lane::Records(lane) => {
                if run.pending.is_large() {
                    lane.flush().await?;
                }
                run.pending.encode(encoder, &run.context, lane.batch(), &self.tables.tolerance)?;
                lane.send_due().await?;
            }
            Lane::Events(lane) => lane.send(run.pending.event(encoder, &run.context)).await?,
        }
        run.since_poll += 1;
        if run.since_poll >= POLL_EVERY {
            run.since_poll = 0;
            self.tables.tolerance.tell();
            self.lane.flush().await?;
            self.lane.poll()?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
