//! Applying changes is compiling what they lead to, and projecting changes is projecting it.

use policy_engine::compile::Fault;
use policy_engine::facts::{Change, Facts, changes};
use policy_engine::project::Versions;
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::{Id, Kind as Of};
use policy_engine::{Scope, apply, compile, project, project_changes};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::ask::{Question, question};
use super::told::told;
use super::twists::{TWISTS, Twist};
use super::world::{Kind, facts, name};
use super::worlds;
use crate::rulebook::Words;

/// Makes of one resource what `other` says of it, which may be nothing.
fn take(facts: &mut Facts, other: &Facts, change: &Change) {
    let Change { kind, id } = change;
    macro_rules! take {
        ($map:ident, $key:expr) => {
            match other.$map.get($key) {
                Some(fact) => drop(facts.$map.insert($key.clone(), fact.clone())),
                None => drop(facts.$map.remove($key)),
            }
        };
    }
    match kind {
        Of::Tenant => take!(tenants, id),
        Of::Team => take!(teams, id),
        Of::Principal => take!(principals, id),
        Of::Role => take!(roles, id),
        Of::Grant => take!(grants, id),
        Of::Provider => take!(providers, id),
        Of::Endpoint => take!(endpoints, id),
        Of::Licence => take!(licences, id),
        Of::LicenceAcceptance => take!(acceptances, id),
        Of::Model => take!(models, id),
        Of::Limit => take!(limits, id),
        Of::Rule => take!(rules, id),
        Of::Guardrail => take!(guardrails, id),
        Of::Price => take!(prices, id),
        Of::Key => take!(keys, &id.name),
    }
}

fn header(revision: u64) -> Header {
    Header { revision, geo: Some(name("eu")) }
}

fn sorted(faults: Vec<Fault>) -> Vec<String> {
    let mut texts: Vec<String> = faults.iter().map(|fault| format!("{fault:?}")).collect();
    texts.sort();
    texts
}

/// One edit: from which world what is taken, and which of the differences; or a twist.
#[derive(Debug, Clone)]
struct Edit {
    from: usize,
    which: Vec<Index>,
    twist: Option<(Twist, Index)>,
    /// Whether what does not compile afterwards is taken out as well.
    mended: bool,
}

fn edit() -> impl Strategy<Value = Edit> {
    let which = prop_oneof![5 => prop::collection::vec(any::<Index>(), 1), 1 => prop::collection::vec(any::<Index>(), 2..6)];
    let twist = prop::option::weighted(0.7, (select(&TWISTS[..]), any::<Index>()));
    (0..4_usize, which, twist, any::<bool>()).prop_map(|(from, which, twist, mended)| {
        // A twist comes alone more often than not, as one line.
        let which = if twist.is_some() && mended { vec![] } else { which };
        Edit { from, which, twist, mended }
    })
}

fn edited(facts: &Facts, worlds: &[Facts], edit: &Edit) -> Facts {
    let mut next = facts.clone();
    let other = &worlds[edit.from];
    let all = changes(facts, other);
    for which in edit.which.iter().filter(|_| !all.is_empty()) {
        take(&mut next, other, which.get(&all));
    }
    if let Some((twist, which)) = &edit.twist {
        twist(&mut next, which);
    }
    if edit.mended {
        while let Err(faults) = compile(&next, header(1)) {
            for fault in faults {
                take(&mut next, &Facts::default(), &Change { kind: fault.kind, id: fault.id });
            }
        }
    }
    next
}

/// A line of snapshots, each made from the one before.
struct Line {
    facts: Facts,
    snapshot: CompiledSnapshot,
}

impl Line {
    fn new(facts: Facts) -> Self {
        let snapshot = compile(&facts, header(1)).unwrap();
        Self { facts, snapshot }
    }

    /// Goes on to `next` if it compiles.
    fn step(
        &mut self,
        next: &Facts,
        listed: &[Change],
        questions: &[Question],
    ) -> Result<bool, TestCaseError> {
        let applied = apply(&self.snapshot, next, header(2), listed);
        let (applied, compiled) = match (applied, compile(next, header(2))) {
            (Ok(applied), Ok(compiled)) => (applied, compiled),
            (Err(found), Err(faults)) => {
                prop_assert_eq!(sorted(found), sorted(faults));
                return Ok(false);
            }
            (applied, compiled) => {
                return Err(TestCaseError::fail(format!("{:?}\nnot\n{:?}", applied.err(), compiled.err())));
            }
        };
        let (found, expected) = (told(&applied, next, questions), told(&compiled, next, questions));
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(found, expected, "after {:?}", listed);
        }
        prop_assert_eq!(found.len(), expected.len());
        (self.facts, self.snapshot) = (next.clone(), applied);
        Ok(true)
    }
}

fn kind() -> Kind {
    Kind { geos: true, words: Words::ANY }
}

proptest! {
    #![proptest_config(worlds(48))]

    #[test]
    fn applying_changes_is_compiling_what_they_lead_to(
        worlds in prop::collection::vec(facts(kind()), 3),
        edits in prop::collection::vec(edit(), 1..10),
        questions in prop::collection::vec(question(), 12),
        many in any::<bool>(),
    ) {
        let worlds = [worlds, vec![Facts::default()]].concat();
        let scope = Scope { geo: name("eu") };
        let mut whole = Line::new(worlds[0].clone());
        let mut scoped = Line::new(project(&worlds[0], &scope));
        for edit in &edits {
            let next = edited(&whole.facts, &worlds, edit);
            let listed = changes(&whole.facts, &next);
            let versions = Versions { before: &whole.facts, after: &next };
            // Of many changes, of which most are none, the whole is made.
            let idle = (0..if many { 40 } else { 0 }).map(|n| Change {
                kind: Of::Role,
                id: Id::platform(name(&format!("idle-{n}"))),
            });
            let long: Vec<_> = listed.iter().cloned().chain(idle).collect();
            let (projected, narrowed) = project_changes(&scoped.facts, versions, &scope, &long);
            prop_assert_eq!(&projected, &project(&next, &scope), "after {:?}", &listed);
            let mut narrowed_sorted = narrowed.clone();
            narrowed_sorted.sort();
            let mut expected = changes(&scoped.facts, &projected);
            expected.sort();
            prop_assert_eq!(narrowed_sorted, expected);
            if whole.step(&next, &listed, &questions)? {
                prop_assert!(scoped.step(&projected, &narrowed, &questions)?, "a projection of sound facts is sound");
            }
        }
    }
}
