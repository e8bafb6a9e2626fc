//! The script of one connection: bytes, silences and endings, in order.
//!
//! Law: nothing is sent that the script does not say, and the peer's leaving is noticed during every silence.
//! Deliberately absent: HTTP/2 (see `openai_like`), and answers that depend on the request.

use std::{io, sync::Arc, time::Duration, time::Instant};

use bytes::Bytes;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    connection::{Seen, Sent, Teller},
    patience::Gate,
};

/// What to do with a connection.
#[derive(Clone, Default)]
pub struct Script(Vec<Step>);

#[derive(Clone)]
enum Step {
    Read,
    Send(Bytes),
    Trickle(Bytes, Duration),
    Wait(Gate),
    Hang,
    Reset,
}

impl Script {
    /// A script that closes the connection at once; add what comes before that.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one HTTP/1.1 request, head and body.
    pub fn read(self) -> Self {
        self.and(Step::Read)
    }

    /// Sends these bytes.
    pub fn send(self, bytes: impl Into<Bytes>) -> Self {
        self.and(Step::Send(bytes.into()))
    }

    /// Sends these bytes one at a time, a pause after each.
    pub fn trickle(self, bytes: impl Into<Bytes>, pause: Duration) -> Self {
        self.and(Step::Trickle(bytes.into(), pause))
    }

    /// Waits for the story.
    pub fn wait(self, gate: &Gate) -> Self {
        self.and(Step::Wait(gate.clone()))
    }

    /// Says nothing more until the peer goes away.
    pub fn hang(self) -> Self {
        self.and(Step::Hang)
    }

    /// Resets the connection (RST) instead of closing it.
    pub fn reset(self) -> Self {
        self.and(Step::Reset)
    }

    fn and(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    pub(super) async fn perform(self, stream: TcpStream, tls: Option<Arc<ServerConfig>>, told: Teller) {
        let peer = match tls {
            None => Ok(Peer::Plain(stream)),
            Some(config) => TlsAcceptor::from(config).accept(stream).await.map(|s| Peer::Secure(Box::new(s))),
        };
        let played = match peer {
            Ok(peer) => {
                tell(&told, Seen::Secured(peer.alpn()));
                Stage { peer, read: Vec::new(), told: told.clone() }.play(self.0).await
            }
            Err(error) => Err(error),
        };
        if played.is_err() {
            tell(&told, Seen::Closed(Instant::now()));
        }
    }
}

enum Peer {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Peer {
    fn alpn(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Secure(stream) => {
                stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
            }
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
        }
    }

    fn both(&mut self) -> &mut (dyn Duplex + Send + Unpin) {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.as_mut(),
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite {}
impl<T: AsyncRead + AsyncWrite> Duplex for T {}

/// A connection while its script is played. An error means that the peer went away.
struct Stage {
    peer: Peer,
    /// What was read and no request has taken.
    read: Vec<u8>,
    told: Teller,
}

impl Stage {
    async fn play(mut self, steps: Vec<Step>) -> io::Result<()> {
        self.peer.tcp().set_nodelay(true)?;
        for step in steps {
            match step {
                Step::Read => self.request().await?,
                Step::Send(bytes) => self.send(&bytes).await?,
                Step::Trickle(bytes, pause) => {
                    for byte in bytes.chunks(1) {
                        self.send(byte).await?;
                        self.watching(tokio::time::sleep(pause)).await?;
                    }
                }
                Step::Wait(gate) => self.watching(gate.pass()).await?,
                Step::Hang => self.watching(std::future::pending::<()>()).await?,
                Step::Reset => {
                    tell(&self.told, Seen::Done);
                    return self.peer.tcp().set_zero_linger();
                }
            }
        }
        tell(&self.told, Seen::Done);
        // Closing outright while unread bytes lie in the buffer would be a reset.
        self.peer.both().shutdown().await?;
        self.watching(std::future::pending::<()>()).await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.peer.both().write_all(bytes).await?;
        self.peer.both().flush().await
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.peer.both().read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Waits for `silence` to end, or for the peer to leave.
    async fn watching(&mut self, silence: impl Future<Output = ()>) -> io::Result<()> {
        let mut silence = std::pin::pin!(silence);
        loop {
            tokio::select! {
                () = &mut silence => return Ok(()),
                read = self.more() => read?,
            }
        }
    }

    async fn request(&mut self) -> io::Result<()> {
        loop {
            if let Some((sent, length)) = complete(&self.read) {
                self.read.drain(..length.min(self.read.len()));
                tell(&self.told, Seen::Request(sent));
                return Ok(());
            }
            self.more().await?;
        }
    }
}

/// The story may have lost interest in a connection; then nobody needs to be told.
fn tell(told: &Teller, seen: Seen) {
    told.send(seen).ok();
}

/// The request at the start of `read` and its length on the wire, once all of it is there.
fn complete(read: &[u8]) -> Option<(Sent, usize)> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(read.get(..end)?).into_owned();
    let mut sent = Sent { head, body: Vec::new(), at: Instant::now() };
    let rest = read.get(end + 4..)?;
    if sent.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        let (body, length) = dechunk(rest)?;
        sent.body = body;
        return Some((sent, end + 4 + length));
    }
    let length = sent.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    sent.body = rest.get(..length)?.to_vec();
    Some((sent, end + 4 + length))
}

/// A chunked body without trailers, and its length on the wire.
fn dechunk(mut rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let whole = rest.len();
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let digits = std::str::from_utf8(rest.get(..line)?).ok()?;
        let size = usize::from_str_radix(digits.split(';').next()?.trim(), 16).ok()?;
        let chunk = rest.get(line + 2..)?;
        body.extend_from_slice(chunk.get(..size)?);
        rest = chunk.get(size + 2..)?;
        if size == 0 {
            return Some((body, whole - rest.len()));
        }
    }
}
