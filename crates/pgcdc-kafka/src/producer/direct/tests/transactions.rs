//! Transactions, against a coordinator that keeps Kafka's rules and answers as badly as the brokers.

use std::collections::HashSet;

use super::*;

pub(super) struct Coordinator {
    state: Mutex<State>,
    moods: Vec<Mood>,
    turn: AtomicU32,
}

#[derive(Default)]
struct State {
    epoch: i16,
    partitions: HashSet<(String, i32)>,
    /// How often it says yet that it writes the last one's end.
    busy: u32,
    commits: u32,
    /// The epoch of the transaction that ended last, under version 2.
    ended: Option<i16>,
}

impl Coordinator {
    pub(super) fn new(moods: &[Mood]) -> Self {
        Self { state: Mutex::default(), moods: moods.to_vec(), turn: AtomicU32::new(0) }
    }

    pub(super) fn epoch(&self) -> i16 {
        self.state.lock().unwrap().epoch
    }
}

impl Model {
    /// Answers a request with this key; `None` when the connection is to be cut.
    pub(super) fn coordinate(&self, key: i16, input: &mut Input<'_>, out: &mut Output) -> Option<()> {
        let turn = self.coordinator.turn.fetch_add(1, Ordering::Relaxed) as usize;
        let mood = self.coordinator.moods[turn % self.coordinator.moods.len()];
        let refusal = match mood {
            Mood::Deaf => return None,
            Mood::Refuse(code) => Some(code),
            Mood::Slow => {
                std::thread::sleep(Duration::from_millis(5));
                None
            }
            Mood::Well | Mood::Forget => None,
        };
        out.i32(0);
        match key {
            10 => self.find(input, refusal, out),
            22 => self.identify(input, refusal, out),
            24 => self.add(input, refusal, out),
            _ => self.end(input, refusal, out),
        }
        input.close();
        out.close();
        assert!(input.rest.is_empty());
        (mood != Mood::Forget).then_some(())
    }

    /// Adds a partition to the open transaction by its first batch, where transactions have version 2. The error code, if it does not
    /// belong to it then.
    pub(super) fn join(&self, topic: &str, partition: i32) -> Option<i16> {
        let mut state = self.coordinator.state.lock().unwrap();
        let partition = (topic.to_owned(), partition);
        if state.partitions.contains(&partition) {
            return None;
        }
        if self.release == Release::Old {
            return Some(48);
        }
        if state.busy > 0 {
            state.busy -= 1;
            return Some(51);
        }
        state.partitions.insert(partition);
        None
    }

    fn find(&self, input: &mut Input<'_>, refusal: Option<i16>, out: &mut Output) {
        let (new, error) = (self.release == Release::New, refusal.unwrap_or(0));
        let port = i32::from(self.port);
        if new {
            assert_eq!((input.bytes(1), input.count(), input.text().as_str()), (&[1][..], 1, "tx"));
            out.count(1).text("tx").i32(9).text("127.0.0.1").i32(port).i16(error).null().close();
        } else {
            assert_eq!((input.text().as_str(), input.bytes(1)), ("tx", &[1][..]));
            out.i16(error).null().i32(9).text("127.0.0.1").i32(port);
        }
    }

    fn identify(&self, input: &mut Input<'_>, refusal: Option<i16>, out: &mut Output) {
        let (id, _timeout) = (input.text(), input.i32());
        if self.release == Release::New {
            assert_eq!((input.i64(), input.i16()), (-1, -1));
        }
        let mut epoch = 3;
        if !id.is_empty() && refusal.is_none() {
            let mut state = self.coordinator.state.lock().unwrap();
            state.epoch += 1;
            state.ended = None;
            epoch = state.epoch;
            state.partitions.clear();
            for log in self.logs.lock().unwrap().values_mut() {
                log.values.truncate(log.committed);
                log.known.clear();
            }
        }
        out.i16(refusal.unwrap_or(0)).i64(77).i16(epoch);
    }

    fn add(&self, input: &mut Input<'_>, refusal: Option<i16>, out: &mut Output) {
        assert_eq!(self.release, Release::Old, "partitions join by themselves");
        assert_eq!((input.text().as_str(), input.i64()), ("tx", 77));
        let mut state = self.coordinator.state.lock().unwrap();
        let fenced = (input.i16() != state.epoch).then_some(90);
        let busy = (state.busy > 0).then_some(51);
        state.busy = state.busy.saturating_sub(1);
        let error = fenced.or(refusal).or(busy);
        let topics = input.count();
        out.count(topics);
        for _ in 0..topics {
            let (topic, count) = (input.text(), input.count());
            out.text(&topic).count(count);
            for _ in 0..count {
                let partition = input.i32();
                out.i32(partition).i16(error.unwrap_or(0));
                if error.is_none() {
                    state.partitions.insert((topic.clone(), partition));
                }
            }
        }
    }

