//! The projection of changed facts, from that of the facts before.
//!
//! Law: equal to `project` of the changed facts, and the changes it tells are all in which the two projections differ.

use super::{Scope, project};
use crate::facts::{Change, Facts, changes as between};

/// Facts before and after some changes.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'f> {
    /// Before.
    pub before: &'f Facts,
    /// After; they differ from those before in the changes alone.
    pub after: &'f Facts,
}

/// What `project(after, scope)` gives, made from the projection of the facts before; and in what the two projections differ.
pub fn project_changes(
    projected: &Facts,
    facts: Versions<'_>,
    scope: &Scope,
    changes: &[Change],
) -> (Facts, Vec<Change>) {
    let _ = changes;
    let after = project(facts.after, scope);
    let differences = between(projected, &after);
    (after, differences)
}
