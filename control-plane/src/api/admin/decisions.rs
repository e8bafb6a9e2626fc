//! Segments of the decision log over the admin API: what nodes have told of them, and where it is anchored.
//!
//! Law: who may read the audit log may read this, which is in it, of the geos it is narrowed to; that it was handed out is an event. Absent on purpose: segments themselves, which stay in their geos.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use prost::Message as _;
use proto::admin::decision_segments_service_server::DecisionSegmentsService;
use proto::admin::{AuditEvent, DecisionSegment, ListDecisionSegmentsRequest, ListDecisionSegmentsResponse};
use proto::pruned;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, audit, export, page};
use crate::clock;
use crate::registry::hex;
use crate::store::{Page, SegmentRow};

/// The log, as page tokens and events know it.
const LIST: &str = "decisionSegments";

#[tonic::async_trait]
impl DecisionSegmentsService for Admin {
    async fn list_decision_segments(
        &self,
        request: Request<ListDecisionSegmentsRequest>,
    ) -> Result<Response<ListDecisionSegmentsResponse>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.DecisionSegmentsService/ListDecisionSegments", request).await?;
        let found = self.segments(&call, &asked).await;
        self.answer(&call, found).await
    }
}

impl Admin {
    async fn segments(
        &self,
        call: &Call,
        asked: &ListDecisionSegmentsRequest,
    ) -> Result<ListDecisionSegmentsResponse, Refusal> {
        audit::demand(self, call)?;
        let size = page::size(asked.page_size)?;
        let sealer = self.publisher.vault().sealer();
        let list = format!("{LIST}\0{}\0{}", asked.geo, asked.node);
        let before = page::place(sealer, &list, &asked.page_token)?.and_then(|place| place.parse().ok());
        let page = Page { before, size: i64::try_from(size).unwrap_or(1).saturating_add(1) };
        let mut rows = self.publisher.store().segments((&asked.geo, &asked.node), page).await?;
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more).map(|row| row.place.to_string());
        let next_page_token = last.map(|place| page::token(sealer, &list, &place)).unwrap_or_default();
        rows.retain(|row| call.actor.scope().is_none_or(|scope| scope.has_geo(&row.geo)));
        let words = [("geo", asked.geo.clone()), ("node", asked.node.clone())];
        call.hands_out(export::of(LIST, &words, rows.iter().map(|row| row.place)));
        let retentions = self.retentions_of(&rows).await?;
        let named = |row: SegmentRow| {
            let by = row.pruned.and_then(|pruned| retentions.get(&pruned.audit_seq).cloned());
            shown((row, by.unwrap_or_default()))
        };
        let decision_segments = rows.into_iter().map(named).collect();
        Ok(ListDecisionSegmentsResponse { decision_segments, next_page_token })
    }
}

impl Admin {
    /// The retentions by which segments go, by the event that tells of it.
    async fn retentions_of(&self, rows: &[SegmentRow]) -> Result<BTreeMap<i64, String>, Refusal> {
        let mut known = BTreeMap::new();
        for event in rows.iter().filter_map(|row| row.pruned).map(|pruned| pruned.audit_seq) {
            if let Entry::Vacant(unknown) = known.entry(event) {
                let logged = self.publisher.store().event(event).await?;
                let told = logged.and_then(|logged| AuditEvent::decode(logged.body.as_slice()).ok());
                unknown.insert(told.map(|event| pruned::retention(&event).to_owned()).unwrap_or_default());
            }
        }
        Ok(known)
    }
}

fn shown((row, retention): (SegmentRow, String)) -> DecisionSegment {
    DecisionSegment {
        name: format!("decisionSegments/{}", hex(&row.hash)),
        node: format!("geos/{}/nodes/{}", row.geo, row.node),
        boot_id: row.boot_id,
        first_seq: row.seqs.0,
        last_seq: row.seqs.1,
        count: row.count,
        manifest_hash: hex(&row.hash),
        previous_hash: hex(&row.previous),
        seal_time: Some(clock::timestamp(row.sealed_at)),
        ended: row.ended,
        anchor_time: Some(clock::timestamp(row.anchored_at)),
        audit_event: format!("auditEvents/{}", row.audit_seq),
        prune_time: row.pruned.map(|pruned| clock::timestamp(pruned.pruned_at)),
        prune_event: row.pruned.map(|pruned| format!("auditEvents/{}", pruned.audit_seq)).unwrap_or_default(),
        retention,
        prune_done_time: row.pruned.and_then(|pruned| pruned.done_at).map(clock::timestamp),
    }
}