    fn end(&self, input: &mut Input<'_>, refusal: Option<i16>, out: &mut Output) {
        let new = self.release == Release::New;
        assert_eq!((input.text().as_str(), input.i64()), ("tx", 77));
        let mut state = self.coordinator.state.lock().unwrap();
        let (epoch, commit) = (input.i16(), input.bytes(1) == [1]);
        // What is asked for twice, since an answer was lost, is done already: the epoch has moved on, or no partition is there.
        let again = new && state.ended == Some(epoch);
        let fenced = (epoch != state.epoch && !again).then_some(90);
        let error = fenced.or(refusal);
        if error.is_none() && !again {
            for log in self.logs.lock().unwrap().values_mut() {
                match commit {
                    true => log.committed = log.values.len(),
                    false => log.values.truncate(log.committed),
                }
            }
            if !state.partitions.is_empty() {
                state.partitions.clear();
                (state.commits, state.busy) = (state.commits + u32::from(commit), 2);
            }
            state.ended = Some(epoch);
            state.epoch += i16::from(new);
        }
        out.i16(error.unwrap_or(0));
        if new {
            out.i64(77).i16(state.epoch);
        }
    }
}

fn transactional(model: &Model, more: &[(&str, &str)]) -> Direct {
    let id = [("transactional.id", "tx")];
    let properties: Vec<_> = id.iter().chain(more).copied().collect();
    producer(model.port, &properties)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Sends records numbered from `first`, ends a transaction after each so many while it sends on.
fn drive(producer: &mut Direct, topics: &[usize], count: usize, each: usize) -> Result<(), Error> {
    let (headers, mut ending) = (headers(), false);
    let end = Instant::now() + Duration::from_secs(20);
    let wait = |producer: &mut Direct, ending: &mut bool| {
        while *ending {
            assert!(Instant::now() < end, "it does not end");
            *ending = !producer.has_ended()?;
        }
        Ok::<_, Error>(())
    };
    for handle in 0..count {
        let key = format!("{:05}", handle % 17);
        let value = format!("{key} {handle} {}", "x".repeat(handle % 300));
        let topic = topics[handle % topics.len()];
        while producer.send(
            topic,
            Placement::default(),
            Some(key.as_bytes()),
            Some(value.as_bytes()),
            &headers,
            handle,
        )? == Sent::Full
        {
            producer.wait(Duration::from_millis(1), &mut Vec::new())?;
            assert!(Instant::now() < end, "no room");
        }
        if handle % each == each - 1 {
            wait(producer, &mut ending)?;
            producer.commit();
            ending = true;
        }
    }
    wait(producer, &mut ending)
}

fn known(producer: &mut Direct, count: usize) -> Vec<usize> {
    (0..count).map(|number| producer.topic(&format!("t{number}"))).collect()
}

/// All committed and nothing besides.
fn check_committed(model: &Model, topics: usize, count: usize) {
    assert!(model.logs.lock().unwrap().values().all(|log| log.committed == log.values.len()));
    check(model, topics, count);
}

#[test]
fn each_transaction_is_committed_whole_and_the_next_runs_ahead() {
    RELEASES.into_iter().for_each(each_transaction_is_committed_whole);
}

fn each_transaction_is_committed_whole(release: Release) {
    let model = model_with(release, &[Mood::Well], &[Mood::Well]);
    let mut producer = transactional(&model, &[("batch.size", "4000")]);
    run(producer.take_over()).unwrap();
    let topics = known(&mut producer, 4);
    drive(&mut producer, &topics, 10_000, 500).unwrap();
    check_committed(&model, 4, 10_000);
    assert_eq!(model.coordinator.state.lock().unwrap().commits, 20);
    // An empty one ends, too.
    producer.commit();
    while !producer.has_ended().unwrap() {}
    assert_eq!(model.coordinator.state.lock().unwrap().commits, 20);
}

#[test]
fn a_coordinator_s_moods_cost_time_and_nothing_else() {
    use Mood::{Deaf, Forget, Refuse, Slow, Well};
    let moods = [
        &[Well, Well, Refuse(51), Slow, Well, Well][..],
        &[Refuse(14), Well, Refuse(15), Well, Well, Refuse(16), Well, Well],
        &[Well, Well, Forget, Well, Well, Well, Deaf, Well, Well, Forget, Well],
    ];
    for moods in moods {
        for brokers in [&[Well][..], &[Well, Well, Refuse(6), Well, Well, Forget, Well, Well, Well]] {
            let mut brokers = brokers.to_vec();
            brokers.extend([Well; 14]);
            for release in RELEASES {
                let model = model_with(release, &brokers, moods);
                let mut producer = transactional(&model, &[("batch.size", "4000")]);
                run(producer.take_over()).unwrap();
                let topics = known(&mut producer, 2);
                drive(&mut producer, &topics, 1_000, 125).unwrap();
                check_committed(&model, 2, 1_000);
            }
        }
    }
}

#[test]
fn who_takes_over_fences_and_aborts() {
    RELEASES.into_iter().for_each(who_takes_over);
}

fn who_takes_over(release: Release) {
    let model = model_with(release, &[Mood::Well], &[Mood::Well]);
    let mut first = transactional(&model, &[]);
    run(first.take_over()).unwrap();
    let topics = known(&mut first, 1);
    drive(&mut first, &topics, 300, 300).unwrap();
    let headers = headers();
    let send = |producer: &mut Direct, topic| {
        producer.send(topic, Placement::default(), Some(b"00000"), Some(b"00000 300 "), &headers, 0).unwrap()
    };
    // Half a transaction is with the broker.
    assert_eq!(send(&mut first, topics[0]), Sent::Queued);
    first.send_now();
    let end = Instant::now() + Duration::from_secs(20);
    while first.queued_bytes() > 0 {
        assert!(Instant::now() < end);
        first.wait(Duration::from_millis(5), &mut Vec::new()).unwrap();
    }
    let mut second = transactional(&model, &[]);
    run(second.take_over()).unwrap();
    check_committed(&model, 1, 300);
    first.commit();
    let error = loop {
        match first.has_ended() {
            Ok(false) => assert!(Instant::now() < end, "it is not told"),
            Ok(true) => panic!("it was committed"),
            Err(error) => break error,
        }
    };
    assert!(error.is_fenced(), "{error}");

    let topic = second.topic("t0");
    while send(&mut second, topic) == Sent::Full {
        second.wait(Duration::from_millis(5), &mut Vec::new()).unwrap();
    }
    second.send_now();
    while second.queued_bytes() > 0 {
        second.wait(Duration::from_millis(5), &mut Vec::new()).unwrap();
    }
    assert_ne!(model.logs.lock().unwrap().values().map(|log| log.values.len()).sum::<usize>(), 300);
    run(second.abort(Duration::from_secs(10)));
    check_committed(&model, 1, 300);
}

#[test]
fn what_cannot_be_taken_over_is_said() {
    for (mood, expect) in
        [(50, Code::InvalidTransactionTimeout), (53, Code::TransactionalIdAuthorizationFailed)]
    {
        let model = model_with(Release::New, &[Mood::Well], &[Mood::Well, Mood::Refuse(mood)]);
        let error = run(transactional(&model, &[]).take_over()).unwrap_err();
        assert_eq!(error.code(), Some(expect));
    }
}

#[test]
fn what_fails_for_good_is_ended_by_another_that_takes_over() {
    let model = model(&[Mood::Well, Mood::Well, Mood::Refuse(10)]);
    let mut producer = transactional(&model, &[]);
    run(producer.take_over()).unwrap();
    let topic = producer.topic("t0");
    let headers = headers();
    let end = Instant::now() + Duration::from_secs(20);
    let mut failed = false;
    for handle in 0..3 {
        let value = format!("00000 {handle} ");
        let send = |producer: &mut Direct| {
            let value = Some(value.as_bytes());
            producer.send(topic, Placement::default(), Some(b"00000"), value, &headers, handle)
        };
        while send(&mut producer).unwrap() == Sent::Full {
            assert!(Instant::now() < end);
            producer.wait(Duration::from_millis(5), &mut Vec::new()).unwrap();
        }
        producer.send_now();
        while !failed && producer.queued_bytes() > 0 {
            assert!(Instant::now() < end);
            failed = producer.wait(Duration::from_millis(5), &mut Vec::new()).is_err();
        }
        if handle == 0 {
            producer.commit();
            while !producer.has_ended().unwrap() {}
        }
    }
    assert!(failed);
    assert_eq!(model.logs.lock().unwrap().values().map(|log| log.values.len()).sum::<usize>(), 2);
    run(producer.abort(Duration::from_secs(10)));
    check_committed(&model, 1, 1);
}
