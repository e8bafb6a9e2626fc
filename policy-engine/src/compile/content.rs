//! Content views: what is looked for, for whom.

use std::collections::HashMap;
use std::sync::Arc;

use super::people::People;
use super::{Build, bits};
use crate::content::{self, Detectors};
use crate::facts::{Check, Guardrail};
use crate::snapshot::content::{CheckRow, GuardrailRow};
use crate::snapshot::{ContentTable, ContentView, WordList};
use crate::vocabulary::{Entity, Id, Kind};

/// One view for the platform, and one for each tenant that has guardrails of its own; `None` where a view does not compile.
pub(super) fn compile(build: &mut Build<'_>, people: &People, models: &[Id]) -> Option<ContentTable> {
    check_teams(build, people);
    let mut table =
        ContentTable { views: vec![view(build, people, models, None)?], by_tenant: HashMap::new() };
    for (at, tenant) in people.tenants.iter().enumerate() {
        let own = build.facts.guardrails.keys().any(|id| id.tenant.as_ref() == Some(&tenant.name));
        if own {
            table.by_tenant.insert(at as u32, table.views.len() as u32);
            table.views.push(view(build, people, models, Some(at as u32))?);
        }
    }
    Some(table)
}

fn check_teams(build: &mut Build<'_>, people: &People) {
    for (id, guardrail) in &build.facts.guardrails {
        let tenant = people.owner_of(build, Kind::Guardrail, id);
        for (n, team) in guardrail.applies.teams.iter().enumerate() {
            if tenant.and_then(|t| people.team_at.get(&(t, team.clone()))).is_none() {
                let field = format!("spec.applies.teams[{n}]");
                build.missing((Kind::Guardrail, id), field, (Kind::Team, team.as_str()));
            }
        }
    }
}

fn view(
    build: &mut Build<'_>,
    people: &People,
    models: &[Id],
    tenant: Option<u32>,
) -> Option<Arc<ContentView>> {
    let facts = build.facts;
    let name = tenant.and_then(|t| people.tenants.get(t as usize)).map(|t| &t.name);
    let mine = facts.guardrails.iter().filter(|(id, _)| id.tenant.is_none() || id.tenant.as_ref() == name);
    let (mut guardrails, mut lists, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for (id, guardrail) in mine {
        let mut checks = |all: &[Check]| {
            let mut rows = Vec::with_capacity(all.len());
            for check in all {
                let word_list = (!check.words.is_empty()).then(|| {
                    lists.push(WordList { guardrail: id.clone() });
                    words.push(content::WordList { id: id.to_string(), words: check.words.clone() });
                    (lists.len() - 1) as u32
                });
                rows.push(CheckRow { entities: check.detect.clone(), word_list, action: check.action });
            }
            rows
        };
        let (input, output) = (checks(&guardrail.input), checks(&guardrail.output));
        guardrails.push(row(people, models, guardrail, tenant, (input, output)));
    }
    match Detectors::compile(Entity::ALL.iter().copied(), words) {
        Ok(detectors) => {
            Some(Arc::new(ContentView { detectors: Arc::new(detectors), word_lists: lists, guardrails }))
        }
        Err(error) => {
            let platform = Id::platform("baseline".parse().ok()?);
            let id = lists.first().map_or(&platform, |l: &WordList| &l.guardrail);
            build.fault((Kind::Guardrail, id), "spec", "detectors", error.to_string());
            None
        }
    }
}

fn row(
    people: &People,
    models: &[Id],
    guardrail: &Guardrail,
    tenant: Option<u32>,
    checks: (Vec<CheckRow>, Vec<CheckRow>),
) -> GuardrailRow {
    let globs = &guardrail.applies.models;
    let all = globs.is_empty() || globs.iter().any(|g| g.as_str() == "*");
    let fits = models.iter().enumerate().filter(|(_, m)| globs.iter().any(|g| g.matches(m.name.as_str())));
    let teams = guardrail.applies.teams.iter();
    let teams = teams.filter_map(|t| people.team_at.get(&(tenant?, t.clone())).copied()).collect();
    GuardrailRow {
        model_bits: (!all).then(|| bits(models.len(), fits.map(|(n, _)| n))),
        teams,
        input: checks.0,
        output: checks.1,
    }
}
