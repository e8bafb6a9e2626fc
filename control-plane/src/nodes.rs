//! The data-plane nodes that are or were connected, as they last said of themselves.
//!
//! Law: lossy by design; nothing is decided by it: who is let in is for `admission` to say. The sync server writes, the admin API reads. A node is connected while any
//! session of it is, and is what its newest open session says; what it enforces is the least of what its processes say. What is known outlives the process, seconds
//! behind; after a start nobody is connected until heard again; a node that is new is kept before it is answered. A node keeps the resource name it was first given:
//! `nodes/(id)`, or `geos/(geo)/nodes/(id)` where a node of another geo had the id before.

mod duplicate;
mod expected;
mod forget;
pub(crate) mod said;
pub(crate) mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use policy_engine::vocabulary::{Geo, Name};
use prost::Message as _;
use proto::admin::Node;
use proto::manifest::SCHEMA;
use proto::sync::{Nack, NackCode};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::ca::LEAF_VALIDITY;
use crate::clock;
use crate::drains::Drains;
use crate::quiet::Fickle;
use crate::reach::Reach;
use crate::store::{NodeRow, Store, StoreError};

/// Between two writes of what changed: every status of every node is a change.
const PAUSE: Duration = Duration::from_secs(5);

/// The word for a node that has a stream.
pub(crate) const CONNECTED: &str = "connected";

/// The word for one that has a stream and can't be sent what is made here.
pub(crate) const INCOMPATIBLE: &str = "incompatible";

/// The word for a node whose streams have ended.
const DISCONNECTED: &str = "disconnected";

/// The word for a node that was never heard, and for which there is a token.
pub(crate) const AWAITED: &str = "awaited";

/// The word for a node that is let in no more.
const REVOKED: &str = "revoked";

/// For how long a stream must stand before its node is steadily there, in microseconds: a few heartbeats.
pub(crate) const STEADY: i64 = 10 * 1_000_000;

type Place = (Geo, Name);

/// Nodes by geo and id. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct NodeRegistry {
    shared: Arc<Shared>,
    admission: Admission,
    drains: Drains,
    reach: Reach,
}

#[derive(Debug, Default)]
struct Shared {
    known: RwLock<Known>,
    changed: Notify,
    watch: Watch,
    /// One writer at a time: who waited for it finds in the store what was known when it began to wait.
    keeping: tokio::sync::Mutex<()>,
}

/// Since when nodes are heard here, in microseconds since the Unix epoch; what was said before that was said to another process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watch {
    /// When this process began to listen.
    pub began: i64,
    /// When the one before it last heard any node; 0: it heard none.
    pub left: i64,
}

#[derive(Debug, Default)]
struct Known {
    nodes: BTreeMap<Place, Node>,
    /// Resource names that are given.
    names: BTreeSet<String>,
    /// What the store does not know yet.
    unkept: BTreeSet<Place>,
    /// What each node refused last, by digest, and why.
    refused: BTreeMap<Place, (Vec<u8>, BTreeSet<NackCode>)>,
    /// What was told of how each node finds the audit log.
    witnesses: BTreeMap<Place, Fickle>,
    /// Sessions that are open, each as it last said of itself, oldest first. INVARIANT: what the newest says of itself is in
    /// `nodes` alone, so that a word of it is no copy of the whole.
    open: BTreeMap<Place, Vec<(u64, Node)>>,
    /// How many sessions have begun.
    begun: u64,
}

/// A node's session while it is open; dropped, it has ended.
#[derive(Debug)]
pub struct NodeSession {
    shared: Arc<Shared>,
    place: Place,
    number: u64,
    /// The node's AIP name.
    pub name: String,
    /// Nothing was known of the node before.
    pub is_new: bool,
    /// The `boot_id` of another process that has an open session of the same node.
    pub rival: Option<String>,
}

impl Known {
    fn insert(&mut self, place: Place, node: Node) {
        self.names.insert(node.name.clone());
        self.nodes.insert(place, node);
    }

