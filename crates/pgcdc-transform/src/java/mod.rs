//! Java's own behaviour where it shows in Connect's: dates, regular expressions, `toString`, `hashCode`.
//!
//! A topic's name, a partition or a text that Kafka Connect makes by one of these must be the same here, or a consumer
//! sees a difference after the move.

mod calendar;
mod date_format;
mod hash;
mod regex;
mod show;

pub(crate) use calendar::{Moment, days, start_of_day, time_of_day, to_days};
pub(crate) use date_format::DateFormat;
pub(crate) use hash::{hash_code, murmur};
pub use regex::{Pattern, translate};
pub use show::show;
pub(crate) use show::show_list;
