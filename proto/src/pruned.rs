//! How an event of the audit log tells that the bodies of others were pruned: which, and whether the log allows it.
//!
//! Law: nothing but the control plane's own event of that call tells it. Absent on purpose: whether what it tells is so, which whoever
//! reads the others sees.

mod class;
mod law;

use crate::admin::{AuditEvent, AuditedChange};

pub use class::{Class, OF_NODES, PROOF, class};
pub use law::{Allowed, Law, NEAR, Wrong, hold_told, retention_told};

/// The call by which bodies of events go, as the log names it; nobody can make it.
pub const PRUNE_EVENTS: &str = "chancery.admin.v1.RetentionsService/PruneEvents";

/// The call by which lines of segments go, likewise.
pub const PRUNE_SEGMENTS: &str = "chancery.admin.v1.RetentionsService/PruneSegments";

/// What such an event says of each thing.
pub const PRUNED: &str = "pruned";

/// What names of events begin with.
const EVENTS: &str = "auditEvents/";

/// Sequences in a row.
pub type Run = (u64, u64);

/// The changes that say that events were pruned, given by their sequences, ascending: one for each run.
pub fn changes(sequences: &[i64]) -> Vec<AuditedChange> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for sequence in sequences {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*sequence) => *last = *sequence,
            _ => runs.push((*sequence, *sequence)),
        }
    }
    let name = |(first, last): (i64, i64)| match first == last {
        true => format!("{EVENTS}{first}"),
        false => format!("{EVENTS}{first}-{last}"),
    };
    let change =
        |run| AuditedChange { name: name(run), change: PRUNED.to_owned(), ..AuditedChange::default() };
    runs.into_iter().map(change).collect()
}

/// The events that an event tells were pruned, as runs; `None`: it is of no such call.
pub fn told_by(event: &AuditEvent) -> Option<Vec<Run>> {
    let is_one = event.action == PRUNE_EVENTS && event.actor == "system" && event.outcome == "ok";
    is_one.then(|| event.changes.iter().filter_map(run).collect())
}

/// The retention by which an event tells that something was pruned; empty: it tells of none.
pub fn retention(event: &AuditEvent) -> &str {
    let is_one = [PRUNE_EVENTS, PRUNE_SEGMENTS].contains(&event.action.as_str());
    event.approvals.first().filter(|_| is_one).map(String::as_str).unwrap_or_default()
}

fn run(change: &AuditedChange) -> Option<Run> {
    let name = change.name.strip_prefix(EVENTS).filter(|_| change.change == PRUNED)?;
    let (first, last) = name.split_once('-').unwrap_or((name, name));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pruned_is_told_in_runs_and_read_back() {
        let changes = changes(&[3, 4, 5, 9, 11, 12]);
        let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(names, ["auditEvents/3-5", "auditEvents/9", "auditEvents/11-12"]);
        let event = AuditEvent {
            actor: "system".into(),
            action: PRUNE_EVENTS.into(),
            outcome: "ok".into(),
            approvals: vec!["retentions/reads".into()],
            changes,
            ..AuditEvent::default()
        };
        assert_eq!(told_by(&event), Some(vec![(3, 5), (9, 9), (11, 12)]));
        assert_eq!(retention(&event), "retentions/reads");
        let other = AuditEvent { actor: "platform/root".into(), ..event.clone() };
        assert_eq!(told_by(&other), None);
        let other = AuditEvent { action: "x".into(), ..event };
        assert_eq!((told_by(&other), retention(&other)), (None, ""));
    }
}
