//! Content views: what is looked for, for whom.
//!
//! Law: a view looks for what the guardrails and rules that can reach its callers ask for, and for nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::build::{Build, Fault, ModelSets};
use super::people::People;
use crate::content::{Detectors, WordList as Words};
use crate::facts::{Check, Guardrail};
use crate::snapshot::content::{CheckRow, GuardrailRow};
use crate::snapshot::{ContentTable, ContentView, RuleBucket, RuleTable, WordList};
use crate::vocabulary::{Entity, Id, Kind};

type Own<'f> = Vec<(&'f Id, &'f Guardrail)>;

/// One view for the platform, and one for each tenant with guardrails or rules about content of its own; `None` where a
/// view does not compile.
pub(super) fn compile(
    build: &mut Build<'_>,
    people: &People,
    models: &mut ModelSets<'_>,
    rules: &RuleTable,
) -> Option<ContentTable> {
    let mut own: BTreeMap<Option<u32>, Own<'_>> = BTreeMap::from([(None, Vec::new())]);
    let asks = |bucket: &RuleBucket| bucket.reads_classes || bucket.acts_on != 0;
    let asking = rules.tenants.iter().filter(|(_, bucket)| asks(bucket));
    own.extend(asking.map(|(tenant, _)| (Some(*tenant), Vec::new())));
    for (id, guardrail) in &build.facts.guardrails {
        let tenant = people.owner_of(build, Kind::Guardrail, id);
        check_teams(build, people, tenant, (id, guardrail));
        own.entry(tenant).or_default().push((id, guardrail));
    }
    let platform = own.remove(&None).unwrap_or_default();
    let view = Views { people, rules };
    let mut table = ContentTable { views: Vec::new(), by_tenant: HashMap::new() };
    table.views.extend(view.compile(build, models, None, &platform));
    for (tenant, mine) in own {
        let Some(tenant) = tenant else { continue };
        table.by_tenant.insert(tenant, table.views.len() as u32);
        let all: Own<'_> = platform.iter().chain(&mine).copied().collect();
        table.views.extend(view.compile(build, models, Some(tenant), &all));
    }
    (table.views.len() == table.by_tenant.len() + 1).then_some(table)
}

fn check_teams(build: &mut Build<'_>, people: &People, tenant: Option<u32>, guardrail: (&Id, &Guardrail)) {
    let (id, guardrail) = guardrail;
    for (n, team) in guardrail.applies.teams.iter().enumerate() {
        if tenant.and_then(|t| people.team_at.get(&(t, team.clone()))).is_none() {
            let field = format!("spec.applies.teams[{n}]");
            build.missing((Kind::Guardrail, id), field, (Kind::Team, team.as_str()));
        }
    }
}

struct Views<'a> {
    people: &'a People,
    rules: &'a RuleTable,
}

