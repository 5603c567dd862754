//! The login: the startup message, authentication, and what the server says about the session.
//!
//! Passwords in clear text or as MD5, and SCRAM-SHA-256 with or without channel binding.
//! Certificates need nothing here: TLS has shown them. Source: PostgreSQL documentation, "Message
//! Flow", sections "Start-up" and "SASL Authentication".

use pgwire_replication::PgWireError;
use pgwire_replication::protocol::framing::{
    read_backend_message, write_password_message, write_startup_message,
};
use pgwire_replication::protocol::messages::auth;
use pgwire_replication::protocol::parse_auth_request;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding as Binding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};

use super::encryption::{self, Link};
use super::failure::Failure;
use super::refusal;
use crate::config::{ChannelBinding, Connection, Host};
use crate::{Error, Result};

/// Version 3.0 of the protocol, which every server knows.
const VERSION: i32 = 196_608;

/// The server asks for GSSAPI, which pgcdc does not have. Source: PostgreSQL documentation,
/// "Message Formats", `AuthenticationGSS`.
const GSS: i32 = 7;
/// The server asks for SSPI, which pgcdc does not have.
const SSPI: i32 = 9;

/// What the server says about a session at its login.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// Names and values of the parameters that the server reports (`ParameterStatus`).
    pub(super) parameters: Vec<(String, String)>,
    /// The messages as they came, from the end of authentication to `ReadyForQuery`.
    pub(super) messages: Vec<u8>,
}

/// One login, over a connection that is open.
pub(super) struct Login<'a> {
    /// User, password and the rule about channel binding.
    pub(super) connection: &'a Connection,
    /// The server, which may have a password of its own from the password file.
    pub(super) host: &'a Host,
    /// The startup message's parameters.
    pub(super) parameters: &'a [(&'a str, &'a str)],
    /// The connection in words, for errors.
    pub(super) what: &'a str,
}

