//! The order against a model of a database: transactions that interleave in the WAL and commit one after the other.

use std::collections::{BTreeMap, HashMap};

use pgcdc_format::decode::{Change, Decoder};
use proptest::prelude::*;

use super::history::{Fall, History};
use super::place::Place;
use super::ties::Ties;
use super::*;

/// What one record says.
#[derive(Clone, Debug)]
struct Said {
    key: u8,
    /// The row's new value; `None` for a delete.
    value: Option<u32>,
    lsn: u64,
    last_commit: Option<u64>,
    commit_us: i64,
    snapshot: bool,
}

impl Said {
    fn text(&self) -> String {
        let last_commit = self.last_commit.map_or("null".to_owned(), |lsn| format!(r#"\"{lsn}\""#));
        let (op, row, marker) = match (self.snapshot, self.value) {
            (true, value) => ("r", value, "true"),
            (false, None) => ("d", None, "false"),
            (false, value) => ("u", value, "false"),
        };
        let row = row.map_or("null".to_owned(), |value| format!(r#"{{"v":{value}}}"#));
        format!(
            r#"{{"before":null,"after":{row},"op":"{op}","source":{{"name":"p","db":"d","snapshot":"{marker}","sequence":"[{last_commit},\"{lsn}\"]","lsn":{lsn},"ts_us":{us}}}}}"#,
            lsn = self.lsn,
            us = self.commit_us
        )
    }

    fn key(&self) -> String {
        format!(r#"{{"k":{}}}"#, self.key)
    }
}

fn with_change<T>(said: &Said, look: impl FnOnce(&[u8], &Change<'_>) -> T) -> T {
    let (key, text) = (said.key(), said.text());
    let change = Decoder::default().decode(Some(key.as_bytes()), Some(text.as_bytes())).expect("decodes");
    look(key.as_bytes(), &change)
}

/// A store that keeps, for each key, the value with the highest order. Timestamps and digits are compared alike.
#[derive(Debug, Default)]
struct Store {
    rows: HashMap<u8, (i64, Option<u32>)>,
    /// The same with Redis' digits, where an equal one wins.
    digits: HashMap<u8, (Vec<u8>, Option<u32>)>,
}

impl Store {
    /// As Cassandra: on equal timestamps a delete wins, else the greater value.
    fn write(&mut self, said: &Said, order: &Order) {
        let timestamp = order.timestamp(10);
        let row = self.rows.entry(said.key).or_insert((i64::MIN, None));
        let wins = match timestamp.cmp(&row.0) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => said.value.is_none() || (row.1.is_some() && said.value > row.1),
            std::cmp::Ordering::Less => false,
        };
        if wins {
            *row = (timestamp, said.value);
        }
        let mut digits = Vec::new();
        order.digits(&mut digits);
        let row = self.digits.entry(said.key).or_default();
        if digits >= row.0 {
            *row = (digits, said.value);
        }
    }

    fn rows(&self) -> BTreeMap<u8, u32> {
        self.rows.iter().filter_map(|(key, (_, value))| Some((*key, (*value)?))).collect()
    }

    fn rows_by_digits(&self) -> BTreeMap<u8, u32> {
        self.digits.iter().filter_map(|(key, (_, value))| Some((*key, (*value)?))).collect()
    }
}

/// What a transaction does, next to others.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write { transaction: u8, key: u8, delete: bool },
    Commit { transaction: u8 },
}

/// The stream of a history, in commit order, and the table that it leads to. No lock keeps two transactions from writing
/// one key: deferrable keys and unique constraints let them, and the order must not rely on locks.
fn stream(steps: &[Step], first_commit: Option<u64>) -> (Vec<Said>, BTreeMap<u8, u32>) {
    let (mut lsn, mut last_commit, mut value, mut time) = (1_000_u64, first_commit, 0_u32, 0_i64);
    let mut open: HashMap<u8, Vec<Said>> = HashMap::new();
    let (mut said, mut table) = (Vec::new(), BTreeMap::new());
    for step in steps {
        // Positions are multiples of eight, and no record is shorter than 24 bytes.
        lsn += 24 + 8 * u64::from(value % 5);
        value += 1;
        match *step {
            Step::Write { transaction, key, delete } => {
                let value = (!delete).then_some(value);
                let change = Said { key, value, lsn, last_commit: None, commit_us: 0, snapshot: false };
                open.entry(transaction).or_default().push(change);
            }
            Step::Commit { transaction } => {
                time += 10;
                for mut change in open.remove(&transaction).unwrap_or_default() {
                    (change.last_commit, change.commit_us) = (last_commit, time);
                    match change.value {
                        Some(value) => drop(table.insert(change.key, value)),
                        None => drop(table.remove(&change.key)),
                    }
                    said.push(change);
                }
                lsn += 40;
                last_commit = Some(lsn);
            }
        }
    }
    (said, table)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (0_u8..4, 0_u8..4, any::<bool>()).prop_map(|(transaction, key, delete)| Step::Write {
        transaction,
        key,
        delete,
    });
    let commit = (0_u8..4).prop_map(|transaction| Step::Commit { transaction });
    prop::collection::vec(prop_oneof![4 => write, 1 => commit], 1..120)
}

/// Brings records into the store, in order.
fn bring(store: &mut Store, history: &mut History, offset: &mut i64, records: &[Said]) {
    for said in records {
        let order = with_change(said, |key, change| history.mark(*offset, Some(key), change));
        store.write(said, &order.expect("no fall").expect("a position"));
        *offset += 1;
    }
}

proptest! {
    /// The last write of each key in commit order wins: in order, after a repeat of a suffix by capture (from the start of
    /// a transaction, where the end of the commit before may be another position between the same two), after restarts of
    /// the sink that repeat what was not committed, and after a replay of all by a fresh sink into the same store.
    #[test]
    fn the_last_commit_wins_whatever_is_repeated(
        steps in steps(),
        cut in any::<prop::sample::Index>(),
        restarts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let (records, table) = stream(&steps, Some(900));
        prop_assume!(!records.is_empty());
        // Capture repeats whole transactions, up to the end, after having got into the midst of one.
        let cut = cut.index(records.len());
        let begin = records.iter().position(|said| said.commit_us == records[cut].commit_us).unwrap_or(0);
        let mut repeated: Vec<Said> = records[begin..].to_vec();
        for said in repeated.iter_mut().filter(|said| said.commit_us == records[cut].commit_us) {
            said.last_commit = said.last_commit.map(|lsn| lsn + 8);
        }
        let topic: Vec<Said> = records[..=cut].iter().chain(&repeated).cloned().collect();
        let mut store = Store::default();
        let (mut history, mut offset) = (History::default(), 0);
        let mut stops: Vec<usize> = restarts.iter().map(|at| at.index(topic.len())).collect();
        stops.sort_unstable();
        let mut committed = (0, String::new());
        for stop in stops {
            let from = usize::try_from(offset).expect("small");
            if stop < from { continue; }
            bring(&mut store, &mut history, &mut offset, &topic[from..stop]);
            // Some of it was committed: half of the way, with the bookmark of there.
            let half = committed.0 + (stop - committed.0) / 2;
            let mut again = History::resume(Some(&committed.1), NewHistory::Stop);
            let mut ignored = (Store::default(), i64::try_from(committed.0).expect("small"));
            bring(&mut ignored.0, &mut again, &mut ignored.1, &topic[committed.0..half]);
            committed = (half, again.bookmark());
            history = History::resume(Some(&committed.1), NewHistory::Stop);
            offset = i64::try_from(half).expect("small");
        }
        let from = usize::try_from(offset).expect("small");
        bring(&mut store, &mut history, &mut offset, &topic[from..]);
        prop_assert_eq!(store.rows(), table.clone());
        prop_assert_eq!(store.rows_by_digits(), table.clone());
        // Another group reads all of it again.
        let (mut history, mut offset) = (History::default(), 0);
        bring(&mut store, &mut history, &mut offset, &topic);
        prop_assert_eq!(store.rows(), table.clone());
        prop_assert_eq!(store.rows_by_digits(), table);
    }

    /// Across transactions a record alone says the order: partitions and batches may come in any.
    #[test]
    fn positions_of_two_transactions_compare_as_their_commits(steps in steps()) {
        let (records, _) = stream(&steps, Some(900));
        let places: Vec<(i64, u64)> = records
            .iter()
            .map(|said| (said.commit_us, with_change(said, |_, change| Place::of(change, None).expect("one").position)))
            .collect();
        for (one, other) in places.iter().zip(places.iter().skip(1)) {
            prop_assert!(one.0 == other.0 || one.1 < other.1, "{one:?} {other:?}");
        }
    }

    /// A database that is restored and writes on at lower positions is noticed at its first change; a bookmark knows it,
    /// too. Told to go on, its changes win.
    #[test]
    fn another_history_is_noticed_and_can_be_taken_on(before in steps(), after in steps(), restart in any::<bool>()) {
        let (old, mut table) = stream(&before, Some(900));
        let (mut new, end) = stream(&after, Some(100));
        prop_assume!(!old.is_empty() && !new.is_empty());
        let far = 1_000_000;
        let old: Vec<Said> = old
            .into_iter()
            .map(|said| Said { lsn: said.lsn + far, last_commit: said.last_commit.map(|lsn| lsn + far), ..said })
            .collect();
        for said in &mut new {
            said.commit_us += 1_000_000;
        }
        let (mut store, mut history, mut offset) = (Store::default(), History::default(), 0);
        bring(&mut store, &mut history, &mut offset, &old);
        for policy in [NewHistory::Stop, NewHistory::Continue] {
            let bookmark = history.bookmark();
            if restart || policy == NewHistory::Continue {
                history = History::resume(Some(&bookmark), policy);
            }
            if policy == NewHistory::Stop {
                let fell = with_change(&new[0], |key, change| history.mark(offset, Some(key), change));
                prop_assert!(matches!(fell, Err(Fall::Positions { .. })), "{fell:?}");
            }
        }
        bring(&mut store, &mut history, &mut offset, &new);
        for said in &new {
            table.remove(&said.key);
        }
        table.extend(end);
        prop_assert_eq!(store.rows(), table.clone());
        prop_assert_eq!(store.rows_by_digits(), table);
    }

    #[test]
    fn ranks_rise_for_every_key_and_a_resumed_count_is_never_lower(
        keys in prop::collection::vec(0_u8..6, 1..60), most in 1_usize..5, stop in any::<prop::sample::Index>(),
    ) {
        let stop = stop.index(keys.len());
        let (mut ties, mut left) = (Ties::with_stretches_of(most), (0, 0));
        let mut ranks = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            if at == stop {
                left = ties.last();
            }
            ranks.push(ties.rank(7, &[*key]));
        }
        for at in 0..keys.len() {
            prop_assert!((at + 1..keys.len()).all(|later| keys[at] != keys[later] || ranks[at] < ranks[later]));
        }
        let mut resumed = Ties::resume(left.0, left.1).with_most(most);
        for (key, rank) in keys[stop..].iter().zip(&ranks[stop..]) {
            prop_assert!(resumed.rank(7, &[*key]) >= *rank);
        }
    }
}

fn said(lsn: u64, last_commit: Option<u64>) -> Said {
    Said { key: 1, value: Some(1), lsn, last_commit, commit_us: 0, snapshot: false }
}

/// A5 of the field's cases: T2 inserts at 100 and waits, T1 deletes at 200 and commits, T2 commits.
#[test]
fn an_insert_that_waited_is_above_the_delete_that_it_waited_for() {
    let mut history = History::default();
    let delete = Said { value: None, ..said(200, Some(40)) };
    let insert = said(100, Some(248));
    let order = |history: &mut History, offset, said: &Said| {
        with_change(said, |key, change| history.mark(offset, Some(key), change))
            .expect("no fall")
            .expect("one")
    };
    let (delete, insert) = (order(&mut history, 0, &delete), order(&mut history, 1, &insert));
    assert!(insert.timestamp(10) > delete.timestamp(10));
    assert!(insert.timestamp(0) > delete.timestamp(0));
}

/// The first transaction after a snapshot says no commit before, and may have begun before the snapshot.
#[test]
fn a_change_of_before_a_snapshot_that_committed_after_it_is_above_the_snapshots_row() {
    let order = |history: &mut History, offset, said: &Said| {
        with_change(said, |key, change| history.mark(offset, Some(key), change))
            .expect("no fall")
            .expect("one")
    };
    let read = Said { snapshot: true, ..said(1_000, None) };
    for last_commit in [None, Some(1_000)] {
        let mut history = History::default();
        let snapshot = order(&mut history, 0, &read);
        let change = order(&mut history, 1, &said(900, last_commit));
        assert!(change.timestamp(10) > snapshot.timestamp(10), "{change:?}");
        let next = order(&mut history, 2, &said(1_200, Some(1_100)));
        assert!(next.timestamp(10) > change.timestamp(10));
    }
}

/// After an interrupted snapshot the stream begins where that one stood: what it says is older than the second's rows.
#[test]
fn changes_between_two_snapshots_are_below_the_rows_of_the_second() {
    let mut history = History::default();
    let mut order = |offset, said: Said| {
        with_change(&said, |key, change| history.mark(offset, Some(key), change))
            .expect("no fall")
            .expect("one")
    };
    order(0, Said { snapshot: true, ..said(1_000, None) });
    let second = order(1, Said { snapshot: true, commit_us: 50, ..said(2_000, None) });
    let between = order(2, Said { commit_us: 49, ..said(1_500, None) });
    let behind = order(3, Said { commit_us: 60, ..said(2_500, Some(2_400)) });
    assert!(between.timestamp(10) < second.timestamp(10) && second.timestamp(10) < behind.timestamp(10));
}

#[test]
fn timestamps_fill_63_bits_and_no_more() {
    let order = |position, kind, rank| Order { position, change: 0, kind, rank };
    assert_eq!(order(1, Kind::Own, 9).timestamp(10), 1024);
    assert_eq!(order(1, Kind::Tied, 9).timestamp(10), 1033);
    assert_eq!(order(1, Kind::Tied, u32::MAX).timestamp(10), 1024 + 24 * 1024 - 1, "below what follows");
    assert_eq!(order(999, Kind::Snapshot, 0).timestamp(10), 1_000 * 1024 - 1);
    assert_eq!(order(u64::MAX - 1, Kind::Snapshot, 0).timestamp(10), i64::MAX);
    assert_eq!(order((1 << 53) - 1, Kind::Own, 0).timestamp(10), ((1_i64 << 53) - 1) << 10);
    assert_eq!(order(1 << 53, Kind::Own, 0).timestamp(10), i64::MAX);
}

#[test]
fn another_database_in_the_same_topic_is_noticed_and_a_second_one_above_is_not() {
    let mut history = History::default();
    let mark = |history: &mut History, offset, db: &str, lsn| {
        let text = said(lsn, Some(lsn - 50)).text().replace(r#""db":"d""#, &format!(r#""db":"{db}""#));
        let change = Decoder::default().decode(Some(b"{\"k\":1}"), Some(text.as_bytes())).expect("decodes");
        history.mark(offset, Some(b"k"), &change)
    };
    assert!(mark(&mut history, 0, "a", 5_000).is_ok());
    assert_eq!(mark(&mut history, 1, "b", 500), Err(Fall::Source { here: 500, known: 5_000 }));
    assert!(mark(&mut history, 1, "c", 9_000).is_ok());
    assert!(mark(&mut history, 2, "a", 5_100).is_ok(), "its own positions rise");
    assert_eq!(mark(&mut history, 1, "a", 5_200), Err(Fall::Topic), "an offset that was there already");
}

#[test]
fn a_bookmark_of_somebody_else_is_none() {
    for text in ["", "x", "[]", "{\"v\":3}"] {
        let mut history = History::resume(Some(text), NewHistory::Stop);
        assert!(
            with_change(&said(5, None), |key, change| history.mark(0, Some(key), change)).is_ok(),
            "{text}"
        );
        assert!(history.bookmark().len() < 300);
    }
}
