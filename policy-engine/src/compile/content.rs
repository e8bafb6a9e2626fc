//! Content views: what is looked for, for whom.
//!
//! Law: a view looks for what the guardrails and rules that can reach its callers ask for, and for nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::build::{Build, Fault, ModelSets};
use crate::content::{Detectors, WordList as Words};
use crate::facts::{Check, Facts, Guardrail, owned_by};
use crate::snapshot::content::{CheckRow, GuardrailRow};
use crate::snapshot::{ContentTable, ContentView, People, RuleTable, WordList};
use crate::vocabulary::{Entity, Id, Kind, Name};

type Own<'f> = Vec<(&'f Id, &'f Guardrail)>;

/// One view for the platform, and one for each tenant with guardrails or rules about content of its own; `None` where a
/// view does not compile.
pub(crate) fn compile(
    build: &mut Build<'_>,
    people: &People,
    models: &mut ModelSets,
    rules: &RuleTable,
) -> Option<ContentTable> {
    let facts = build.facts;
    let mut own: BTreeMap<Option<u32>, Own<'_>> = BTreeMap::from([(None, Vec::new())]);
    let asking = rules.tenants.iter().filter(|(_, bucket)| bucket.asks_for_content());
    own.extend(asking.map(|(tenant, _)| (Some(*tenant), Vec::new())));
    for (id, guardrail) in &facts.guardrails {
        let tenant = people.owner_of(build, Kind::Guardrail, id);
        check_teams(build, people, tenant, (id, guardrail));
        own.entry(tenant).or_default().push((id, guardrail));
    }
    let platform = own.remove(&None).unwrap_or_default();
    let mut views = Views { people, rules, made: HashMap::new() };
    let whole = views.compile(build, models, None, &platform);
    let count = own.len();
    let mut by_tenant = HashMap::new();
    for (tenant, mine) in own {
        let all: Own<'_> = platform.iter().chain(&mine).copied().collect();
        by_tenant.extend(tenant.zip(views.compile(build, models, tenant, &all)));
    }
    let complete = by_tenant.len() == count;
    whole.filter(|_| complete).map(|platform| ContentTable { platform, by_tenant })
}

/// The view of one tenant alone, where it has one of its own.
pub(crate) fn compile_one(
    build: &mut Build<'_>,
    (people, rules): (&People, &RuleTable),
    models: &mut ModelSets,
    tenant: &Name,
) -> Option<Arc<ContentView>> {
    let facts = build.facts;
    let at = people.tenant(tenant)?;
    let mine: Own<'_> = owned_by(&facts.guardrails, Some(tenant)).map(|(id, fact)| (id, &**fact)).collect();
    for guardrail in &mine {
        check_teams(build, people, Some(at), *guardrail);
    }
    let asks = rules.tenants.get(&at).is_some_and(|bucket| bucket.asks_for_content());
    if mine.is_empty() && !asks {
        return None;
    }
    let platform = owned_by(&facts.guardrails, None).map(|(id, fact)| (id, &**fact));
    let all: Own<'_> = platform.chain(mine).collect();
    Views { people, rules, made: HashMap::new() }.compile(build, models, Some(at), &all)
}

/// Gives the views the positions that models have now.
pub(crate) fn remodel(facts: &Facts, models: &mut ModelSets, table: &mut ContentTable) {
    let tenants = table.by_tenant.values_mut();
    for view in tenants.chain([&mut table.platform]) {
        if view.guardrails.iter().all(|row| row.model_bits.is_none()) {
            continue;
        }
        let rows = view.guardrails.iter().map(|row| {
            let fact = facts.guardrails.get(&row.id).filter(|_| row.model_bits.is_some());
            GuardrailRow { model_bits: fact.map(|fact| models.of(&fact.applies.models)), ..row.clone() }
        });
        let guardrails = rows.collect();
        *view = Arc::new(ContentView {
            detectors: view.detectors.clone(),
            word_lists: view.word_lists.clone(),
            guardrails,
        });
    }
}

fn check_teams(build: &mut Build<'_>, people: &People, tenant: Option<u32>, guardrail: (&Id, &Guardrail)) {
    let (id, guardrail) = guardrail;
    for (n, team) in guardrail.applies.teams.iter().enumerate() {
        if people.team(tenant, team).is_none() {
            let field = format!("spec.applies.teams[{n}]");
            build.missing((Kind::Guardrail, id), field, (Kind::Team, team.as_str()));
        }
    }
}

/// What detectors look for: entities, one bit each, and the words of each list.
type Sought = (u32, Vec<Vec<String>>);

struct Views<'a> {
    people: &'a People,
    rules: &'a RuleTable,
    /// Most tenants look for what the platform does; what looks for the same is made once.
    made: HashMap<Sought, Arc<Detectors>>,
}

impl Views<'_> {
    fn compile(
        &mut self,
        build: &mut Build<'_>,
        models: &mut ModelSets,
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
        match self.detectors(entities, &lists.words) {
            Ok(detectors) => {
                Some(Arc::new(ContentView { detectors, word_lists: lists.origins, guardrails: rows }))
            }
            Err(error) => {
                lists.blame(build, error);
                None
            }
        }
    }

    fn detectors(&mut self, entities: u32, lists: &[Words]) -> Result<Arc<Detectors>, String> {
        let sought = (entities, lists.iter().map(|list| list.words.clone()).collect());
        if let Some(known) = self.made.get(&sought) {
            return Ok(known.clone());
        }
        let wanted = Entity::ALL.iter().copied().filter(|entity| entities & entity.bit() != 0);
        let made = Detectors::compile(wanted, lists.iter().cloned()).map_err(|error| error.to_string())?;
        let made = Arc::new(made);
        self.made.insert(sought, made.clone());
        Ok(made)
    }

    fn entities_of_rules(&self, tenant: Option<u32>) -> u32 {
        let own = tenant.and_then(|tenant| self.rules.tenants.get(&tenant));
        let own = own.map_or(0, |bucket| bucket.entities());
        self.rules.platform.entities() | own
    }

    fn row(
        &self,
        models: &mut ModelSets,
        tenant: Option<u32>,
        guardrail: (&Id, &Guardrail),
        checks: (Vec<CheckRow>, Vec<CheckRow>),
    ) -> GuardrailRow {
        let (id, guardrail) = guardrail;
        let patterns = &guardrail.applies.models;
        let all = patterns.is_empty() || patterns.iter().any(|pattern| pattern.as_str() == "*");
        let team = |name: &Name| self.people.team(tenant, name);
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
            let before = self.origins.iter().filter(|list| list.guardrail == *guardrail).count();
            self.origins.push(WordList { guardrail: guardrail.clone(), number: before as u32 + 1 });
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
