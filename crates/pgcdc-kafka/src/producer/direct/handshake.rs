//! The handshake of a new connection: compares the versions of both sides, then logs in.
//!
//! Sources: Kafka's documentation, "Protocol Guide" (SASL authentication sequence), KIP-43, KIP-152, KIP-368.
//!
//! ```text TCP (and TLS) ─▶ ApiVersions ─▶ no login: Metadata, empty ─────────────────────────────┐ │ ├─▶ Greeting └──────▶
//! token, if needed ─▶ SaslHandshake ─▶ SaslAuthenticate* ─┘ ``` What goes wrong is one of four kinds. `Network`: time mends
//! it. `Doubtful`: the broker hung up where one with another `security.protocol` would, which a broker that stops does as well.
//! `Refused`: a certificate, a password, a version; the error has the remedy. `NoLogin`: no token can be had.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use super::connection::{Profile, read_answer};
use super::failure::{
    ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED, UNSUPPORTED_SASL_MECHANISM, UNSUPPORTED_VERSION,
};
use super::protocol::{API_VERSIONS, Answer, Apart, Head, Request, Version, Versions};
use crate::security::{Login, Reply, handshake_failed};
use crate::{Code, Error};

/// The number of the last request of a login; they count down. The sender's own requests have positive numbers.
const CORRELATION: i32 = -1;

/// The pause before a token is asked for again, while the session goes on.
const RENEW_AGAIN: Duration = Duration::from_millis(200);

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Broken {
    /// It was lost, or never made.
    Network(std::io::Error),
    /// The broker hung up at a moment when it would if `security.protocol` were another one.
    Doubtful(Error),
    /// The broker, or what it shows, is refused, or it refuses us.
    Refused(Error),
    /// The client has nothing to log in with: no token can be had. The broker has not been asked yet.
    NoLogin(Error),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Network(error)
    }
}

/// What a handshake found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The version of each request that both sides have.
    pub(super) versions: Versions,
    /// When to log in again; `None` when the session does not end.
    pub(super) renewal: Option<Instant>,
    /// When the broker ends the session, unless the client has logged in again.
    pub(super) end: Option<Instant>,
}

impl Greeting {
    /// Of a connection that may stay as long as it likes.
    const fn without_end(versions: Versions) -> Self {
        Self { versions, renewal: None, end: None }
    }

    /// Of a session that lasts for so many milliseconds; zero is without end (KIP-368). The client logs in again after eight to nine
    /// tenths of it, so that connections do not do it all at once.
    fn of_session(versions: Versions, lifetime_ms: i64) -> Self {
        let Some(lifetime_ms) = u64::try_from(lifetime_ms).ok().filter(|ms| *ms > 0) else {
            return Self::without_end(versions);
        };
        let (now, lifetime) = (Instant::now(), Duration::from_millis(lifetime_ms));
        let renewal = lifetime.mul_f64(0.8 + 0.1 * fastrand::f64());
        Self { versions, renewal: Some(now + renewal), end: Some(now + lifetime) }
    }

    /// Logs in again a little later, when the session does not end before. False when it does.
    pub(super) fn postpone(&mut self) -> bool {
        let later = Instant::now() + RENEW_AGAIN;
        let in_time = self.end.is_none_or(|end| later < end);
        if in_time {
            self.renewal = Some(later);
        }
        in_time
    }
}

/// Sends a request and waits for its answer, which has no size in front.
pub(super) trait Channel {
    /// Asks the broker.
    async fn ask(&mut self, request: &Request) -> std::io::Result<Vec<u8>>;
}

/// The head of a request of a handshake.
const fn head(profile: &Profile) -> Head<'_> {
    Head { correlation: CORRELATION, client: profile.client_id.as_str() }
}

/// A connection over which nothing else is sent meanwhile.
struct Straight<'a, S>(&'a mut S);

