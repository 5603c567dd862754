//! Java's own behaviour where it shows in Connect's: dates, regular expressions, `toString`, `hashCode`.

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
