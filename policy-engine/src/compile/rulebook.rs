//! Rules: conditions lowered, obligations made ready, each rule filed under a value it cannot hold without.

use std::sync::Arc;

use super::Build;
use super::people::People;
use crate::facts::{Obligation, Rule};
use crate::rules::condition::{Attribute, Condition, Text};
use crate::snapshot::rows::Duties;
use crate::snapshot::{RuleRow, RuleTable};
use crate::vocabulary::{Effect, Id, Instant, Kind, Layer, MaskAction};

/// The conditions of all rules, in the order of the rules; `None` where one has a fault.
pub(super) fn lower(build: &mut Build<'_>) -> Vec<Option<Condition>> {
    let rules = build.facts.rules.iter();
    let lowered = rules.map(|(id, rule)| {
        if let Some(tenant) = &id.tenant {
            build.symbols.intern(tenant.as_str());
        }
        match Condition::compile(&rule.when, &mut build.symbols) {
            Ok(condition) => Some(condition),
            Err(errors) => {
                for error in errors {
                    build.fault((Kind::Rule, id), "spec.when", "condition", error.to_string());
                }
                None
            }
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
    for ((id, rule), condition) in build.facts.rules.iter().zip(conditions) {
        let tenant = people.owner_of(build, Kind::Rule, id);
        let duties = duties(build, id, rule);
        check_effect(build, id, rule);
        let Some(condition) = condition else { continue };
        let row = RuleRow {
            id: id.clone(),
            layer: rule.layer,
            effect: rule.effect,
            mode: rule.mode,
            legal_ref: rule.legal_ref.clone(),
            reason_code: rule.reason_code.clone(),
            tenant,
            or_unknown: rule.or_unknown.unwrap_or(rule.layer == Layer::Regulation),
            needs_permit: rule.needs_permit,
            valid_from: rule.valid_from.unwrap_or(Instant(i64::MIN)),
            valid_to: rule.valid_to.unwrap_or(Instant(i64::MAX)),
            condition,
            duties,
        };
        file(people, &mut table, row);
    }
    table
}

/// What a tenant's own rules are filed under.
const TENANT: Attribute = Attribute::Text(Text::CallerTenant);

/// Files a rule where a request that it may hold for will look.
fn file(people: &People, table: &mut RuleTable, row: RuleRow) {
    let at = table.rows.len() as u32;
    table.asks_for_content |= row.condition.mentions_data_classes() || !row.duties.actions.is_empty();
    let tenant = row.tenant.and_then(|t| people.tenants.get(t as usize)).map(|t| t.symbol);
    // A rule that counts unknown as a match is never filed under a value: an unknown attribute has none. It is filed under
    // the attribute as well, and looked up there when the attribute is unknown.
    match (tenant, row.condition.anchor()) {
        (Some(tenant), _) => {
            table.anchored.entry((TENANT, tenant)).or_default().push(at);
            table.when_unknown.entry(TENANT).or_default();
        }
        (None, Some(found)) => {
            for symbol in found.values {
                table.anchored.entry((found.attribute, symbol)).or_default().push(at);
            }
            table.when_unknown.entry(found.attribute).or_default().push(at);
        }
        (None, None) => table.unanchored.push(at),
    }
    table.rows.push(row);
}

fn check_effect(build: &mut Build<'_>, id: &Id, rule: &Rule) {
    let at = (Kind::Rule, id);
    if rule.effect != Effect::Require && !rule.obligations.is_empty() {
        let message = format!("a rule that `{}`s has no obligations; only `require` has", rule.effect);
        build.fault(at, "spec.obligations", "conflict", message);
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
    let mut duties = Duties::default();
    let mut notices: Vec<Arc<str>> = Vec::new();
    for (n, obligation) in rule.obligations.iter().enumerate() {
        match obligation {
            Obligation::Residency(names) => {
                let field = format!("spec.obligations[{n}].residency");
                let allowed = build.regions((Kind::Rule, id), &field, names);
                duties.residency = match (duties.residency, allowed) {
                    (Some(a), Some(b)) => Some(a.intersect(&b)),
                    (held, allowed) => held.or(allowed),
                };
            }
            Obligation::Mask(entities) => {
                entities.iter().for_each(|e| duties.actions.tighten(*e, MaskAction::Mask));
            }
            Obligation::Block(entities) => {
                entities.iter().for_each(|e| duties.actions.tighten(*e, MaskAction::Block));
            }
            Obligation::Notice(text) => notices.push(Arc::from(text.as_str())),
            Obligation::NoCache => duties.no_cache = true,
        }
    }
    duties.notices = notices.into_boxed_slice();
    duties
}
