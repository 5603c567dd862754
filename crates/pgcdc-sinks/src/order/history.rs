//! What a partition has brought so far, so that a source whose positions fall is noticed.
//!
//! A database that was restored, or failed over to a standby that was behind, writes on at lower positions; so does
//! another database that takes over a topic. What it writes would lose against what the store holds, without a word,
//! until the positions have caught up. The same positions also come when capture repeats what it had sent. The two are
//! told apart by the time of the commit: what is repeated was committed before the last change that was seen, what is
//! new after it.
//!
//! What is remembered is a *bookmark*, a short text beside the offset: in the metadata of the consumer group's commits,
//! or, where the store keeps offsets, in the same atomic step with them. Resetting a group's offsets removes it.

use std::fmt;

use pgcdc_event::Lsn;
use pgcdc_format::decode::{Change, Source};
use serde::{Deserialize, Serialize};

use super::number::{Kind, Order};
use super::place::{Origin, Place};
use super::ties::Ties;

/// `new_history`: what a sink does when the source's positions begin anew.
///
/// ```
/// use pgcdc_sinks::{NewHistory, Plan};
///
/// let plan = Plan { new_history: NewHistory::Continue, ..Plan::new("mine", ["shop.public.users"]) };
/// assert_ne!(plan.new_history, NewHistory::default(), "by default a sink stops");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewHistory {
    /// Stops before the first such record and says what can be done.
    #[default]
    Stop,
    /// Takes what comes from there on for newer than all that is stored.
    Continue,
}

/// How much later than the snapshot a change must have been committed to count as another history's. The snapshot's time is
/// that of capture's host, the change's time that of the server, and the two clocks differ. Two changes have the same clock and
/// need no such margin.
const CLOCKS_DIFFER_US: i64 = 5_000_000;
/// Sources of one topic that are remembered.
const SOURCES: usize = 16;

/// What one partition has brought so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    policy: NewHistory,
    /// What the bookmark has.
    saved: Saved,
    /// The ranks within the transaction under way.
    ties: Ties,
    /// The offset that must come next, or a higher one.
    next: i64,
    /// The index of the last record's source, tried first: most topics have one source.
    last: usize,
}

/// The bookmark.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    /// The topic's id, which a topic that is made again does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<Known>,
    /// Where the last tied change stood, and its rank.
    #[serde(skip_serializing_if = "is_nothing")]
    tied: (u64, u32),
}

fn is_nothing(tied: &(u64, u32)) -> bool {
    *tied == (0, 0)
}

/// One source: a connector's prefix and its database.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    /// A hash of its names.
    of: u64,
    /// Added to its positions, so that they are above those of a history before.
    base: u64,
    /// The highest position of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Mark>,
    /// The highest position of a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Mark>,
    /// The lowest of the snapshots that came one after the other: the stream begins there.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_snapshot: Option<u64>,
    /// Whether the snapshot came last, and stands in for a commit before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    after_snapshot: bool,
}

/// The highest position, and the latest time of a commit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Mark {
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    us: Option<i64>,
}

impl Mark {
    fn add(mark: &mut Option<Self>, at: u64, us: Option<i64>) {
        *mark = Some(match *mark {
            Some(known) => Self { at: known.at.max(at), us: known.us.max(us) },
            None => Self { at, us },
        });
    }

    /// Whether a change at a lower position was committed later than the mark.
    fn is_above(&self, at: u64, us: Option<i64>, margin: i64) -> bool {
        let later = us.zip(self.us).is_some_and(|(us, known)| us > known.saturating_add(margin));
        at < self.at && later
    }
}

/// Why a record must not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fall {
    /// The positions fell, and yet the change is newer.
    Positions { here: u64, known: u64 },
    /// Another database writes to the topic, at lower positions.
    Source { here: u64, known: u64 },
    /// The offsets fell while the topic was read.
    Topic,
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Positions { here, known } => write!(
                f,
                "the source's positions began anew: this change is at {}, below {}, which was already seen and was \
                 committed before it. The database was restored, or failed over to a server that was behind",
                Lsn::new(*here),
                Lsn::new(*known)
            ),
            Self::Source { here, known } => write!(
                f,
                "another database writes to this topic: its change is at {}, below {} of the one before",
                Lsn::new(*here),
                Lsn::new(*known)
            ),
            Self::Topic => f.write_str("the offsets began anew: the topic was deleted and made again"),
        }
    }
}

impl Known {
    /// The highest number that a change of this source was given.
    fn top(&self) -> u64 {
        let highest = self.stream.iter().chain(&self.snapshot).map(|mark| mark.at).max().unwrap_or(0);
        self.base.saturating_add(highest)
    }

    /// The snapshot's position, while no commit has been seen after it. Unknown when one before it was interrupted: the
    /// stream then begins at the first one's position.
    fn floor(&self) -> Option<u64> {
        let snapshot = self.snapshot.filter(|_| self.after_snapshot)?;
        (self.first_snapshot == Some(snapshot.at)).then_some(snapshot.at)
    }

    /// The position that a change fell below.
    fn fell_below(&self, place: &Place, us: Option<i64>) -> Option<u64> {
        let at = place.position;
        match (place.origin, self.stream, self.snapshot) {
            (Origin::IncrementalSnapshot, ..) => None,
            // After an interrupted snapshot, the stream begins at the first snapshot's position, and brings changes that the
            // last snapshot has seen already.
            (Origin::Stream, Some(stream), _) => stream.is_above(at, us, 0).then_some(stream.at),
            (Origin::Stream, None, Some(snapshot)) => {
                let first = Mark { at: self.first_snapshot.unwrap_or(snapshot.at), ..snapshot };
                first.is_above(at, us, CLOCKS_DIFFER_US).then_some(first.at)
            }
            (Origin::Snapshot, stream, snapshot) => {
                let both = stream.into_iter().chain(snapshot);
                both.filter(|mark| mark.is_above(at.saturating_add(1), us, 0)).map(|mark| mark.at).max()
            }
            (Origin::Stream, None, None) => None,
        }
    }

