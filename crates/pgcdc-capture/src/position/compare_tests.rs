use super::*;
use crate::offsets::Home;
use crate::position::{Point, Reached};

fn lsn(n: u64) -> Lsn {
    Lsn::new(n)
}

/// An offset at 100 on timeline 2, its last record at 90.
fn offset() -> Offset {
    let home = Home { database: "7/5".into(), slot: Some("s".into()), timeline: Some(2) };
    Offset {
        snapshot_completed: true,
        lsn: lsn(100),
        written: lsn(90),
        home: Some(home),
        reached: None,
        taken_over: None,
    }
}

fn once(done: Point) -> Offset {
    Offset { reached: Some(Reached { done, end: lsn(100), open: None }), ..offset() }
}

/// As versions before wrote it.
fn old() -> Offset {
    let home = Home { database: "7/5".into(), slot: None, timeline: None };
    Offset { home: Some(home), written: lsn(100), ..offset() }
}

fn debeziums() -> Offset {
    Offset { home: None, written: lsn(100), ..offset() }
}

/// On timeline 2 since 50, at 200.
fn server() -> Server {
    Server {
        database: "7/5".into(),
        timeline: 2,
        history: vec![(1, lsn(50))],
        end: lsn(200),
        in_recovery: false,
    }
}

/// The next timeline; 2 was left at `left`.
fn promoted(left: u64) -> Server {
    Server { timeline: 3, history: vec![(1, lsn(50)), (2, lsn(left))], ..server() }
}

fn slot(confirmed: u64) -> Option<SlotPosition> {
    Some(SlotPosition { confirmed: lsn(confirmed), restart: lsn(confirmed - 5) })
}

#[test]
fn known_slot_and_server_against_stored_offset() {
    let ahead = |at, offset| Mismatch::SlotAhead { slot: lsn(at), offset: lsn(offset) };
    let other = |offset, left| Mismatch::OtherTimeline { offset: lsn(offset), timeline: 2, here: 3, left };
    let behind = |offset, server| Mismatch::ServerBehind { offset: lsn(offset), server: lsn(server) };
    let at = |end| Server { end: lsn(end), ..server() };
    let check = |what: &str, offset: Offset, slot, server: Server, expect| {
        assert_eq!(compare(&offset, slot, &server), expect, "{what}");
    };
    let standbys = |reached| {
        let home = offset().home.map(|home| Home { timeline: Some(0), ..home });
        Offset { home, reached, ..offset() }
    };
    check("its standby was promoted", standbys(None), slot(60), promoted(50), Fit::Fits(lsn(100)));
    check("and its slot moved", standbys(None), slot(101), promoted(50), Fit::Mismatch(ahead(101, 100)));
    let half = |commit| {
        let open = Some(crate::position::Open { commit: lsn(commit), changes: 3 });
        Offset { reached: Some(Reached { done: Point::commit(lsn(80)), end: lsn(85), open }), ..offset() }
    };
    check(
        "half a transaction, which the next timeline has",
        half(95),
        slot(60),
        promoted(99),
        Fit::Fits(lsn(99)),
    );
    check(
        "half a transaction, which it does not have",
        half(120),
        slot(60),
        promoted(99),
        Fit::Mismatch(other(120, Some(lsn(99)))),
    );
    check("left in peace", offset(), slot(100), server(), Fit::Fits(lsn(100)));
    check("killed before the confirmation", offset(), slot(60), server(), Fit::Fits(lsn(100)));
    check("advanced by a byte", offset(), slot(101), server(), Fit::Mismatch(ahead(101, 100)));
    check("made anew", offset(), slot(150), server(), Fit::Mismatch(ahead(150, 100)));
    check(
        "made anew, exactly once",
        once(Point::commit(lsn(80))),
        slot(150),
        server(),
        Fit::Mismatch(ahead(150, 100)),
    );
    let gone = Mismatch::SlotGone { offset: lsn(100), stored_name: Some("s".into()) };
    check("dropped", offset(), None, server(), Fit::Mismatch(gone));

    check("version before, orderly stop", old(), slot(100), server(), Fit::Fits(lsn(100)));
    check("version before, killed", old(), slot(150), server(), Fit::Uncertain(ahead(150, 100)));
    check("Debezium, orderly stop", debeziums(), slot(100), server(), Fit::Fits(lsn(100)));
    check(
        "Debezium, connector_and_driver",
        debeziums(),
        slot(104),
        server(),
        Fit::Uncertain(ahead(104, 100)),
    );
    check("Debezium, made anew", debeziums(), slot(150), server(), Fit::Mismatch(ahead(150, 100)));

    let elsewhere = |database: &str| Server { database: database.into(), ..server() };
    let foreign =
        |here: &str| Fit::Mismatch(Mismatch::OtherDatabase { stored: "7/5".into(), here: here.into() });
    check("upgraded", offset(), slot(100), elsewhere("8/5"), foreign("8/5"));
    check("same name, made anew", offset(), slot(100), elsewhere("7/6"), foreign("7/6"));
    check("upgraded, no slot", offset(), None, elsewhere("8/5"), foreign("8/5"));

    check("promoted in time", offset(), slot(80), promoted(120), Fit::Fits(lsn(100)));
    check("promoted when only idle WAL was missing", offset(), slot(80), promoted(95), Fit::Fits(lsn(95)));
    check("the same, slot made anew there", offset(), slot(98), promoted(95), Fit::Mismatch(ahead(98, 95)));
    check("promoted behind", offset(), slot(80), promoted(85), Fit::Mismatch(other(90, Some(lsn(85)))));
    let (commit, message) = (|n| once(Point::commit(lsn(n))), |n| once(Point::ended(lsn(n))));
    check(
        "commit record cut off",
        commit(85),
        slot(80),
        promoted(85),
        Fit::Mismatch(other(85, Some(lsn(85)))),
    );
    check("commit record whole", commit(84), slot(80), promoted(85), Fit::Fits(lsn(85)));
    check("message whole", message(85), slot(80), promoted(85), Fit::Fits(lsn(85)));
    check("message cut off", message(86), slot(80), promoted(85), Fit::Mismatch(other(86, Some(lsn(85)))));
    let strange = Server { timeline: 3, history: vec![(1, lsn(150))], ..server() };
    check("a branch that left before", offset(), slot(80), strange, Fit::Mismatch(other(90, None)));
    let back = Server { timeline: 1, history: vec![], ..server() };
    let expect = Mismatch::OtherTimeline { offset: lsn(90), timeline: 2, here: 1, left: None };
    check("back on the old primary", offset(), slot(80), back, Fit::Mismatch(expect));

    check("set back", offset(), slot(60), at(80), Fit::Mismatch(behind(90, 80)));
    check("set back by idle WAL alone", offset(), slot(60), at(95), Fit::Fits(lsn(100)));
    check("set back, exactly once", commit(80), slot(60), at(80), Fit::Mismatch(behind(80, 80)));
    check("set back, version before", old(), slot(60), at(80), Fit::Mismatch(behind(100, 80)));
    let standby = Server { in_recovery: true, ..at(80) };
    check("a standby that restarted", offset(), slot(60), standby, Fit::NotYet { replayed: lsn(80) });
}

