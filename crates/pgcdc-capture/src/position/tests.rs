//! Position and skipping against a model of server and broker that is crashed at any step.
//!
//! The server lays records into its WAL, with or without a gap between them, and sends from what
//! was confirmed; a session writes what is due into an open Kafka transaction and ends it anywhere
//! between two changes; a crash forgets what is not committed, and may come before or after a
//! commit that is under way. In the end the broker must hold every change once, in order. Offsets
//! go through the form in which they are stored, that of the version before among them.

use pgcdc_event::Lsn;
use proptest::prelude::*;

use super::{Open, Point, Position, Reached};
use crate::offsets::Offset;

/// One record that the server's stream comes from.
#[derive(Clone, Copy, Debug)]
enum Item {
    /// A transaction of so many changes.
    Transaction(u8),
    /// A message outside of any.
    Message,
    /// A message whose prefix is not captured.
    Filtered,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The session reads so many events.
    Read(u8),
    /// The server says that it has nothing more up to here.
    KeepAlive,
    /// The session begins to end the Kafka transaction.
    End,
    /// The broker commits what is being ended.
    Commit,
    /// What is committed is confirmed to the server.
    Confirm,
    /// The process dies; a new one fences it, and finds what is committed. `old`: as the version
    /// before wrote it.
    Crash { old: bool },
}

/// What the server sends, one by one.
#[derive(Clone, Copy, Debug)]
enum Event {
    Begin(Lsn),
    Change(u64),
    Commit(Lsn),
    Message(Lsn, u64),
    Filtered,
}

/// An event, and where the WAL record starts and ends that the server sends it for.
#[derive(Clone, Copy, Debug)]
struct Sent {
    start: Lsn,
    end: Lsn,
    event: Event,
}

/// The whole history. Each item comes with the gap before it: changes of other transactions, or nothing.
fn history(items: &[(Item, u8)]) -> Vec<Sent> {
    let (mut events, mut number, mut wal) = (Vec::new(), 0, 100);
    for (item, gap) in items {
        let start = Lsn::new(wal + u64::from(*gap));
        let end = Lsn::new(start.as_u64() + 5);
        wal = end.as_u64();
        let mut add = |event| events.push(Sent { start, end, event });
        let mut change = || {
            number += 1;
            number
        };
        match item {
            Item::Message => add(Event::Message(end, change())),
            Item::Filtered => add(Event::Filtered),
            Item::Transaction(changes) => {
                add(Event::Begin(start));
                (0..*changes).for_each(|_| add(Event::Change(change())));
                add(Event::Commit(end));
            }
        }
    }
    events
}

/// Broker, server and process.
struct World {
    history: Vec<Sent>,
    committed: Vec<u64>,
    offset: Reached,
    confirmed: Lsn,
    // The process.
    position: Position,
    next: usize,
    open: Vec<u64>,
    ending: Option<(Vec<u64>, Reached)>,
}

impl World {
    fn new(items: &[(Item, u8)]) -> Self {
        Self {
            history: history(items),
            committed: Vec::new(),
            offset: Reached::default(),
            confirmed: Lsn::ZERO,
            position: Position::default(),
            next: 0,
            open: Vec::new(),
            ending: None,
        }
    }

    fn read(&mut self) -> bool {
        let Some(sent) = self.history.get(self.next) else { return false };
        self.next += 1;
        match sent.event {
            Event::Begin(commit) => self.position.begin(commit),
            Event::Commit(end) => self.position.commit(end),
            Event::Change(number) => self.change(number),
            Event::Message(end, number) => {
                self.position.outside(end);
                self.change(number);
            }
            Event::Filtered => {}
        }
        true
    }

    fn change(&mut self, number: u64) {
        if self.position.is_due() {
            self.open.push(number);
        }
        self.position.change();
    }

    /// Only between two transactions, as the server does.
    fn keep_alive(&mut self) {
        let Some(before) = self.next.checked_sub(1).and_then(|at| self.history.get(at)) else { return };
        if !matches!(before.event, Event::Begin(_) | Event::Change(_)) {
            self.position.idle(before.end);
        }
    }

    fn end(&mut self) {
        if self.ending.is_none() {
            self.ending = Some((std::mem::take(&mut self.open), self.position.reached()));
        }
    }

    fn commit(&mut self) {
        if let Some((records, reached)) = self.ending.take() {
            self.committed.extend(records);
            self.offset = reached;
        }
    }

    /// Never more is confirmed than what is committed.
    fn confirm(&mut self) {
        self.confirmed = self.confirmed.max(self.offset.end);
    }

    fn crash(&mut self, old: bool) {
        self.open.clear();
        self.ending = None;
        self.position = Position::new(stored(self.offset, old));
        self.next = self.history.iter().take_while(|sent| sent.start < self.confirmed).count();
    }
}

