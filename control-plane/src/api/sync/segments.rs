//! What a node tells of segments of the decision log, read: whose they are is what its certificate says.

use proto::convert::instant;
use proto::sync::control_message::Message as Saying;
use proto::sync::{ControlMessage, SealedSegment, Segments, SegmentsAnchored};
use tokio::sync::mpsc;
use tonic::Status;

use super::peer::NodeId;
use crate::anchors::Anchors;
use crate::store::{Digest, SegmentRow};

/// The capability of anchoring them.
pub(super) const SEGMENTS: &str = "segments";

/// Has segments anchored, and tells the node which are. What is none is passed over: the node has told it to nobody's use.
pub(super) async fn anchor(
    anchors: Anchors,
    node: NodeId,
    said: Segments,
    say: mpsc::Sender<Result<ControlMessage, Status>>,
) {
    let rows: Vec<SegmentRow> = said.segments.iter().filter_map(|segment| row(&node, segment)).collect();
    let manifest_hashes: Vec<_> = rows.iter().map(|row| row.hash.to_vec()).collect();
    if !rows.is_empty() && anchors.anchor(rows).await {
        let told = Saying::SegmentsAnchored(SegmentsAnchored { manifest_hashes });
        // A stream that has ended meanwhile is told on the next one, when the node asks again.
        let _ = say.send(Ok(ControlMessage { message: Some(told) })).await;
    }
}

fn row(node: &NodeId, said: &SealedSegment) -> Option<SegmentRow> {
    let digest = |bytes: &[u8]| Digest::try_from(bytes).ok();
    let number = |number: u64| i64::try_from(number).ok();
    Some(SegmentRow {
        place: 0,
        hash: digest(&said.manifest_hash)?,
        geo: node.geo.to_string(),
        node: node.name.to_string(),
        boot_id: said.boot_id.clone(),
        seqs: (number(said.first_seq)?, number(said.last_seq)?),
        count: number(said.count)?,
        previous: digest(&said.previous_hash)?,
        ended: said.ended.clone(),
        sealed_at: said.seal_time.as_ref().and_then(instant)?.0,
        anchored_at: 0,
        audit_seq: 0,
        pruned: None,
    })
}
