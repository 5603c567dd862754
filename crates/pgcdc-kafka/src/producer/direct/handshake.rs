//! The handshake of a new connection: compares the versions of both sides, then logs in.
//!
//! Sources: Kafka's documentation, "Protocol Guide" (SASL authentication sequence), KIP-43, KIP-152, KIP-368.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use super::connection::{Profile, read_answer};
use super::failure::{ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED, UNSUPPORTED_SASL_MECHANISM};
use super::protocol::{APIS, Answer, Request, SASL_AUTHENTICATE};
use crate::security::{Login, Reply, handshake_failed};
use crate::{Code, Error};

/// The number of the last request of a login; they count down. The sender's own requests have positive numbers.
const CORRELATION: i32 = -1;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Broken {
    /// It was lost, or never made.
    Network(std::io::Error),
    /// The broker hung up at a moment when it would if `security.protocol` were another one.
    Doubtful(Error),
    /// The broker, or what it shows, is refused, or it refuses us.
    Refused(Error),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Network(error)
    }
}

/// What a handshake found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The version of `SaslAuthenticate` that both sides have.
    pub(super) authenticate: i16,
    /// When to log in again; `None` when the session does not end.
    pub(super) renewal: Option<Instant>,
}

/// Sends a request and waits for its answer, which has no size in front.
pub(super) trait Channel {
    /// Asks the broker.
    async fn ask(&mut self, request: Request) -> std::io::Result<Vec<u8>>;
}

/// A connection over which nothing else is sent meanwhile.
struct Straight<'a, S>(&'a mut S);

impl<S: AsyncRead + AsyncWrite + Unpin> Channel for Straight<'_, S> {
    async fn ask(&mut self, request: Request) -> std::io::Result<Vec<u8>> {
        self.0.write_all(&request.bytes).await?;
        self.0.flush().await?;
        read_answer(self.0).await
    }
}

/// Compares versions and logs in.
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    profile: &Profile,
    broker: &str,
) -> Result<Greeting, Broken> {
    let mut channel = Straight(stream);
    let answer = channel.ask(Request::api_versions(CORRELATION, &profile.client_id)).await;
    let answer = answer.map_err(|error| hung_up(profile, broker, error))?;
    let authenticate = check_versions(&answer, broker).map_err(Broken::Refused)?;
    if profile.security.login.is_some() {
        return log_in(&mut channel, profile, broker, authenticate).await;
    }
    // A listener that wants a login tells its versions to everybody, and hangs up at any other request.
    let probe = Request::metadata(CORRELATION, &profile.client_id, std::iter::empty()).finished();
    channel.ask(probe).await.map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            let protocol = profile.security.protocol();
            Broken::Doubtful(Error::denied(
                format!("broker {broker} hangs up at the first request after its versions were asked for"),
                Some(Code::Authentication),
                format!(
                    "its listener probably wants a login: set security.protocol=SASL_{protocol}, sasl.mechanism, and \
                     sasl.jaas.config (or sasl.username and sasl.password), or name another port in bootstrap.servers"
                ),
            ))
        }
        _ => Broken::Network(error),
    })?;
    Ok(Greeting { authenticate, renewal: None })
}

/// Compares the broker's versions of each request with ours. Returns the version of `SaslAuthenticate` that both have.
fn check_versions(answer: &[u8], broker: &str) -> Result<i16, Error> {
    let mut answer = Answer(answer);
    let versions = answer.i32().and_then(|_| answer.api_versions());
    let Some((error, ranges)) = versions else { return Err(not_kafka(broker)) };
    if error != 0 {
        return Err(Error::denied(
            format!("broker {broker} does not tell its versions: error {error}"),
            Some(Code::UnsupportedVersion),
            "pgcdc needs Kafka 2.1 or later, or a broker that answers as one",
        ));
    }
    let range = |key: i16| ranges.iter().find(|range| range.0 == key).map(|(_, least, most)| (*least, *most));
    for (key, name, ours) in APIS {
        let Some((least, most)) = range(*key) else {
            return Err(unsupported(broker, name, *ours, "does not have it"));
        };
        if !(least..=most).contains(ours) {
            return Err(unsupported(broker, name, *ours, &format!("takes versions {least} to {most}")));
        }
    }
    Ok(range(SASL_AUTHENTICATE.0).map_or(SASL_AUTHENTICATE.1, |(_, most)| most.min(SASL_AUTHENTICATE.1)))
}

fn unsupported(broker: &str, name: &str, ours: i16, theirs: &str) -> Error {
    Error::denied(
        format!(
            "broker {broker} and pgcdc have no version of request {name} in common: pgcdc sends version {ours}, the broker {theirs}"
        ),
        Some(Code::UnsupportedVersion),
        "pgcdc needs Kafka 2.1 or later: update the broker",
    )
}

fn not_kafka(broker: &str) -> Error {
    Error::denied(
        format!("{broker} answers, and does not speak Kafka's protocol"),
        None,
        "check host and port in bootstrap.servers",
    )
}

/// Why there was no answer to the first request.
fn hung_up(profile: &Profile, broker: &str, error: std::io::Error) -> Broken {
    if let Some(refused) = handshake_failed(broker, &error) {
        return Broken::Refused(refused);
    }
    let encrypted = profile.security.tls.is_some();
    let hint = if encrypted {
        "if the broker asks for a client certificate (ssl.client.auth=required), name one in ssl.keystore.location, or in \
         ssl.certificate.location and ssl.key.location"
    } else {
        "its listener probably wants TLS: set security.protocol to SSL or SASL_SSL, or name another port in bootstrap.servers"
    };
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Broken::Doubtful(
            Error::denied(format!("broker {broker} hangs up at the first request"), Some(Code::SSL), hint),
        ),
        // What came was no size: an alert of TLS, for instance.
        ErrorKind::Other => Broken::Refused(Error::denied(
            format!("broker {broker} answers, and not in Kafka's protocol"),
            Some(Code::SSL),
            hint,
        )),
        _ => Broken::Network(error),
    }
}

