//! A snapshot made from the one before, for the cost of what changed.
//!
//! Law: `apply` answers every question as `compile` of the same facts does, and finds the same faults. What changed, and what
//! was made from it, is made again by the same functions that `compile` makes everything by; what nothing touched is shared with
//! the snapshot before. Where a change touches too much to be worth it, and where anything is wrong, `compile` is what it does.
//! `README.md` has the table of what a change of each kind costs.

mod content;
mod keys;
mod limits;
mod people;
mod registry;
mod rules;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bounds;
use crate::compile::build::{Build, ModelSets};
use crate::compile::{Fault, compile};
use crate::facts::{Change, Facts, changes as differences};
use crate::snapshot::{CompiledSnapshot, Header};
use crate::vocabulary::{Id, Kind};
use rules::Lowered;

/// What so many changes cost is no less than everything; a key counts one, anything else ten.
const MOST: usize = 2_000;

/// The snapshot that `compile(facts, header)` gives, made from that of facts that differ from these in `changes` only.
///
/// # Errors
/// The faults that `compile` finds.
pub fn apply(
    prev: &CompiledSnapshot,
    facts: &Facts,
    header: Header,
    changes: &[Change],
) -> Result<CompiledSnapshot, Vec<Fault>> {
    debug_assert!(
        differences(&prev.facts, facts).iter().all(|found| changes.iter().any(|named| named == found)),
        "facts differ in more than the changes that were named"
    );
    let cost = |change: &Change| if change.kind == Kind::Key { 1 } else { 10 };
    let few = changes.iter().map(cost).sum::<usize>() <= MOST && bounds::exceeded(facts).next().is_none();
    let applied = few.then(|| Applying::new(prev, facts, changes)).and_then(|applying| applying.run(&header));
    match applied {
        Some(next) => Ok(next),
        None => compile(facts, header),
    }
}

/// A snapshot on its way from one version of the facts to the next.
struct Applying<'a> {
    before: &'a Facts,
    build: Build<'a>,
    next: CompiledSnapshot,
    changed: BTreeMap<Kind, BTreeSet<Id>>,
    /// Texts that conditions name now and did not, or no longer.
    texts: BTreeSet<Arc<str>>,
    /// Whether a spend limit may meet another currency now.
    prices_moved: bool,
    /// Whether somebody came, or joined a team, to whom a revoked key that was left out may belong.
    came: bool,
    /// Whether models have other positions now.
    reshaped: bool,
}

impl<'a> Applying<'a> {
    fn new(prev: &'a CompiledSnapshot, facts: &'a Facts, changes: &[Change]) -> Self {
        let mut changed: BTreeMap<Kind, BTreeSet<Id>> = BTreeMap::new();
        for change in changes {
            changed.entry(change.kind).or_default().insert(change.id.clone());
        }
        Self {
            before: &prev.facts,
            build: Build::new(facts, prev.symbols.clone()),
            next: CompiledSnapshot { facts: facts.clone(), ..prev.clone() },
            changed,
            texts: BTreeSet::new(),
            prices_moved: false,
            came: false,
            reshaped: false,
        }
    }

    /// `None` where `compile` has to do it.
    fn run(mut self, header: &Header) -> Option<CompiledSnapshot> {
        let lowered: Lowered = self.lower()?;
        self.tenants()?;
        self.teams()?;
        let keyed = self.principals()?;
        self.roles()?;
        self.registry()?;
        let mut models = ModelSets::of_registry(&self.next.registry);
        if self.reshaped {
            self.remodel(&mut models);
        }
        self.acceptances();
        self.prices();
        self.keys(&mut models, keyed)?;
        let asked = self.rules(lowered)?;
        self.limits(&mut models);
        self.content(&mut models, asked)?;
        self.next.symbols = self.build.symbols.clone();
        self.look_up()?;
        self.next.header = header.clone();
        self.next.look_up();
        self.build.faults.is_empty().then_some(self.next)
    }

    /// The resources of a kind that changed.
    fn changed(&self, kind: Kind) -> Vec<Id> {
        self.changed.get(&kind).into_iter().flatten().cloned().collect()
    }

    /// Counts a resource among those that changed, since something that it is made from did.
    fn touch(&mut self, kind: Kind, id: Id) {
        self.changed.entry(kind).or_default().insert(id);
    }
}

#[cfg(test)]
mod tests;
