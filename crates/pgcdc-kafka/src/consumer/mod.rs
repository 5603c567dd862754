//! A member of a consumer group that finishes its records before it gives a partition back.
//!
//! One thread polls librdkafka, so that a slow store never costs the member its place in the group. Each assigned partition has a
//! queue, bounded in records and bytes; a full queue pauses its partition and no other. The owner's decisions are asked for by a
//! closed set of [`Event`]s, and the rebalance *waits* for the answer: where to start (a store may keep its own offsets), and, when
//! a partition is taken away, that its worker has stopped. Only then are its offsets committed and the partition released.
//!
//! ```text
//!   brokers ─▶ thread ─▶ queue per partition ─▶ the owner's worker ─▶ store
//!                 ▲                                                     │
//!                 └──────── commit ◀── Progress::durable(offset) ◀──────┘
//! ```

mod event;
mod member;
mod message;
mod progress;
mod queue;
mod rebalance;

pub use self::event::{Assignment, Event, Start};
pub use self::member::Member;
pub use self::message::{Headers, Message, Partition};
pub use self::progress::Progress;
pub use self::queue::{QueueSender, Records, Refused, queue};
