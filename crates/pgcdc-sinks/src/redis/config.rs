//! Keys of a `type = "redis"` sink.

use std::time::Duration;

use pgcdc_config::Section;
use pgcdc_event::Secret;

use crate::store::{Key, key};
use crate::tls::{TLS, Tls};

/// Keys of `type = "redis"`.
pub(crate) const KEYS: &[Key] = &[
    key(
        "url",
        "secret",
        "required",
        "Server: redis://[user:password@]host:port[/database]; also rediss://, redis-cluster://, redis-sentinel:// and valkey://.",
    ),
    TLS,
    key("leaderboard", "table", "required", "The sorted set and the columns that fill it."),
    key("leaderboard.key", "text", "required", "Key of the sorted set; four auxiliary keys lie beside it."),
    key("leaderboard.member", "text", "required", "Column that is ranked."),
    key("leaderboard.score", "text", "required", "Column that is summed for each member."),
    key("leaderboard.window", "duration", "required", "How far back rows count."),
    key("leaderboard.time", "text", "required", "Column that says when a row happened."),
];

/// What the file says of a Redis sink.
///
/// ```toml
/// [[sink]]
/// name = "top"
/// type = "redis"
/// topics = ["shop.public.views"]
/// url = "redis://:${env:REDIS_PASSWORD}@127.0.0.1:6379"
/// leaderboard = { key = "top_10m", member = "article_id", score = "ms", window = "10m", time = "seen_at" }
/// ```
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `url`: `redis://[user:password@]host:port[/database]`, also `rediss://`, `redis-cluster://`,
    /// `redis-sentinel://`. A secret, since it may hold a password.
    pub url: Secret,
    /// `tls`: the authority and the certificate for `rediss://` (default: the system's authorities, and none).
    pub tls: Option<Tls>,
    /// `leaderboard`.
    pub leaderboard: Leaderboard,
}

/// `leaderboard = { key, member, score, window, time }`.
#[derive(Clone, Debug)]
pub struct Leaderboard {
    /// The sorted set's key.
    pub key: String,
    /// The column that is ranked.
    pub member: String,
    /// The column that is summed.
    pub score: String,
    /// How far back rows count.
    pub window: Duration,
    /// The column that says when a row happened.
    pub time: String,
}

impl RedisConfig {
    /// Reads the keys of a `[[sink]]`; `None` when a required one is missing. Mistakes are noted in the section.
    pub(crate) fn parse(section: &mut Section<'_, '_>) -> Option<Self> {
        let url = section.text("url");
        // Neither the URL nor the client's error is shown: both may hold the password.
        if url.as_deref().is_some_and(|url| !is_redis_url(url)) {
            section.mistake_at("url", &format!(
                "\"url\" is not a Redis URL such as redis://user:password@127.0.0.1:6379/0; known schemes are {}",
                SCHEMES.join(", ")
            ));
        }
        let tls = Tls::parse(section, &[]);
        if tls.is_some() && url.as_deref().is_some_and(|url| !is_encrypted(url)) {
            section.mistake_at(
                "tls",
                "\"tls\" needs a \"url\" that begins with rediss://, rediss-cluster:// or rediss-sentinel://",
            );
        }
        let leaderboard = section.inner("leaderboard", |board| {
            let (key, member, score) = (board.text("key"), board.text("member"), board.text("score"));
            let (window, time) = (board.duration("window"), board.text("time"));
            if key.as_deref() == Some("") {
                board.mistake_at("key", "\"key\" must not be empty");
            }
            Some(Leaderboard { key: key?, member: member?, score: score?, window: window?, time: time? })
        });
        if section.raw("leaderboard").is_none() {
            section.mistake_at("leaderboard", "\"leaderboard\" is missing: leaderboard = { key = …, member = …, score = …, window = \"10m\", time = … } is what a redis sink can do");
        }
        Some(Self { url: Secret::new(url?), tls, leaderboard: leaderboard.flatten()? })
    }
}

/// The schemes of URLs that the client knows; those with a second `s` are encrypted.
const SCHEMES: &[&str] = &[
    "redis",
    "rediss",
    "redis-cluster",
    "rediss-cluster",
    "redis-sentinel",
    "rediss-sentinel",
    "valkey",
    "valkeys",
];

fn is_encrypted(url: &str) -> bool {
    url.starts_with("rediss") || url.starts_with("valkeys")
}

fn is_redis_url(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| SCHEMES.contains(&scheme))
        && fred::types::config::Config::from_url(url).is_ok()
}

impl Leaderboard {
    /// The sorted set and its auxiliary keys, all in one slot of a cluster.
    pub(super) fn keys(&self) -> Vec<String> {
        let key = &self.key;
        // In a cluster Redis chooses the slot by the text between the first braces, if that is not empty.
        let tagged = key.find('{').is_some_and(|open| key[open..].find('}').is_some_and(|close| close > 1));
        let base = if tagged { key.clone() } else { format!("{{{key}}}") };
        let auxiliary =
            ["rows", "expiry", "counts", "offsets"].into_iter().map(|name| format!("{base}:{name}"));
        std::iter::once(key.clone()).chain(auxiliary).collect()
    }
}
