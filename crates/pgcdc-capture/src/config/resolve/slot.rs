//! The properties about slot and publication.

use pgcdc_config::Reader;

use crate::config::settings::{MismatchStrategy, Publication, PublicationMode, Slot};
use crate::config::stream_params;

/// Reads `slot.*`.
pub(super) fn slot(reader: &mut Reader<'_>) -> Slot {
    Slot {
        name: reader.string("slot.name"),
        drop_on_stop: reader.boolean("slot.drop.on.stop"),
        failover: reader.boolean("slot.failover"),
        stream_params: stream_params::resolve(reader),
        manual: match reader.string("lsn.flush.mode").to_ascii_lowercase().as_str() {
            "" => !reader.boolean("flush.lsn.source"),
            mode => mode == "manual",
        },
        mismatch: mismatch_strategy(reader),
        check_position: reader.boolean("internal.log.position.check.enable"),
    }
}

/// Reads `offset.mismatch.strategy`, or its older form.
fn mismatch_strategy(reader: &Reader<'_>) -> MismatchStrategy {
    const KEY: &str = "offset.mismatch.strategy";
    if reader.raw(KEY).is_none() && reader.boolean("slot.seek.to.known.offset.on.start") {
        return MismatchStrategy::TrustOffset;
    }
    let words = [
        ("no_validation", MismatchStrategy::NoValidation),
        ("trust_offset", MismatchStrategy::TrustOffset),
        ("trust_slot", MismatchStrategy::TrustSlot),
        ("trust_greater_lsn", MismatchStrategy::TrustGreaterLsn),
    ];
    reader.choice(KEY, &words)
}

/// Reads `publication.*`.
pub(super) fn publication(reader: &Reader<'_>) -> Publication {
    Publication {
        name: reader.string("publication.name"),
        autocreate: reader.choice(
            "publication.autocreate.mode",
            &[
                ("all_tables", PublicationMode::AllTables),
                ("filtered", PublicationMode::Filtered),
                ("disabled", PublicationMode::Disabled),
                ("no_tables", PublicationMode::NoTables),
            ],
        ),
        via_partition_root: reader.boolean("publish.via.partition.root"),
    }
}
