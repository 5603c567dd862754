//! Decides which columns were a table's key when a row of the stream was written. Pure.
//!
//! A `Relation` message flags the columns of the replica identity. Only for the identity `DEFAULT`
//! are these the primary key: `FULL` flags every column, `NOTHING` no column, `USING INDEX` the
//! columns of some unique index. For the other identities the catalog knows the key, but the key of
//! now: since the row was written, the table may have got another key or may be gone. Then the key
//! that this connector knew before is the better answer.
//!
//! A wrong key would send a row's changes to another partition, and their order would be lost.

use pgcdc_event::ReplicaIdentity;

/// What is known of a table's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    /// The table's replica identity, from the message.
    pub(super) identity: ReplicaIdentity,
    /// The columns from the message: name, and whether the column is flagged.
    pub(super) columns: &'a [(&'a str, bool)],
    /// The key in the catalog now; `None` when the table is gone.
    pub(super) catalog: Option<CatalogKey<'a>>,
    /// The key's columns as this connector knew them before, in the key's order; empty when it knew none.
    pub(super) known: &'a [Box<str>],
    /// Whether `known` is from an earlier run, and this is the table's first message in this one.
    pub(super) first: bool,
}

/// A key as the catalog has it now.
#[derive(Clone, Copy, Debug)]
pub(super) struct CatalogKey<'a> {
    /// The columns in the key's order; empty for a table without a key.
    pub(super) columns: &'a [&'a str],
    /// Whether the key was made after the transaction that is read now.
    pub(super) younger: bool,
}

/// The indexes of the key's columns among the message's columns, in the key's order; empty for a
/// table without a key.
pub(super) fn choose(evidence: Evidence<'_>) -> Vec<usize> {
    let Evidence { identity, columns, catalog, known, first } = evidence;
    let position = |name: &str| columns.iter().position(|(column, _)| *column == name);
    let flagged: Vec<usize> =
        columns.iter().enumerate().filter_map(|(at, (_, flag))| flag.then_some(at)).collect();
    let by_flags = identity == ReplicaIdentity::Default && !flagged.is_empty();
    let fits = |key: Vec<Option<usize>>| -> Option<Vec<usize>> {
        let key: Vec<usize> = key.into_iter().collect::<Option<_>>()?;
        let mut sorted = key.clone();
        sorted.sort_unstable();
        (!key.is_empty() && (!by_flags || sorted == flagged)).then_some(key)
    };
    let now: Vec<Option<usize>> =
        catalog.iter().flat_map(|key| key.columns.iter().map(|name| position(name))).collect();
    let of_catalog = fits(now.clone());
    let known = fits(known.iter().map(|name| position(name)).collect());
    match (of_catalog, known) {
        (Some(_), Some(known)) if first && !by_flags && catalog.is_some_and(|key| key.younger) => known,
        (Some(key), _) => key,
        // The table is gone, or its key was changed or dropped since.
        (None, Some(known)) if by_flags || catalog.is_none() => known,
        (None, Some(known)) if first && identity != ReplicaIdentity::Default => known,
        (None, _) if by_flags => flagged,
        (None, _) if identity == ReplicaIdentity::Index && catalog.is_none() => flagged,
        // The key has got columns since: take those that the message has.
        (None, _) => now.into_iter().flatten().collect(),
    }
}

