//! TLS below a session: asks the server for it, makes the handshake, and says what a failure means.

use std::sync::Arc;

use rustls::CertificateError::{self, UnknownIssuer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::socket::Duplex;
use crate::Error;
use crate::config::{Ssl, SslMode, SslNegotiation};
use crate::postgres::tls;

/// An `SSLRequest`. Source: PostgreSQL documentation, "Message Formats".
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A connection before the login, with or without TLS.
pub(super) struct Link {
    /// The socket, or TLS on it.
    pub(super) stream: Box<dyn Duplex>,
    /// Whether TLS is on.
    pub(super) encrypted: bool,
    /// The hash of the server's certificate, for channel binding (`tls-server-end-point`, RFC
    /// 5929). `None` without TLS, or when the certificate's signature algorithm has no hash.
    pub(super) end_point: Option<Vec<u8>>,
}

impl Link {
    /// A connection without TLS.
    pub(super) fn plain(stream: impl Duplex + 'static) -> Self {
        Self { stream: Box::new(stream), encrypted: false, end_point: None }
    }
}

/// Turns TLS on. When the server has no TLS, the session goes on without it if TLS is `optional`.
/// `what` is the connection, for errors.
///
/// # Errors
/// [`Failure::Tls`] when the handshake fails, after which the way without TLS may be tried; any
/// other failure ends the attempt at this address. Source: PostgreSQL documentation, "Message
/// Flow", section "SSL Session Encryption".
pub(super) async fn encrypt(
    mut stream: TcpStream,
    ssl: &Ssl,
    host: &str,
    optional: bool,
    what: &str,
) -> Result<Link, Failure> {
    let passing = |error: std::io::Error| {
        Failure::Other(Error::transient(format!("{what}: {error}")).with_source(error))
    };
    // Made before the server is asked, so that mistakes in our files are reported whatever the
    // server would answer.
    let config = tls::client_config(ssl, host).map_err(Failure::Other)?;
    if ssl.negotiation == SslNegotiation::Postgres {
        stream.write_all(&SSL_REQUEST).await.map_err(passing)?;
        match stream.read_u8().await.map_err(passing)? {
            b'S' => {}
            b'N' if optional => return Ok(Link::plain(stream)),
            b'N' => return Err(Failure::Other(no_tls(ssl.mode, what))),
            // The server answers with an error of its own, for instance that it has too many connections.
            b'E' => {
                let error =
                    Error::transient(format!("{what}: the server answers the request for TLS with an error"));
                return Err(Failure::Other(error.with_hint("its log says which")));
            }
            other => {
                let error = Error::configuration(format!(
                    "{what}: answer {other:#04x} to the request for TLS: this is not a PostgreSQL server"
                ));
                return Err(Failure::Other(error.with_hint("check database.hostname and database.port")));
            }
        }
    }
    let connector = TlsConnector::from(Arc::new(config));
    match connector.connect(tls::server_name(host), stream).await {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let end_point = certificates.and_then(|all| tls::end_point_hash(all.first()?));
            Ok(Link { stream: Box::new(stream), encrypted: true, end_point })
        }
        // A handshake that a restarting server cuts short is tried again; a wrong certificate is not.
        Err(error) => match refused(&error, what, ssl) {
            Some(refused) => Err(Failure::Tls(refused)),
            None if ssl.negotiation == SslNegotiation::Direct => {
                let text = format!("{what}: the server ended the connection when TLS began: {error}");
                let hint = "sslnegotiation=direct needs PostgreSQL 17 or later with ssl = on; sslnegotiation=postgres asks first";
                Err(Failure::Tls(Error::configuration(text).with_hint(hint)))
            }
            None => Err(Failure::Tls(Error::transient(format!("{what}: TLS: {error}")).with_source(error))),
        },
    }
}

/// The error when the server has no TLS and `database.sslmode` insists on it.
fn no_tls(mode: SslMode, what: &str) -> Error {
    let mode = match mode {
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
        SslMode::Allow => "allow",
        _ => "require",
    };
    Error::configuration(format!("{what}: the server does not support TLS, and database.sslmode is {mode}"))
        .with_hint("set ssl = on at the server (with ssl_cert_file and ssl_key_file), or database.sslmode=prefer or disable here")
}

/// What a failure of rustls means, with what to do; `None` when it was the network that failed. All
/// of these are configuration errors: they do not pass by themselves.
pub(super) fn refused(error: &std::io::Error, what: &str, ssl: &Ssl) -> Option<Error> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let (text, hint) = match cause {
        rustls::Error::InvalidCertificate(found) => certificate(found, ssl),
        rustls::Error::AlertReceived(alert) => (
            format!("the server refuses: {alert:?}"),
            "if it asks for a certificate: database.sslcert and database.sslkey name ours, and its ssl_ca_file must know the authority of that; its log says more",
        ),
        rustls::Error::PeerIncompatible(why) => (
            format!("the server has no version of TLS or no cipher that both sides know: {why:?}"),
            "the server needs TLS 1.2 with ECDHE or TLS 1.3: check ssl_min_protocol_version, ssl_max_protocol_version and ssl_ciphers there",
        ),
        rustls::Error::InvalidMessage(_) => {
            (format!("the server does not speak TLS: {cause}"), "check database.hostname and database.port")
        }
        other => {
            (other.to_string(), "check database.sslmode, database.sslrootcert and the server's certificate")
        }
    };
    Some(Error::configuration(format!("{what}: TLS: {text}")).with_hint(hint))
}

/// What is wrong with the server's certificate, and what to do.
fn certificate(found: &CertificateError, ssl: &Ssl) -> (String, &'static str) {
    let roots = || match &ssl.root_cert {
        Some(path) => path.display().to_string(),
        None if ssl.system_roots => "this machine's root certificates".to_owned(),
        None => "the public root certificates".to_owned(),
    };
    match found {
        UnknownIssuer => (
            format!("{} do not vouch for the server's certificate", roots()),
            "name the file with the certificate of the server's authority in database.sslrootcert; `openssl s_client -starttls postgres -showcerts -connect HOST:PORT` shows what the server has; database.sslmode=require checks nothing",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "the server's certificate, or that of its authority, has expired or is not valid yet".to_owned(),
            "give the server a new certificate (ssl_cert_file, then SELECT pg_reload_conf()), and check the clocks of both machines; database.sslmode=require checks nothing",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "the server's certificate is not valid yet".to_owned(),
            "check the clocks of both machines",
        ),
        CertificateError::Other(other) => (
            other.to_string(),
            "connect by a name that the certificate has, or set database.sslmode=verify-ca, which does not compare names",
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "the server's certificate is signed by an algorithm that is not trusted".to_owned(),
            "make it anew with SHA-256 and RSA of 2048 bits or more, or P-256, P-384 or Ed25519; database.sslmode=require checks nothing",
        ),
        CertificateError::BadSignature => (
            "a signature of the server's certificate, or by its key, is wrong, or of a kind that cannot be checked".to_owned(),
            "RSA keys need 2048 bits or more; of elliptic curves P-256, P-384 and Ed25519 are known",
        ),
        other => (
            format!("the server's certificate is not accepted: {other}"),
            "check database.sslmode, database.sslrootcert and the server's certificate",
        ),
    }
}
