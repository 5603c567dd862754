//! Calling the script.
//!
//! `leaderboard.lua` does everything that must happen at once: it compares the stored offset with the expected one, takes old
//! rows away, applies the records, and moves the offset. Redis runs a script without another command in between. Its
//! arguments are the window in microseconds, the field of the partition, the expected and the next offset, the records and the
//! bookmark; its answer is a word and a number.

use std::time::Duration;

use fred::clients::Client;
use fred::types::scripts::Script;
use fred::types::{MultipleKeys, Value};

use super::config::Leaderboard;
use crate::SinkError;

const LUA: &str = include_str!("leaderboard.lua");

/// The script, with the keys it works on.
pub(super) struct Step {
    /// Sent by its hash; Redis gets the text when it does not know the hash.
    script: Script,
    /// The sorted set and its four auxiliary keys.
    keys: Vec<String>,
    window_us: String,
}

/// What the script answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Done.
    Done,
    /// Redis holds this offset instead of the expected one; -1 means that it holds no offset.
    Diverged(i64),
}

impl Step {
    pub(super) fn new(board: &Leaderboard) -> Self {
        Self {
            script: Script::from_lua(LUA),
            keys: board.keys(),
            window_us: board.window.as_micros().to_string(),
        }
    }

    /// The key of the hash of offsets.
    pub(super) fn offsets_key(&self) -> &str {
        // `keys` is made with five entries, the offsets last.
        self.keys.last().map_or("", String::as_str)
    }

    /// Takes rows out that left the window; returns how long until the next row leaves, `None` when the board is empty.
    pub(super) async fn expire(&self, client: &Client) -> Result<Option<Duration>, SinkError> {
        let arguments = vec![self.window_us.as_str().into(), "".into(), "-1".into(), "-1".into()];
        let (_, wait) = self.call(client, arguments).await?;
        Ok(u64::try_from(wait).ok().map(Duration::from_micros))
    }

    /// Applies records, packed, and moves the offset from `expected` (or from nothing) to `next`, where an empty `bookmark`
    /// leaves the stored bookmark as it is.
    pub(super) async fn apply(
        &self,
        client: &Client,
        field: &str,
        expected: Option<i64>,
        (next, bookmark): (i64, &str),
        records: Vec<u8>,
    ) -> Result<Answer, SinkError> {
        let arguments = vec![
            self.window_us.as_str().into(),
            field.into(),
            expected.unwrap_or(-1).to_string().into(),
            next.to_string().into(),
            Value::Bytes(records.into()),
            bookmark.into(),
        ];
        match self.call(client, arguments).await? {
            (true, _) => Ok(Answer::Done),
            (false, stored) => Ok(Answer::Diverged(stored)),
        }
    }

    /// Whether it was done, and the number that the script answers with.
    async fn call(&self, client: &Client, arguments: Vec<Value>) -> Result<(bool, i64), SinkError> {
        let keys = MultipleKeys::from(self.keys.clone());
        let answer: Vec<Value> = self
            .script
            .evalsha_with_reload(client, keys, arguments)
            .await
            .map_err(|error| classify(&error))?;
        match (answer.first().and_then(Value::as_string).as_deref(), answer.get(1).and_then(Value::as_i64)) {
            (Some("ok"), Some(number)) => Ok((true, number)),
            (Some("diverged"), Some(number)) => Ok((false, number)),
            _ => Err(SinkError::fatal("Redis answered the script in an unknown form")),
        }
    }
}

