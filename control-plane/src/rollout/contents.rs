//! Which line of succession a content is of: while a rollout is on its way, a revision may be two contents.
//!
//! Law: told by digest and geo, as history keeps both before any node has them. What is the same on both lines is of neither, and
//! what history does not know is not guessed. The stable line's content at the revision of the candidate is what was in force when the
//! rollout began, whatever number it first had.

use std::collections::{BTreeMap, BTreeSet};

use proto::admin::Node;

use crate::registry::hex;
use crate::store::{ScopeRow, Store, StoreError};

/// A line of succession.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// What nodes outside of the stages enforce.
    Stable,
    /// What the rollout brings.
    Candidate,
}

/// Contents by geo and digest, in lower-case hexadecimal; of neither line is what is the same on both.
#[derive(Debug, Clone, Default)]
pub struct Contents(BTreeMap<(String, String), Option<Line>>);

impl Contents {
    /// What both lines were as a rollout began, and what nodes speak of that was made since.
    pub(super) async fn of(
        store: &Store,
        candidate_revision: i64,
        fleet: &[Node],
    ) -> Result<Self, StoreError> {
        let tallies = fleet.iter().flat_map(|node| node.tallies.iter().map(|tally| tally.revision));
        let refused = fleet.iter().filter_map(|node| Some(node.last_nack.as_ref()?.revision));
        let told = tallies.chain(refused).filter(|revision| *revision >= candidate_revision);
        let revisions: BTreeSet<i64> = told.chain([candidate_revision]).collect();
        let mut contents = Self::default();
        for revision in revisions {
            contents.learn(Line::Stable, &store.scopes(revision).await?);
            contents.learn(Line::Candidate, &store.candidates(revision).await?);
        }
        Ok(contents)
    }

    fn learn(&mut self, line: Line, scopes: &[ScopeRow]) {
        for scope in scopes {
            self.add(line, &scope.geo, &hex(&scope.digest));
        }
    }

    /// Adds what a line is, or was, in a geo.
    pub(super) fn add(&mut self, line: Line, geo: &str, digest: &str) {
        let known = self.0.entry((geo.to_owned(), digest.to_owned())).or_insert(Some(line));
        if *known != Some(line) {
            *known = None;
        }
    }

    /// The line that a content of a geo is of, where it is known to be of one.
    pub(super) fn line(&self, geo: &str, digest: &str) -> Option<Line> {
        self.0.get(&(geo.to_owned(), digest.to_owned())).copied().flatten()
    }

    /// Whether a content of a geo is one that the stable line has, or had, since the rollout began.
    pub(super) fn is_in_force(&self, geo: &str, digest: &str) -> bool {
        let known = self.0.get(&(geo.to_owned(), digest.to_owned()));
        known.is_some_and(|line| *line != Some(Line::Candidate))
    }
}
