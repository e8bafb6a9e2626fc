//! A node as a witness of the audit log: when it is shown the log, and what becomes of what it says of it.
//!
//! Law: it is shown the log before any snapshot, but for one of a newer epoch, which lets it take up a log that was restored. Absent on
//! purpose: what it is shown (`witnesses`).

use proto::code::ErrorCode;
use proto::sync::Witnessed;
use proto::sync::control_message::Message as Saying;
use tonic::Status;

use super::super::peer::NodeId;
use super::{Content, Session};
use crate::nodes;

impl Session {
    /// Shows the node the audit log, where it is a witness and there is something to show.
    pub(super) async fn show(&mut self) -> Result<(), Status> {
        let shared = self.shared.clone();
        let (Some(witnesses), Some(shown)) = (&shared.witnesses, &mut self.sent.audit) else { return Ok(()) };
        let head = shared.origin.publisher.current().head.epoch;
        let older = self.sent.applied.as_ref().is_some_and(|(epoch, _)| *epoch < head);
        let settled = self.sent.settled.as_ref().is_some_and(|((epoch, _), _)| *epoch >= head);
        let told = settled && self.sent.awaiting.is_none();
        if older && !told && !self.sent.held {
            return Ok(());
        }
        let next = witnesses.next(shown, head).await;
        let next = next.map_err(|error| {
            tracing::error!(%error, "what nodes are shown of the audit log can't be made");
            Status::unavailable("the audit log can't be read")
        })?;
        match next {
            Some(checkpoint) => self.say(Saying::AuditCheckpoint(checkpoint)).await,
            None => Ok(()),
        }
    }

    /// Where the node enforces a newer epoch than before, that may have let go of what it held: it is shown the log anew.
    pub(super) fn changes_epoch(&mut self, before: Option<&Content>) {
        let Some((now, _)) = &self.sent.applied else { return };
        let newer = before.is_none_or(|(before, _)| now > before);
        if let Some(shown) = self.sent.audit.as_mut().filter(|_| newer) {
            shown.forget();
        }
    }

    /// What the node holds of the audit log, and what it finds wrong with it.
    pub(super) fn witnessed(&mut self, said: &Witnessed) {
        let Some(shown) = &mut self.sent.audit else { return };
        shown.answered(said.size);
        // What it refused because of the log it may take now.
        if said.inconsistency.is_empty() && std::mem::take(&mut self.sent.unproved) {
            self.sent.settled = None;
        }
        self.known.update(|view| nodes::said::witnessed(view, said));
        let (NodeId { geo, name }, wrong) = (&self.node, !said.inconsistency.is_empty());
        match wrong {
            // A node may change its mind as often as it answers: so often is not told of it.
            _ if !self.known.finds_log(wrong) => {}
            false => {
                tracing::info!(%geo, node = %name, size = said.size, "a node finds the audit log to be the one it has seen")
            }
            true => {
                tracing::error!(%geo, node = %name, code = ErrorCode::AuditInconsistent.as_str(), size = said.size,
                detail = said.inconsistency, "a node takes no newer policy: it has seen another audit log")
            }
        }
    }
}