/// What Redis answers, by its first word, and what a person can do about it. None of it says anything about a record, and all
/// of it can pass without another configuration: the sink waits.
const ANSWERS: &[(&str, &str)] = &[
    ("NOAUTH", "write user and password into \"url\": redis://user:password@host:port"),
    ("WRONGPASS", "are user and password in \"url\" right?"),
    ("NOPERM", "let this user run scripts on the leaderboard's keys: ACL SETUSER … +@all ~{key}*"),
    ("READONLY", "\"url\" is that of a replica: write the primary's, or use redis-sentinel://"),
    ("MASTERDOWN", "the replica has lost its primary; write the primary's address as \"url\""),
    ("LOADING", "Redis is reading its data; it answers once it is done"),
    (
        "OOM",
        "Redis has no memory left: raise maxmemory, or free other keys; the keys of a leaderboard must not be evicted",
    ),
    ("MISCONF", "Redis cannot save its data to disk: its log says why (is the disk full?)"),
    (
        "WRONGTYPE",
        "the leaderboard's key holds something else: delete or rename that key, or choose another one",
    ),
    ("BUSY", "another script runs for too long: SCRIPT KILL ends it"),
    ("NOREPLICAS", "Redis has fewer replicas than min-replicas-to-write"),
    ("CLUSTERDOWN", "a part of the cluster is down: CLUSTER INFO"),
    ("MOVED", "the server is a cluster: write redis-cluster:// in \"url\""),
    ("ASK", "the server is a cluster: write redis-cluster:// in \"url\""),
    ("CROSSSLOT", "the leaderboard's keys lie in several slots: put {braces} around a part of \"key\""),
];

/// A failure of the client as one of the sink: transient, unless the URL or the client's settings are wrong.
pub(super) fn classify(error: &fred::error::Error) -> SinkError {
    use fred::error::ErrorKind as K;
    let details = error.details();
    let text = format!("Redis: {details}");
    let hint = ANSWERS.iter().find(|(word, _)| {
        // A script's error has the word behind "ERR … script: " in older versions.
        details.split([' ', ':', ',']).any(|part| part.trim_start_matches('-') == *word)
    });
    match (hint, error.kind()) {
        (Some((_, hint)), _) => SinkError::transient(text).with_hint(*hint),
        (None, K::Auth) => SinkError::transient(text).with_hint("are user and password in \"url\" right?"),
        (None, K::Config | K::Url) => SinkError::fatal(text).with_hint("is \"url\" right?"),
        (None, _) => SinkError::transient(text),
    }
}

#[cfg(test)]
mod tests {
    use fred::error::{Error, ErrorKind};

    use super::*;
    use crate::failure::SinkErrorKind;

    #[test]
    fn what_redis_answers_is_waited_for_with_a_hint() {
        for (text, kind, hint) in [
            ("NOAUTH Authentication required.", ErrorKind::Auth, "user:password"),
            ("NOPERM this user has no permissions to run the 'evalsha' command", ErrorKind::Unknown, "ACL"),
            ("READONLY You can't write against a read only replica.", ErrorKind::Unknown, "primary"),
            ("OOM command not allowed when used memory > 'maxmemory'.", ErrorKind::Unknown, "maxmemory"),
            ("WRONGTYPE Operation against a key", ErrorKind::InvalidArgument, "something else"),
            (
                "ERR Error running script: -WRONGTYPE Operation against a key",
                ErrorKind::Unknown,
                "something else",
            ),
            ("MISCONF Redis is configured to save RDB snapshots", ErrorKind::Unknown, "disk"),
            ("BUSY Redis is busy running a script.", ErrorKind::Unknown, "SCRIPT KILL"),
            ("MOVED 3999 127.0.0.1:6381", ErrorKind::Cluster, "redis-cluster://"),
        ] {
            let error = classify(&Error::new(kind, text));
            assert_eq!(error.kind, SinkErrorKind::Transient, "{text}");
            assert!(
                error.hint.as_deref().is_some_and(|found| found.contains(hint)),
                "{text}: {:?}",
                error.hint
            );
        }
        assert_eq!(classify(&Error::new(ErrorKind::IO, "closed")).kind, SinkErrorKind::Transient);
        assert_eq!(classify(&Error::new(ErrorKind::Url, "no")).kind, SinkErrorKind::Fatal);
    }
}
