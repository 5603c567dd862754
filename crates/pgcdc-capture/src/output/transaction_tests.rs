//! Position and skipping against a model of server and broker that is crashed at any step.
//!
//! The server sends its history from what was confirmed; a session writes what is due into an open Kafka transaction and
//! ends it anywhere between two changes; a crash forgets what is not committed, and may come before or after a commit
//! that is under way. In the end the broker must hold every change once, in order.

use pgcdc_event::Lsn;
use proptest::prelude::*;

use super::transaction_position::{Open, Position, Reached};

/// One thing in the server's stream.
#[derive(Clone, Copy, Debug)]
enum Item {
    /// A transaction of so many changes.
    Transaction(u8),
    /// A message outside of any.
    Message,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The session reads so many events.
    Read(u8),
    /// It begins to end the Kafka transaction.
    End,
    /// The broker commits what is being ended.
    Commit,
    /// What is committed is confirmed to the server.
    Confirm,
    /// The process dies; a new one fences it, and finds what is committed.
    Crash,
}

/// What the server sends, one by one.
#[derive(Clone, Copy, Debug)]
enum Event {
    Begin(Lsn),
    Change(u64),
    Commit(Lsn),
    Message(Lsn, u64),
}

/// The whole history: events, each with the position from which the server would send its transaction.
fn history(items: &[Item]) -> Vec<(Lsn, Event)> {
    let (mut events, mut number) = (Vec::new(), 0);
    for (at, item) in items.iter().enumerate() {
        let commit = Lsn::new(100 + 10 * at as u64);
        let end = Lsn::new(commit.as_u64() + 5);
        let mut change = || {
            number += 1;
            number
        };
        match item {
            Item::Message => events.push((end, Event::Message(commit, change()))),
            Item::Transaction(changes) => {
                events.push((end, Event::Begin(commit)));
                events.extend((0..*changes).map(|_| (end, Event::Change(change()))));
                events.push((end, Event::Commit(end)));
            }
        }
    }
    events
}

/// Broker, server and process.
struct World {
    history: Vec<(Lsn, Event)>,
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
    fn new(items: &[Item]) -> Self {
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
        let Some((_, event)) = self.history.get(self.next) else { return false };
        self.next += 1;
        match *event {
            Event::Begin(commit) => self.position.begin(commit),
            Event::Commit(end) => self.position.commit(end),
            Event::Change(number) => self.change(number),
            Event::Message(at, number) => {
                self.position.outside(at);
                self.change(number);
            }
        }
        true
    }

    fn change(&mut self, number: u64) {
        if self.position.is_due() {
            self.open.push(number);
        }
        self.position.change();
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

    /// The ledger confirms ends of transactions, never more than what is committed.
    fn confirm(&mut self) {
        self.confirmed = self.confirmed.max(self.offset.end);
    }

    fn crash(&mut self) {
        self.open.clear();
        self.ending = None;
        self.position = Position::new(self.offset);
        self.next = self.history.iter().take_while(|(end, _)| *end <= self.confirmed).count();
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1_u8..9).prop_map(Step::Read),
        4 => Just(Step::End),
        4 => Just(Step::Commit),
        2 => Just(Step::Confirm),
        2 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 0..120)
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop_oneof![4 => (0_u8..5).prop_map(Item::Transaction), 1 => Just(Item::Transaction(40)), 1 => Just(Item::Message)];
    prop::collection::vec(item, 1..20)
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
                Step::End => world.end(),
                Step::Commit => world.commit(),
                Step::Confirm => world.confirm(),
                Step::Crash => world.crash(),
            }
            let count = world.committed.len() as u64;
            prop_assert!(world.committed.iter().copied().eq(1..=count), "{:?}", world.committed);
        }
        world.commit();
        while world.read() {}
        world.end();
        world.commit();
        let all = world.history.iter().filter(|(_, event)| matches!(event, Event::Change(_) | Event::Message(..)));
        prop_assert!(world.committed.iter().copied().eq(1..=all.count() as u64), "{:?}", world.committed);
    }
}

#[test]
fn a_transaction_that_is_written_in_part_goes_on_where_it_stood() {
    let (before, commit) = (Lsn::new(90), Lsn::new(100));
    let open = Some(Open { commit, changes: 2 });
    let mut position = Position::new(Reached { done: before, end: Lsn::new(95), open });
    assert!(position.is_due(), "a heartbeat before the first transaction is written");
    position.begin(before);
    assert!(!position.is_due());
    position.change();
    position.commit(Lsn::new(95));
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
    assert_eq!(position.reached(), Reached { done: commit, end: Lsn::new(105), open: None });
}