/// What a new process reads of an offset that was written.
fn stored(reached: Reached, old: bool) -> Reached {
    let lsn = reached.end;
    let offset = Offset {
        snapshot_completed: true,
        lsn,
        written: lsn,
        home: None,
        reached: Some(reached),
        taken_over: None,
    };
    let mut value = offset.to_json(0);
    if old {
        let map = value.as_object_mut().expect("an object");
        map.remove("pgcdc_done_kind");
        // It moved `lsn` at commits alone.
        let lsn = if reached.done.is_commit() { reached.done.lsn().as_u64() + 5 } else { 0 };
        map.insert("lsn".into(), lsn.into());
    }
    Offset::from_json(&value).and_then(|offset| offset.reached).expect("an offset with a position")
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1_u8..9).prop_map(Step::Read),
        2 => Just(Step::KeepAlive),
        4 => Just(Step::End),
        4 => Just(Step::Commit),
        2 => Just(Step::Confirm),
        2 => any::<bool>().prop_map(|old| Step::Crash { old }),
    ];
    prop::collection::vec(step, 0..120)
}

fn items() -> impl Strategy<Value = Vec<(Item, u8)>> {
    let item = prop_oneof![
        4 => (0_u8..5).prop_map(Item::Transaction),
        1 => Just(Item::Transaction(40)),
        3 => Just(Item::Message),
        1 => Just(Item::Filtered),
    ];
    prop::collection::vec((item, prop_oneof![2 => Just(0_u8), 1 => 1_u8..9]), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_change_is_committed_once_and_in_order(items in items(), steps in steps()) {
        let mut world = World::new(&items);
        for step in steps {
            match step {
                Step::Read(count) => {
                    for _ in 0..count {
                        world.read();
                    }
                }
                Step::KeepAlive => world.keep_alive(),
                Step::End => world.end(),
                Step::Commit => world.commit(),
                Step::Confirm => world.confirm(),
                Step::Crash { old } => world.crash(old),
            }
            let count = world.committed.len() as u64;
            prop_assert!(world.committed.iter().copied().eq(1..=count), "{:?}", world.committed);
        }
        world.commit();
        while world.read() {}
        world.end();
        world.commit();
        let all = world.history.iter().filter(|sent| matches!(sent.event, Event::Change(_) | Event::Message(..)));
        prop_assert!(world.committed.iter().copied().eq(1..=all.count() as u64), "{:?}", world.committed);
    }
}

#[test]
fn a_transaction_that_is_written_in_part_goes_on_where_it_stood() {
    let (before, commit) = (Lsn::new(90), Lsn::new(100));
    let open = Some(Open { commit, changes: 2 });
    let mut position = Position::new(Reached { done: Point::commit(before), end: Lsn::new(95), open });
    assert!(position.is_due(), "a heartbeat before the first transaction is written");
    position.begin(before);
    assert!(!position.is_due());
    position.change();
    position.commit(Lsn::new(95));
    position.outside(commit);
    assert!(
        !position.is_due(),
        "a message that ends where the open transaction's commit record starts came before it"
    );
    position.change();
    position.begin(commit);
    let due: Vec<bool> = (0..4)
        .map(|_| {
            assert_eq!(position.reached().open.map(|open| open.commit), Some(commit));
            let due = position.is_due();
            position.change();
            due
        })
        .collect();
    assert_eq!(due, [false, false, true, true]);
    assert!(position.is_half_written());
    assert_eq!(position.reached().open, Some(Open { commit, changes: 4 }));
    position.commit(Lsn::new(105));
    assert_eq!(position.reached(), Reached { done: Point::commit(commit), end: Lsn::new(105), open: None });
}

/// `BEGIN; INSERT …; SELECT pg_logical_emit_message(false, …); COMMIT`: the commit record starts
/// where the message ends.
#[test]
fn a_transaction_that_ends_right_after_a_message_is_due() {
    let mut position = Position::default();
    for at in (100..200).step_by(10).map(Lsn::new) {
        position.outside(at);
        assert!(position.is_due(), "the message at {at}");
        position.change();
        assert!(!position.reached().done.is_commit());
        position.begin(at);
        assert!(position.is_due(), "the transaction at {at}");
        position.change();
        position.commit(Lsn::new(at.as_u64() + 5));
        assert_eq!(position.reached().done, Point::commit(at));
    }
}

#[test]
fn points_are_in_the_order_of_the_stream() {
    let (commit, ended) = (|at| Point::commit(Lsn::new(at)), |at| Point::ended(Lsn::new(at)));
    let stream = [ended(10), commit(10), ended(20), ended(30), commit(30), commit(40)];
    assert!(stream.is_sorted_by(|a, b| a < b), "{stream:?}");
    assert!(commit(10).is_within(Lsn::new(11)) && !commit(10).is_within(Lsn::new(10)));
    assert!(ended(10).is_within(Lsn::new(10)) && !ended(10).is_within(Lsn::new(9)));
}
