//! Rules: conditions lowered, obligations made ready, each rule filed under a value it cannot hold without.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::Build;
use crate::facts::{Obligation, Rule};
use crate::rules::condition::{Anchor, Attribute, Condition, Symbol};
use crate::snapshot::rows::{Duties, Gate, Owner};
use crate::snapshot::{Filed, HashedBy, People, RuleBucket, RuleRow, RuleTable};
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
    let step = u32::MAX / (conditions.len() as u32).saturating_add(1);
    for ((id, rule), condition) in build.facts.rules.iter().zip(conditions) {
        let tenant = people.owner_of(build, Kind::Rule, id);
        let duties = duties(build, id, rule);
        let Some(condition) = condition else { continue };
        let duties = *known.entry(duties).or_insert_with_key(|duties| table.duties.push(duties.clone()));
        let at = table.rows.len() as u32;
        let filed = Filed::new((at + 1).saturating_mul(step), at);
        let gate = gate((id, rule), condition, duties);
        let anchor = gate.condition.anchors().into_iter().min_by_key(|anchor| crowds.at(anchor));
        table.enter(tenant, (id, rule), Entry { filed, gate, anchor });
    }
    table
}

/// A rule on its way into the table.
struct Entry {
    filed: Filed,
    gate: Gate,
    anchor: Option<Anchor>,
}

fn gate((id, rule): (&Id, &Rule), condition: Condition, duties: u32) -> Gate {
    Gate {
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
    }
}

impl RuleTable {
    /// Enters a rule whose condition is lowered, between its neighbours by id. `None` where there is no room between them.
    pub(crate) fn put(
        &mut self,
        build: &mut Build<'_>,
        people: &People,
        rule: (&Id, &Rule),
        condition: Condition,
    ) -> Option<()> {
        let tenant = people.owner_of(build, Kind::Rule, rule.0);
        let duties = duties(build, rule.0, rule.1);
        let known = self.duties.iter().position(|known| *known == duties).map(|at| at as u32);
        let duties = known.unwrap_or_else(|| self.duties.push(duties));
        let below = self.filed.before(rule.0).map_or(0, |(_, filed)| filed.rank());
        let above = self.filed.after(|id| id <= rule.0).next().map_or(u32::MAX, |(_, filed)| filed.rank());
        let rank = (below + (above - below) / 2 > below).then_some(below + (above - below) / 2)?;
        let at = self.vacant.pop().unwrap_or(self.rows.len() as u32);
        let gate = gate(rule, condition, duties);
        let bucket = self.bucket(tenant);
        let filed = |symbol: &Symbol, of: &Anchor| bucket.under(of.attribute, *symbol).len();
        let crowd = |anchor: &Anchor| anchor.values.iter().map(|symbol| filed(symbol, anchor)).sum::<usize>();
        let anchor = gate.condition.anchors().into_iter().min_by_key(crowd);
        self.enter(tenant, rule, Entry { filed: Filed::new(rank, at), gate, anchor });
        Some(())
    }

    /// Takes out a rule of this owner.
    pub(crate) fn remove(&mut self, tenant: Option<u32>, id: &Id) {
        let Some(filed) = self.filed.remove(id) else { return };
        self.vacant.push(filed.position());
        let Some(gate) = self.gates.get(filed.position() as usize).cloned() else { return };
        let duties = self.duties(&gate).cloned().unwrap_or_default();
        let bucket = self.bucket(tenant);
        bucket.count(&gate, &duties, |count| *count = count.saturating_sub(1));
        bucket.unanchored.retain(|other| *other != filed);
        for anchor in gate.condition.anchors() {
            for symbol in anchor.values {
                let under = (anchor.attribute, symbol);
                let emptied = bucket.anchored.get_mut(&under).is_some_and(|list| {
                    list.retain(|other| *other != filed);
                    list.is_empty()
                });
                if emptied {
                    bucket.anchored.remove(&under);
                }
            }
            if let Some(list) = bucket.when_unknown.get_mut(&anchor.attribute) {
                list.retain(|other| *other != filed);
            }
        }
    }

    fn enter(&mut self, tenant: Option<u32>, (id, rule): (&Id, &Rule), entry: Entry) {
        let Entry { filed, gate, anchor } = entry;
        let duties = self.duties(&gate).cloned().unwrap_or_default();
        let bucket = self.bucket(tenant);
        bucket.count(&gate, &duties, |count| *count += 1);
        bucket.file(&gate, filed, anchor);
        let row = RuleRow {
            id: id.clone(),
            layer: rule.layer,
            effect: rule.effect,
            mode: rule.mode,
            legal_ref: rule.legal_ref.clone(),
            reason_code: rule.reason_code.clone(),
        };
        self.gates.put(Some(filed.position()), gate);
        self.rows.put(Some(filed.position()), row);
        self.filed.insert(id.clone(), filed);
    }

    fn bucket(&mut self, tenant: Option<u32>) -> &mut RuleBucket {
        Arc::make_mut(match tenant {
            Some(tenant) => self.tenants.entry(tenant).or_default(),
            None => &mut self.platform,
        })
    }
}

impl RuleBucket {
    /// Counts a rule in or out of what depends on content.
    fn count(&mut self, gate: &Gate, duties: &Duties, change: impl Fn(&mut u32)) {
        if gate.condition.mentions_data_classes() {
            change(&mut self.read_classes);
        }
        let acting = Entity::ALL.iter().zip(&mut self.act_on);
        acting
            .filter(|(entity, _)| duties.actions.on(**entity).is_some())
            .for_each(|(_, count)| change(count));
    }

    /// Files a rule where a request that it may hold for will look.
    fn file(&mut self, gate: &Gate, at: Filed, anchor: Option<Anchor>) {
        let Some(found) = anchor else {
            self.unanchored.push(at);
            return;
        };
        for symbol in found.values {
            self.anchored.entry((found.attribute, symbol)).or_default().push(at);
        }
        // An unknown attribute has no value to be found under, so the rules that count it as a match lie here too.
        if gate.or_unknown {
            self.when_unknown.entry(found.attribute).or_default().push(at);
        }
        if !self.filed.contains(&found.attribute) {
            self.filed.push(found.attribute);
        }
    }
}

/// How many rules could be filed under each value. A rule goes where the fewest others could, so that a request that meets one
/// value of it rarely asks a rule that needs another as well.
struct Crowds(HashedBy<(Attribute, Symbol), usize>);

impl Crowds {
    fn of<'c>(conditions: impl Iterator<Item = &'c Condition>) -> Self {
        let mut crowds = HashedBy::default();
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
    check_effect(build, id, rule);
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
            Obligation::Capture(retention) => duties.capture = duties.capture.max(Some(*retention)),
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
