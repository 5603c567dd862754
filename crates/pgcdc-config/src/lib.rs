//! What capture and sinks read their configurations with.
//!
//! - [`substitute`] and [`substitute_url`] put in what Kafka Connect's config providers hold: `${env:NAME}`,
//!   `${file:/path:key}`, `${file:/path}` and `${dir:/path:file}`. Passwords then stand neither in the configuration nor in
//!   the list of processes.
//! - [`properties`] reads the syntax of Java's `.properties` files.
//!
//! The crate knows no property and no store, and prints nothing. It reads the files that a reference names.
//!
//! ```
//! let environment = |name: &str| (name == "PASSWORD").then(|| "open sesame".to_owned());
//! let text = pgcdc_config::substitute("user:${env:PASSWORD}", &environment)?;
//! assert_eq!(text.as_deref(), Some("user:open sesame"));
//! # Ok::<(), pgcdc_config::Unresolved>(())
//! ```

pub mod properties;

mod nearest;
mod provided;
mod providers;
mod section;

pub use nearest::{Reach, nearest};
pub use provided::Provided;
pub use providers::{Environment, Unresolved, substitute, substitute_url};
pub use section::{Section, did_you_mean, parse_duration};

/// Text of a file's bytes: UTF-8, or ISO-8859-1 as Java's older property files are.
#[must_use]
pub fn decode(bytes: Vec<u8>) -> String {
    let text =
        String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().iter().map(|&b| char::from(b)).collect());
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}