    /// Ends a session. A node is shown as its newest open one, or, where none is, as disconnected.
    fn end(&mut self, place: &Place, number: u64) {
        let Some(open) = self.open.get_mut(place) else { return };
        let newest = open.last().is_some_and(|(last, _)| *last == number);
        open.retain(|(other, _)| *other != number);
        match (open.last_mut(), self.nodes.get_mut(place)) {
            (Some((_, said)), Some(node)) if newest => *node = std::mem::take(said),
            (None, Some(node)) => node.state = DISCONNECTED.to_owned(),
            _ => {}
        }
        if open.is_empty() {
            self.open.remove(place);
        }
        self.unkept(place);
    }

    /// A session says something of itself.
    fn say(&mut self, place: &Place, number: u64, change: impl FnOnce(&mut Node)) {
        let open = self.open.get_mut(place).into_iter().flatten();
        let mut here = open.rev().enumerate().filter(|(_, (other, _))| *other == number);
        match (here.next(), self.nodes.get_mut(place)) {
            (Some((0, _)), Some(node)) => change(node),
            (Some((_, (_, said))), _) => change(said),
            _ => {}
        }
        self.unkept(place);
    }

    /// Notes that a node refuses something; gives whether that is news. All that is no code of ours is one.
    fn refuse(&mut self, place: &Place, digest: &[u8], nack: &Nack) -> bool {
        let (last, codes) = self.refused.entry(place.clone()).or_default();
        if last != digest {
            (*last, *codes) = (digest.to_vec(), BTreeSet::new());
        }
        codes.insert(nack.code())
    }

    /// A node as all of its processes that are there say it is.
    fn shown(&self, place: &Place, node: &Node) -> Node {
        match self.open.get(place) {
            Some(open) if open.len() > 1 => duplicate::least(node, open),
            _ => node.clone(),
        }
    }

    fn unkept(&mut self, place: &Place) {
        if !self.unkept.contains(place) {
            self.unkept.insert(place.clone());
        }
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
        let rows = store.nodes().await?;
        let heard = |row: &NodeRow| Node::decode(row.body.as_slice()).ok()?.last_seen_time;
        let left = rows.iter().filter_map(heard).map(|at| clock::micros(&at)).max().unwrap_or_default();
        let watch = Watch { began: clock::now(), left };
        let shared = Arc::new(Shared { watch, ..Shared::default() });
        let (admission, drains) = (Admission::open(store).await?, Drains::open(store).await?);
        let registry = Self { admission, drains, shared, reach: Reach::default() };
        for row in rows {
            let read = (Name::new(&row.geo), Name::new(&row.name), Node::decode(row.body.as_slice()));
            let (Ok(geo), Ok(id), Ok(node)) = read else {
                tracing::warn!(geo = row.geo, node = row.name, "what is remembered of a node can't be read");
                continue;
            };
            let state = if node.state == AWAITED { AWAITED } else { DISCONNECTED }.to_owned();
            let node = Node { state, ..node };
            registry.shared.known.write().insert((geo, id), node);
        }
        Ok(registry)
    }

    /// Begins a session of a node, which says of itself what `change` makes of what was known.
    pub fn begin(&self, geo: &Geo, id: &Name, change: impl FnOnce(&mut Node)) -> NodeSession {
        let mut known = self.shared.known.write();
        let place = (geo.clone(), id.clone());
        let before = known.nodes.get(&place).cloned();
        let is_new = before.is_none();
        let mut node = before.clone().unwrap_or_else(|| known.welcome(&place));
        change(&mut node);
        node.state = if node.schema == SCHEMA { CONNECTED } else { INCOMPATIBLE }.to_owned();
        known.begun = known.begun.saturating_add(1);
        let (number, name) = (known.begun, node.name.clone());
        let boot = node.boot_id.clone();
        known.insert(place.clone(), node);
        let open = known.open.entry(place.clone()).or_default();
        if let (Some((_, said)), Some(before)) = (open.last_mut(), before) {
            *said = before;
        }
        let rival = open.iter().map(|(_, other)| &other.boot_id).find(|other| **other != boot).cloned();
        // Almost always the only one.
        open.reserve_exact(1);
        open.push((number, Node::default()));
        known.unkept.insert(place.clone());
        self.shared.changed.notify_one();
        NodeSession { shared: self.shared.clone(), place, number, name, is_new, rival }
    }

