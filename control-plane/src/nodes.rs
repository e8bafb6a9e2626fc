//! The data-plane nodes that are or were connected, as they last said of themselves.
//!
//! Law: lossy by design; nothing is decided by it. The sync server writes, the admin API reads. What is known outlives the
//! process, seconds behind; after a start nobody is connected until heard again. A node keeps the resource name it was first
//! given: `nodes/(id)`, or `geos/(geo)/nodes/(id)` where a node of another geo had the id before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use policy_engine::vocabulary::{Geo, Name};
use prost::Message as _;
use proto::admin::Node;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ca::LEAF_VALIDITY;
use crate::clock;
use crate::store::{NodeRow, Store, StoreError};

/// Between two writes of what changed: every status of every node is a change.
const PAUSE: Duration = Duration::from_secs(5);

/// The word for a node whose stream has ended.
const DISCONNECTED: &str = "disconnected";

type Place = (Geo, Name);

/// Nodes by geo and id. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct NodeRegistry {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    known: RwLock<Known>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    nodes: BTreeMap<Place, Node>,
    /// Resource names that are given.
    names: BTreeSet<String>,
    /// What the store does not know yet.
    unkept: BTreeSet<Place>,
}

impl Known {
    fn insert(&mut self, place: Place, node: Node) {
        self.names.insert(node.name.clone());
        self.nodes.insert(place, node);
    }

    /// A node that was not known before, with a name no other has.
    fn welcome(&self, (geo, id): &Place) -> Node {
        let plain = format!("nodes/{id}");
        let name = if self.names.contains(&plain) { format!("geos/{geo}/nodes/{id}") } else { plain };
        Node { name, geo: geo.to_string(), ..Node::default() }
    }
}

impl NodeRegistry {
    /// What a store remembers, all of it disconnected; a node that was not heard for as long as a certificate is good is
    /// forgotten.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let good = i64::try_from(LEAF_VALIDITY.as_micros()).unwrap_or(i64::MAX);
        store.forget_nodes(clock::now().saturating_sub(good)).await?;
        let registry = Self::default();
        for row in store.nodes().await? {
            let read = (Name::new(&row.geo), Name::new(&row.name), Node::decode(row.body.as_slice()));
            let (Ok(geo), Ok(id), Ok(node)) = read else {
                tracing::warn!(geo = row.geo, node = row.name, "what is remembered of a node can't be read");
                continue;
            };
            let node = Node { state: DISCONNECTED.to_owned(), ..node };
            registry.shared.known.write().insert((geo, id), node);
        }
        Ok(registry)
    }

    /// Changes what is known of a node; a new one begins with its name and geo.
    pub fn update(&self, geo: &Geo, id: &Name, change: impl FnOnce(&mut Node)) {
        let mut known = self.shared.known.write();
        let place = (geo.clone(), id.clone());
        if !known.nodes.contains_key(&place) {
            let node = known.welcome(&place);
            known.insert(place.clone(), node);
        }
        if let Some(node) = known.nodes.get_mut(&place) {
            change(node);
        }
        known.unkept.insert(place);
        self.shared.changed.notify_one();
    }

    /// What is known of a node.
    pub fn get(&self, geo: &Geo, id: &Name) -> Option<Node> {
        self.shared.known.read().nodes.get(&(geo.clone(), id.clone())).cloned()
    }

    /// Nodes after a place, in the order of geo and id.
    pub fn list(&self, after: Option<&(Geo, Name)>, size: usize) -> Vec<((Geo, Name), Node)> {
        let known = self.shared.known.read();
        let later = known.nodes.iter().filter(|(at, _)| after.is_none_or(|after| *at > after));
        later.take(size).map(|(at, node)| (at.clone(), node.clone())).collect()
    }

    /// The geos that nodes are known in.
    pub fn geos(&self) -> BTreeSet<Geo> {
        self.shared.known.read().nodes.keys().map(|(geo, _)| geo.clone()).collect()
    }

    /// Keeps in a store what changes, until `stop`.
    pub async fn follow(&self, store: Store, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.changed.notified() => self.keep(&store).await,
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Keeps what the store does not know yet. One that can't take it is told later.
    pub async fn keep(&self, store: &Store) {
        let rows = self.shared.unkept();
        if rows.is_empty() {
            return;
        }
        if let Err(error) = store.keep_nodes(&rows).await {
            tracing::warn!(%error, "what is known of nodes could not be kept");
            let mut known = self.shared.known.write();
            let places = rows.iter().map(|row| (Name::new(&row.geo), Name::new(&row.name)));
            known.unkept.extend(places.filter_map(|(geo, id)| Some((geo.ok()?, id.ok()?))));
        }
    }
}

impl Shared {
    /// Takes what is to be kept.
    fn unkept(&self) -> Vec<NodeRow> {
        let mut known = self.known.write();
        let places = std::mem::take(&mut known.unkept);
        let row = |place: &Place| {
            let node = known.nodes.get(place)?;
            Some(NodeRow {
                geo: place.0.to_string(),
                name: place.1.to_string(),
                body: node.encode_to_vec(),
                last_seen_at: node.last_seen_time.as_ref().map_or_else(clock::now, clock::micros),
            })
        };
        places.iter().filter_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn what_was_known_of_nodes_is_known_after_a_restart_and_nobody_is_connected() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let nodes = NodeRegistry::open(&store).await.unwrap();
        let seen = clock::timestamp(clock::now());
        nodes.update(&name("eu"), &name("a"), |node| {
            node.state = "connected".to_owned();
            node.applied_revision = 7;
            node.last_seen_time = Some(seen);
        });
        nodes.keep(&store).await;
        nodes.update(&name("eu"), &name("a"), |node| node.applied_revision = 8);
        nodes.keep(&store).await;
        // One that was not heard for longer than its certificate can be good.
        nodes.update(&name("eu"), &name("old"), |node| node.last_seen_time = Some(clock::timestamp(1)));
        nodes.keep(&store).await;

        let again = NodeRegistry::open(&store).await.unwrap();
        let node = again.get(&name("eu"), &name("a")).unwrap();
        assert_eq!((node.state.as_str(), node.applied_revision), ("disconnected", 8));
        assert_eq!((node.name.as_str(), node.last_seen_time), ("nodes/a", Some(seen)));
        assert_eq!(again.list(None, 10).len(), 1);
    }

    #[tokio::test]
    async fn nodes_of_one_id_in_two_geos_have_two_names_and_keep_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let nodes = NodeRegistry::open(&store).await.unwrap();
        for geo in ["us", "eu"] {
            nodes.update(&name(geo), &name("a"), |_| ());
        }
        nodes.keep(&store).await;
        for registry in [nodes, NodeRegistry::open(&store).await.unwrap()] {
            // Whoever comes again is who it was, whichever comes first.
            registry.update(&name("eu"), &name("a"), |_| ());
            let listed = registry.list(None, 10);
            let names: Vec<&str> = listed.iter().map(|(_, node)| node.name.as_str()).collect();
            assert_eq!(names, ["geos/eu/nodes/a", "nodes/a"]);
        }
    }

    #[tokio::test]
    async fn what_a_store_can_not_take_is_kept_when_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let nodes = NodeRegistry::open(&store).await.unwrap();
        nodes.update(&name("eu"), &name("a"), |_| ());
        store.pragma("PRAGMA query_only = ON").await.unwrap();
        nodes.keep(&store).await;
        assert!(store.nodes().await.unwrap().is_empty());
        store.pragma("PRAGMA query_only = OFF").await.unwrap();
        nodes.keep(&store).await;
        assert_eq!(store.nodes().await.unwrap().len(), 1);
    }
}
