//! Rules: conditions lowered, obligations made ready, each rule filed under a value it cannot hold without.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::Build;
use super::people::People;
use crate::facts::{Obligation, Rule};
use crate::rules::condition::{Anchor, Attribute, Condition, Symbol};
use crate::snapshot::rows::{Duties, Gate, Owner};
use crate::snapshot::{Map, RuleBucket, RuleRow, RuleTable};
use crate::vocabulary::{Effect, Entity, Id, Instant, Kind, Layer, MaskAction};

/// The conditions of all rules, in the order of the rules; `None` where one has a fault.
pub(super) fn lower(build: &mut Build<'_>) -> Vec<Option<Condition>> {
    let rules = build.facts.rules.iter();
    let lowered = rules.map(|(id, rule)| match Condition::compile(&rule.when, &mut build.symbols) {
        Ok(condition) => Some(condition),
        Err(errors) => {
            for error in errors {
                build.fault((Kind::Rule, id), "spec.when", "condition", error.to_string());
            }
            None
        }
    });
    lowered.collect()
}

pub(super) fn compile(
    build: &mut Build<'_>,
    people: &People,
    conditions: Vec<Option<Condition>>,
) -> RuleTable {
    let mut table = RuleTable::default();
    let crowds = Crowds::of(conditions.iter().flatten());
    let mut known: HashMap<Duties, u32> = HashMap::new();
    for ((id, rule), condition) in build.facts.rules.iter().zip(conditions) {
        let tenant = people.owner_of(build, Kind::Rule, id);
        let duties = duties(build, id, rule);
        check_effect(build, id, rule);
        let Some(condition) = condition else { continue };
        let bucket = match tenant {
            Some(tenant) => table.tenants.entry(tenant).or_default(),
            None => &mut table.platform,
        };
        let acts_on = |entity: &&Entity| duties.actions.on(**entity).is_some();
        bucket.acts_on |= Entity::ALL.iter().filter(acts_on).fold(0, |sum, entity| sum | entity.bit());
        let duties = *known.entry(duties).or_insert_with_key(|duties| {
            table.duties.push(duties.clone());
            (table.duties.len() - 1) as u32
        });
        let gate = Gate {
            condition,
            valid_from: rule.valid_from.unwrap_or(Instant(i64::MIN)),
            valid_to: rule.valid_to.unwrap_or(Instant(i64::MAX)),
            duties,
            effect: rule.effect,
            mode: rule.mode,
            or_unknown: rule.or_unknown.unwrap_or(rule.layer == Layer::Regulation),
            permit: (rule.effect == Effect::Permit || rule.needs_permit).then_some(match id.tenant {
                Some(_) => Owner::Tenant,
                None => Owner::Platform,
            }),
        };
        file(bucket, &gate, (table.gates.len() as u32, &crowds));
        table.gates.push(gate);
        table.rows.push(RuleRow {
            id: id.clone(),
            layer: rule.layer,
            effect: rule.effect,
            mode: rule.mode,
            legal_ref: rule.legal_ref.clone(),
            reason_code: rule.reason_code.clone(),
        });
    }
    table
}

/// How many rules could be filed under each value. A rule goes where the fewest others could, so that a request that meets one
/// value of it rarely asks a rule that needs another as well.
struct Crowds(Map<(Attribute, Symbol), usize>);

impl Crowds {
    fn of<'c>(conditions: impl Iterator<Item = &'c Condition>) -> Self {
        let mut crowds = Map::default();
        for anchor in conditions.flat_map(Condition::anchors) {
            for symbol in anchor.values {
                *crowds.entry((anchor.attribute, symbol)).or_default() += 1;
            }
        }
        Self(crowds)
    }

    fn at(&self, anchor: &Anchor) -> usize {
        let crowd = |symbol: &Symbol| self.0.get(&(anchor.attribute, *symbol)).copied().unwrap_or_default();
        anchor.values.iter().map(crowd).sum()
    }
}

/// Files a rule where a request that it may hold for will look.
fn file(bucket: &mut RuleBucket, gate: &Gate, (at, crowds): (u32, &Crowds)) {
    bucket.reads_classes |= gate.condition.mentions_data_classes();
    let found = gate.condition.anchors().into_iter().min_by_key(|anchor| crowds.at(anchor));
    let Some(found) = found else {
        bucket.unanchored.push(at);
        return;
    };
    for symbol in found.values {
        bucket.anchored.entry((found.attribute, symbol)).or_default().push(at);
    }
    // An unknown attribute has no value to be found under, so the rules that count it as a match lie here too.
    if gate.or_unknown {
        bucket.when_unknown.entry(found.attribute).or_default().push(at);
    }
    if !bucket.filed.contains(&found.attribute) {
        bucket.filed.push(found.attribute);
    }
}

fn check_effect(build: &mut Build<'_>, id: &Id, rule: &Rule) {
    let at = (Kind::Rule, id);
    if rule.effect != Effect::Require && !rule.obligations.is_empty() {
        let message = format!("a rule that `{}`s has no obligations; only `require` has", rule.effect);
        build.fault(at, "spec.obligations", "conflict", message);
    }
    if rule.effect != Effect::Require && rule.needs_permit {
        let message = format!("a rule that `{}`s can't need a permit; only `require` can", rule.effect);
        build.fault(at, "spec.needsPermit", "conflict", message);
    }
    if rule.effect == Effect::Require && rule.obligations.is_empty() && !rule.needs_permit {
        let message = "a rule that requires needs obligations or `needsPermit`".to_owned();
        build.fault(at, "spec.obligations", "missing", message);
    }
    if let (Some(from), Some(to)) = (rule.valid_from, rule.valid_to)
        && to <= from
    {
        build.fault(at, "spec.validTo", "conflict", "the rule ends before it begins".to_owned());
    }
}

fn duties(build: &mut Build<'_>, id: &Id, rule: &Rule) -> Duties {
    let at = (Kind::Rule, id);
    let mut duties = Duties::default();
    let mut notices: Vec<Arc<str>> = Vec::new();
    for (n, obligation) in rule.obligations.iter().enumerate() {
        let field = |word: &str| format!("spec.obligations[{n}].{word}");
        match obligation {
            Obligation::Residency(names) => {
                let allowed = build.regions(at, &field("residency"), names);
                check_list(build, at, field("residency"), names);
                duties.residency = match (duties.residency, allowed) {
                    (Some(a), Some(b)) => Some(a.intersect(&b)),
                    (held, allowed) => held.or(allowed),
                };
            }
            Obligation::Mask(entities) => {
                check_list(build, at, field("mask"), entities);
                entities.iter().for_each(|e| duties.actions.tighten(*e, MaskAction::Mask));
            }
            Obligation::Block(entities) => {
                check_list(build, at, field("block"), entities);
                entities.iter().for_each(|e| duties.actions.tighten(*e, MaskAction::Block));
            }
            Obligation::Notice(text) => notices.push(Arc::from(text.as_str())),
            Obligation::NoCache => duties.no_cache = true,
        }
    }
    if duties.residency.is_some_and(|allowed| allowed.is_empty()) {
        let message = "no place is within all the regions it requires".to_owned();
        build.fault(at, "spec.obligations", "conflict", message);
    }
    duties.notices = notices.into_boxed_slice();
    duties
}

/// An obligation about nothing would be no obligation, and nobody writes one to have none.
fn check_list<T>(build: &mut Build<'_>, at: (Kind, &Id), field: String, list: &[T]) {
    if list.is_empty() {
        build.fault(at, field, "missing", "an obligation names at least one".to_owned());
    }
}
