//! The order of one key's records: at-least-once delivery may repeat records, but only in one way.

use std::fmt::Debug;

/// Takes the repeats out of one key's records, each with its position in the order of commits.
///
/// A restart may go back to an earlier record. From there on all records must come again, the same and without a gap. So a new
/// record comes only when all records before it have come, and a repeat is never left unfinished. Returns the distinct records,
/// and how often the sequence went back.
///
/// # Errors
/// The first record that breaks this, and how.
pub fn without_repeats<T: Clone + Debug + PartialEq>(
    records: &[(u64, T)],
) -> Result<(Vec<(u64, T)>, u64), String> {
    let mut distinct: Vec<(u64, T)> = Vec::new();
    // The index in `distinct` of the record that is due next; at the end a new record is due.
    let mut due = 0;
    let mut repeats = 0;
    for (position, content) in records {
        if distinct.last().is_none_or(|(last, _)| position > last) {
            if due < distinct.len() {
                return Err(format!(
                    "{position} is new, but the repeat before it stopped at {}",
                    distinct[due].0
                ));
            }
            distinct.push((*position, content.clone()));
            due += 1;
            continue;
        }
        let Ok(known) = distinct.binary_search_by_key(position, |(position, _)| *position) else {
            return Err(format!("{position} comes after {} and was not there before", distinct[due - 1].0));
        };
        if distinct[known].1 != *content {
            return Err(format!("{position} came again as {content:?}, it was {:?}", distinct[known].1));
        }
        if known > due {
            return Err(format!("{position} skips {} in a repeat", distinct[due].0));
        }
        repeats += u64::from(known < due);
        due = known + 1;
    }
    if due < distinct.len() {
        return Err(format!("the last repeat ends before {}", distinct[due].0));
    }
    Ok((distinct, repeats))
}

#[test]
fn only_whole_repeats_pass() {
    let check = |positions: &[u64], expect: Option<u64>| {
        let records: Vec<(u64, ())> = positions.iter().map(|position| (*position, ())).collect();
        let found = without_repeats(&records).map(|(_, repeats)| repeats);
        assert_eq!(found.as_ref().ok(), expect.as_ref(), "{positions:?}: {found:?}");
    };
    check(&[], Some(0));
    check(&[1, 2, 3], Some(0));
    check(&[1, 2, 3, 2, 3, 4], Some(1));
    check(&[1, 2, 1, 1, 2, 3], Some(2));
    check(&[1, 3, 2], None);
    check(&[1, 2, 3, 1, 3, 4], None);
    check(&[1, 2, 3, 2, 4], None);
    check(&[1, 2, 3, 2], None);
    assert!(without_repeats(&[(1, "a"), (1, "b")]).is_err(), "other content");
}
