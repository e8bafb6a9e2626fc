//! Whether a node holds what this store never said: the store was restored from a backup then, and has gone on without it.
//!
//! Law: such a node is sent nothing of the epoch it is in. What is said to it now would take the place of what was said before the
//! restore, and a key that was taken back would open again. An operator who knows of the restore begins the next epoch. It is noted
//! with the node, for its next Hello may tell of it no more. Absent on purpose: what was lost, which only a backup can tell.

use proto::sync::Hello;
use tonic::Status;

use super::peer::NodeId;
use crate::nodes::NodeSession;
use crate::publish::Publisher;
use crate::store::{Digest, Head, StoreError};

/// The epoch in which a node is ahead of the store, by what it says of itself now or ever said; 0: it never was.
///
/// # Errors
/// The store can't be read: the stream ends with this.
pub(super) async fn looked(
    publisher: &Publisher,
    (node, hello): (&NodeId, &Hello),
    known: &NodeSession,
) -> Result<i64, Status> {
    let found = found(publisher, node, hello).await.map_err(|error| {
        tracing::error!(%error, geo = %node.geo, node = %node.name, "it can't be told what a node holds");
        Status::unavailable("the store can't be read")
    })?;
    let mut ahead = found;
    known.update(|view| {
        view.ahead_epoch = view.ahead_epoch.max(found);
        ahead = view.ahead_epoch;
        if ahead >= publisher.current().head.epoch {
            view.confirmed_revision = 0;
        }
    });
    if found > 0 {
        tracing::error!(geo = %node.geo, node = %node.name, epoch = found,
            "a node holds what this store does not know: was it restored from a backup? The node is told nothing before \
            `chancery revisions bump-epoch`");
    }
    Ok(ahead)
}

async fn found(publisher: &Publisher, node: &NodeId, hello: &Hello) -> Result<i64, StoreError> {
    let head = publisher.current().head;
    let seqs = [
        (hello.revocation_epoch, hello.revocation_seq, 0),
        // Its seq goes on with each revision, and with each change of kills.
        (hello.kill_epoch, hello.kill_seq, publisher.kills().current().seq),
    ];
    let revision = u64::try_from(head.revision).unwrap_or_default();
    let newer = |(epoch, seq, more): &(i64, u64, u64)| {
        *epoch > head.epoch || (*epoch == head.epoch && *seq > revision.saturating_add(*more))
    };
    let told = seqs.into_iter().filter(newer).map(|(epoch, ..)| epoch).max().unwrap_or_default();
    Ok(enforced(publisher, node, (hello, head)).await?.max(told))
}

/// The same by what it enforces.
async fn enforced(
    publisher: &Publisher,
    node: &NodeId,
    (hello, head): (&Hello, Head),
) -> Result<i64, StoreError> {
    let Some(applied) = hello.applied.as_ref().filter(|applied| applied.revision > 0) else { return Ok(0) };
    if applied.epoch < head.epoch {
        return Ok(0);
    }
    let is_later = applied.epoch > head.epoch || applied.revision > head.revision;
    let Ok(digest) = Digest::try_from(applied.digest.as_slice()) else { return Ok(0) };
    let known =
        !is_later && publisher.store().has_scope(applied.revision, node.geo.as_str(), &digest).await?;
    Ok(if known { 0 } else { applied.epoch })
}
