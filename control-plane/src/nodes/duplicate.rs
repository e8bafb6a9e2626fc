//! A node whose certificate more than one process uses at once: each answers requests under its name.
//!
//! Law: what it is said to enforce is the least of what they say, for a request may come to any of them. Of the streams of one process
//! the newest counts; those before it have only not been seen to end.

use std::collections::BTreeSet;

use proto::admin::Node;

use super::standing::CANDIDATE;

/// A node, which is what its newest session says, as all of its open sessions say it is; they come oldest first, the newest one last, and what
/// that one says is not among them.
pub(super) fn least(newest: &Node, open: &[(u64, Node)]) -> Node {
    let mut shown = newest.clone();
    let mut met = BTreeSet::from([newest.boot_id.as_str()]);
    for (_, other) in open.iter().rev().skip(1) {
        if !met.insert(other.boot_id.as_str()) {
            continue;
        }
        shown.other_boot_ids.push(other.boot_id.clone());
        shown.confirmed_revision = shown.confirmed_revision.min(other.confirmed_revision);
        if shown.audit_inconsistency.is_empty() {
            shown.audit_inconsistency.clone_from(&other.audit_inconsistency);
        }
        // Each epoch counts its seqs anew.
        let same = other.applied_epoch == newest.applied_epoch;
        let seq = |mine: u64, theirs: u64| if same { mine.min(theirs) } else { 0 };
        shown.revocation_seq = seq(shown.revocation_seq, other.revocation_seq);
        shown.kill_seq = seq(shown.kill_seq, other.kill_seq);
        if shown.line == CANDIDATE {
            shown.line.clone_from(&other.line);
        }
    }
    shown
}
