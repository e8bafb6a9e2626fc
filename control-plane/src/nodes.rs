//! The data-plane nodes that are or were connected, as they last said of themselves.
//!
//! Law: lossy by design; nothing is decided by it. The sync server writes, the admin API reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use policy_engine::vocabulary::{Geo, Name};
use proto::admin::Node;

/// Nodes by geo and id. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct NodeRegistry {
    nodes: Arc<RwLock<BTreeMap<(Geo, Name), Node>>>,
}

impl NodeRegistry {
    /// Changes what is known of a node; a new one begins with its name and geo.
    pub fn update(&self, geo: &Geo, id: &Name, change: impl FnOnce(&mut Node)) {
        let mut nodes = self.nodes.write();
        let node = nodes.entry((geo.clone(), id.clone())).or_insert_with(|| Node {
            name: format!("nodes/{id}"),
            geo: geo.to_string(),
            ..Node::default()
        });
        change(node);
    }

    /// What is known of a node.
    pub fn get(&self, geo: &Geo, id: &Name) -> Option<Node> {
        self.nodes.read().get(&(geo.clone(), id.clone())).cloned()
    }

    /// Nodes after a place, in the order of geo and id.
    pub fn list(&self, after: Option<&(Geo, Name)>, size: usize) -> Vec<((Geo, Name), Node)> {
        let nodes = self.nodes.read();
        let later = nodes.iter().filter(|(at, _)| after.is_none_or(|after| *at > after));
        later.take(size).map(|(at, node)| (at.clone(), node.clone())).collect()
    }
}
