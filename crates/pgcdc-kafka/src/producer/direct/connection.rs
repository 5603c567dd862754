//! One connection to a broker: requests go out, answers come in, both in order.
//!
//! ```text
//!  Connection::open ─▶ TCP ─▶ TLS, if asked for ─▶ handshake (versions, login) ─▶ News::Up
//!                                                                                  ├ writer ◀─ requests
//!                                                                                  └ reader ─▶ News::Answer
//! ```
//! A broker may end a session after some time. The writer logs in again before that, between two requests (KIP-368).
//!
//! Time limits: 5 s for each address of the host, 8 s for TLS, versions and login together. After that a connection has no
//! limit of its own; the sender knows what is waited for, and gives it up. Answers with a negative number belong to a login and
//! go to the writer; all others go to the sender.

use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::handshake::{self, Broken, Channel, Greeting};
use super::protocol::{Request, Versions};
use crate::Error;
use crate::security::{Security, handshake_failed};

/// How long one address may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long TLS, versions and login may take together.
const GREET_LIMIT: Duration = Duration::from_secs(8);
/// Bytes of the largest answer that is taken: no answer to a producer is so large.
const LARGEST: usize = 64 << 20;

/// A part of a request.
#[derive(Debug)]
pub(super) enum Segment {
    Own(Vec<u8>),
    /// A batch, which is kept until it is durable.
    Batch(Arc<Vec<u8>>),
}

/// An event of the connection with this number.
#[derive(Debug)]
pub(super) enum News {
    /// It is open: requests are sent, in these versions.
    Up(u64, Versions),
    /// An answer, without its size.
    Answer(u64, Vec<u8>),
    /// It is lost, which may happen at any time.
    Lost(u64, std::io::Error),
    /// It was lost in a way that also a wrong `security.protocol` would explain, as the error says.
    Doubtful(u64, Error),
    /// It was refused, or nothing to log in with could be had: a person may have to mend that.
    Refused(u64, Error),
}

/// What all connections of a producer have in common.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// The `client.id`.
    pub(super) client_id: String,
    /// TLS and login.
    pub(super) security: Security,
    /// Whether the system probes connections that are not used (`socket.keepalive.enable`).
    pub(super) keepalive: bool,
}

/// A connection, which is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    out: mpsc::UnboundedSender<Vec<Segment>>,
    /// The task that runs the connection.
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Begins to connect to `address` (`host:port`). Must be called within a tokio runtime.
    pub(super) fn open(
        number: u64,
        address: String,
        profile: Arc<Profile>,
        news: mpsc::UnboundedSender<News>,
    ) -> Self {
        let (out, requests) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let Err(broken) = run(number, &address, &profile, requests, &news).await else { return };
            // Nobody listens once the producer is gone.
            let _ = news.send(match broken {
                Broken::Network(error) => News::Lost(number, error),
                Broken::Doubtful(error) => News::Doubtful(number, error),
                // An endpoint for tokens that is away is no more than a broker that is away.
                Broken::NoLogin(error) if error.is_transient() => {
                    News::Lost(number, std::io::Error::other(error.to_string()))
                }
                Broken::Refused(error) | Broken::NoLogin(error) => News::Refused(number, error),
            });
        });
        Self { out, task: task.abort_handle() }
    }

    /// Sends a request. Whether it arrives is told by its answer, or by the connection's loss.
    pub(super) fn send(&self, request: Vec<Segment>) {
        let _ = self.out.send(request);
    }
}

/// Runs until the connection is lost.
/// The task of a connection: whatever ends it is told to the sender by its last [`News`], exactly once.
async fn run(
    number: u64,
    address: &str,
    profile: &Profile,
    requests: mpsc::UnboundedReceiver<Vec<Segment>>,
    news: &mpsc::UnboundedSender<News>,
) -> Result<(), Broken> {
    let stream = connect(address, profile.keepalive).await?;
    let until = Instant::now() + GREET_LIMIT;
    let pump = Pump { number, address, profile, requests, news };
    if profile.security.tls.is_none() {
        let (stream, greeting) = in_time(until, greeted(stream, profile, address)).await?;
        let (reader, writer) = stream.into_split();
        return pump.run(reader, writer, greeting).await;
    }
    let stream = in_time(until, encrypt(stream, profile, address)).await?;
    let (stream, greeting) = in_time(until, greeted(stream, profile, address)).await?;
    let (reader, writer) = tokio::io::split(stream);
    pump.run(reader, writer, greeting).await
}

/// Connects, compares versions and logs in, and hangs up.
pub(super) async fn probe(address: &str, profile: &Profile) -> Result<(), Broken> {
    let stream = connect(address, profile.keepalive).await?;
    let until = Instant::now() + GREET_LIMIT;
    if profile.security.tls.is_none() {
        return in_time(until, greeted(stream, profile, address)).await.map(drop);
    }
    let stream = in_time(until, encrypt(stream, profile, address)).await?;
    in_time(until, greeted(stream, profile, address)).await.map(drop)
}

/// Compares versions and logs in.
async fn greeted<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    profile: &Profile,
    address: &str,
) -> Result<(S, Greeting), Broken> {
    let greeting = handshake::greet(&mut stream, profile, address).await?;
    Ok((stream, greeting))
}