#[test]
fn strategies_say_what_is_accepted() {
    use MismatchStrategy::{NoValidation, TrustGreaterLsn, TrustOffset, TrustSlot};
    let ahead = Mismatch::SlotAhead { slot: lsn(2), offset: lsn(1) };
    let behind = Mismatch::ServerBehind { offset: lsn(2), server: lsn(1) };
    let gone = Mismatch::SlotGone { offset: lsn(1), stored_name: None };
    let check = |mismatch: &Mismatch, expect: [bool; 4]| {
        let found =
            [NoValidation, TrustOffset, TrustSlot, TrustGreaterLsn].map(|s| mismatch.is_accepted(s, true));
        assert_eq!(found, expect, "{mismatch:?}");
    };
    check(&ahead, [false, false, true, true]);
    check(&behind, [false, false, true, false]);
    check(&gone, [false, false, true, true]);
    check(&Mismatch::Lost { reason: None }, [false; 4]);
    assert!(ahead.is_accepted(NoValidation, false) && behind.is_accepted(TrustOffset, false));
    assert!(!Mismatch::Lost { reason: None }.is_accepted(TrustSlot, false), "nothing can be read from it");
}

#[test]
fn errors_name_slot_positions_and_both_ways_out() {
    let mismatches = [
        Mismatch::SlotGone { offset: lsn(0xA1), stored_name: Some("old".into()) },
        Mismatch::SlotAhead { slot: lsn(0xB2), offset: lsn(0xA1) },
        Mismatch::OtherDatabase { stored: "7/5".into(), here: "8/5".into() },
        Mismatch::OtherTimeline { offset: lsn(0xA1), timeline: 1, here: 2, left: Some(lsn(0xB2)) },
        Mismatch::ServerBehind { offset: lsn(0xA1), server: lsn(0xB2) },
    ];
    for mismatch in mismatches {
        let (text, hint) = (mismatch.describe("my_slot"), mismatch.remedy("my_slot"));
        assert!(text.contains("my_slot"), "{text}");
        assert!(hint.contains("snapshot.mode=when_needed") && hint.contains("trust_slot"), "{hint}");
        let position = matches!(mismatch, Mismatch::OtherDatabase { .. }) || text.contains("0/A1");
        assert!(position, "{text}");
    }
    let lost = |reason: Option<&str>| Mismatch::Lost { reason: reason.map(str::to_owned) }.describe("s");
    assert!(
        lost(None).contains("max_slot_wal_keep_size")
            && lost(Some("wal_removed")).contains("max_slot_wal_keep_size")
    );
    for reason in ["idle_timeout", "rows_removed", "wal_level_insufficient", "something_new"] {
        assert!(!lost(Some(reason)).contains("max_slot_wal_keep_size"), "{reason}");
    }
    assert!(lost(Some("idle_timeout")).contains("idle_replication_slot_timeout"));
}
