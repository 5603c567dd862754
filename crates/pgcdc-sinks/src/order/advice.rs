//! A warning, once, about records that do not say their order in full.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pgcdc_format::decode::Form;

use super::place::Place;
use crate::Record;

/// Whether the warning was given. Once is enough: the form of the records is the connector's configuration, and the same for
/// all of them.
#[derive(Debug, Default)]
pub(crate) struct Advice {
    told: AtomicBool,
}

impl Advice {
    /// Looks at a record that is about to be written.
    pub(crate) fn look(&self, record: &Record<'_>) {
        let change = &record.change;
        if self.told.load(Relaxed) || change.form == Form::Tombstone {
            return;
        }
        let missing = match record.order {
            Some(_) if Place::is_sequenced(change) => return,
            Some(_) => {
                "records say source.lsn but not source.sequence: where a transaction commits after one that wrote the same \
                 key at a higher position, the older row wins. With ExtractNewRecordState, name both in add.fields: \
                 op,source.lsn,source.sequence"
            }
            None => {
                "records carry no position, or their deletes do not: offsets order them. Records that capture repeats after \
                 a crash undo later changes until these are repeated, too, and a restored database is not noticed. With \
                 ExtractNewRecordState, set add.fields=op,source.lsn,source.sequence,source.ts_us and \
                 delete.tombstone.handling.mode=rewrite"
            }
        };
        if !self.told.swap(true, Relaxed) {
            tracing::warn!(offset = record.position, "{missing}");
        }
    }
}
