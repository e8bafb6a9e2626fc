//! Vendors for the stories: real sockets on this machine that do exactly what a story wants.
//!
//! [`ScriptedUpstream`] follows a script of bytes and silences; [`OpenAiLike`] answers OpenAI's API as a friendly server
//! would. Law: a story never sleeps; whatever it waits for it awaits here, and a wait that lasts [`PATIENCE`] fails.
//! Deliberately absent: any use of the gateway's own code, so that both sides cannot share a mistake.

mod canned;
mod connection;
mod echoed;
mod identity;
mod nobody;
mod openai_like;
mod patience;
mod script;

pub use canned::{Asked, Canned, Piece};
pub use connection::{Connection, Sent};
pub use identity::Identity;
pub use nobody::Nobody;
pub use openai_like::OpenAiLike;
pub use patience::{Gate, PATIENCE};
pub use script::Script;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

use patience::patiently;

/// A server that follows one script a connection, the last script over and over.
pub struct ScriptedUpstream {
    address: SocketAddr,
    identity: Option<Identity>,
    connections: Mutex<mpsc::UnboundedReceiver<Connection>>,
    accepting: JoinHandle<()>,
}

impl ScriptedUpstream {
    /// Plain TCP on a free port; connection number n follows script n. Errors if no port can be had.
    pub async fn start(scripts: impl IntoIterator<Item = Script>) -> Result<Self> {
        Self::listen(scripts.into_iter().collect(), None).await
    }

    /// The same under TLS; a failed handshake counts as a connection without requests.
    pub async fn start_tls(scripts: impl IntoIterator<Item = Script>, identity: Identity) -> Result<Self> {
        Self::listen(scripts.into_iter().collect(), Some(identity)).await
    }

    async fn listen(scripts: Vec<Script>, identity: Option<Identity>) -> Result<Self> {
        let last = scripts.last().cloned().context("a scripted upstream needs a script")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (told, connections) = mpsc::unbounded_channel();
        let acceptor = identity.as_ref().map(|identity| Arc::clone(&identity.server));
        let accepting = tokio::spawn(async move {
            let mut scripts = scripts.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let script = scripts.next().unwrap_or_else(|| last.clone());
                let (connection, teller) = connection::pair();
                if told.send(connection).is_err() {
                    return;
                }
                tokio::spawn(script.perform(stream, acceptor.clone(), teller));
            }
        });
        Ok(Self { address, identity, connections: Mutex::new(connections), accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of an endpoint of it; under TLS with the name on its certificate.
    pub fn base_url(&self) -> String {
        identity::base_url(self.address, self.identity.as_ref())
    }

    /// The PEM certificate a client must trust, if it speaks TLS.
    pub fn roots(&self) -> Option<&str> {
        self.identity.as_ref().map(Identity::root)
    }

    /// The next connection it got, in order. Errors when none comes in time.
    pub async fn connection(&self) -> Result<Connection> {
        patiently("a connection", self.connections.lock().await.recv()).await?.context("the upstream is gone")
    }

    /// Whether it got a connection that [`Self::connection`] has not given yet.
    pub async fn was_dialled(&self) -> bool {
        !self.connections.lock().await.is_empty()
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[cfg(test)]
mod tests;
