//! Hands a session that is logged in to tokio-postgres, so that one login of ours serves every
//! session.
//!
//! tokio-postgres begins with a startup message and waits for the server's messages about the
//! session. This stream drops the startup message and answers with the messages that the server
//! sent at our login. After that, bytes go through unchanged.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::session::Session;
use super::socket::Duplex;

/// A session that looks to a client as if it had yet to log in.
pub(in crate::postgres) struct Handover {
    /// The connection, logged in.
    stream: Box<dyn Duplex>,
    /// The server's messages at the login; empty once they were read.
    greeting: Vec<u8>,
    /// How many bytes of `greeting` were read.
    read: usize,
    /// The first four bytes of the client's startup message, which are its length.
    head: Vec<u8>,
    /// Bytes of the startup message that are still to come, once its length is known; zero when it
    /// is over.
    dropping: Option<usize>,
}

impl Handover {
    /// A session as our login left it.
    pub(in crate::postgres) fn new(session: Session) -> Self {
        Self { stream: session.stream, greeting: session.greeting, read: 0, head: Vec::new(), dropping: None }
    }

    /// Takes in the part of `bytes` that belongs to the startup message; returns the length of that
    /// part.
    fn swallow(&mut self, bytes: &[u8]) -> usize {
        const LENGTH: usize = 4;
        let mut taken = 0;
        if self.dropping.is_none() {
            taken = bytes.len().min(LENGTH - self.head.len());
            self.head.extend_from_slice(&bytes[..taken]);
            let Ok(length) = <[u8; LENGTH]>::try_from(self.head.as_slice()) else { return taken };
            let whole = usize::try_from(u32::from_be_bytes(length)).unwrap_or(0);
            self.dropping = Some(whole.saturating_sub(LENGTH));
        }
        let left = self.dropping.as_mut().map_or(0, |left| {
            let now = (bytes.len() - taken).min(*left);
            *left -= now;
            now
        });
        taken + left
    }
}

impl AsyncRead for Handover {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.read < this.greeting.len() {
            let count = buf.remaining().min(this.greeting.len() - this.read);
            buf.put_slice(&this.greeting[this.read..this.read + count]);
            this.read += count;
            if this.read == this.greeting.len() {
                (this.greeting, this.read) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Handover {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let swallowed = self.swallow(buf);
        if swallowed > 0 || buf.is_empty() {
            return Poll::Ready(Ok(swallowed));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_startup_message_stays_here_and_the_rest_goes_on() {
        for piece in [1, 3, 4, 5, 100] {
            let (ours, mut server) = tokio::io::duplex(1000);
            let session = Session { stream: Box::new(ours), greeting: b"hello".to_vec() };
            let mut stream = Handover::new(session);
            for bytes in b"\0\0\0\x0aabcdefQ123".chunks(piece) {
                stream.write_all(bytes).await.unwrap();
            }
            server.write_all(b" world").await.unwrap();
            drop(stream.flush().await);
            let mut got = [0; 11];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"hello world");
            let mut sent = [0; 4];
            server.read_exact(&mut sent).await.unwrap();
            assert_eq!(&sent, b"Q123", "in pieces of {piece}");
        }
    }
}
