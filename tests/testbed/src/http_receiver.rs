//! An HTTP/1.1 endpoint that records what it is sent and can be told to fail.

mod request;

use std::collections::VecDeque;
use std::io::{BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub use request::Request;

/// An answer of the receiver.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers beyond `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait before answering.
    pub delay: Duration,
    /// Closes the connection in place of an answer.
    pub drop_connection: bool,
}

impl Response {
    /// An empty answer with this status.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, drop_connection: false }
    }

    /// No answer: the connection is closed after the request was read.
    pub fn dropped() -> Self {
        Self { drop_connection: true, ..Self::status(0) }
    }

    /// Adds a header, such as `Retry-After`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers only after `delay`.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

type Rule = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    queue: VecDeque<Response>,
    rule: Option<Rule>,
    connections: Vec<TcpStream>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    closed: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The endpoint; answers 200 until told otherwise. Stops on drop.
pub struct HttpReceiver {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl HttpReceiver {
    /// Listens on `port` of 127.0.0.1 (0: any).
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let port = listener.local_addr().context("the listener has no address")?.port();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if for_thread.closed.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(copy) = stream.try_clone() {
                    for_thread.lock().connections.push(copy);
                }
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Ok(Self { port, shared, acceptor: Some(acceptor) })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Decides every answer that is not queued, from now on.
    pub fn respond_with(&self, rule: impl Fn(&Request) -> Response + Send + Sync + 'static) {
        self.shared.lock().rule = Some(Arc::new(rule));
    }

    /// Queues an answer. Each request takes the oldest answer of the queue.
    pub fn enqueue(&self, response: Response) {
        self.shared.lock().queue.push_back(response);
    }

    /// All requests so far, in the order in which they were answered.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Calls `look` with all requests so far, without copying them. No request is served meanwhile.
    pub fn with_requests<T>(&self, look: impl FnOnce(&[Request]) -> T) -> T {
        look(&self.shared.lock().requests)
    }

    /// Forgets all requests so far.
    pub fn clear(&self) {
        self.shared.lock().requests.clear();
    }

    /// Waits until there are `count` requests.
    ///
    /// # Errors
    /// When there are fewer after `limit`.
    pub fn wait_for(&self, count: usize, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        while state.requests.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{} requests instead of {count} after {} s", state.requests.len(), limit.as_secs());
            }
            let (guard, _) = self
                .shared
                .arrived
                .wait_timeout(state, left)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            state = guard;
        }
        Ok(())
    }
}

impl std::fmt::Debug for HttpReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpReceiver").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Drop for HttpReceiver {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for connection in self.shared.lock().connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor, which then sees that it is closed.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Ok(Some(mut request)) = request::read(&mut reader) {
        let response = decide(&request, shared);
        std::thread::sleep(response.delay);
        request.answered = (!response.drop_connection).then_some(response.status);
        // Recorded before the answer leaves: whoever has the answer finds the request here.
        shared.lock().requests.push(request);
        shared.arrived.notify_all();
        if response.drop_connection || answer(stream, &response).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn decide(request: &Request, shared: &Shared) -> Response {
    let rule = {
        let mut state = shared.lock();
        if let Some(response) = state.queue.pop_front() {
            return response;
        }
        state.rule.clone()
    };
    rule.map_or_else(|| Response::status(200), |rule| rule(request))
}

fn answer(mut stream: &TcpStream, response: &Response) -> std::io::Result<()> {
    let mut bytes =
        format!("HTTP/1.1 {} status\r\nContent-Length: {}\r\n", response.status, response.body.len())
            .into_bytes();
    for (name, value) in &response.headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(&response.body);
    stream.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::{HttpReceiver, Response};

    /// Posts `body` on a connection of its own and returns the whole answer; empty when it was dropped.
    fn post(receiver: &HttpReceiver, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", receiver.port())).expect("connects");
        let head = "POST /api HTTP/1.1\r\nConnection: keep-alive\r\nContent-Length:";
        write!(stream, "{head} {}\r\n\r\n{body}", body.len()).expect("sends");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a time-out can be set");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // ends by the time-out, since the connection is kept alive
        String::from_utf8(answer).expect("text")
    }

    #[test]
    fn records_in_order_and_fails_as_told() {
        let receiver = HttpReceiver::start(0).expect("listens");
        receiver.enqueue(Response::status(429).header("Retry-After", "1"));
        receiver.enqueue(Response::dropped());
        receiver.respond_with(|request| Response::status(if request.body == b"bad" { 400 } else { 201 }));
        let answer = post(&receiver, "one");
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("Retry-After: 1\r\n"), "{answer}");
        assert_eq!(post(&receiver, "two"), "");
        assert!(post(&receiver, "bad").starts_with("HTTP/1.1 400 "));
        assert!(post(&receiver, "three").starts_with("HTTP/1.1 201 "));
        receiver.wait_for(4, Duration::from_secs(1)).expect("all recorded");
        let answered: Vec<_> = receiver.requests().iter().map(|request| request.answered).collect();
        assert_eq!(answered, [Some(429), None, Some(400), Some(201)]);
    }
}
