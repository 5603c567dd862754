//! SASL: which mechanism, and the messages of a login. Kafka carries them in `SaslAuthenticate` requests.
//!
//! | mechanism | messages of the client | source | |---|---|---| | PLAIN | `\0user\0password` | RFC 4616 | | SCRAM-SHA-256,
//! SCRAM-SHA-512 | a random text; a proof that it knows the password | RFC 5802, RFC 7677 | | OAUTHBEARER | a token; an empty
//! message when it is refused, to hear the error | RFC 7628 |
//!
//! PLAIN shows the password to whoever listens, so use it with TLS. SCRAM shows neither side's secret, and the client checks
//! that the broker knows the password as well.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pgcdc_event::Secret;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::scram::{Hash, Scram};
use super::token::{Token, Tokens};
use crate::{ClientProperties, Error, Result};

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub(crate) struct Login(Mechanism);

/// What each mechanism needs.
#[derive(Clone, Debug)]
enum Mechanism {
    Plain { user: String, password: Secret },
    Scram { hash: Hash, user: String, password: Secret },
    OauthBearer(Arc<Tokens>),
}

/// Whether our own connections have a mechanism.
pub(super) fn is_known(mechanism: &str) -> bool {
    ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
        .iter()
        .any(|known| mechanism.eq_ignore_ascii_case(known))
}

impl Login {
    /// Reads the `sasl.*` properties.
    ///
    /// # Errors
    /// When the mechanism is not known, or what it needs is not set.
    pub(crate) fn new(properties: &ClientProperties) -> Result<Self> {
        let mechanism = properties.get("sasl.mechanisms").or_else(|| properties.get("sasl.mechanism"));
        let mechanism = mechanism.unwrap_or("GSSAPI").to_ascii_uppercase();
        let needed = |name: &str| {
            properties.get(name).map(str::to_owned).ok_or_else(|| {
                Error::configuration(format!(
                    "property {name:?} is not set, and sasl.mechanism={mechanism} needs it: set it, or sasl.jaas.config"
                ))
            })
        };
        let password = || needed("sasl.password").map(Secret::new);
        Ok(Self(match mechanism.as_str() {
            "PLAIN" => Mechanism::Plain { user: needed("sasl.username")?, password: password()? },
            "SCRAM-SHA-256" | "SCRAM-SHA-512" => Mechanism::Scram {
                hash: if mechanism.ends_with("256") { Hash::Sha256 } else { Hash::Sha512 },
                user: needed("sasl.username")?,
                password: password()?,
            },
            "OAUTHBEARER" => Mechanism::OauthBearer(Arc::new(Tokens::new(properties)?)),
            other => {
                return Err(Error::configuration(format!(
                    "property \"sasl.mechanism\": {other:?} is not known here; PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER are"
                )));
            }
        }))
    }

    /// The mechanism's name, as `SaslHandshake` has it.
    pub(crate) const fn mechanism(&self) -> &'static str {
        match &self.0 {
            Mechanism::Plain { .. } => "PLAIN",
            Mechanism::Scram { hash: Hash::Sha256, .. } => "SCRAM-SHA-256",
            Mechanism::Scram { hash: Hash::Sha512, .. } => "SCRAM-SHA-512",
            Mechanism::OauthBearer(_) => "OAUTHBEARER",
        }
    }

    /// The user, where the properties name one.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.0 {
            Mechanism::Plain { user, .. } | Mechanism::Scram { user, .. } => Some(user),
            Mechanism::OauthBearer(_) => None,
        }
    }

    /// Begins a login: gets a token, where one is needed.
    ///
    /// # Errors
    /// When no token can be had.
    pub(crate) async fn begin(&self) -> Result<Session> {
        Ok(Session(match &self.0 {
            Mechanism::Plain { user, password } => {
                Step::Plain { user: user.clone(), password: password.clone() }
            }
            Mechanism::Scram { hash, user, password } => {
                Step::ScramFirst(Scram::new(*hash, user, password.clone(), nonce()?))
            }
            Mechanism::OauthBearer(tokens) => {
                Step::OauthBearer { token: tokens.token().await?, extensions: tokens.extensions().to_owned() }
            }
        }))
    }
}

/// A text of random bytes that no login had before.
fn nonce() -> Result<String> {
    let mut bytes = [0; 24];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::other("the system gives no random bytes", true))?;
    Ok(STANDARD_NO_PAD.encode(bytes))
}

/// One login.
#[derive(Debug)]
pub(crate) struct Session(Step);

/// How far a login is, and what the next message needs.
#[derive(Debug)]
enum Step {
    Plain {
        user: String,
        password: Secret,
    },
    ScramFirst(Scram),
    ScramLast(Scram),
    OauthBearer {
        token: Token,
        extensions: String,
    },
    /// The broker refused a token for this reason, and waits for an empty message before it says so by an error.
    Refused(String),
    Done,
}

/// What follows a message of the broker's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Send this message.
    Send(Vec<u8>),
    /// The login is done.
    Done,
}

impl Session {
    /// The client's first message.
    pub(crate) fn first(&self) -> Vec<u8> {
        match &self.0 {
            Step::Plain { user, password } => format!("\0{user}\0{}", password.expose()).into_bytes(),
            Step::ScramFirst(scram) => scram.first(),
            Step::OauthBearer { token, extensions } => {
                // RFC 7628, 3.1.
                format!("n,,\x01auth=Bearer {}\x01{extensions}\x01", token.text.expose()).into_bytes()
            }
            Step::ScramLast(_) | Step::Refused(_) | Step::Done => Vec::new(),
        }
    }

    /// Takes in a message of the broker's. An error says what is wrong with it.
    pub(crate) fn answer(&mut self, message: &[u8]) -> Result<Reply, String> {
        match std::mem::replace(&mut self.0, Step::Done) {
            Step::ScramFirst(mut scram) => {
                let last = scram.last(message)?;
                self.0 = Step::ScramLast(scram);
                Ok(Reply::Send(last))
            }
            Step::ScramLast(scram) => scram.verify(message).map(|()| Reply::Done).map_err(str::to_owned),
            Step::OauthBearer { .. } if !message.is_empty() => {
                self.0 = Step::Refused(String::from_utf8_lossy(message).into_owned());
                Ok(Reply::Send(vec![1]))
            }
            Step::Refused(reason) => Err(reason),
            Step::Plain { .. } | Step::OauthBearer { .. } | Step::Done => Ok(Reply::Done),
        }
    }

    /// Why the broker refused, where it said so before its error.
    pub(crate) fn reason(&self) -> Option<&str> {
        match &self.0 {
            Step::Refused(reason) => Some(reason),
            _ => None,
        }
    }
}
