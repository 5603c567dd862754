//! A TCP proxy that cuts and holds connections, for tests of reconnects and time-outs.
//!
//! ```text
//!            cut()                    hold()
//! refusing ◀──────── passing ────────────────▶ holding      resume() leads back to passing
//!                       └──── slow(rate) ────▶ slow
//! ```
//! Beside that, [`FaultProxy::strand`] makes the connections of the moment dead ends, as a firewall that has forgotten them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Passing,
    /// This many bytes a second of each connection and direction.
    Slow(u32),
    Holding,
    Refusing,
    Closed,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// Both ends of every open connection, to shut them down.
    streams: Vec<TcpStream>,
    /// Connections accepted so far, also refused ones.
    accepted: u64,
    /// No byte passes over connections up to this number, counted as `accepted`.
    stranded: u64,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Waits while traffic of a connection is held, and as long as `bytes` take on a slow link; says whether they may pass.
    fn may_pass(&self, connection: u64, bytes: usize) -> bool {
        let mut state = self.lock();
        let is_stranded = |state: &State| connection <= state.stranded && state.mode != Mode::Closed;
        while state.mode == Mode::Holding || is_stranded(&state) {
            state = self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        let mode = state.mode;
        drop(state);
        match mode {
            Mode::Passing => true,
            Mode::Slow(rate) => {
                let micros = bytes as u64 * 1_000_000 / u64::from(rate.max(1));
                std::thread::sleep(Duration::from_micros(micros));
                true
            }
            Mode::Holding | Mode::Refusing | Mode::Closed => false,
        }
    }
}

/// A proxy in front of one address.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Listens on `port` of 127.0.0.1 (0: any) and passes everything on to `upstream`, a port of the same host.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(port: u16, upstream: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let port = listener.local_addr().context("the listener has no address")?.port();
        let state = State { mode: Mode::Passing, streams: Vec::new(), accepted: 0, stranded: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let for_thread = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept(&listener, upstream, &for_thread));
        Ok(Self { port, shared, acceptor: Some(acceptor) })
    }

    /// The port clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections and refuses new ones until [`FaultProxy::resume`].
    pub fn cut(&self) {
        self.set(Mode::Refusing, true);
    }

    /// Cuts all connections once; new ones pass.
    pub fn cut_once(&self) {
        self.set(Mode::Passing, true);
    }

    /// Keeps connections open, yet lets no byte pass in either direction, as a network that drops packets.
    pub fn hold(&self) {
        self.set(Mode::Holding, false);
    }

    /// Lets no byte pass any more over the connections that there are, and closes none of them; new connections pass. A firewall
    /// that forgets a connection does this: neither side is told.
    pub fn strand(&self) {
        let mut state = self.shared.lock();
        state.stranded = state.accepted;
    }

    /// Lets this many bytes a second pass, of each connection and direction.
    pub fn slow(&self, bytes_per_second: u32) {
        self.set(Mode::Slow(bytes_per_second), false);
    }

    /// Lets everything pass again.
    pub fn resume(&self) {
        self.set(Mode::Passing, false);
    }

    /// How many connections were made so far; grows when a client reconnects.
    pub fn accepted(&self) -> u64 {
        self.shared.lock().accepted
    }

    fn set(&self, mode: Mode, cut: bool) {
        let mut state = self.shared.lock();
        state.mode = mode;
        if cut {
            for stream in state.streams.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.set(Mode::Closed, true);
        // Wakes the acceptor, which then sees the mode.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, upstream: u16, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let (mode, number) = {
            let mut state = shared.lock();
            state.accepted += 1;
            (state.mode, state.accepted)
        };
        if mode == Mode::Closed {
            return;
        }
        let (Ok(client), true) = (client, mode != Mode::Refusing) else { continue };
        let Ok(server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], upstream))) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { continue };
        let (Ok(client_end), Ok(server_end)) = (client.try_clone(), server.try_clone()) else { continue };
        shared.lock().streams.extend([client_end, server_end]);
        let (up, down) = (Arc::clone(shared), Arc::clone(shared));
        std::thread::spawn(move || copy(client, server, &up, number));
        std::thread::spawn(move || copy(server_too, client_too, &down, number));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: &Shared, number: u64) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        if !shared.may_pass(number, read) || read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::FaultProxy;

    /// Sends a byte and says whether it came back within 300 ms.
    fn echoes(stream: &mut TcpStream) -> bool {
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out can be set");
        let mut byte = [0];
        stream.write_all(b"x").is_ok() && stream.read_exact(&mut byte).is_ok()
    }

    #[test]
    fn passes_cuts_holds_and_resumes() {
        let server = TcpListener::bind("127.0.0.1:0").expect("listen");
        let upstream = server.local_addr().expect("address").port();
        std::thread::spawn(move || {
            for stream in server.incoming().flatten() {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        let proxy = FaultProxy::start(0, upstream).expect("proxy");
        let connect = || TcpStream::connect(("127.0.0.1", proxy.port())).expect("connect");
        let mut stream = connect();
        assert!(echoes(&mut stream));
        proxy.hold();
        assert!(!echoes(&mut stream), "held");
        proxy.resume();
        assert!(echoes(&mut stream), "what was held arrives");
        // A connection without a held byte still on its way back.
        let mut stream = connect();
        assert!(echoes(&mut stream));
        proxy.strand();
        assert!(!echoes(&mut stream), "stranded");
        assert!(echoes(&mut connect()), "a new one passes");
        proxy.cut();
        assert!(!echoes(&mut stream) && !echoes(&mut connect()), "cut, and no new one");
        proxy.resume();
        assert!(echoes(&mut connect()), "a new one passes");
    }
}