    /// Notes a change. `floored`: the snapshot's position stood in for the end of the commit before.
    fn add(&mut self, place: &Place, us: Option<i64>, floored: bool) {
        match place.origin {
            Origin::Stream => {
                Mark::add(&mut self.stream, place.position, us);
                // Only the first transaction after a snapshot may need it.
                self.after_snapshot &= floored;
            }
            Origin::Snapshot => {
                let at = place.position.saturating_add(1);
                Mark::add(&mut self.snapshot, at, us);
                let first = self.first_snapshot.filter(|_| self.after_snapshot);
                self.first_snapshot = Some(first.unwrap_or(at).min(at));
                self.after_snapshot = true;
            }
            Origin::IncrementalSnapshot => {}
        }
    }
}

impl History {
    /// Goes on from a bookmark. Without one, or with a text that is not one of ours, the history begins empty.
    pub(crate) fn resume(bookmark: Option<&str>, policy: NewHistory) -> Self {
        let saved: Saved = bookmark.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let (position, rank) = saved.tied;
        Self { policy, ties: Ties::resume(position, rank), saved, ..Self::default() }
    }

    /// The bookmark to keep beside the offset after the last record that was marked.
    pub(crate) fn bookmark(&mut self) -> String {
        self.saved.tied = self.ties.last();
        serde_json::to_string(&self.saved).unwrap_or_default()
    }

    /// The id of the topic that was read, and the one that is to be.
    pub(crate) fn topic(&mut self) -> &mut Option<String> {
        &mut self.saved.topic
    }

    /// The order of the next record; `None` when it carries no position.
    ///
    /// # Errors
    /// When it begins another history: neither it nor what follows may be written.
    pub(crate) fn mark(
        &mut self,
        offset: i64,
        key: Option<&[u8]>,
        change: &Change<'_>,
    ) -> Result<Option<Order>, Fall> {
        if offset < self.next {
            return Err(Fall::Topic);
        }
        let order = self.order(key, change)?;
        self.next = offset.saturating_add(1);
        Ok(order)
    }

    /// The order of a change, and what follows from it for the history.
    fn order(&mut self, key: Option<&[u8]>, change: &Change<'_>) -> Result<Option<Order>, Fall> {
        if Place::of(change, None).is_none() {
            return Ok(None);
        }
        let at = self.source(&change.source);
        let us = change.source.ts_us;
        let floor = self.saved.sources.get(at).and_then(Known::floor);
        let Some(place) = Place::of(change, floor) else { return Ok(None) };
        match self.fall(at, &place, us) {
            Some(fall) if self.policy == NewHistory::Stop => return Err(fall),
            Some(fall) => {
                let base = self.saved.sources.iter().map(Known::top).max().unwrap_or(0).saturating_add(1);
                tracing::warn!(base, "{fall}; what comes from here on is taken for newer than all before");
                if let Some(known) = self.saved.sources.get_mut(at) {
                    *known = Known { of: known.of, base, ..Known::default() };
                }
            }
            None => {}
        }
        let base = match self.saved.sources.get_mut(at) {
            Some(known) => {
                let says_it = change.source.sequence.is_some_and(|sequence| sequence.last_commit.is_some());
                known.add(&place, us, place.kind == Kind::Tied && !says_it);
                known.base
            }
            None => 0,
        };
        let position = place.position.saturating_add(base);
        let rank = match (place.kind, key) {
            (Kind::Tied, Some(key)) => self.ties.rank(position, key),
            _ => 0,
        };
        Ok(Some(Order { position, change: place.change, kind: place.kind, rank }))
    }

    /// Why a change of the source at this index begins another history, if it does.
    fn fall(&self, at: usize, place: &Place, us: Option<i64>) -> Option<Fall> {
        let here = place.position;
        let known = self.saved.sources.get(at)?;
        if known.stream.is_none() && known.snapshot.is_none() {
            // A source that is met for the first time, or the first source of all.
            let others = self.saved.sources.iter().map(Known::top).max().unwrap_or(0);
            return (here < others).then_some(Fall::Source { here, known: others });
        }
        known.fell_below(place, us).map(|known| Fall::Positions { here, known })
    }

    /// The index of a record's source, which is noted if it is new and there is room.
    fn source(&mut self, source: &Source<'_>) -> usize {
        let of = identity(source);
        if self.saved.sources.get(self.last).is_some_and(|known| known.of == of) {
            return self.last;
        }
        self.last = match self.saved.sources.iter().position(|known| known.of == of) {
            Some(at) => at,
            None if self.saved.sources.len() < SOURCES => {
                self.saved.sources.push(Known { of, ..Known::default() });
                self.saved.sources.len() - 1
            }
            None => SOURCES,
        };
        self.last
    }
}

/// A hash of a source's names that stays the same in every version of this program: FNV-1a.
fn identity(source: &Source<'_>) -> u64 {
    let names = [source.name.as_deref().unwrap_or_default(), source.database.as_deref().unwrap_or_default()];
    names
        .iter()
        .flat_map(|name| name.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