impl<S: AsyncRead + AsyncWrite + Unpin> Channel for Straight<'_, S> {
    async fn ask(&mut self, request: &Request) -> std::io::Result<Vec<u8>> {
        self.0.write_all(&request.bytes).await?;
        self.0.flush().await?;
        read_answer(self.0).await
    }
}

/// Compares versions and logs in.
///
/// A broker without a login is sent one more request, an empty `Metadata`: a listener that wants a login answers `ApiVersions`
/// to everybody, and hangs up only then.
///
/// # Errors [`Broken`] says whose fault it is. Nothing is tried again here.
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    profile: &Profile,
    broker: &str,
) -> Result<Greeting, Broken> {
    let mut channel = Straight(stream);
    let versions = compare(&mut channel, profile, broker).await?;
    if profile.security.login.is_some() {
        return log_in(&mut channel, profile, broker, versions).await;
    }
    // A listener that wants a login tells its versions to everybody, and hangs up at any other request.
    let probe = Request::metadata(head(profile), versions, std::iter::empty()).finished();
    channel.ask(&probe).await.map_err(|error| match error.kind() {
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
    Ok(Greeting::without_end(versions))
}

/// Asks for the broker's versions, and takes the newest of each request that both sides have.
async fn compare(channel: &mut impl Channel, profile: &Profile, broker: &str) -> Result<Versions, Broken> {
    let mut version = API_VERSIONS.newest();
    loop {
        let request = Request::api_versions(head(profile), version);
        let answer = channel.ask(&request).await.map_err(|error| hung_up(profile, broker, error))?;
        let told = Answer::new(&answer, version).and_then(|(_, answer)| answer.api_versions());
        let told = told.ok_or_else(|| Broken::Refused(not_kafka(broker)))?;
        match told.error {
            0 => return Versions::agree(&told).map_err(|apart| Broken::Refused(unsupported(broker, &apart))),
            // Every broker has the oldest version, and says so by this error (KIP-511).
            UNSUPPORTED_VERSION if version != API_VERSIONS.oldest() => version = API_VERSIONS.oldest(),
            error => {
                return Err(Broken::Refused(Error::denied(
                    format!("broker {broker} does not tell its versions: error {error}"),
                    Some(Code::UnsupportedVersion),
                    "pgcdc needs Kafka 2.1 or later, or a broker that answers as one",
                )));
            }
        }
    }
}

/// The error of two sides that have no version of a request in common, with both ranges.
fn unsupported(broker: &str, apart: &Apart) -> Error {
    let text = format!("broker {broker} and this client have {apart}");
    Error::denied(text, Some(Code::UnsupportedVersion), apart.hint())
}

/// The error of an answer that makes no sense: something else listens there.
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
///
/// The client's part is prepared first: without a token the broker is not bothered. Then `SaslHandshake` names the mechanism,
/// and messages go to and fro in `SaslAuthenticate` until the mechanism is done (KIP-43, KIP-152). A session that ends is
/// renewed by the same steps over the same connection (KIP-368).
pub(super) async fn log_in(
    channel: &mut impl Channel,
    profile: &Profile,
    broker: &str,
    versions: Versions,
) -> Result<Greeting, Broken> {
    let Some(login) = &profile.security.login else {
        return Ok(Greeting::without_end(versions));
    };
    let mut session = login.begin().await.map_err(Broken::NoLogin)?;
    let request = Request::sasl_handshake(head(profile), login.mechanism());
    let answer = channel.ask(&request).await?;
    agree(&answer, request.version(), login, broker)?;
    let mut message = session.first();
    loop {
        let request = Request::sasl_authenticate(head(profile), versions, &message);
        let answer = channel.ask(&request).await?;
        let parsed =
            Answer::new(&answer, request.version()).and_then(|(_, answer)| answer.sasl_authenticate());
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
                return Ok(Greeting::of_session(versions, lifetime));
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
fn agree(answer: &[u8], version: Version, login: &Login, broker: &str) -> Result<(), Broken> {
    let parsed = Answer::new(answer, version).and_then(|(_, answer)| answer.sasl_handshake());
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
