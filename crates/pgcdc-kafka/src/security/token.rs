//! Tokens for OAUTHBEARER: from a token endpoint (client credentials), a file, a command, or the properties themselves.
//!
//! Sources: RFC 6749, 4.4 (client credentials); RFC 7628 (SASL); KIP-768 (Kafka's own properties).
//!
//! | what happens | what follows | |---|---| | the endpoint cannot be reached, or answers 429 or 5xx | tried again, as a broker
//! that is away | | it answers otherwise without a token, or its certificate is not trusted | the error has the remedy | | a
//! file is missing, or a command fails | the error names it |
//!
//! The last two end a client that was never let in, and are borne with for five minutes by one that was.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pgcdc_event::Secret;

use super::tls::Tls;
use crate::clock::now_ms;
use crate::{ClientProperties, Code, Error, Result};

/// How long a token endpoint or a command may take.
const LIMIT: Duration = Duration::from_secs(8);
/// How long a token is taken to be valid that does not say so.
const VALID: Duration = Duration::from_secs(300);

/// A token, and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// The token, as the broker gets it.
    pub(crate) text: Secret,
    /// When it expires, in milliseconds since 1970.
    pub(crate) expires_ms: i64,
    /// Whom it is for; empty where it does not say so.
    pub(crate) principal: String,
}

/// Where tokens come from.
pub(crate) struct Tokens {
    /// Where the next token is asked for.
    source: Source,
    /// Key-value pairs for the broker, each followed by a byte 1.
    extensions: String,
}

/// Where tokens come from. A token is asked for at each login, and none is kept.
enum Source {
    /// The property itself (`sasl.oauthbearer.token`), for a token that lives as long as the process.
    Fixed(Secret),
    /// A file that something else keeps fresh, as Kubernetes does with a projected token.
    File(PathBuf),
    /// A command of the shell's that prints a token, for managed services with a tool of their own.
    Program(String),
    /// A server that gives tokens for a client's name and secret.
    Endpoint(Box<Endpoint>),
    /// An unsigned token for this user, which only brokers for development take.
    Unsecured(String),
}

/// A server of tokens, asked by the client credentials grant.
struct Endpoint {
    /// Where it is, `https://…` as a rule.
    url: String,
    /// The client's name.
    client: String,
    /// The client's secret; both go into the request's `Authorization` header.
    secret: Secret,
    /// What the token is to be good for, as far as the endpoint asks.
    scope: Option<String>,
    http: reqwest::Client,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Fixed(_) => "fixed",
            Source::File(_) => "file",
            Source::Program(_) => "command",
            Source::Endpoint(_) => "endpoint",
            Source::Unsecured(_) => "unsecured",
        };
        f.debug_tuple("Tokens").field(&source).finish()
    }
}

impl Tokens {
    /// Reads the `sasl.oauthbearer.*` properties.
    ///
    /// # Errors
    /// When they name no source of tokens, or not all that one needs.
    pub(crate) fn new(properties: &ClientProperties) -> Result<Self> {
        let get = |name: &str| properties.get(name);
        let source = if let Some(token) = get("sasl.oauthbearer.token") {
            Source::Fixed(Secret::new(token))
        } else if let Some(file) = get("sasl.oauthbearer.token.file") {
            Source::File(PathBuf::from(file))
        } else if let Some(command) = get("sasl.oauthbearer.token.command") {
            Source::Program(command.to_owned())
        } else if let Some(url) = get("sasl.oauthbearer.token.endpoint.url") {
            match url.strip_prefix("file://") {
                Some(path) => Source::File(PathBuf::from(path)),
                None => Source::Endpoint(Box::new(Endpoint::new(url, properties)?)),
            }
        } else if get("enable.sasl.oauthbearer.unsecure.jwt").is_some_and(|value| value == "true") {
            let settings = get("sasl.oauthbearer.config").unwrap_or_default();
            let user = settings.split_whitespace().find_map(|setting| setting.strip_prefix("principal="));
            Source::Unsecured(user.unwrap_or_default().to_owned())
        } else {
            return Err(Error::configuration(
                "sasl.mechanism=OAUTHBEARER has no token: set sasl.oauthbearer.token.endpoint.url (with \
                 sasl.oauthbearer.client.id and .secret), sasl.oauthbearer.token.file, or sasl.oauthbearer.token.command",
            ));
        };
        let extensions = get("sasl.oauthbearer.extensions").unwrap_or_default();
        let extensions = extensions.split(',').filter(|pair| pair.contains('='));
        Ok(Self { source, extensions: extensions.map(|pair| format!("{}\x01", pair.trim())).collect() })
    }

