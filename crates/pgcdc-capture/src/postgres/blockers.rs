//! Finds out who holds up a session: the other sessions and the prepared transactions that hold the
//! lock that it waits for, or whose end it waits for.
//!
//! A start may have to wait: `CREATE_REPLICATION_SLOT` for the end of all transactions that are
//! open, a snapshot for the locks of its tables. Without this a user sees a connector that hangs.
//! Source: PostgreSQL documentation, `pg_blocking_pids`, and the views `pg_stat_activity`,
//! `pg_locks` and `pg_prepared_xacts`.

use std::fmt;

use super::quote_literal;
use super::sql_session::SqlSession;
use crate::Result;

/// Bytes of a statement that are shown.
const SHOWN: usize = 160;

/// Who holds a session up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blocker {
    /// Another session of the server.
    Session {
        /// Its process on the server.
        pid: String,
        /// Role and application, as far as our role may see them.
        who: String,
        /// `active`, `idle in transaction`, …
        state: String,
        /// Since when its transaction is open.
        since: String,
        /// Its last statement, with `?` in place of each value.
        statement: String,
    },
    /// A transaction that was prepared (`PREPARE TRANSACTION`) and has not ended.
    Prepared { gid: String, owner: String, since: String },
}

impl Blocker {
    /// What tells this blocker from others: the process, or the prepared transaction's name.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Session { pid, .. } => pid.clone(),
            Self::Prepared { gid, .. } => gid.clone(),
        }
    }

    /// The statement that ends the blocker.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Session { pid, .. } => {
                format!("end that transaction, or its session: SELECT pg_terminate_backend({pid})")
            }
            Self::Prepared { gid, .. } => {
                let gid = quote_literal(gid);
                format!("COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid}, in its database")
            }
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session { pid, who, state, since, statement } => {
                write!(f, "process {pid} of the server ({who}, {state}")?;
                if !since.is_empty() {
                    write!(f, ", transaction open since {since}")?;
                }
                if !statement.is_empty() {
                    write!(f, ", last statement: {statement}")?;
                }
                f.write_str(")")
            }
            Self::Prepared { gid, owner, since } => {
                write!(f, "the prepared transaction {gid} (of {owner}, since {since})")
            }
        }
    }
}

/// The blockers that process `pid` of the server waits for now. What our role may not see of them
/// is left out.
///
/// # Errors
/// Those of the query.
pub(super) async fn of(session: &SqlSession, pid: i32) -> Result<Vec<Blocker>> {
    // A prepared transaction has no process: `pg_blocking_pids` gives 0 for it. Its locks belong to
    // the virtual transaction `-1/xid`.
    let sql = format!(
        "SELECT b.pid, a.usename, a.application_name, a.state, a.xact_start, a.query, NULL
         FROM (SELECT DISTINCT unnest(pg_blocking_pids({pid}))) b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid
         WHERE b.pid <> 0
         UNION ALL
         SELECT 0, p.owner, NULL, NULL, p.prepared, NULL, p.gid
         FROM pg_prepared_xacts p
         WHERE 0 = ANY (pg_blocking_pids({pid})) AND EXISTS (
           SELECT FROM pg_locks w WHERE w.pid = {pid} AND NOT w.granted AND (w.transactionid = p.transaction OR EXISTS (
             SELECT FROM pg_locks h WHERE h.virtualtransaction = '-1/' || p.transaction::text AND h.granted
             AND h.locktype = w.locktype AND h.database IS NOT DISTINCT FROM w.database
             AND h.relation IS NOT DISTINCT FROM w.relation)))"
    );
    let rows = session.rows("look who holds a session up", &sql).await?;
    let blocker = |row: &super::Row| {
        let text = |at: usize| row.get(at).unwrap_or_default().to_owned();
        let since = text(4).split('.').next().unwrap_or_default().to_owned();
        if let Some(gid) = row.get(6) {
            return Blocker::Prepared { gid: gid.to_owned(), owner: text(1), since };
        }
        let application = Some(text(2)).filter(|name| !name.is_empty());
        let who = application.map_or_else(|| text(1), |name| format!("{}, {name}", text(1)));
        let state = row.get(3).unwrap_or("its state is not shown to our role").to_owned();
        Blocker::Session { pid: text(0), who, state, since, statement: without_values(&text(5)) }
    };
    Ok(rows.iter().map(blocker).collect())
}

