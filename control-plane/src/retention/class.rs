//! Of which class an event of the audit log is.
//!
//! Law: what is not known to be of a class is of none, and stays for good; so is what proves the logs themselves: anchors of segments, what
//! was pruned, retentions, holds, erasures, elevations and all that was done by them, captured content that was opened, epochs, and what
//! was switched off, without which answers as of then would be other ones.

use proto::admin::AuditEvent;

use crate::marked::{looks, rpc};

/// A class of what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Lines of segments of the decision log.
    Decisions,
    /// Events of what was looked at, and of what was refused.
    Reads,
    /// Events of what was changed.
    Changes,
}

/// Calls that change something and whose events stay, done or refused: a service, or one call of it.
const PROOF: [&str; 7] = [
    "chancery.admin.v1.RetentionsService/",
    "chancery.admin.v1.HoldsService/",
    "chancery.admin.v1.ElevationsService/",
    "chancery.admin.v1.SubjectsService/",
    "chancery.admin.v1.CapturedContentService/",
    "chancery.admin.v1.KillsService/",
    "chancery.admin.v1.RevisionsService/BumpEpoch",
];

/// Calls of nodes that can't be looked up among those of the admin API.
const OF_NODES: [&str; 2] = ["chancery.sync.v1.Enrolment/Enrol", "chancery.sync.v1.Enrolment/Renew"];

impl Class {
    /// Every class.
    pub(crate) const ALL: [Self; 3] = [Self::Decisions, Self::Reads, Self::Changes];

    /// Its word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Reads => "reads",
            Self::Changes => "changes",
        }
    }
}

/// The class of an event; `None`: it stays.
pub(super) fn of(event: &AuditEvent) -> Option<Class> {
    let action = event.action.as_str();
    let is_known = rpc(action).is_some() || OF_NODES.contains(&action);
    if !is_known || !event.elevation.is_empty() {
        return None;
    }
    if looks(action) {
        return Some(Class::Reads).filter(|_| event.changes.is_empty());
    }
    if PROOF.iter().any(|call| action.starts_with(call)) {
        return None;
    }
    match (event.outcome.as_str(), event.changes.is_empty()) {
        ("ok", _) => Some(Class::Changes),
        (_, true) => Some(Class::Reads),
        (_, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use proto::admin::AuditedChange;
    use proto::pruned::{PRUNE_EVENTS, PRUNE_SEGMENTS};

    use super::*;
    use crate::descriptors::pool;

    fn event(action: &str, outcome: &str) -> AuditEvent {
        AuditEvent { action: action.into(), outcome: outcome.into(), ..AuditEvent::default() }
    }

    #[test]
    fn what_was_looked_at_and_what_was_changed_can_go_and_what_is_proof_stays() {
        let (reads, changes) = (Some(Class::Reads), Some(Class::Changes));
        let admin = |call: &str| format!("chancery.admin.v1.{call}");
        for (action, done, refused) in [
            (admin("TeamsService/GetTeam"), reads, reads),
            (admin("HoldsService/ListHolds"), reads, reads),
            (admin("TeamsService/CreateTeam"), changes, reads),
            (admin("PolicyService/Apply"), changes, reads),
            ("chancery.sync.v1.Enrolment/Renew".into(), changes, reads),
            (admin("HoldsService/ReleaseHold"), None, None),
            (admin("RetentionsService/SetRetention"), None, None),
            (admin("SubjectsService/EraseSubject"), None, None),
            (admin("CapturedContentService/Open"), None, None),
            (admin("KillsService/DeleteKill"), None, None),
            (admin("RevisionsService/BumpEpoch"), None, None),
            (PRUNE_EVENTS.into(), None, None),
            (PRUNE_SEGMENTS.into(), None, None),
            ("chancery.sync.v1.Sync/Anchor".into(), None, None),
            ("what/Nobody knows".into(), None, None),
        ] {
            assert_eq!(of(&event(&action, "ok")), done, "{action}");
            assert_eq!(of(&event(&action, "permission_denied")), refused, "{action}");
            let under = AuditEvent { elevation: "elevations/1".into(), ..event(&action, "ok") };
            assert_eq!(of(&under), None, "what was done by rights that were taken stays: {action}");
        }
        let odd = vec![AuditedChange::default()];
        let odd = AuditEvent { changes: odd, ..event(&admin("TeamsService/GetTeam"), "ok") };
        assert_eq!(of(&odd), None, "a look that changed something is none");
    }

    #[test]
    fn what_stays_is_what_there_is() {
        let all: Vec<String> = pool()
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .map(|rpc| format!("{}/{}", rpc.parent_service().full_name(), rpc.name()))
            .collect();
        for call in PROOF.into_iter().chain(OF_NODES) {
            assert!(all.iter().any(|known| known.starts_with(call)), "{call}");
        }
    }
}