/// Why TLS was not set up.
pub(super) fn no_tls(broker: &str, error: std::io::Error) -> Broken {
    if let Some(refused) = handshake_failed(broker, &error) {
        return Broken::Refused(refused);
    }
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            Broken::Doubtful(Error::denied(
                format!("broker {broker} hangs up when TLS begins"),
                Some(Code::SSL),
                "its port probably does not speak TLS: set security.protocol to PLAINTEXT or SASL_PLAINTEXT, or name a port of a \
                 listener with TLS in bootstrap.servers",
            ))
        }
        _ => Broken::Network(error),
    }
}

/// Logs in, for the first time or again.
pub(super) async fn log_in(
    channel: &mut impl Channel,
    profile: &Profile,
    broker: &str,
    version: i16,
) -> Result<Greeting, Broken> {
    let Some(login) = &profile.security.login else {
        return Ok(Greeting { authenticate: version, renewal: None });
    };
    let client = &profile.client_id;
    let answer = channel.ask(Request::sasl_handshake(CORRELATION, client, login.mechanism())).await?;
    agree(&answer, login, broker)?;
    let mut session = match login.begin().await {
        Ok(session) => session,
        Err(error) if error.is_transient() => return Err(std::io::Error::other(error.to_string()).into()),
        Err(error) => return Err(Broken::Refused(error)),
    };
    let mut message = session.first();
    loop {
        let request = Request::sasl_authenticate(CORRELATION, client, version, &message);
        let answer = channel.ask(request).await?;
        let mut answer = Answer(&answer);
        let parsed = answer.i32().and_then(|_| answer.sasl_authenticate(version));
        let Some((error, text, theirs, lifetime)) = parsed else {
            return Err(Broken::Refused(not_kafka(broker)));
        };
        if error != 0 {
            let reason = session.reason().map(str::to_owned).or(text).unwrap_or_default();
            return Err(Broken::Refused(denied(login, broker, error, &reason)));
        }
        match session.answer(theirs) {
            Ok(Reply::Send(next)) => message = next,
            Ok(Reply::Done) => {
                let renewal = (lifetime > 0).then(|| Instant::now() + renewal(lifetime));
                return Ok(Greeting { authenticate: version, renewal });
            }
            Err(why) => {
                let text = format!(
                    "login at broker {broker} by {}: the broker's answer is refused: {why}",
                    login.mechanism()
                );
                let hint = "is this the broker that it should be? Somebody may be listening";
                return Err(Broken::Refused(Error::denied(text, Some(Code::SaslAuthenticationFailed), hint)));
            }
        }
    }
}

/// Takes in whether the broker has the mechanism.
fn agree(answer: &[u8], login: &Login, broker: &str) -> Result<(), Broken> {
    let mut answer = Answer(answer);
    let parsed = answer.i32().and_then(|_| answer.sasl_handshake());
    let (error, mechanisms) = parsed.ok_or_else(|| Broken::Refused(not_kafka(broker)))?;
    let (text, hint) = match error {
        0 => return Ok(()),
        UNSUPPORTED_SASL_MECHANISM => (
            format!(
                "broker {broker} does not have sasl.mechanism={}; it has {}",
                login.mechanism(),
                mechanisms.join(", ")
            ),
            "set sasl.mechanism to one of these, or add ours to the broker's sasl.enabled.mechanisms",
        ),
        ILLEGAL_SASL_STATE => (
            format!("broker {broker} takes no login on this port"),
            "set security.protocol to PLAINTEXT or SSL, or name a port of a SASL listener in bootstrap.servers",
        ),
        other => (format!("broker {broker} refuses to begin a login: error {other}"), "its log says more"),
    };
    Err(Broken::Refused(Error::denied(text, Some(Code::Authentication), hint)))
}

/// The error of a login that the broker refused.
fn denied(login: &Login, broker: &str, error: i16, reason: &str) -> Error {
    let user = login.user().map(|user| format!(" as user {user:?}")).unwrap_or_default();
    let reason = if reason.is_empty() { format!("error {error}") } else { reason.to_owned() };
    let text = format!("login at broker {broker} by {}{user}: {reason}", login.mechanism());
    let code = if error == SASL_AUTHENTICATION_FAILED {
        Code::SaslAuthenticationFailed
    } else {
        Code::Authentication
    };
    let hint = match login.user() {
        Some(user) if login.mechanism().starts_with("SCRAM") => format!(
            "are user and password right, and does the user exist for this mechanism? kafka-configs --bootstrap-server … --describe \
             --entity-type users --entity-name {user} tells"
        ),
        Some(_) => "are user and password right (sasl.jaas.config, or sasl.username and sasl.password)?".to_owned(),
        None => "is the token for this cluster, and not expired? Its audience and scope must be those of the broker's listener".to_owned(),
    };
    Error::denied(text, Some(code), hint)
}

/// How long to wait before logging in again, when a session lasts for so many milliseconds: eight to nine tenths of it, so that
/// connections do not do it all at once.
fn renewal(lifetime_ms: i64) -> Duration {
    let lifetime = Duration::from_millis(lifetime_ms.unsigned_abs());
    lifetime.mul_f64(0.8 + 0.1 * fastrand::f64())
}
