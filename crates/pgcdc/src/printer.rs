//! What people read, on standard error: standard output is data.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};

/// Prints an error, its causes, and after a blank line the remedy.
pub(crate) fn error(error: &anyhow::Error, hint: Option<&str>) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}\n  caused by: {cause}");
        }
    }
    line(&paint("1;31", "error"), &text);
    if let Some(hint) = hint {
        write("\n");
        line(&paint("1;36", "hint"), hint);
    }
}

/// Prints `head: text`.
pub(crate) fn line(head: &dyn Display, text: &str) {
    write(&format!("{head}: {text}\n"));
}

/// Writes to standard error; a closed one is nobody's loss.
pub(crate) fn write(text: &str) {
    let _ = stderr().write_all(text.as_bytes());
}

/// Whether an output may have colours: a terminal shows it, and `NO_COLOR` is not set.
pub(crate) fn in_colour(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Colours a word when somebody sees it in colour; the meaning never depends on it.
pub(crate) fn paint(code: &str, word: &str) -> String {
    if in_colour(stderr().is_terminal()) { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}
