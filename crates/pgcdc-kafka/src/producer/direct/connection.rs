//! One connection to a broker: requests go out, answers come in, both in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// No answer to a producer is so large.
const LARGEST: usize = 64 << 20;

/// A part of a request.
#[derive(Debug)]
pub(super) enum Segment {
    Own(Vec<u8>),
    /// A batch, which is kept until it is durable.
    Batch(Arc<Vec<u8>>),
}

/// What happened to the connection with this number.
#[derive(Debug)]
pub(super) enum News {
    Up(u64),
    /// An answer, without its size.
    Answer(u64, Vec<u8>),
    Lost(u64, std::io::Error),
}

/// Closed when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    out: mpsc::UnboundedSender<Vec<Segment>>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Begins to connect; must be called within a tokio runtime.
    pub(super) fn open(number: u64, address: String, news: mpsc::UnboundedSender<News>) -> Self {
        let (out, requests) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let Err(error) = run(number, &address, requests, &news).await else { return };
            // Nobody listens once the producer is gone.
            let _ = news.send(News::Lost(number, error));
        });
        Self { out, task: task.abort_handle() }
    }

    /// Sends a request. Whether it arrives is told by its answer, or by the connection's loss.
    pub(super) fn send(&self, request: Vec<Segment>) {
        let _ = self.out.send(request);
    }
}

async fn run(
    number: u64,
    address: &str,
    requests: mpsc::UnboundedReceiver<Vec<Segment>>,
    news: &mpsc::UnboundedSender<News>,
) -> std::io::Result<()> {
    let stream = connect(address).await?;
    stream.set_nodelay(true)?;
    let _ = news.send(News::Up(number));
    let (reader, writer) = stream.into_split();
    tokio::select! {
        result = read(number, reader, news) => result,
        result = write(writer, requests) => result,
    }
}

/// Connects to the first of a name's addresses that answers: one that swallows everything must not hide the others.
async fn connect(address: &str) -> std::io::Result<TcpStream> {
    let addresses = tokio::time::timeout(CONNECT_LIMIT, tokio::net::lookup_host(address)).await??;
    let mut failure = std::io::Error::other("the host name has no address");
    for one in addresses {
        match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(one)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(late) => failure = late.into(),
        }
    }
    Err(failure)
}

async fn read(number: u64, reader: OwnedReadHalf, news: &mpsc::UnboundedSender<News>) -> std::io::Result<()> {
    let mut reader = BufReader::new(reader);
    loop {
        let size = usize::try_from(reader.read_i32().await?).ok().filter(|size| *size <= LARGEST);
        let size = size.ok_or_else(|| std::io::Error::other("it does not speak Kafka's protocol"))?;
        let mut answer = vec![0; size];
        reader.read_exact(&mut answer).await?;
        if news.send(News::Answer(number, answer)).is_err() {
            return Ok(());
        }
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    mut requests: mpsc::UnboundedReceiver<Vec<Segment>>,
) -> std::io::Result<()> {
    while let Some(request) = requests.recv().await {
        for segment in request {
            match segment {
                Segment::Own(bytes) => writer.write_all(&bytes).await?,
                Segment::Batch(bytes) => writer.write_all(&bytes).await?,
            }
        }
    }
    // The producer is gone, and this with it.
    std::future::pending().await
}