    /// Key-value pairs for the broker, each followed by a byte 1.
    pub(crate) fn extensions(&self) -> &str {
        &self.extensions
    }

    /// As [`token`](Self::token), for a thread that may block, within a runtime or not.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub(crate) fn token_blocking(&self) -> Result<Token> {
        let failed = || Error::other("a token could not be asked for: there are no threads", true);
        std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|_| failed())?.block_on(self.token())
            });
            work.join().map_err(|_| failed())?
        })
    }

    /// Gets a token that is valid now.
    ///
    /// # Errors
    /// When none can be had. The error is transient when the endpoint cannot be reached or is out of order.
    pub(crate) async fn token(&self) -> Result<Token> {
        let text = match &self.source {
            Source::Fixed(token) => token.expose().to_owned(),
            Source::File(path) => read(path)?,
            Source::Program(command) => run(command).await?,
            Source::Endpoint(endpoint) => return endpoint.token().await,
            Source::Unsecured(user) => unsecured(user, SystemTime::now()),
        };
        let text = text.trim();
        if text.is_empty() || text.contains(|c: char| c.is_control()) {
            return Err(Error::configuration(
                "the token for OAUTHBEARER is empty, or has more than one line",
            ));
        }
        Ok(token(text, None))
    }
}

/// Reads a token from a file.
///
/// # Errors When the file cannot be read. A client that was let in before tries again, since the file may be about to be
/// replaced.
fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::configuration(format!("sasl.oauthbearer.token.file: cannot read {}: {error}", path.display()))
    })
}

/// Runs a command of the shell's that prints a token.
async fn run(command: &str) -> Result<String> {
    let command = command.to_owned();
    let output = tokio::task::spawn_blocking(move || output(&command)).await;
    let failed = |why: String| Error::other(format!("sasl.oauthbearer.token.command: {why}"), true);
    let output =
        output.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or_default().trim();
        let text = format!("sasl.oauthbearer.token.command: it ended with {}: {said}", output.status);
        return Err(Error::denied(text, None, "run the command by hand: it has to print a token"));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("it printed something that is not text".to_owned()))
}

