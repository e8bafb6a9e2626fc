//! A node's host: a directory that outlives its processes, and the process that runs now.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use control_plane::ca::{Authority, LEAF_VALIDITY};
use data_plane::simulation::{SimulatedNode, network};
use policy_engine::vocabulary::Name;
use turmoil::net::TcpStream;

/// Where the control plane is.
pub(crate) const CONTROL: (&str, u16) = ("control", 7443);

/// A node, whether or not it runs.
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) geo: &'static str,
    dir: PathBuf,
    running: Mutex<Option<SimulatedNode>>,
}

impl Seat {
    /// A directory with a certificate.
    pub(crate) fn made(
        home: &Path,
        (geo, number): (&'static str, usize),
        authority: &Authority,
    ) -> Result<Self> {
        let name = format!("{geo}-{number}");
        let dir = home.join(&name);
        fs::create_dir_all(&dir)?;
        let issued = authority.issue_node(&Name::new(geo)?, &Name::new(&name)?, LEAF_VALIDITY)?;
        fs::write(dir.join("ca.pem"), authority.certificate_pem())?;
        fs::write(dir.join("node.pem"), &issued.certificate_pem)?;
        fs::write(dir.join("node.key"), issued.key_pem.as_bytes())?;
        Ok(Self { name, geo, dir, running: Mutex::default() })
    }

    /// Where it keeps what it enforces.
    pub(crate) fn kept(&self) -> PathBuf {
        self.dir.join("policy")
    }

    /// The process that runs now, once it has taken over what is on its disk.
    pub(crate) fn running(&self) -> Option<SimulatedNode> {
        self.running.lock().unwrap().clone()
    }

    /// The process has ended.
    pub(crate) fn gone(&self) {
        self.running.lock().unwrap().take();
    }
}

/// A process of a node, for as long as its host lets it.
pub(crate) async fn run(seat: Arc<Seat>) -> turmoil::Result {
    let process = tokio::spawn(async move {
        let network = network(|_| TcpStream::connect(CONTROL));
        let node = SimulatedNode::start(&seat.dir, "https://control:7443", network).await?;
        seat.running.lock().unwrap().replace(node);
        anyhow::Ok(())
    });
    process.await??;
    std::future::pending().await
}
