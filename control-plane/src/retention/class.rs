//! Classes of what is recorded: whatever goes by a retention is of one.
//!
//! Law: of which class an event is says `proto::pruned`, by which whoever verifies an export knows it too.

use proto::admin::AuditEvent;

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
    proto::pruned::class(event).map(|class| match class {
        proto::pruned::Class::Reads => Class::Reads,
        proto::pruned::Class::Changes => Class::Changes,
    })
}

#[cfg(test)]
mod tests {
    use proto::admin::AuditedChange;
    use proto::pruned::{OF_NODES, PROOF, PRUNE_EVENTS, PRUNE_SEGMENTS};

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
