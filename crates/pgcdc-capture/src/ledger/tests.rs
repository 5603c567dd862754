use proptest::prelude::*;

use super::*;

/// What can happen to a ledger.
#[derive(Clone, Debug)]
enum Step {
    Begin,
    Record,
    Commit,
    Idle,
    /// Delivers the n-th (modulo) of the records in flight.
    Deliver(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Begin),
        6 => Just(Step::Record),
        3 => Just(Step::Commit),
        2 => Just(Step::Idle),
        6 => any::<usize>().prop_map(Step::Deliver),
    ];
    proptest::collection::vec(step, 0..200)
}

/// A slow model: a list of transactions with their undelivered records.
#[derive(Default)]
struct Model {
    done: Vec<(Lsn, Vec<u64>)>,
    open: Vec<u64>,
    confirmed: Lsn,
}

impl Model {
    fn close(&mut self, end: Lsn) {
        self.done.push((end, std::mem::take(&mut self.open)));
    }

    fn confirmed(&mut self) -> Lsn {
        let whole = self.done.iter().take_while(|(_, waiting)| waiting.is_empty()).count();
        for (end, _) in self.done.drain(..whole) {
            self.confirmed = self.confirmed.max(end);
        }
        self.confirmed
    }

    fn deliver(&mut self, record: u64) {
        for waiting in self.done.iter_mut().map(|(_, waiting)| waiting).chain([&mut self.open]) {
            waiting.retain(|&r| r != record);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// At every instant: exactly the longest delivered prefix is confirmed, no more (nothing is
    /// lost by a crash now) and no less (nothing is held back).
    #[test]
    fn confirms_exactly_the_delivered_prefix(steps in steps()) {
        let mut ledger = Ledger::new(Lsn::ZERO);
        let mut model = Model::default();
        let mut flying: Vec<(u64, Sequence)> = Vec::new();
        let (mut records, mut position) = (0, 0);
        for step in steps {
            match step {
                Step::Begin => ledger.begin(),
                Step::Record => {
                    flying.push((records, ledger.record()));
                    model.open.push(records);
                    records += 1;
                }
                Step::Commit => {
                    position += 10;
                    ledger.commit(Lsn::new(position));
                    model.close(Lsn::new(position));
                }
                Step::Idle => {
                    position += 1;
                    if !ledger.in_transaction() {
                        model.close(Lsn::new(position));
                    }
                    ledger.idle(Lsn::new(position));
                }
                Step::Deliver(_) if flying.is_empty() => {}
                Step::Deliver(n) => {
                    let (record, sequence) = flying.swap_remove(n % flying.len());
                    prop_assert_eq!(ledger.delivered(sequence), Ok(()));
                    model.deliver(record);
                }
            }
            prop_assert_eq!(ledger.confirmed(), model.confirmed());
            prop_assert_eq!(ledger.in_flight().records, flying.len() as u64);
            prop_assert!(!flying.is_empty() || ledger.in_flight().transactions == 0);
        }
        for (_, sequence) in flying.drain(..) {
            prop_assert_eq!(ledger.delivered(sequence), Ok(()));
        }
        ledger.commit(Lsn::new(position + 1));
        prop_assert_eq!(ledger.confirmed(), Lsn::new(position + 1));
    }

    /// A crash at any instant, a restart from what was confirmed: no record is lost, and what
    /// comes twice is a suffix of what was sent.
    #[test]
    fn a_crash_loses_nothing(sizes in proptest::collection::vec(0_usize..5, 1..40), order in any::<u64>(), crash in 0_usize..200) {
        let ends: Vec<Lsn> = (1..=sizes.len() as u64).map(|n| Lsn::new(n * 100)).collect();
        let mut durable: Vec<(usize, usize)> = Vec::new();
        let mut seed = order;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap_or(0) % below.max(1)
        };
        let mut ledger = Ledger::new(Lsn::ZERO);
        let mut flying = Vec::new();
        let mut steps = 0;
        'run: for (tx, &size) in sizes.iter().enumerate() {
            ledger.begin();
            for record in 0..size {
                flying.push(((tx, record), ledger.record()));
                if random(2) == 0 && !flying.is_empty() {
                    let (record, sequence) = flying.swap_remove(random(flying.len()));
                    prop_assert!(ledger.delivered(sequence).is_ok());
                    durable.push(record);
                }
                steps += 1;
                if steps == crash { break 'run; }
            }
            ledger.commit(ends[tx]);
        }
        let resume = ends.iter().position(|&end| end > ledger.confirmed()).unwrap_or(ends.len());
        for (tx, &size) in sizes.iter().enumerate().take(resume) {
            for record in 0..size {
                prop_assert!(durable.contains(&(tx, record)), "transaction {} was confirmed without record {}", tx, record);
            }
        }
    }
}

#[test]
fn an_unknown_delivery_is_refused() {
    let mut ledger = Ledger::new(Lsn::ZERO);
    let sequence = ledger.record();
    assert_eq!(ledger.delivered(Sequence(7)), Err(NotInFlight(Sequence(7))));
    assert_eq!(ledger.delivered(sequence), Ok(()));
    assert_eq!(ledger.delivered(sequence), Err(NotInFlight(sequence)), "twice");
    ledger.commit(Lsn::new(9));
    assert_eq!(ledger.delivered(sequence), Err(NotInFlight(sequence)), "after it was confirmed");
}

#[test]
fn idle_progress_waits_for_what_is_in_flight() {
    let mut ledger = Ledger::new(Lsn::ZERO);
    ledger.begin();
    let sequence = ledger.record();
    ledger.idle(Lsn::new(5));
    ledger.commit(Lsn::new(10));
    ledger.idle(Lsn::new(20));
    assert_eq!(ledger.confirmed(), Lsn::ZERO);
    assert_eq!(ledger.delivered(sequence), Ok(()));
    assert_eq!(ledger.confirmed(), Lsn::new(20));
}
