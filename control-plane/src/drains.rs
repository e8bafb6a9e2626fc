//! Nodes that an operator drains: kept until that is over, told to each node's stream.
//!
//! Law: one writer; a change and its audit event are one transaction, and nobody is told before it is committed. A drain is no part of
//! revisions and outlives the control plane; a node that is not there is told when it comes. Deliberately absent: who may (`api::admin`),
//! and how a node drains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use policy_engine::vocabulary::{Geo, Name};
use prost::Message as _;
use proto::admin::NodeDrain;
use proto::sync::DrainDone;
use tokio::sync::{Mutex, watch};

use crate::act::{Act, changed_aside};
use crate::clock;
use crate::store::{DrainRow, Store, StoreError};

/// A node, by where it is and what it is called there.
pub(crate) type Place = (Geo, Name);

/// Every drain that stands.
pub(crate) type Standing = Arc<BTreeMap<Place, NodeDrain>>;

/// Drains by node. Clones share it.
#[derive(Debug, Clone)]
pub struct Drains {
    store: Option<Store>,
    writing: Arc<Mutex<()>>,
    current: Arc<watch::Sender<Standing>>,
}

impl Default for Drains {
    fn default() -> Self {
        Self {
            store: None,
            writing: Arc::default(),
            current: Arc::new(watch::channel(Standing::default()).0),
        }
    }
}

impl Drains {
    /// What a store remembers.
    pub(crate) async fn open(store: &Store) -> Result<Self, StoreError> {
        let corrupt =
            |row: &DrainRow| StoreError::Corrupt(format!("a drain that can't be read: `{}`", row.name));
        let mut standing = BTreeMap::new();
        for row in store.drains().await? {
            let read = (Name::new(&row.geo), Name::new(&row.name), NodeDrain::decode(row.body.as_slice()));
            let (Ok(geo), Ok(name), Ok(drain)) = read else { return Err(corrupt(&row)) };
            standing.insert((geo, name), drain);
        }
        let drains = Self { store: Some(store.clone()), ..Self::default() };
        drains.current.send_replace(Arc::new(standing));
        Ok(drains)
    }

    /// What stands, and every change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<Standing> {
        self.current.subscribe()
    }

    /// The drain of a node, if one stands.
    pub(crate) fn of(&self, place: &Place) -> Option<NodeDrain> {
        self.current.borrow().get(place).cloned()
    }

    /// Drains a node from now on, in place of a drain that stands.
    pub(crate) async fn begin(&self, act: &Act, place: &Place, within: Duration) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        let now = clock::now();
        let drain = NodeDrain {
            id: uuid::Uuid::now_v7().to_string(),
            create_time: Some(clock::timestamp(now)),
            actor: act.actor.clone(),
            reason: act.reason.clone(),
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
            ..NodeDrain::default()
        };
        let row = row(place, &drain);
        if let Some(store) = &self.store {
            let event = changed_aside(act, &named(place), (None, Some(&row.body)), now);
            store.keep_drain(&row, Some(&event)).await?;
        }
        self.tell(|standing| standing.insert(place.clone(), drain));
        Ok(())
    }

    /// Ends the drain of a node; nothing where none stands.
    pub(crate) async fn end(&self, act: &Act, place: &Place) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        let Some(drain) = self.of(place) else { return Ok(()) };
        if let Some(store) = &self.store {
            let before = drain.encode_to_vec();
            let event = changed_aside(act, &named(place), (Some(&before), None), clock::now());
            store.end_drain((place.0.as_str(), place.1.as_str()), &event).await?;
        }
        self.tell(|standing| standing.remove(place));
        Ok(())
    }

    /// A node has drained. The first word stands: a process that starts again had nothing to cut.
    pub(crate) async fn done(&self, place: &Place, said: &DrainDone) {
        let _turn = self.writing.lock().await;
        let waited = self.of(place).filter(|drain| drain.id == said.id && drain.done_time.is_none());
        let Some(drain) = waited else { return };
        let done_time = Some(clock::timestamp(clock::now()));
        let drain = NodeDrain { done_time, cut: said.cut, ..drain };
        if let Some(store) = &self.store
            && let Err(error) = store.keep_drain(&row(place, &drain), None).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "that a node has drained could not be kept"
            );
        }
        self.tell(|standing| standing.insert(place.clone(), drain));
    }

    fn tell<T>(&self, change: impl FnOnce(&mut BTreeMap<Place, NodeDrain>) -> T) {
        let mut standing = BTreeMap::clone(&self.current.borrow());
        change(&mut standing);
        self.current.send_replace(Arc::new(standing));
    }
}

/// The name of a node's drain: what begins and ends is that, not the node.
fn named((geo, id): &Place) -> String {
    format!("geos/{geo}/nodes/{id}/drain")
}

fn row((geo, name): &Place, drain: &NodeDrain) -> DrainRow {
    DrainRow { geo: geo.to_string(), name: name.to_string(), body: drain.encode_to_vec() }
}
