//! A node without its doors, on a network and a clock that a simulation holds: for tests of how policy gets here.
//!
//! Law: what receives, verifies, keeps and enforces policy is what a node that serves has, TLS included; only the socket is another.
//! No build that serves has this module. Deliberately absent: ports, requests, records, and any way past a check.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::freshness::Freshness;
use crate::install::Installer;
pub use crate::network::{Connection, Network, network};
use crate::node::{Bounds, Node};
use crate::overlay::Statements;
use crate::policy::{Control, Enforced, LastKnownGood, Log, NodeKey, Place, PolicyState, Trust, restore};
use crate::quota::Ledger;
use crate::record::outbox::{Outbox, Settings};
use crate::secrets::Remote;
use crate::tls::{Files, Way};
use crate::upstream::address::{AddressPolicy, Loopback};

/// What becomes of a key that is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The node has no policy, or does not know what was taken back: 503.
    Unready,
    /// It is a good key.
    Accepted,
    /// The policy that is enforced does not have it.
    Unknown,
    /// It was taken back.
    Revoked,
}

/// A version that is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The line of succession.
    pub epoch: i64,
    /// The revision.
    pub revision: i64,
    /// SHA-256 of the manifest.
    pub digest: [u8; 32],
}

/// A running node. Clones share it; what follows ends with the runtime it was started on, or is [told to end](Self::end).
#[derive(Clone)]
pub struct SimulatedNode {
    node: Arc<Node>,
    policy: Arc<PolicyState>,
    stop: CancellationToken,
}

impl SimulatedNode {
    /// Starts a node on a directory that has `ca.pem`, `node.pem` and `node.key`, from what its disk holds, and follows the control
    /// plane at `url` over `network`.
    pub async fn start(dir: &Path, url: &str, network: Network) -> anyhow::Result<Self> {
        let (ca, certificate, key) = (dir.join("ca.pem"), dir.join("node.pem"), dir.join("node.key"));
        let freshness = Arc::<Freshness>::default();
        let way = Way::open(url, Files { ca, certificate, key }, freshness.clone())?.over(network);
        let (identity, policy) = (way.identity().clone(), dir.join("policy"));
        let (outbox, _) = Outbox::to(Settings::default(), |_| Ok(()))?;
        let counted = (Ledger::memory(), outbox, Statements::at(&policy));
        let mut node = Node::new(identity.geo.clone(), Bounds::default(), counted, Arc::new(()));
        node.freshness = freshness.clone();
        let node = Arc::new(node);
        let addresses = AddressPolicy { loopback: Loopback::Refused, allowed: Vec::new() };
        let installer = Arc::new(Installer {
            node: node.clone(),
            addresses,
            extra_roots: None,
            fetch: None,
            remote: Arc::new(Remote::of(&Default::default()).map_err(anyhow::Error::from)?),
            last: Default::default(),
        });
        let place = Place {
            geo: identity.geo.clone(),
            spiffe_id: identity.spiffe_id.clone(),
            key: NodeKey::open(&dir.join("node-hpke.key"))?,
            trust: Trust::open(&policy, &way.authorities()?, freshness)?,
            kept: LastKnownGood::at(&policy),
            enforced: Enforced::open(&policy, env!("CARGO_PKG_VERSION")),
            log: Log::open(&policy),
        };
        let control = Control { way: Arc::new(way), boot_id: Uuid::now_v7().to_string(), place };
        let policy = Arc::new(PolicyState::of(node.freshness.clone()));
        let follower = restore(control, installer, policy.clone()).await;
        let stop = CancellationToken::new();
        tokio::spawn(follower.follow(stop.clone()));
        Ok(Self { node, policy, stop })
    }

    /// What is enforced.
    pub fn applied(&self) -> Option<Applied> {
        let version = self.policy.applied()?;
        Some(Applied { epoch: version.epoch, revision: version.revision, digest: version.digest })
    }

    /// Seconds since the last heartbeat of this process; `None` before the first.
    pub fn confirmed_age(&self) -> Option<f64> {
        self.policy.confirmed_age()
    }

    /// How many events of the audit log it has seen, and whether what it was shown last is wrong.
    pub fn witnessed(&self) -> (u64, bool) {
        let (standing, _) = self.policy.log();
        (standing.size, standing.inconsistent)
    }

    /// Whether a key would be let in by its public id, as a request that presents it is.
    pub fn verdict(&self, public_id: &str) -> Verdict {
        let runtime = self.node.runtime.load();
        let Some(runtime) = runtime.as_ref().filter(|_| !self.node.overlay.is_unknown()) else {
            return Verdict::Unready;
        };
        match runtime.snapshot.key(public_id) {
            _ if self.node.overlay.revokes(public_id) => Verdict::Revoked,
            Some(row) if row.revoked => Verdict::Revoked,
            Some(_) => Verdict::Accepted,
            None => Verdict::Unknown,
        }
    }

    /// The process is told to end.
    pub fn end(&self) {
        self.stop.cancel();
    }
}
