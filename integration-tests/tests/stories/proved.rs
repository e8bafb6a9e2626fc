//! Holds a store that nobody serves to what proves it: its history, its audit log, the tree over that, and what was signed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use control_plane::store::{Page, Store};
use prost::Message as _;
use proto::admin::AuditEvent;
use proto::checkpoint::{Checkpoint, VerifierKey};
use proto::tree::{self, Hash};

/// How much of it there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Proved {
    pub(crate) revisions: i64,
    pub(crate) events: usize,
    pub(crate) checkpoints: usize,
}

/// Verifies all of it: every revision has its event and every event its revision, each event is chained to the one before, and every
/// checkpoint is signed and the root of a beginning of the log.
pub(crate) async fn proved(dir: &Path) -> Result<Proved> {
    let store = Store::open(&dir.join("store.db")).await?;
    let (head, events) = (store.head().await?, store.events_after(0, i64::MAX).await?);
    let (mut before, mut published, mut roots) = ([0; 32], BTreeSet::new(), BTreeMap::new());
    let mut full = Vec::new();
    for (seq, event) in (1..).zip(&events) {
        ensure!((event.seq, event.prev_hash) == (seq, before), "event {seq} does not follow the one before");
        before = tree::leaf(&[&event.prev_hash, event.body.as_slice()].concat());
        ensure!(event.hash == before, "event {seq} is not what was hashed");
        roots.insert(seq, grown(&mut full, (seq, before)));
        let told = AuditEvent::decode(event.body.as_slice())?;
        published.extend(Some(told.revision).filter(|revision| *revision > 0));
    }
    let all: BTreeSet<i64> = (1..=head.revision).collect();
    let odd: Vec<_> = all.symmetric_difference(&published).collect();
    ensure!(odd.is_empty(), "revisions without an event, or events without a revision: {odd:?}");
    let now = store.tree_head().await?;
    ensure!(roots.get(&(events.len() as i64)).is_none_or(|root| *root == now.root), "the tree is another");
    let keys = store.audit_keys().await?;
    let signed = store.checkpoints(Page { before: None, size: i64::MAX }).await?;
    for row in &signed {
        let verify = |key: &control_plane::store::AuditKeyRow| {
            Checkpoint::verified(&row.note, &VerifierKey::of(&key.origin, &key.public_key).ok()?).ok()
        };
        let read = keys.iter().find_map(verify);
        let read = read.with_context(|| format!("the checkpoint of {} events is not signed", row.size))?;
        let at = (i64::try_from(read.size)?, Some(&read.root));
        ensure!(
            at == (row.size, roots.get(&row.size)),
            "the checkpoint of {} events is of another log",
            row.size
        );
    }
    store.close().await;
    Ok(Proved { revisions: head.revision, events: events.len(), checkpoints: signed.len() })
}

/// The root with one more leaf, of the full subtrees from the left, by its number from 1.
fn grown(full: &mut Vec<Hash>, (number, leaf): (i64, Hash)) -> Hash {
    full.push(leaf);
    for _ in 0..number.trailing_zeros() {
        if let (Some(right), Some(left)) = (full.pop(), full.pop()) {
            full.push(tree::node(&left, &right));
        }
    }
    tree::fold(full)
}
