//! What a scripted vendor saw of one connection.
//!
//! Law: things are told in the order in which they happened, with the instant at which they did. Deliberately absent:
//! understanding what was sent.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;

use super::patience::patiently;

/// One connection, as seen from the vendor's side.
#[derive(Debug)]
pub struct Connection {
    seen: mpsc::UnboundedReceiver<Seen>,
    alpn: Option<String>,
}

/// One request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The request line and the headers, without the blank line.
    pub head: String,
    /// The body, decoded if it was chunked.
    pub body: Vec<u8>,
    /// When its last byte came.
    pub at: Instant,
}

/// Something that happened on a connection.
#[derive(Debug)]
pub(super) enum Seen {
    /// TLS is set up, with this protocol agreed on.
    Secured(Option<String>),
    Request(Sent),
    /// The script is done.
    Done,
    /// The peer closed or reset the connection.
    Closed(Instant),
}

/// The script's end of a [`Connection`].
pub(super) type Teller = mpsc::UnboundedSender<Seen>;

pub(super) fn pair() -> (Connection, Teller) {
    let (teller, seen) = mpsc::unbounded_channel();
    (Connection { seen, alpn: None }, teller)
}

impl Sent {
    /// The request line, such as `POST /v1/chat/completions HTTP/1.1`.
    pub fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Connection {
    /// The next request the script read. Errors if the connection ends before, or nothing comes in time.
    pub async fn request(&mut self) -> Result<Sent> {
        loop {
            match self.next("a request").await? {
                Seen::Request(sent) => return Ok(sent),
                Seen::Secured(_) | Seen::Done => {}
                Seen::Closed(_) => bail!("the connection was closed before a request"),
            }
        }
    }

    /// When the peer closed or reset the connection: a cancellation, if the script was not done. Errors if it does not
    /// happen in time.
    pub async fn closed(&mut self) -> Result<Instant> {
        loop {
            if let Seen::Closed(at) = self.next("the end of the connection").await? {
                return Ok(at);
            }
        }
    }

    /// Waits until the script has been played to its end. Errors if the peer goes away before.
    pub async fn done(&mut self) -> Result<()> {
        loop {
            match self.next("the end of the script").await? {
                Seen::Done => return Ok(()),
                Seen::Secured(_) | Seen::Request(_) => {}
                Seen::Closed(_) => bail!("the connection was closed before the end of the script"),
            }
        }
    }

    /// The protocol agreed on by TLS, once a request was read.
    pub fn alpn(&self) -> Option<&str> {
        self.alpn.as_deref()
    }

    async fn next(&mut self, what: &str) -> Result<Seen> {
        let seen = patiently(what, self.seen.recv()).await?;
        let seen = seen.with_context(|| format!("the connection ended without {what}"))?;
        if let Seen::Secured(alpn) = &seen {
            self.alpn.clone_from(alpn);
        }
        Ok(seen)
    }
}
