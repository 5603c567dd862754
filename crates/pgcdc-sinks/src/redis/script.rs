//! Calling the script.

use std::time::Duration;

use fred::clients::Client;
use fred::types::scripts::Script;
use fred::types::{MultipleKeys, Value};

use super::Leaderboard;
use crate::SinkError;

const LUA: &str = include_str!("leaderboard.lua");

/// The script, with the keys it works on.
pub(super) struct Step {
    script: Script,
    keys: Vec<String>,
    window_us: String,
}

/// What the script answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Done.
    Done,
    /// Redis holds this offset instead of the expected one; -1 is none.
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

    /// Lets old rows leave; returns how long until the next one has to, `None` when there is none.
    pub(super) async fn expire(&self, client: &Client) -> Result<Option<Duration>, SinkError> {
        let arguments = vec![self.window_us.as_str().into(), "".into(), "-1".into(), "-1".into()];
        let (_, wait) = self.call(client, arguments).await?;
        Ok(u64::try_from(wait).ok().map(Duration::from_micros))
    }

    /// Applies records, packed, and moves the offset from `expected` (or from nothing) to `next`.
    pub(super) async fn apply(
        &self,
        client: &Client,
        field: &str,
        expected: Option<i64>,
        next: i64,
        records: Vec<u8>,
    ) -> Result<Answer, SinkError> {
        let arguments = vec![
            self.window_us.as_str().into(),
            field.into(),
            expected.unwrap_or(-1).to_string().into(),
            next.to_string().into(),
            Value::Bytes(records.into()),
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

pub(super) fn classify(error: &fred::error::Error) -> SinkError {
    use fred::error::ErrorKind as K;
    let text = format!("Redis: {}", error.details());
    match error.kind() {
        K::Auth | K::Config | K::Url | K::InvalidArgument | K::InvalidCommand => SinkError::fatal(text),
        // A key of another type: nobody but a person knows whose it is.
        _ if error.details().contains("WRONGTYPE") => SinkError::fatal(text),
        _ => SinkError::transient(text),
    }
}
