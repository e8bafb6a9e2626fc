//! The data-plane nodes this control plane has heard of: who they are by their certificates, and what each enforces.
//!
//! Law: a view for people, in memory: it never decides what a node is sent, and losing it loses nothing.

use std::collections::BTreeMap;

use parking_lot::RwLock;
use policy_engine::vocabulary::{Geo, Name};

/// Which node: by its certificate, not by what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Where it runs.
    pub geo: Geo,
    /// Its name, unique within the geo.
    pub name: Name,
}

/// A refusal of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeNack {
    /// The code, such as `VALIDATION`.
    pub code: String,
    /// The revision refused.
    pub revision: i64,
    /// Kind and name of the resource at fault; empty where it is not one.
    pub resource: String,
    /// What was wrong.
    pub detail: String,
    /// When, in microseconds since the Unix epoch.
    pub at: i64,
}

/// What is known of a node. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeView {
    /// A stream is open; counts streams, because a new one may begin before the old one is known to have ended.
    pub streams: u32,
    /// Its build.
    pub build: String,
    /// A new one with each start.
    pub boot_id: String,
    /// The revision it enforces; 0 is none.
    pub applied_revision: i64,
    /// The digest of what it enforces; empty is none.
    pub applied_digest: Vec<u8>,
    /// When its last stream began.
    pub connected_at: i64,
    /// When it was last heard.
    pub seen_at: i64,
    /// Its last refusal.
    pub last_nack: Option<NodeNack>,
}

/// Every node heard of since this process started.
#[derive(Debug, Default)]
pub struct Nodes {
    views: RwLock<BTreeMap<NodeId, NodeView>>,
}

impl Nodes {
    /// Changes what is known of a node.
    pub(crate) fn note(&self, id: &NodeId, change: impl FnOnce(&mut NodeView)) {
        change(self.views.write().entry(id.clone()).or_default());
    }

    /// What is known of all, in the order of geo and name.
    pub fn all(&self) -> Vec<(NodeId, NodeView)> {
        self.views.read().iter().map(|(id, view)| (id.clone(), view.clone())).collect()
    }

    /// The geos that nodes were heard from.
    pub fn geos(&self) -> Vec<Geo> {
        let mut geos: Vec<Geo> = self.views.read().keys().map(|id| id.geo.clone()).collect();
        geos.dedup();
        geos
    }
}