    /// Which nodes are let in.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Which nodes are to take no requests.
    pub fn drains(&self) -> &Drains {
        &self.drains
    }

    /// Nodes that can be asked something.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Notes that a node is to come, and gives its name; one that is known stays as it is.
    pub fn await_node(&self, geo: &Geo, id: &Name) -> String {
        let mut known = self.shared.known.write();
        let place = (geo.clone(), id.clone());
        if let Some(node) = known.nodes.get(&place) {
            return node.name.clone();
        }
        let node = Node { state: AWAITED.to_owned(), ..known.welcome(&place) };
        let name = node.name.clone();
        known.insert(place.clone(), node);
        known.unkept.insert(place);
        self.shared.changed.notify_one();
        name
    }

    /// What is known of a node.
    pub fn get(&self, geo: &Geo, id: &Name) -> Option<Node> {
        let (known, place) = (self.shared.known.read(), (geo.clone(), id.clone()));
        let node = known.nodes.get(&place)?;
        Some(self.as_it_stands((geo, id), known.shown(&place, node)))
    }

    /// Which node has a name: one that is known by it, or the one that `geos/(geo)/nodes/(id)` says.
    pub fn named(&self, name: &str) -> Option<(Geo, Name)> {
        let known = self.shared.known.read();
        let found = known.nodes.iter().find(|(_, node)| node.name == name).map(|(place, _)| place.clone());
        found.or_else(|| match name.split('/').collect::<Vec<_>>().as_slice() {
            ["geos", geo, "nodes", id] => Some((Name::new(geo).ok()?, Name::new(id).ok()?)),
            _ => None,
        })
    }

    fn as_it_stands(&self, (geo, id): (&Geo, &Name), node: Node) -> Node {
        let drain = self.drains.of(&(geo.clone(), id.clone()));
        let node = Node { drain, ..node };
        let Some(at) = self.admission.revoked_at(geo, id) else {
            return Node { expected: expected::is(&node, self.watch(), clock::now()), ..node };
        };
        Node { revoke_time: Some(clock::timestamp(at)), state: REVOKED.to_owned(), ..node }
    }

    /// Nodes after a place, in the order of geo and id.
    pub fn list(&self, after: Option<&(Geo, Name)>, size: usize) -> Vec<((Geo, Name), Node)> {
        let known = self.shared.known.read();
        let later = known.nodes.iter().filter(|(at, _)| after.is_none_or(|after| *at > after));
        let shown = |(at, node): (&Place, &Node)| {
            (at.clone(), self.as_it_stands((&at.0, &at.1), known.shown(at, node)))
        };
        later.take(size).map(shown).collect()
    }

    /// How many nodes are known.
    pub fn count(&self) -> usize {
        self.shared.known.read().nodes.len()
    }

    /// Every node that is known, with when it was revoked.
    pub fn fleet(&self) -> Vec<Node> {
        let known = self.shared.known.read();
        let stands = |(at, node): (&Place, &Node)| self.as_it_stands((&at.0, &at.1), known.shown(at, node));
        known.nodes.iter().map(stands).collect()
    }

    /// Since when nodes are heard.
    pub fn watch(&self) -> Watch {
        self.shared.watch
    }