/// Whether transaction `made` began after transaction `xid`. Numbers wrap around: as in PostgreSQL,
/// two of them are at most half a turn apart.
pub(super) fn is_younger(made: u32, xid: u32) -> bool {
    // Numbers below 3 are no real transactions: such rows are older than every transaction.
    made >= 3 && made != xid && made.wrapping_sub(xid) < u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    use ReplicaIdentity::{Default, Full, Index, Nothing};

    struct Case<'a> {
        identity: ReplicaIdentity,
        /// Columns; a `*` marks the flagged ones.
        columns: &'a str,
        catalog: Option<(&'a str, bool)>,
        known: &'a str,
        first: bool,
    }

    #[track_caller]
    fn check(case: &Case<'_>, expect: &str) {
        let columns: Vec<(&str, bool)> =
            case.columns.split(' ').map(|name| (name.trim_end_matches('*'), name.ends_with('*'))).collect();
        let now: Vec<&str> = case.catalog.map_or("", |(key, _)| key).split_whitespace().collect();
        let known: Vec<Box<str>> = case.known.split_whitespace().map(Into::into).collect();
        let key = choose(Evidence {
            identity: case.identity,
            columns: &columns,
            catalog: case.catalog.map(|(_, younger)| CatalogKey { columns: &now, younger }),
            known: &known,
            first: case.first,
        });
        let names: Vec<&str> = key.iter().map(|at| columns[*at].0).collect();
        assert_eq!(names.join(" "), expect);
    }

    fn case(identity: ReplicaIdentity, columns: &'static str) -> Case<'static> {
        Case { identity, columns, catalog: None, known: "", first: true }
    }

    #[test]
    fn the_catalog_has_the_key_of_a_table_that_did_not_change() {
        check(&Case { catalog: Some(("b a", false)), ..case(Default, "a* b* c") }, "b a");
        check(&Case { catalog: Some(("a", false)), known: "a", ..case(Full, "a* b*") }, "a");
        check(&Case { catalog: Some(("a", false)), ..case(Index, "a b*") }, "a");
        check(&Case { catalog: Some(("a", false)), ..case(Nothing, "a b") }, "a");
        // No primary key: a unique index.
        check(&Case { catalog: Some(("b", false)), ..case(Default, "a b") }, "b");
    }

    #[test]
    fn a_table_that_is_gone_keeps_the_key_that_was_known() {
        for identity in [Default, Full, Index, Nothing] {
            let columns = if identity == Default { "a* b* c" } else { "a b c*" };
            check(&Case { known: "b a", ..case(identity, columns) }, "b a");
            check(&Case { known: "b a", first: false, ..case(identity, columns) }, "b a");
        }
        check(&case(Default, "a* b* c"), "a b");
        check(&case(Index, "a b* c"), "b");
        check(&case(Full, "a* b*"), "");
        // The known key has a column that this table does not have: it is from an older table.
        check(&Case { known: "z", ..case(Full, "a* b*") }, "");
    }

    #[test]
    fn a_key_that_was_changed_since_is_not_that_of_older_rows() {
        // The flags decide.
        check(&Case { catalog: Some(("b", true)), ..case(Default, "a* b c") }, "a");
        check(&Case { catalog: Some(("a b", true)), ..case(Default, "a* b c") }, "a");
        // Otherwise the known key decides, until the table is announced again.
        let changed = Case { catalog: Some(("b", true)), known: "a", ..case(Full, "a* b*") };
        check(&changed, "a");
        check(&Case { first: false, ..changed }, "b");
        check(&Case { catalog: Some(("b", false)), known: "a", ..case(Full, "a* b*") }, "b");
        // Dropped.
        let dropped = Case { catalog: Some(("", false)), known: "a", ..case(Full, "a* b*") };
        check(&dropped, "a");
        check(&Case { first: false, ..dropped }, "");
        check(&Case { catalog: Some(("", false)), known: "a", ..case(Default, "a b") }, "");
        // The key was extended by a column that these rows do not have.
        check(&Case { catalog: Some(("a z", false)), first: false, ..case(Full, "a* b*") }, "a");
    }

    #[test]
    fn numbers_of_transactions_wrap() {
        assert!(is_younger(11, 10) && !is_younger(10, 10) && !is_younger(9, 10));
        assert!(is_younger(5, u32::MAX - 5) && !is_younger(u32::MAX - 5, 5));
        assert!(!is_younger(2, u32::MAX - 5), "frozen");
    }
}
