//! An upstream that is down.
//!
//! Law: its port is held and nobody listens on it, so every connection is refused, and nobody else gets the port meanwhile.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// An address of this machine where nobody listens, for as long as this lives.
#[derive(Debug)]
pub struct Nobody {
    held: TcpSocket,
}

impl Nobody {
    /// Holds a free port.
    pub fn hold() -> io::Result<Self> {
        let held = TcpSocket::new_v4()?;
        held.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self { held })
    }

    /// Where it would be.
    pub fn base_url(&self) -> io::Result<String> {
        Ok(format!("http://{}/v1", self.held.local_addr()?))
    }
}