    /// How many nodes are in each state, and how many of those that are connected do not enforce a revision yet.
    pub fn tally(&self, head: i64) -> ([(&'static str, usize); 5], usize) {
        let known = self.shared.known.read();
        let stands = |(geo, id): &Place, node: &Node, state| match self.admission.revoked_at(geo, id) {
            Some(_) => state == REVOKED,
            None => node.state == state,
        };
        let count = |state| (state, known.nodes.iter().filter(|(at, node)| stands(at, node, state)).count());
        let behind = |(at, node): &(&Place, &Node)| {
            node.state == CONNECTED && known.shown(at, node).confirmed_revision < head
        };
        let states = [CONNECTED, INCOMPATIBLE, DISCONNECTED, AWAITED, REVOKED].map(count);
        (states, known.nodes.iter().filter(behind).count())
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
        let _turn = self.shared.keeping.lock().await;
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

impl NodeSession {
    /// Changes what the session says of itself; that is shown while no newer one is open.
    pub fn update(&self, change: impl FnOnce(&mut Node)) {
        let mut known = self.shared.known.write();
        known.say(&self.place, self.number, change);
        self.shared.changed.notify_one();
    }

    /// Notes that the node refuses a snapshot of a digest; gives whether it had not done so for this reason before, on whichever
    /// of its streams.
    pub(crate) fn refuses_anew(&self, digest: &[u8], nack: &Nack) -> bool {
        self.shared.known.write().refuse(&self.place, digest, nack)
    }

    /// Notes how the node finds the audit log; gives whether that is to be told, on whichever of its streams it says so.
    pub(crate) fn finds_log(&self, wrong: bool) -> bool {
        self.shared.known.write().witnesses.entry(self.place.clone()).or_default().is_news(wrong)
    }
}

impl Drop for NodeSession {
    fn drop(&mut self) {
        let mut known = self.shared.known.write();
        known.end(&self.place, self.number);
        self.shared.changed.notify_one();
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
        let session = nodes.begin(&name("eu"), &name("a"), |node| {
            node.applied_revision = 7;
            node.last_seen_time = Some(seen);
        });
        nodes.keep(&store).await;
        session.update(|node| node.applied_revision = 8);
        nodes.keep(&store).await;
        // One that was not heard for longer than its certificate can be good.
        nodes.begin(&name("eu"), &name("old"), |node| node.last_seen_time = Some(clock::timestamp(1)));
        nodes.keep(&store).await;

        let again = NodeRegistry::open(&store).await.unwrap();
        let node = again.get(&name("eu"), &name("a")).unwrap();
        assert_eq!((node.state.as_str(), node.applied_revision), ("disconnected", 8));
        assert_eq!((node.name.as_str(), node.last_seen_time), ("nodes/a", Some(seen)));
        assert_eq!(again.list(None, 10).len(), 1);
        // It knows when it began, and until when the process before it listened.
        let Watch { began, left } = again.watch();
        assert!(left == clock::micros(&seen) && began >= left);
    }

    #[test]
    fn a_node_is_what_its_newest_open_session_says() {
        let nodes = NodeRegistry::default();
        let begin = |boot: &str| {
            let change = |node: &mut Node| (node.boot_id, node.schema) = (boot.to_owned(), SCHEMA);
            nodes.begin(&name("eu"), &name("a"), change)
        };
        let shown = || {
            let node = nodes.get(&name("eu"), &name("a")).unwrap();
            (node.state, node.boot_id, node.confirmed_revision)
        };
        let told = |state: &str, boot: &str, confirmed| (state.to_owned(), boot.to_owned(), confirmed);
        let first = begin("one");
        let second = begin("two");
        assert_eq!((first.rival.as_deref(), second.rival.as_deref()), (None, Some("one")));
        first.update(|node| node.confirmed_revision = 7);
        assert_eq!(shown(), told("connected", "two", 0));
        drop(second);
        assert_eq!(shown(), told("connected", "one", 7));
        // The same process comes again before the end of its stream is noticed.
        let again = begin("one");
        assert_eq!(again.rival, None);
        drop(first);
        assert_eq!(shown(), told("connected", "one", 7));
        drop(again);
        assert_eq!(shown(), told("disconnected", "one", 7));
    }

    #[test]
    fn of_a_node_that_is_two_processes_what_is_said_is_the_least_of_what_they_say() {
        let nodes = NodeRegistry::default();
        let begin = |boot: &str, seq: u64| {
            nodes.begin(&name("eu"), &name("a"), |node: &mut Node| {
                *node = Node { name: std::mem::take(&mut node.name), ..Node::default() };
                (node.boot_id, node.schema) = (boot.to_owned(), SCHEMA);
                (node.confirmed_revision, node.applied_epoch, node.line) =
                    (i64::try_from(seq).unwrap(), 1, "candidate".to_owned());
                (node.revocation_seq, node.kill_seq) = (seq, seq);
            })
        };
        let told =
            |node: Node| (node.confirmed_revision, node.revocation_seq, node.kill_seq, node.other_boot_ids);
        let shown = || {
            let listed = [nodes.fleet().remove(0), nodes.list(None, 9).remove(0).1].map(told);
            let got = told(nodes.get(&name("eu"), &name("a")).unwrap());
            assert_eq!(listed, [got.clone(), got.clone()]);
            got
        };
        let older = begin("one", 7);
        assert_eq!(shown(), (7, 7, 7, vec![]));
        let newer = begin("two", 9);
        assert_eq!((shown(), nodes.tally(9).1), ((7, 7, 7, vec!["one".to_owned()]), 1));
        older
            .update(|node| (node.confirmed_revision, node.kill_seq, node.line) = (9, 8, "stable".to_owned()));
        assert_eq!((shown(), nodes.tally(9).1), ((9, 7, 8, vec!["one".to_owned()]), 0));
        assert_eq!(nodes.fleet().remove(0).line, "stable");
        // What is of another epoch says nothing of this one.
        older.update(|node| node.applied_epoch = 2);
        assert_eq!(shown(), (9, 0, 0, vec!["one".to_owned()]));
        // A stream of the same process that was not seen to end says nothing more.
        let again = begin("two", 10);
        drop(older);
        assert_eq!(shown(), (10, 10, 10, vec![]));
        drop((newer, again));
        assert_eq!(shown(), (10, 10, 10, vec![]));
    }

    #[test]
    fn a_refusal_is_news_once_whatever_stream_it_comes_by() {
        let nodes = NodeRegistry::default();
        let begin = |id: &str| nodes.begin(&name("eu"), &name(id), |_| ());
        let says = |session: &NodeSession, digest: u8, code: i32| {
            session.refuses_anew(&[digest; 32], &Nack { code, ..Nack::default() })
        };
        let first = begin("a");
        assert!(says(&first, 1, 8) && !says(&first, 1, 8) && says(&first, 1, 5));
        drop(first);
        let again = begin("a");
        assert!(!says(&again, 1, 8) && !says(&again, 1, 5));
        assert!(says(&again, 1, 77) && !says(&again, 1, 78), "what is no code is one");
        assert!(says(&again, 2, 8), "another snapshot");
        assert!(says(&begin("b"), 2, 8), "another node");
    }

    #[test]
    fn a_node_that_finds_the_log_wrong_and_well_again_is_told_of_once() {
        let nodes = NodeRegistry::default();
        let begin = |id: &str| nodes.begin(&name("eu"), &name(id), |_| ());
        let told = |id: &str, wrong: bool| begin(id).finds_log(wrong);
        assert!(!told("a", false) && told("a", true) && !told("a", true) && told("a", false));
        assert!((0..1_000).all(|at| !told("a", at % 2 == 0)), "on any number of streams");
        assert!(told("b", true), "another node");
    }

    #[tokio::test]
    async fn nodes_of_one_id_in_two_geos_have_two_names_and_keep_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let nodes = NodeRegistry::open(&store).await.unwrap();
        for geo in ["us", "eu"] {
            nodes.begin(&name(geo), &name("a"), |_| ());
        }
        nodes.keep(&store).await;
        for registry in [nodes, NodeRegistry::open(&store).await.unwrap()] {
            // Whoever comes again is who it was, whichever comes first.
            registry.begin(&name("eu"), &name("a"), |_| ());
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
        nodes.begin(&name("eu"), &name("a"), |_| ());
        store.pragma("PRAGMA query_only = ON").await.unwrap();
        nodes.keep(&store).await;
        assert!(store.nodes().await.unwrap().is_empty());
        store.pragma("PRAGMA query_only = OFF").await.unwrap();
        nodes.keep(&store).await;
        assert_eq!(store.nodes().await.unwrap().len(), 1);
    }
}
