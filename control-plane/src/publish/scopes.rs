//! What each geo that has nodes is given of what is published, so far as it guards against accidents.
//!
//! Law: an author is asked, geo by geo, what that geo's nodes would ask: whether so much less is meant. Steps that were each accepted are
//! no accident when they add up: the revision with which they do is one that may shrink, so that a node that missed some of them
//! takes it. Judging costs what changed, and what it projected is what is sent: nobody projects it again. Absent on purpose: geos
//! without nodes, where nobody asks.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use policy_engine::facts::Facts;
use policy_engine::vocabulary::Geo;
use policy_engine::{Change, Scope, Shrunk, Sizes, Versions, project, project_changes};

use crate::store::PeakRow;

/// The geos that are looked at.
#[derive(Debug, Default)]
pub(super) struct Scopes(Mutex<BTreeMap<Geo, Scoped>>);

#[derive(Debug, Clone)]
struct Scoped {
    /// What the geo has of what is in force.
    facts: Facts,
    /// The most it had since it last might shrink.
    peak: Sizes,
}

/// What a geo has of what is published, and what of that is another than one revision before.
#[derive(Debug)]
pub struct Projected {
    /// The revision before.
    pub(crate) after: i64,
    /// What is in scope.
    pub(crate) facts: Facts,
    /// What changed of it.
    pub(crate) changes: Vec<Change>,
}

/// The same of each geo that is looked at.
pub type Projections = BTreeMap<Geo, Projected>;

/// What an act makes of the geos, until it is kept.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    scopes: BTreeMap<Geo, Scoped>,
    changes: BTreeMap<Geo, Vec<Change>>,
    /// The most each geo had, where that is another than before.
    pub(super) peaks: Vec<PeakRow>,
    /// The revision may shrink: its author said so, or steps that were accepted add up.
    pub(super) may_shrink: bool,
}

impl Scopes {
    /// Those that were looked at before, with what is in force.
    pub(super) fn open(rows: Vec<PeakRow>, facts: &Facts) -> Self {
        let read = |row: PeakRow| Some((row.geo.parse::<Geo>().ok()?, row.sizes));
        let scoped = |(geo, before): (Geo, Sizes)| {
            let facts = project(facts, &Scope { geo: geo.clone() });
            let peak = before.max(Sizes::of(&facts));
            (geo, Scoped { facts, peak })
        };
        Self(Mutex::new(rows.into_iter().filter_map(read).map(scoped).collect()))
    }

    /// Looks at a geo from now on; gives what is to be kept of it, where it was not looked at before.
    pub(super) fn follow(&self, geo: &Geo, facts: &Facts) -> Option<PeakRow> {
        let mut all = self.0.lock();
        if all.contains_key(geo) {
            return None;
        }
        let facts = project(facts, &Scope { geo: geo.clone() });
        let peak = Sizes::of(&facts);
        all.insert(geo.clone(), Scoped { facts, peak });
        Some(PeakRow { geo: geo.to_string(), sizes: peak })
    }

    /// What changes make of every geo.
    ///
    /// # Errors
    /// A geo would have much less at once, and its author did not say that it may.
    pub(super) fn judge(
        &self,
        versions: Versions<'_>,
        changes: &[Change],
        may_shrink: bool,
    ) -> Result<Judgement, (Geo, Shrunk)> {
        let before = self.0.lock().clone();
        let mut judged = Judgement { may_shrink, ..Judgement::default() };
        for (geo, Scoped { facts, peak }) in &before {
            let scope = Scope { geo: geo.clone() };
            let (after, changed) = project_changes(facts, versions, &scope, changes);
            let (then, now) = (Sizes::of(facts), Sizes::of(&after));
            match then.shrunk(now) {
                Some(shrunk) if !may_shrink => return Err((geo.clone(), shrunk)),
                _ => judged.may_shrink |= peak.shrunk(now).is_some(),
            }
            judged.changes.insert(geo.clone(), changed);
            judged.scopes.insert(geo.clone(), Scoped { facts: after, peak: peak.max(now) });
        }
        for (geo, scoped) in &mut judged.scopes {
            if judged.may_shrink {
                scoped.peak = Sizes::of(&scoped.facts);
            }
            if before.get(geo).is_some_and(|before| before.peak != scoped.peak) {
                judged.peaks.push(PeakRow { geo: geo.to_string(), sizes: scoped.peak });
            }
        }
        Ok(judged)
    }

    /// What was judged is in force.
    pub(super) fn keep(&self, judged: Judgement) {
        self.0.lock().extend(judged.scopes);
    }
}

impl Judgement {
    /// What was projected for it, as changes after a revision; once.
    pub(super) fn projected(&mut self, after: i64) -> Projections {
        let each = |(geo, changes)| {
            let facts = self.scopes.get(&geo)?.facts.clone();
            Some((geo, Projected { after, facts, changes }))
        };
        std::mem::take(&mut self.changes).into_iter().filter_map(each).collect()
    }
}

#[cfg(test)]
mod tests;
