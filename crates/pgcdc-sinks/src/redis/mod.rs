//! Redis: a leaderboard over a sliding window of time.
//!
//! `leaderboard = { key, member, score, window, time }` keeps the sorted set `key` equal to
//!
//! ```sql
//! SELECT member, sum(score) FROM rows WHERE time > now() - window GROUP BY member
//! ```
//!
//! at any moment: updates replace what a row contributed, deletes take it away, and rows that grow too
//! old leave by themselves, within milliseconds, by Redis' own clock, whether or not events arrive.
//! Rows whose member, score or time is NULL contribute nothing; rows of the future count, as in the
//! SQL. A member without rows leaves the set; one whose rows add up to zero stays, with zero.
//!
//! **Exactly once.** Offsets are stored in Redis, and one script moves them together with the scores,
//! so a replayed record is recognised and ignored, and after a crash reading goes on at the stored
//! offset. A Redis that was emptied or restored is noticed: its offset is not the expected one, and
//! the sink starts again from what Redis says, from the beginning of the topic if it says nothing.
//! Records that capture repeats under new offsets (after a crash of its own) are recognised by their
//! place in the order of commits ([`order`](crate::order)), which each row of the window keeps; a deleted row keeps it
//! too until its time is over. Of flattened records this holds with `delete.tombstone.handling.mode=rewrite` and
//! `add.fields=op,source.lsn,source.sequence,source.ts_us`; where deletes are tombstones, which carry no position, records
//! go by their offsets alone. A tombstone never takes a row away that has a position.
//!
//! **Positions that fall**, and a topic that was deleted and made again, are noticed: the sink stops before the first
//! record that would be ignored, and says what to do. What was seen is kept beside the offsets.
//!
//! Beside `key` there are four auxiliary keys, all in the slot of `key`: `{key}:rows` (row → order, score,
//! member), `{key}:expiry` (row by time), `{key}:counts` (member → rows), `{key}:offsets`.
//!
//! Scores are doubles, as everywhere in Redis: sums of whole numbers are exact up to 2⁵³.

mod config;
mod leaderboard;
mod map;
mod pack;
mod script;
#[cfg(test)]
mod tests;

pub(crate) use config::KEYS;
pub use config::{Leaderboard, RedisConfig};
pub use leaderboard::Redis;