/// Waits for a command, and kills it when it takes too long.
fn output(command: &str) -> std::io::Result<Output> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let end = Instant::now() + LIMIT;
    while child.try_wait()?.is_none() {
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(format!("it did not end within {} s", LIMIT.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output()
}

impl Endpoint {
    /// Reads what the endpoint needs.
    fn new(url: &str, properties: &ClientProperties) -> Result<Self> {
        let needed = |name: &str| {
            properties.get(name).map(str::to_owned).ok_or_else(|| {
                Error::configuration(format!(
                    "property {name:?} is not set, and sasl.oauthbearer.token.endpoint.url needs it"
                ))
            })
        };
        // Authorities of the endpoint are not those of the brokers.
        let mut https = ClientProperties::default();
        for (name, ours) in [("https.ca.location", "ssl.ca.location"), ("https.ca.pem", "ssl.ca.pem")] {
            if let Some(value) = properties.get(name) {
                https.set(ours, value);
            }
        }
        let host = url.split("://").nth(1).unwrap_or(url).split(['/', ':']).next().unwrap_or_default();
        let tls = Tls::new(&https)?.client_config(host)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
            .timeout(LIMIT)
            .build()
            .map_err(|error| Error::configuration(format!("sasl.oauthbearer.token.endpoint.url: {error}")))?;
        Ok(Self {
            url: url.to_owned(),
            client: needed("sasl.oauthbearer.client.id")?,
            secret: Secret::new(needed("sasl.oauthbearer.client.secret")?),
            scope: properties.get("sasl.oauthbearer.scope").map(str::to_owned),
            http,
        })
    }

    async fn token(&self) -> Result<Token> {
        let mut body = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            body.push_str("&scope=");
            body.push_str(&form_encoded(scope));
        }
        let request = self
            .http
            .post(&self.url)
            .basic_auth(&self.client, Some(self.secret.expose()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(body);
        let away = |error: reqwest::Error| {
            let mut text = format!("no token from {}: {error}", self.url);
            let mut cause = std::error::Error::source(&error);
            let mut distrusted = false;
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                distrusted |= is_distrust(inner);
                cause = inner.source();
            }
            if distrusted {
                let hint = "name the authority of the endpoint's certificate in https.ca.location (PEM); without it the \
                            system's authorities are trusted";
                return Error::denied(text, Some(Code::SSL), hint);
            }
            Error::other(text, true)
        };
        let answer = request.send().await.map_err(away)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(away)?;
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(Error::other(format!("no token from {}: it answers {status}", self.url), true));
        }
        let Some(text) = json["access_token"].as_str().filter(|_| status.is_success()) else {
            let said = json["error"].as_str().unwrap_or("no access_token");
            return Err(Error::denied(
                format!("no token from {}: it answers {status}, {said}", self.url),
                None,
                "check sasl.oauthbearer.client.id, sasl.oauthbearer.client.secret and sasl.oauthbearer.scope",
            ));
        };
        Ok(token(text, json["expires_in"].as_u64().map(Duration::from_secs)))
    }
}

/// Whether a connection failed since the endpoint's certificate is not trusted, which only a person can mend.
fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    // Each layer wraps the error of the one below into one of input and output, which hides it from `source`.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(inner) => is_distrust(inner),
        None => matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))),
    }
}

/// A text as the value of a form's field.
fn form_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What a token says of itself, if it is a JWT.
fn token(text: &str, lifetime: Option<Duration>) -> Token {
    let claims =
        text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
    let claims: serde_json::Value =
        claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
    let lifetime_ms = i64::try_from(lifetime.unwrap_or(VALID).as_millis()).unwrap_or(i64::MAX);
    let until_ms = now_ms().saturating_add(lifetime_ms);
    let expires_ms = claims["exp"].as_f64().map_or(until_ms, |seconds| (seconds * 1000.0) as i64);
    let principal = claims["sub"].as_str().unwrap_or_default().to_owned();
    Token { text: Secret::new(text), expires_ms, principal }
}

/// An unsigned JWT, valid for an hour.
fn unsecured(user: &str, now: SystemTime) -> String {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = serde_json::json!({ "sub": user, "iat": now, "exp": now + 3600 });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&claims.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whom_it_is_for_and_until_when() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let found = token(&unsecured("alice", now), None);
        assert_eq!((found.principal.as_str(), found.expires_ms), ("alice", 4_600_000));
        assert_eq!(token("opaque", None).principal, "");
    }

    #[test]
    fn distrust_is_seen_through_the_layers() {
        let found = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = std::io::Error::other(std::io::Error::other(found));
        assert!(is_distrust(&wrapped));
        assert!(!is_distrust(&std::io::Error::other(rustls::Error::DecryptError)));
    }

    #[tokio::test]
    async fn commands_and_files_give_tokens() {
        let of = |name: &str, value: &str| {
            let mut properties = ClientProperties::default();
            properties.set(name, value);
            Tokens::new(&properties).unwrap()
        };
        let token = of("sasl.oauthbearer.token.command", "echo abc").token().await.unwrap();
        assert_eq!(token.text.expose(), "abc");
        let error =
            of("sasl.oauthbearer.token.command", "echo no luck >&2; exit 3").token().await.unwrap_err();
        assert!(error.to_string().contains("no luck") && !error.is_transient(), "{error}");
        let missing = of("sasl.oauthbearer.token.endpoint.url", "file:///nowhere/token");
        assert!(missing.token().await.unwrap_err().to_string().contains("/nowhere/token"));
        assert!(Tokens::new(&ClientProperties::default()).is_err());
    }
}
