//! What a node is told of retention: which holds stand, and of which segments the lines are to go; and what it answers.
//!
//! Law: a hold is told as soon as it stands, in full, and before anything is to go. What is not known to be gone is told again. Absent on
//! purpose: what is over (`crate::retention`), and removing it, which nodes do.

use std::time::Duration;

use proto::sync::control_message::Message as Saying;
use proto::sync::{Holds, PruneSegments, PrunedSegment, SegmentsPruned};
use tonic::Status;

use super::Shared;
use super::peer::NodeId;
use super::saying::{Say, send};
use crate::clock;
use crate::holds::Standing;
use crate::retention::Retentions;
use crate::store::{Digest, SegmentRow, StoreError};

/// The capability of heeding holds and of removing lines, of nodes and of control planes.
pub(super) const RETENTION: &str = "retention";

/// Segments that are told of in one message.
const MOST: i64 = 256;

/// Tenants that are told of at most; of more than that, everything is held.
const TENANTS: usize = 1_000;

/// After how long it is told again what is to go.
const AGAIN: Duration = Duration::from_secs(10 * 60);

/// Tells a node that can heed it what is held and what is to go; ends with the stream.
pub(super) async fn retain(retentions: Option<Retentions>, node: NodeId, say: Say) -> Result<(), Status> {
    let Some(retentions) = retentions else { return std::future::pending().await };
    let (mut holds, mut going) = (retentions.holds(), retentions.going());
    let mut said = None;
    loop {
        let standing = holds.borrow_and_update().clone();
        let now = told(&standing);
        if said.as_ref() != Some(&now) {
            said = Some(now.clone());
            send(&say, Saying::Holds(now)).await?;
        }
        going.borrow_and_update();
        // A segment has records of many: any hold is over it, though what is to go was told in the log before.
        if standing.is_none()
            && let Err(error) = to_go(&retentions, &node, &say).await?
        {
            tracing::warn!(%error, "which segments are to go can't be read");
        }
        tokio::select! {
            changed = holds.changed() => if changed.is_err() { return Ok(()) },
            changed = going.changed() => if changed.is_err() { return Ok(()) },
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

fn told(standing: &Standing) -> Holds {
    // A file of content is a tenant's: whose in it is somebody's can't be told.
    let everything = standing.everything || !standing.subjects.is_empty() || standing.tenants.len() > TENANTS;
    let tenants = if everything { Vec::new() } else { standing.tenants.iter().cloned().collect() };
    Holds { everything, tenants }
}

/// Tells of every segment of the node's geo whose lines are to go, part by part.
async fn to_go(retentions: &Retentions, node: &NodeId, say: &Say) -> Result<Result<(), StoreError>, Status> {
    let mut after = 0;
    loop {
        let rows = match retentions.store().segments_to_go(node.geo.as_str(), (after, MOST)).await {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        let Some(last) = rows.last().filter(|_| retentions.holds().borrow().is_none()) else {
            return Ok(Ok(()));
        };
        after = last.place;
        let segments = rows.iter().map(segment).collect();
        send(say, Saying::PruneSegments(PruneSegments { segments })).await?;
    }
}

fn segment(row: &SegmentRow) -> PrunedSegment {
    PrunedSegment {
        manifest_hash: row.hash.to_vec(),
        node: row.node.clone(),
        boot_id: row.boot_id.clone(),
        first_seq: u64::try_from(row.seqs.0).unwrap_or_default(),
    }
}

/// Takes in that lines are gone. The word of the node that wrote them counts, for it may have them itself; where that is no more, the word
/// of any of its geo.
pub(super) async fn gone(shared: &Shared, node: NodeId, said: SegmentsPruned) {
    let Some(retentions) = &shared.retentions else { return };
    let hashes = said.manifest_hashes.iter().filter_map(|hash| Digest::try_from(hash.as_slice()).ok());
    let hashes: Vec<Digest> = hashes.collect();
    let counts = |writer: &str| {
        let is_there = || {
            let writer = writer.parse().ok()?;
            let known = shared.nodes.get(&node.geo, &writer)?;
            known.revoke_time.is_none().then_some(())
        };
        writer == node.name.as_str() || is_there().is_none()
    };
    let kept = retentions.store().segments_are_gone((node.geo.as_str(), &hashes), clock::now(), counts).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "that segments are gone can't be kept: nodes are told again");
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use proto::admin::{Hold, HoldSpec};
    use tokio::sync::mpsc;

    use super::*;
    use crate::act::{Act, changed_aside};
    use crate::config::RetentionConfig;
    use crate::store::{Basis, HoldRow, RetentionRow, Store};

    /// A store in which the lines of a segment are to go, as the log tells already.
    async fn going(home: &std::path::Path) -> Store {
        let store = Store::open(&home.join("store.db")).await.unwrap();
        let event = |name: &str| changed_aside(Act::of_system("x"), name, (None, None), 0);
        let row = SegmentRow {
            place: 0,
            hash: [1; 32],
            geo: "eu".to_owned(),
            node: "eu-1".to_owned(),
            boot_id: "b".to_owned(),
            seqs: (1, 2),
            count: 2,
            previous: [0; 32],
            ended: "full".to_owned(),
            sealed_at: 0,
            anchored_at: 0,
            audit_seq: 0,
            pruned: None,
        };
        store.anchor(&[row], 0, |_| event("a")).await.unwrap();
        let retention = RetentionRow { name: "decisions".to_owned(), body: Vec::new(), effective_at: 0 };
        store.set_retention(&retention, &event("b")).await.unwrap();
        let basis = Basis { retention, holds: Vec::new() };
        assert!(store.prune_segments(&basis, (&[[1; 32]], 0), &event("c")).await.unwrap());
        store
    }

    #[tokio::test]
    async fn nothing_is_told_to_go_while_a_hold_stands_that_came_after() {
        let home = tempfile::tempdir().unwrap();
        let store = going(home.path()).await;
        let hold = Hold { spec: Some(HoldSpec::default()), ..Hold::default() }.encode_to_vec();
        let row = HoldRow { name: "late".to_owned(), body: hold, released_at: None };
        let event = || changed_aside(Act::of_system("x"), "holds/late", (None, None), 0);
        assert!(store.place_hold(&row, &event()).await.unwrap());
        let retentions = Retentions::open(&store, &RetentionConfig::default()).await.unwrap();
        let (say, mut said) = mpsc::channel(8);
        let node = NodeId { geo: "eu".parse().unwrap(), name: "eu-1".parse().unwrap() };
        tokio::spawn(retain(Some(retentions.clone()), node, say));
        let mut next = async || said.recv().await.unwrap().unwrap().message.unwrap();
        assert!(matches!(next().await, Saying::Holds(Holds { everything: true, .. })));
        // Had it been told to go, that would come before this.
        store.release_hold(&HoldRow { released_at: Some(1), ..row }, &event()).await.unwrap();
        retentions.touch().await;
        assert!(matches!(next().await, Saying::Holds(Holds { everything: false, .. })));
        let told = next().await;
        assert!(matches!(&told, Saying::PruneSegments(told) if told.segments.len() == 1), "{told:?}");
    }

    #[test]
    fn nodes_are_told_of_tenants_and_of_everything_where_it_can_be_no_less() {
        let tenants = |count: usize| (0..count).map(|number| format!("t{number}")).collect();
        let of = |standing: Standing| {
            let Holds { everything, tenants } = told(&standing);
            (everything, tenants.len())
        };
        assert_eq!(of(Standing::default()), (false, 0));
        assert_eq!(of(Standing { tenants: tenants(TENANTS), ..Standing::default() }), (false, TENANTS));
        assert_eq!(of(Standing { tenants: tenants(TENANTS + 1), ..Standing::default() }), (true, 0));
        let subjects = ["p~0123456789abcdef01234567".to_owned()].into();
        assert_eq!(of(Standing { subjects, tenants: tenants(2), ..Standing::default() }), (true, 0));
        assert_eq!(of(Standing { everything: true, ..Standing::default() }), (true, 0));
    }
}