impl Login<'_> {
    /// Sends the startup message and authenticates, until the server is ready for a command.
    pub(super) async fn run(&self, link: &mut Link) -> Result<Greeting, Failure> {
        write_startup_message(&mut link.stream, VERSION, self.parameters)
            .await
            .map_err(|e| self.broken(e))?;
        let mut greeting = Greeting::default();
        let mut bound = false;
        loop {
            let message = read_backend_message(&mut link.stream).await.map_err(|error| self.broken(error))?;
            match message.tag {
                b'E' => return Err(Failure::refused(&message.payload)),
                b'R' => {
                    let (kind, data) = parse_auth_request(&message.payload).map_err(|e| self.broken(e))?;
                    if kind == auth::OK {
                        self.check_binding(bound)?;
                        append(&mut greeting.messages, message.tag, &message.payload);
                    } else {
                        bound |= self.authenticate(link, kind, data).await?;
                    }
                }
                b'v' => return Err(self.fatal("the server wants another version of the protocol")),
                tag => {
                    append(&mut greeting.messages, tag, &message.payload);
                    if tag == b'S' {
                        greeting.parameters.extend(parameter(&message.payload));
                    }
                    if tag == b'Z' {
                        return Ok(greeting);
                    }
                }
            }
        }
    }

    /// The password: the configuration's, else that of the password file.
    ///
    /// # Errors
    /// A configuration error when there is none.
    fn password(&self) -> Result<&str, Failure> {
        let given = self.connection.password.as_ref().or(self.host.password.as_ref());
        given.map(|password| password.expose()).ok_or_else(|| {
            let error = Error::configuration(format!("{}: the server asks for a password", self.what));
            Failure::Other(error.with_hint("set database.password"))
        })
    }

    /// Answers a request for authentication; true when the answer was bound to the TLS session.
    async fn authenticate(&self, link: &mut Link, kind: i32, data: &[u8]) -> Result<bool, Failure> {
        match kind {
            auth::CLEARTEXT_PASSWORD => {
                self.check_binding(false)?;
                self.send_password(link, self.password()?).await
            }
            auth::MD5_PASSWORD => {
                self.check_binding(false)?;
                let salt = data
                    .first_chunk()
                    .ok_or_else(|| self.fatal("a request for a password without a salt"))?;
                let hash = md5_hash(self.connection.user.as_bytes(), self.password()?.as_bytes(), *salt);
                self.send_password(link, &hash).await
            }
            auth::SASL => self.scram(link, data).await,
            other => Err(Failure::Other(self.unsupported(other))),
        }
    }

    /// The error for a kind of authentication that pgcdc does not have.
    fn unsupported(&self, kind: i32) -> Error {
        let name = match kind {
            2 => "Kerberos 5".to_owned(),
            GSS => "GSSAPI (gss)".to_owned(),
            SSPI => "SSPI".to_owned(),
            other => format!("authentication of kind {other}"),
        };
        Error::configuration(format!("{}: the server asks for {name}, which pgcdc does not have", self.what))
            .with_hint("give the role's connections scram-sha-256, cert, password or trust in pg_hba.conf; `SELECT * FROM pg_hba_file_rules` shows the rules")
    }

    /// Sends a password or its hash. Such an answer is never bound to TLS.
    async fn send_password(&self, link: &mut Link, password: &str) -> Result<bool, Failure> {
        let mut payload = password.as_bytes().to_vec();
        payload.push(0);
        write_password_message(&mut link.stream, &payload).await.map_err(|error| self.broken(error))?;
        Ok(false)
    }

    /// SCRAM-SHA-256, bound to the TLS session if both sides can. Source: RFC 5802, RFC 7677. True
    /// when it was bound.
    async fn scram(&self, link: &mut Link, offered: &[u8]) -> Result<bool, Failure> {
        let offers = |name: &str| offered.split(|&byte| byte == 0).any(|offer| offer == name.as_bytes());
        let hash =
            link.end_point.clone().filter(|_| self.connection.channel_binding != ChannelBinding::Disable);
        let (binding, mechanism) = match hash {
            Some(hash) if offers(SCRAM_SHA_256_PLUS) => {
                (Binding::tls_server_end_point(hash), SCRAM_SHA_256_PLUS)
            }
            // Tells the server that we could bind. If the server had offered binding and somebody
            // between us took the offer away, it refuses us now.
            Some(_) => (Binding::unrequested(), SCRAM_SHA_256),
            None => (Binding::unsupported(), SCRAM_SHA_256),
        };
        let bound = mechanism == SCRAM_SHA_256_PLUS;
        if !offers(mechanism) {
            let error = format!("{}: the server offers no SCRAM-SHA-256", self.what);
            return Err(Failure::Other(
                Error::configuration(error).with_hint("say scram-sha-256 in pg_hba.conf"),
            ));
        }
        if !bound && self.connection.channel_binding == ChannelBinding::Require {
            return Err(self.unbound(if !link.encrypted {
                "the session is not encrypted"
            } else if link.end_point.is_none() {
                "the server's certificate is signed without a hash that binding could use"
            } else {
                "the server does not offer it"
            }));
        }
        let mut scram = ScramSha256::new(self.password()?.as_bytes(), binding);
        let mut first = mechanism.as_bytes().to_vec();
        first.push(0);
        first.extend_from_slice(&u32::try_from(scram.message().len()).unwrap_or(0).to_be_bytes());
        first.extend_from_slice(scram.message());
        write_password_message(&mut link.stream, &first).await.map_err(|error| self.broken(error))?;
        let wrong = |error: std::io::Error| self.fatal(&format!("SCRAM: {error}"));
        scram.update(&self.answer(link, auth::SASL_CONTINUE).await?).map_err(wrong)?;
        write_password_message(&mut link.stream, scram.message())
            .await
            .map_err(|error| self.broken(error))?;
        scram.finish(&self.answer(link, auth::SASL_FINAL).await?).map_err(wrong)?;
        Ok(bound)
    }

    /// The server's part of a SASL exchange; `expected` is the kind of message.
    async fn answer(&self, link: &mut Link, expected: i32) -> Result<Vec<u8>, Failure> {
        loop {
            let message = read_backend_message(&mut link.stream).await.map_err(|error| self.broken(error))?;
            match message.tag {
                b'E' => return Err(Failure::refused(&message.payload)),
                b'R' => {
                    let (kind, data) = parse_auth_request(&message.payload).map_err(|e| self.broken(e))?;
                    if kind != expected {
                        return Err(self.fatal(&format!("authentication step {kind} in place of {expected}")));
                    }
                    return Ok(data.to_vec());
                }
                _ => {}
            }
        }
    }

    /// Refuses to log in without channel binding when `channel_binding=require` is set.
    fn check_binding(&self, bound: bool) -> Result<(), Failure> {
        if bound || self.connection.channel_binding != ChannelBinding::Require {
            return Ok(());
        }
        Err(self.unbound("the server did not ask for SCRAM"))
    }

    /// The error when channel binding is required and cannot be had.
    fn unbound(&self, why: &str) -> Failure {
        let text = format!("{}: channel_binding=require, but {why}", self.what);
        Failure::Other(Error::configuration(text).with_hint(
            "it needs TLS (sslmode=require) and scram-sha-256 in pg_hba.conf with a password stored so; channel_binding=prefer does without",
        ))
    }

    /// An exchange that breaks the protocol.
    fn fatal(&self, why: &str) -> Failure {
        Failure::Other(Error::fatal(format!("{}: {why}", self.what)))
    }

    /// The failure of an exchange that broke. In TLS 1.3 the server refuses our certificate only
    /// now, after the handshake.
    fn broken(&self, error: PgWireError) -> Failure {
        if let PgWireError::Io(cause) = &error
            && let Some(refused) = encryption::refused(cause, self.what, &self.connection.ssl)
        {
            return Failure::Tls(refused);
        }
        Failure::Other(refusal::wire(self.what, &error))
    }
}

/// Appends a message as it was on the wire.
fn append(messages: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    messages.push(tag);
    messages.extend_from_slice(&u32::try_from(payload.len() + 4).unwrap_or(4).to_be_bytes());
    messages.extend_from_slice(payload);
}

/// Name and value of a `ParameterStatus`.
fn parameter(payload: &[u8]) -> Option<(String, String)> {
    let mut parts = payload.split(|&byte| byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    Some((parts.next()?, parts.next()?))
}
