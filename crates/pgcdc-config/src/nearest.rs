//! Finds the known name that a mistyped name most likely stands for.

/// How many typing errors may lie between a word and a name that is suggested for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One for every six letters of the word, at least one and at most four. For lists of hundreds of names, in which almost
    /// any word is near some name.
    Close,
    /// One for every three letters of the name, at least two. For short lists.
    Wide,
}

/// Finds the name that takes the fewest typing errors to become `word`. The first of equally near names is taken.
///
/// A typing error is a letter too many, too few or wrong, or two letters swapped. Upper and lower case are the same, and so
/// are `.`, `_` and `-`. `None` when no name is within reach.
///
/// ```
/// use pgcdc_config::{Reach, nearest};
///
/// let names = ["slot.name", "snapshot.mode"];
/// assert_eq!(nearest("snapshot_mdoe", names, Reach::Close), Some("snapshot.mode"));
/// assert_eq!(nearest("heartbeat", names, Reach::Close), None);
/// ```
#[must_use]
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>, reach: Reach) -> Option<&'n str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], ".");
    let word = plain(word);
    let distances = names.into_iter().map(|name| (strsim::damerau_levenshtein(&word, &plain(name)), name));
    let (errors, name) = distances.min_by_key(|&(errors, _)| errors)?;
    let most = match reach {
        Reach::Close => (word.len() / 6).clamp(1, 4),
        Reach::Wide => (name.len() / 3).max(2),
    };
    (errors <= most).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_asks_for_nearer_names_than_a_short_one() {
        for (word, reach, expect) in [
            ("topics", Reach::Close, Some("topic")),
            ("tpc", Reach::Close, None),
            ("tpc", Reach::Wide, Some("topic")),
            ("retry-max", Reach::Close, Some("retry.max")),
            ("RETRY.MAX", Reach::Close, Some("retry.max")),
            ("entirely different", Reach::Wide, None),
        ] {
            assert_eq!(nearest(word, ["topic", "retry.max"], reach), expect, "{word}");
        }
    }
}