impl Views<'_> {
    fn compile(
        &self,
        build: &mut Build<'_>,
        models: &mut ModelSets<'_>,
        tenant: Option<u32>,
        guardrails: &[(&Id, &Guardrail)],
    ) -> Option<Arc<ContentView>> {
        let mut lists = Lists::default();
        let mut entities = self.entities_of_rules(tenant);
        let mut rows = Vec::with_capacity(guardrails.len());
        for (id, guardrail) in guardrails {
            let input = lists.checks(id, &guardrail.input);
            let output = lists.checks(id, &guardrail.output);
            let detected = input.iter().chain(&output).flat_map(|check| &check.entities);
            entities |= detected.fold(0, |sum, entity| sum | entity.bit());
            rows.push(self.row(models, tenant, (id, guardrail), (input, output)));
        }
        let wanted = Entity::ALL.iter().copied().filter(|entity| entities & entity.bit() != 0);
        match Detectors::compile(wanted, lists.words.iter().cloned()) {
            Ok(detectors) => Some(Arc::new(ContentView {
                detectors: Arc::new(detectors),
                word_lists: lists.origins,
                guardrails: rows,
            })),
            Err(error) => {
                lists.blame(build, error.to_string());
                None
            }
        }
    }

    /// The entities that rules ask for; a rule that reads classes of data may ask for any.
    fn entities_of_rules(&self, tenant: Option<u32>) -> u32 {
        let all = Entity::ALL.iter().fold(0, |sum, entity| sum | entity.bit());
        let own = tenant.and_then(|tenant| self.rules.tenants.get(&tenant));
        let buckets = std::iter::once(&self.rules.platform).chain(own);
        let asked = |bucket: &RuleBucket| if bucket.reads_classes { all } else { bucket.acts_on };
        buckets.fold(0, |sum, bucket| sum | asked(bucket))
    }

    fn row(
        &self,
        models: &mut ModelSets<'_>,
        tenant: Option<u32>,
        guardrail: (&Id, &Guardrail),
        checks: (Vec<CheckRow>, Vec<CheckRow>),
    ) -> GuardrailRow {
        let (id, guardrail) = guardrail;
        let patterns = &guardrail.applies.models;
        let all = patterns.is_empty() || patterns.iter().any(|pattern| pattern.as_str() == "*");
        let team = |name: &_| self.people.team_at.get(&(tenant?, Clone::clone(name))).copied();
        GuardrailRow {
            id: id.clone(),
            model_bits: (!all).then(|| models.of(patterns)),
            all_teams: guardrail.applies.teams.is_empty(),
            teams: guardrail.applies.teams.iter().filter_map(team).collect(),
            input: checks.0,
            output: checks.1,
        }
    }
}

/// The word lists of one view; lists with the same words are one.
#[derive(Default)]
struct Lists<'f> {
    by_words: HashMap<Vec<&'f str>, u32>,
    words: Vec<Words>,
    origins: Vec<WordList>,
}

impl<'f> Lists<'f> {
    fn checks(&mut self, guardrail: &Id, checks: &'f [Check]) -> Vec<CheckRow> {
        let row = |check: &'f Check| {
            let word_list = (!check.words.is_empty()).then(|| self.intern(guardrail, &check.words));
            CheckRow { entities: check.detect.clone(), word_list, action: check.action }
        };
        checks.iter().map(row).collect()
    }

    fn intern(&mut self, guardrail: &Id, words: &'f [String]) -> u32 {
        let mut sorted: Vec<&str> = words.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        sorted.dedup();
        *self.by_words.entry(sorted).or_insert_with_key(|sorted| {
            let words = sorted.iter().map(|word| (*word).to_owned()).collect();
            self.words.push(Words { id: guardrail.to_string(), words });
            self.origins.push(WordList { guardrail: guardrail.clone() });
            (self.words.len() - 1) as u32
        })
    }

    /// Notes the fault of each list that has one of its own; if none has, they are too much together, and the guardrail
    /// with the most words is named. A platform guardrail is in every view, but its fault is noted once.
    fn blame(&self, build: &mut Build<'_>, together: String) {
        let alone = |words: &Words| Detectors::compile([], [words.clone()]).err();
        let each = self.words.iter().zip(&self.origins);
        let mut found: Vec<(&Id, String)> =
            each.filter_map(|(words, origin)| Some((&origin.guardrail, alone(words)?.to_string()))).collect();
        if found.is_empty() {
            let mut sizes: BTreeMap<&Id, usize> = BTreeMap::new();
            for (words, origin) in self.words.iter().zip(&self.origins) {
                *sizes.entry(&origin.guardrail).or_default() += words.words.len();
            }
            found.extend(sizes.into_iter().max_by_key(|(_, size)| *size).map(|(id, _)| (id, together)));
        }
        for (id, message) in found {
            let fault = Fault {
                kind: Kind::Guardrail,
                id: id.clone(),
                field: "spec".to_owned(),
                code: "detectors",
                message,
                target: None,
            };
            if !build.faults.contains(&fault) {
                build.faults.push(fault);
            }
        }
    }
}
