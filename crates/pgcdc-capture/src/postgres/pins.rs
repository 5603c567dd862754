//! The server settings that every session of ours fixes. So `postgresql.conf`,
//! `ALTER DATABASE … SET` and `ALTER ROLE … SET` change neither how a value is printed nor how long
//! a session lives.
//!
//! [`PINS`] is the one table. A session sends most of it with its login ([`options`]), which
//! overrides the settings of role and database before the first statement runs. After the login it
//! sets the whole table once more ([`statement`]): older servers do not know some of the settings
//! and would refuse the login, and a pooler may have dropped the options.
//!
//! Settings that are left alone, and why: `lc_numeric`, `lc_time` and `array_nulls` do not change
//! how a type is printed. `default_transaction_read_only` changes no value. `tcp_keepalives_…` end
//! only sessions whose client is gone. `role`, `log_…` and `session_preload_libraries` are not for
//! a client to change.
//!
//! Source: PostgreSQL documentation, chapter "Server Configuration".

/// Which sessions fix a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Every session.
    All,
    /// Sessions that read rows. The query session also runs statements of the user, which may rely
    /// on the setting.
    Rows,
    /// Sessions that read a snapshot.
    Snapshot,
    /// The replication session.
    Replication,
}

/// A session of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// Answers queries.
    Query,
    /// Reads a snapshot's rows.
    Snapshot,
    /// Reads the stream.
    Replication,
}

/// A setting and the value that it is fixed to.
struct Pin {
    /// Its name in `pg_settings`.
    name: &'static str,
    /// The text to set; without single quotes and backslashes, so that only blanks need an escape.
    value: &'static str,
    /// Which sessions fix it.
    scope: Scope,
    /// Whether every server that can be captured knows the setting, so that it may be sent with the login.
    at_login: bool,
}

/// A setting that every session sends with its login.
const fn pin(name: &'static str, value: &'static str) -> Pin {
    Pin { name, value, scope: Scope::All, at_login: true }
}

impl Pin {
    /// For these sessions only.
    const fn only(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// To be set after the login, since an older server does not know the setting there.
    const fn after_login(self) -> Self {
        Self { at_login: false, ..self }
    }

    /// Whether this session fixes it.
    fn holds_for(&self, session: Session) -> bool {
        match self.scope {
            Scope::All => true,
            Scope::Rows => session != Session::Query,
            Scope::Snapshot => session == Session::Snapshot,
            Scope::Replication => session == Session::Replication,
        }
    }
}

/// The table.
const PINS: &[Pin] = &[
    // How values are printed.
    pin("datestyle", "ISO,MDY"),
    pin("intervalstyle", "postgres"),
    pin("timezone", "UTC"),
    pin("bytea_output", "hex"),
    pin("extra_float_digits", "3"),
    pin("xmlbinary", "base64"),
    pin("xmloption", "content"),
    // How `money` is printed. The database's own locale is asked for its number of digits: see `money_scale`.
    pin("lc_monetary", "C").after_login(),
    // `regclass` and types like it print a name without its schema when the schema is in the search path.
    pin("search_path", "\"$user\",public").only(Scope::Rows),
    pin("quote_all_identifiers", "off"),
    pin("client_encoding", "UTF8").after_login(),
    // How our statements are read, and what they see.
    pin("standard_conforming_strings", "on"),
    pin("row_security", "off"),
    pin("default_transaction_isolation", "read committed"),
    pin("default_transaction_deferrable", "off"),
    // A range of pages must be read by a TID scan, and a whole table in its order.
    pin("enable_seqscan", "on").only(Scope::Snapshot),
    pin("enable_tidscan", "on").only(Scope::Snapshot),
    // What ends sessions.
    pin("statement_timeout", "0"),
    pin("lock_timeout", "0"),
    pin("idle_in_transaction_session_timeout", "0"),
    pin("transaction_timeout", "0").after_login(),
    pin("idle_session_timeout", "0").after_login(),
    // While the output is full we read nothing. The server must not take that for a dead connection.
    pin("tcp_user_timeout", "0").after_login(),
    pin("wal_sender_timeout", "30000").only(Scope::Replication),
];

/// The pins of one session.
fn pins(session: Session) -> impl Iterator<Item = &'static Pin> {
    PINS.iter().filter(move |pin| pin.holds_for(session))
}

/// The startup parameter `options` of a session. Source: PostgreSQL documentation, "Database
/// Connection Control Functions", `options`, where a blank is escaped by a backslash.
pub(super) fn options(session: Session) -> String {
    let words: Vec<String> = pins(session)
        .filter(|pin| pin.at_login)
        .map(|pin| format!("-c {}={}", pin.name, pin.value.replace(' ', "\\ ")))
        .collect();
    words.join(" ")
}

/// The statement that sets all of a session's pins that the server knows.
pub(super) fn statement(session: Session) -> String {
    let values: Vec<String> = pins(session).map(|pin| format!("('{}','{}')", pin.name, pin.value)).collect();
    format!(
        "SELECT pg_catalog.set_config(name, value, false) FROM (VALUES {}) AS pins(name, value) \
         WHERE pg_catalog.current_setting(name, true) IS NOT NULL",
        values.join(",")
    )
}

/// Whether a login was refused because of [`options`], as some poolers do. Then the session logs in
/// without, and [`statement`] alone must do. `message` is the refusal's own text. It has to tell,
/// since poolers give all refusals the one SQLSTATE 08P01.
pub(super) fn are_refused(message: &str) -> bool {
    ["unsupported startup parameter: options", "unsupported startup parameter in options"]
        .iter()
        .any(|refusal| message.contains(refusal))
}

/// Warns that a session has to do without the options.
pub(super) fn say_refused() {
    tracing::warn!(
        "a pooler takes no startup options, so that settings are fixed after the login; in its transaction mode \
         they would not stay: connect to the server itself, or use session pooling"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_has_its_pins_once() {
        for session in [Session::Query, Session::Snapshot, Session::Replication] {
            let names: Vec<&str> = pins(session).map(|pin| pin.name).collect();
            let mut distinct = names.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), names.len(), "{names:?}");
        }
        assert!(!statement(Session::Query).contains("search_path"), "the user's own statements need theirs");
        assert!(options(Session::Replication).contains("-c wal_sender_timeout=30000"));
        assert!(!options(Session::Snapshot).contains("wal_sender_timeout"));
    }

    #[test]
    fn a_login_has_only_what_old_servers_know() {
        let text = options(Session::Snapshot);
        assert!(text.contains("-c default_transaction_isolation=read\\ committed"), "{text}");
        assert!(text.contains("-c search_path=\"$user\",public"), "{text}");
        for newer in ["transaction_timeout=", "idle_session_timeout", "tcp_user_timeout"] {
            assert!(!text.replace("idle_in_transaction_session_timeout", "").contains(newer), "{newer}");
            assert!(statement(Session::Snapshot).contains(newer.trim_end_matches('=')), "{newer}");
        }
    }
}
