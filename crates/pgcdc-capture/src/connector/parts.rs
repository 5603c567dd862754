//! What a connector is made of. Its steps are in the files beside.

use std::sync::Arc;
use std::time::Duration;

use pgcdc_lifecycle::{Orders, Reporter};

use crate::config::Settings;
use crate::meters::Meters;
use crate::offsets::OffsetStore;

/// One connector, from its start to its end.
pub(crate) struct Connector {
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Arc<Meters>,
    pub(crate) status: Reporter,
    pub(crate) offsets: OffsetStore,
    /// `--until-idle`: ends when nothing has changed for this long.
    pub(crate) until_idle: Option<Duration>,
    /// Tables that were named one by one and must exist, as `schema.table`.
    pub(crate) named_tables: Vec<String>,
    pub(crate) orders: Orders,
}