/// Begins TLS. Only called when the profile has it.
async fn encrypt(
    stream: TcpStream,
    profile: &Profile,
    address: &str,
) -> Result<TlsStream<TcpStream>, Broken> {
    let Some(tls) = &profile.security.tls else {
        return Err(std::io::Error::other("no TLS is asked for").into());
    };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let connector = TlsConnector::from(tls.client_config(host).map_err(Broken::Refused)?);
    let encrypted = connector.connect(pgcdc_tls::server_name(host), stream).await;
    encrypted.map_err(|error| handshake::no_tls(address, error))
}

/// Does some work until a time, and says that the broker is silent when it is not done then.
async fn in_time<T>(until: Instant, work: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    match tokio::time::timeout_at(until, work).await {
        Ok(done) => done,
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the broker says nothing").into()),
    }
}

/// Connects to the first of a name's addresses that answers: one that swallows everything must not hide the others.
async fn connect(address: &str, keepalive: bool) -> std::io::Result<TcpStream> {
    let addresses = tokio::time::timeout(CONNECT_LIMIT, tokio::net::lookup_host(address)).await??;
    let mut failure = std::io::Error::other("the host name has no address");
    for one in addresses {
        match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(one)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                if keepalive {
                    SockRef::from(&stream).set_tcp_keepalive(&probes())?;
                }
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(late) => failure = late.into(),
        }
    }
    Err(failure)
}

/// Probes of TCP over a connection that is not used. They keep firewalls from forgetting it, and find out within a minute and a half
/// that the other side is gone.
fn probes() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(3)
}

/// Moves requests and answers over a connection that is open.
struct Pump<'a> {
    number: u64,
    address: &'a str,
    profile: &'a Profile,
    requests: mpsc::UnboundedReceiver<Vec<Segment>>,
    news: &'a mpsc::UnboundedSender<News>,
}

impl Pump<'_> {
    /// Runs both directions until one ends. The first error ends both, since a connection that only reads or only writes is of
    /// no use.
    async fn run<R, W>(self, reader: R, writer: W, greeting: Greeting) -> Result<(), Broken>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let Self { number, address, profile, requests, news } = self;
        let _ = news.send(News::Up(number, greeting.versions));
        let (logins, answers) = mpsc::unbounded_channel();
        tokio::select! {
            result = read(number, reader, news, &logins) => {
                // An alert of TLS comes late: the broker looks at a client's certificate after the handshake.
                result.map_err(|error| handshake_failed(address, &error).map_or(error.into(), Broken::Refused))
            }
            result = write(Relay { writer, answers }, requests, profile, address, greeting) => result,
        }
    }
}

/// Passes answers on: those with negative numbers to the writer that logs in, all others to the sender.
async fn read(
    number: u64,
    reader: impl AsyncRead + Unpin,
    news: &mpsc::UnboundedSender<News>,
    logins: &mpsc::UnboundedSender<Vec<u8>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(reader);
    loop {
        let answer = read_answer(&mut reader).await?;
        if answer.first().is_some_and(|first| *first >= 0x80) {
            let _ = logins.send(answer);
        } else if news.send(News::Answer(number, answer)).is_err() {
            return Ok(());
        }
    }
}

/// Reads an answer, without its size.
pub(super) async fn read_answer(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let size = usize::try_from(reader.read_i32().await?).ok().filter(|size| *size <= LARGEST);
    let size = size.ok_or_else(|| std::io::Error::other("it does not speak Kafka's protocol"))?;
    let mut answer = vec![0; size];
    reader.read_exact(&mut answer).await?;
    Ok(answer)
}

/// Sends requests, and logs in again before the session ends.
async fn write<W: AsyncWrite + Unpin>(
    mut relay: Relay<W>,
    mut requests: mpsc::UnboundedReceiver<Vec<Segment>>,
    profile: &Profile,
    address: &str,
    mut greeting: Greeting,
) -> Result<(), Broken> {
    loop {
        let renewal = greeting.renewal;
        // Nothing is lost when an arm is dropped: the channel keeps what was not received.
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(renewal.unwrap_or_else(Instant::now)), if renewal.is_some() => {
                match handshake::log_in(&mut relay, profile, address, greeting.versions).await {
                    Ok(again) => greeting = again,
                    // The session goes on for a moment: a token's file may be there again.
                    Err(Broken::NoLogin(error)) if greeting.postpone() => {
                        tracing::debug!(broker = address, %error, "no token to log in again");
                    }
                    Err(broken) => return Err(broken),
                }
            }
            request = requests.recv() => {
                // The producer is gone, and this task is aborted in a moment.
                let Some(request) = request else { return std::future::pending().await };
                for segment in request {
                    match segment {
                        Segment::Own(bytes) => relay.writer.write_all(&bytes).await?,
                        Segment::Batch(bytes) => relay.writer.write_all(&bytes).await?,
                    }
                }
                relay.writer.flush().await?;
            }
        }
    }
}

/// Requests and answers of a login while the connection is in use: the reader passes the answers on.
struct Relay<W> {
    /// Where requests go.
    writer: W,
    answers: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl<W: AsyncWrite + Unpin> Channel for Relay<W> {
    async fn ask(&mut self, request: &Request) -> std::io::Result<Vec<u8>> {
        self.writer.write_all(&request.bytes).await?;
        self.writer.flush().await?;
        self.answers.recv().await.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }
}
