//! What a connector is made of. Its steps are in the files beside: each is an `impl Connector`.

use std::sync::Arc;
use std::time::Duration;

use pgcdc_lifecycle::{Orders, Reporter};

use crate::config::Settings;
use crate::meters::Meters;
use crate::offsets::OffsetStore;

/// One connector, from its start to its end.
pub(crate) struct Connector {
    /// The resolved configuration. It does not change while the connector lives.
    pub(crate) settings: Arc<Settings>,
    /// Handles to count in.
    pub(crate) metrics: Arc<Meters>,
    /// Where the state is written, for [`Capture::status`](crate::Capture::status).
    pub(crate) status: Reporter,
    /// Where offsets are kept.
    pub(crate) offsets: OffsetStore,
    /// `--until-idle`: ends when nothing has changed for this long.
    pub(crate) until_idle: Option<Duration>,
    /// Tables that were named one by one and must exist, as `schema.table`.
    pub(crate) named_tables: Vec<String>,
    /// The orders to pause, resume and stop.
    pub(crate) orders: Orders,
}