/// A statement in one line, with `?` in place of each literal and comment, since rows and passwords
/// do not belong in a log.
pub(super) fn without_values(sql: &str) -> String {
    let mut shown = String::new();
    let mut rest = sql.trim();
    let mut word = false;
    while let Some(first) = rest.chars().next() {
        if shown.len() >= SHOWN {
            shown.push('…');
            break;
        }
        if let Some(length) = literal(rest, word) {
            shown.push('?');
            rest = &rest[length..];
            word = false;
            continue;
        }
        if first.is_whitespace() {
            if !shown.ends_with(' ') {
                shown.push(' ');
            }
        } else {
            shown.push(first);
        }
        word = first.is_alphanumeric() || first == '_' || first == '"';
        rest = &rest[first.len_utf8()..];
    }
    shown
}

/// The length in bytes of the literal or comment at the beginning of `sql`; `None` when there is
/// none. Within a `word`, such as `t1`, digits are not a literal.
fn literal(sql: &str, word: bool) -> Option<usize> {
    let bytes = sql.as_bytes();
    match bytes[0] {
        b'\'' => {
            // A backslash escapes, too, since this may be `E'…'`. For other literals that hides too
            // much rather than too little.
            let mut at = 1;
            while at < bytes.len() {
                match bytes[at] {
                    b'\\' => at += 2,
                    b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
                    b'\'' => return Some(at + 1),
                    _ => at += 1,
                }
            }
            Some(sql.len())
        }
        b'$' if !word => {
            let tag = sql[1..].find('$').map(|at| &sql[..at + 2])?;
            let name = &tag[1..tag.len() - 1];
            if !name.chars().all(|c| c.is_alphanumeric() || c == '_')
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                return None;
            }
            Some(sql[tag.len()..].find(tag).map_or(sql.len(), |at| at + 2 * tag.len()))
        }
        b'-' if bytes.get(1) == Some(&b'-') => Some(sql.find('\n').unwrap_or(sql.len())),
        b'0'..=b'9' if !word => {
            let end = sql.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
            Some(end.unwrap_or(sql.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_show() {
        let check = |sql, expect| assert_eq!(without_values(sql), expect, "{sql}");
        check(
            "UPDATE t1 SET v = 'it''s', w=E'a\\'b' WHERE id = 42",
            "UPDATE t1 SET v = ?, w=E? WHERE id = ?",
        );
        check("ALTER ROLE a\n  PASSWORD 'x", "ALTER ROLE a PASSWORD ?");
        check("SELECT $$a'b$$, $q$ 1 $$ $q$, $1, -1.5e3", "SELECT ?, ?, $?, -?");
        check("SELECT 1 -- secret\n FROM a_2", "SELECT ? ? FROM a_2");
        check("", "");
        check("ü'ü'ü", "ü?ü");
        assert!(without_values(&"x".repeat(1000)).chars().count() <= SHOWN + 1);
        for broken in ["'", "'\\", "$", "$$", "$a$", "-", "'ü\\ü", "1é"] {
            assert!(!without_values(broken).contains("secret"));
        }
    }

    #[test]
    fn a_blocker_says_who_since_when_and_how_to_end_it() {
        let session = Blocker::Session {
            pid: "7".to_owned(),
            who: "app, psql".to_owned(),
            state: "idle in transaction".to_owned(),
            since: "2026-01-01 00:00:00".to_owned(),
            statement: "LOCK t".to_owned(),
        };
        assert_eq!(
            session.to_string(),
            "process 7 of the server (app, psql, idle in transaction, transaction open since 2026-01-01 00:00:00, last statement: LOCK t)"
        );
        assert!(session.remedy().contains("pg_terminate_backend(7)"));
        let prepared =
            Blocker::Prepared { gid: "g'1".to_owned(), owner: "app".to_owned(), since: "x".to_owned() };
        assert!(prepared.remedy().starts_with("COMMIT PREPARED 'g''1'"));
    }
}
