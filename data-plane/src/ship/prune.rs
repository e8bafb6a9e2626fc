//! Lines of segments that are to go, removed from the node's outbox and from the geo's store.
//!
//! Law: nothing goes but lines beside the manifest that has the hash that was said, and no manifest goes. What nobody but this node has, for
//! it was not shipped or not anchored, does not go yet, and nothing goes while a hold stands or none is known to. Nobody waits for any of
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy_engine::vocabulary::Geo;
use proto::segment::Signed;
use tokio_util::sync::CancellationToken;

use super::{MOST, NotShipped, Store, blocking, called};
use crate::policy::BackOff;
use crate::record::Shelf;
use crate::retained::{Going, Hash, Retained};

/// Where lines are, and whose those are that are here.
pub(crate) struct Places {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) store: Option<Store>,
    pub(crate) geo: Geo,
    pub(crate) node: String,
}

/// What became of lines that are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    /// They are gone, and their manifest is there.
    Gone,
    /// They are here, and can't go yet.
    Waits,
    /// There is no such segment here.
    Elsewhere,
}

/// Removes what is to go, as it is said, until `stop`.
pub(crate) async fn run(retained: Arc<Retained>, places: Places, stop: CancellationToken) {
    let (mut said, mut changed) = (retained.follow(), places.shelf.follow());
    let (mut back_off, mut is_away) = (BackOff::default(), false);
    loop {
        said.borrow_and_update();
        changed.borrow_and_update();
        let result = places.turn(&retained).await;
        match &result {
            Ok(()) => (back_off, is_away) = (BackOff::default(), false),
            Err(error) if !std::mem::replace(&mut is_away, true) => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "lines of segments that are over can't be removed: it is tried again"
                );
            }
            Err(_) => {}
        }
        let wait = async {
            tokio::select! {
                _ = said.changed(), if result.is_ok() => {}
                _ = changed.changed(), if result.is_ok() => {}
                () = tokio::time::sleep(back_off.pause()), if result.is_err() => {}
            }
        };
        if stop.run_until_cancelled(wait).await.is_none() {
            return;
        }
    }
}

impl Places {
    async fn turn(&self, retained: &Retained) -> Result<(), NotShipped> {
        let all = if retained.may_go() { retained.to_go() } else { Vec::new() };
        let here = match all.iter().any(|going| going.node == self.node) {
            true => self.shelved().await?,
            false => BTreeMap::new(),
        };
        for going in all {
            // A hold may have come since; it stirs whoever waits when it is over.
            if !retained.may_go() {
                return Ok(());
            }
            match self.remove(&going, here.get(&going.hash).copied()).await? {
                Became::Gone => retained.settle(&going, true),
                Became::Elsewhere => retained.settle(&going, false),
                Became::Waits => {}
            }
        }
        Ok(())
    }

    /// The segments that are in the outbox, by the hashes of their manifests.
    async fn shelved(&self) -> Result<BTreeMap<Hash, u64>, NotShipped> {
        let shelf = self.shelf.clone();
        blocking("the outbox".as_ref(), move || shelf.by_hash()).await
    }

    async fn remove(&self, going: &Going, here: Option<u64>) -> Result<Became, NotShipped> {
        if let Some(number) = here {
            let (shelf, is_stored) = (self.shelf.clone(), self.store.is_some());
            if !blocking("the outbox".as_ref(), move || shelf.remove_lines(number, is_stored)).await? {
                return Ok(Became::Waits);
            }
        }
        let is_there = match &self.store {
            Some(store) => self.remove_from(store, going).await?,
            None => false,
        };
        Ok(if here.is_some() || is_there { Became::Gone } else { Became::Elsewhere })
    }

    /// Removes lines from the store, where their manifest is there; whether it is.
    async fn remove_from(&self, store: &Store, going: &Going) -> Result<bool, NotShipped> {
        let Some(name) = called([self.geo.as_str(), &going.node, &going.boot_id], going.first_seq) else {
            return Ok(false);
        };
        let manifest = store.read(&format!("{name}.manifest"), MOST).await?;
        let manifest = manifest.and_then(|text| Signed::read(&text).ok());
        let is_it = manifest.is_some_and(|signed| signed.hash().as_slice() == going.hash);
        if is_it {
            store.remove(&format!("{name}.jsonl")).await?;
        }
        Ok(is_it)
    }
}

#[cfg(test)]
mod tests;
