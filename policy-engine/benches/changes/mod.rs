//! What one line changed costs, in the largest town: to edit a copy of the facts, to project the change, to apply it.

use std::sync::Arc;
use std::time::Instant as Clock;

use policy_engine::facts::{Change, Facts, Grant, GrantSubject, LimitScope};
use policy_engine::project::Versions;
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::{Id, Kind, Mode};
use policy_engine::{Scope, apply, compile, project, project_changes};

use super::town::{self, SIZES, model, name, principal, team, tenant};

/// How often each change is measured; the median counts.
const RUNS: usize = 15;

/// Something that people do.
struct Line {
    what: &'static str,
    kind: Kind,
    /// What is changed, the `n`th time.
    id: fn(usize) -> Id,
    edit: fn(&mut Facts, &Id),
}

fn changed<T: Clone>(map: &mut policy_engine::facts::Map<Id, Arc<T>>, id: &Id, change: impl Fn(&mut T)) {
    change(Arc::make_mut(map.get_mut(id).unwrap()));
}

fn platform(text: String) -> Id {
    Id::platform(name(&text))
}

const LINES: [Line; 26] = [
    Line {
        what: "key added",
        kind: Kind::Key,
        id: |n| Id::of(tenant(n), name(&format!("new{n}"))),
        edit: |facts, id| {
            let like = facts.keys.values().find(|key| Some(&key.tenant) == id.tenant.as_ref());
            let like = like.unwrap().clone();
            facts.keys.insert(id.name.clone(), like);
        },
    },
    Line {
        what: "key revoked",
        kind: Kind::Key,
        id: |n| Id::of(tenant(n), name(&format!("key{n:08}"))),
        edit: |facts, id| Arc::make_mut(facts.keys.get_mut(&id.name).unwrap()).revoked = true,
    },
    Line {
        what: "key removed",
        kind: Kind::Key,
        id: |n| Id::of(tenant(n), name(&format!("key{n:08}"))),
        edit: |facts, id| drop(facts.keys.remove(&id.name)),
    },
    Line {
        what: "principal added",
        kind: Kind::Principal,
        id: |n| Id::of(tenant(n), name(&format!("newcomer-{n}"))),
        edit: |facts, id| {
            let like = facts.principals[&Id { name: principal(id_number(id)), ..id.clone() }].clone();
            facts.principals.insert(id.clone(), like);
        },
    },
    Line {
        what: "principal's team added",
        kind: Kind::Principal,
        id: |n| Id::of(tenant(n), principal(n)),
        edit: |facts, id| changed(&mut facts.principals, id, |fact| fact.teams.push(team(7))),
    },
    Line {
        what: "team's jurisdictions changed",
        kind: Kind::Team,
        id: |n| Id::of(tenant(n), team(n % 10)),
        edit: |facts, id| changed(&mut facts.teams, id, |fact| fact.jurisdictions.push(name("BR"))),
    },
    Line {
        what: "tenant added",
        kind: Kind::Tenant,
        id: |n| platform(format!("new-tenant-{n}")),
        edit: |facts, id| {
            let like = facts.tenants.values().next().unwrap().clone();
            facts.tenants.insert(id.clone(), like);
        },
    },
    Line {
        what: "grant to a person added",
        kind: Kind::Grant,
        id: |n| Id::of(tenant(n), name(&format!("new-{n}"))),
        edit: |facts, id| {
            let to = GrantSubject::Principal(principal(id_number(id)));
            let grant = Grant { role: name("role-1"), team: None, to, geos: vec![] };
            facts.grants.insert(id.clone(), Arc::new(grant));
        },
    },
    Line {
        what: "grant to a team of 100 removed",
        kind: Kind::Grant,
        id: |n| Id::of(tenant(n), name(&format!("grant-{}", n % 10))),
        edit: |facts, id| drop(facts.grants.remove(id)),
    },
    Line {
        what: "role's permissions changed",
        kind: Kind::Role,
        id: |n| platform(format!("role-{}", n % 5)),
        edit: |facts, id| changed(&mut facts.roles, id, |fact| drop(fact.permissions.pop())),
    },
    Line {
        what: "platform's rule: mode changed",
        kind: Kind::Rule,
        id: |n| platform(format!("model-{}", 5_000 + n)),
        edit: |facts, id| changed(&mut facts.rules, id, |fact| fact.mode = Mode::Shadow),
    },
    Line {
        what: "platform's rule: condition changed",
        kind: Kind::Rule,
        id: |n| platform(format!("model-{}", 5_000 + n)),
        edit: |facts, id| changed(&mut facts.rules, id, |fact| fact.when = "purpose == 'new'".to_owned()),
    },
    Line {
        what: "platform's rule added",
        kind: Kind::Rule,
        id: |n| platform(format!("new-rule-{n}")),
        edit: |facts, id| {
            let mut like = (**facts.rules.values().next().unwrap()).clone();
            like.when = format!("model.name == 'model-3' && purpose == '{}'", id.name);
            facts.rules.insert(id.clone(), Arc::new(like));
        },
    },
    Line {
        what: "rule added, the first to name a place",
        kind: Kind::Rule,
        id: |n| platform(format!("new-rule-{n}")),
        edit: |facts, id| {
            let mut like = (**facts.rules.values().next().unwrap()).clone();
            like.when = "'EEA' in subject.jurisdictions".to_owned();
            facts.rules.insert(id.clone(), Arc::new(like));
        },
    },
    Line {
        what: "platform's rule removed",
        kind: Kind::Rule,
        id: |n| platform(format!("model-{}", 5_000 + n)),
        edit: |facts, id| drop(facts.rules.remove(id)),
    },
    Line {
        what: "tenant's rule removed",
        kind: Kind::Rule,
        id: |n| Id::of(tenant(n), name(&format!("own-{n}"))),
        edit: |facts, id| drop(facts.rules.remove(id)),
    },
    Line {
        what: "limit changed",
        kind: Kind::Limit,
        id: |n| Id::of(tenant(n), name("tpm-3")),
        edit: |facts, id| changed(&mut facts.limits, id, |fact| fact.scope.model = None),
    },
    Line {
        what: "spend limit on a key added",
        kind: Kind::Limit,
        id: |n| Id::of(tenant(n), name(&format!("of-key-{n}"))),
        edit: |facts, id| {
            let mut like = (*facts.limits[&Id { name: name("spend"), ..id.clone() }]).clone();
            like.scope = LimitScope { key: Some(name(&format!("key{:08}", id_number(id)))), ..like.scope };
            facts.limits.insert(id.clone(), Arc::new(like));
        },
    },
    Line {
        what: "price changed",
        kind: Kind::Price,
        id: |n| Id::platform(model(n)),
        edit: |facts, id| changed(&mut facts.prices, id, |fact| fact.per_million.input += 1),
    },
    Line {
        what: "model's card changed",
        kind: Kind::Model,
        id: |n| Id::platform(model(n)),
        edit: |facts, id| {
            changed(&mut facts.models, id, |fact| fact.card.risk_class = Some("high".to_owned()))
        },
    },
    Line {
        what: "model added",
        kind: Kind::Model,
        id: |n| platform(format!("newcomer-{n}")),
        edit: |facts, id| {
            let mut like = (*facts.models[&Id::platform(model(0))]).clone();
            like.aliases.clear();
            facts.models.insert(id.clone(), Arc::new(like));
        },
    },
    Line {
        what: "endpoint added",
        kind: Kind::Endpoint,
        id: |n| platform(format!("newcomer-{n}")),
        edit: |facts, id| {
            let like = facts.endpoints[&platform("endpoint-0".to_owned())].clone();
            facts.endpoints.insert(id.clone(), like);
        },
    },
    Line {
        what: "endpoint's regions changed",
        kind: Kind::Endpoint,
        id: |n| platform(format!("endpoint-{n}")),
        edit: |facts, id| changed(&mut facts.endpoints, id, |fact| fact.processing_regions.push(name("FR"))),
    },
    Line {
        what: "provider's terms changed (400 endpoints)",
        kind: Kind::Provider,
        id: |n| platform(format!("provider-{}", n % 10)),
        edit: |facts, id| changed(&mut facts.providers, id, |fact| fact.terms.zero_retention = Some(true)),
    },
    Line {
        what: "tenant's guardrail changed",
        kind: Kind::Guardrail,
        id: |n| Id::of(tenant(n / 10 * 10), name("words")),
        edit: |facts, id| changed(&mut facts.guardrails, id, |fact| fact.output = fact.input.clone()),
    },
    Line {
        what: "platform's guardrail changed",
        kind: Kind::Guardrail,
        id: |_| platform("baseline".to_owned()),
        edit: |facts, id| changed(&mut facts.guardrails, id, |fact| fact.output.clear()),
    },
];

/// The number at the end of a name, or of its tenant's.
fn id_number(id: &Id) -> usize {
    id.tenant.as_ref().unwrap().as_str().rsplit('-').next().unwrap().parse().unwrap()
}

/// Milliseconds that an act takes, and what it gives.
fn timed<T>(act: impl FnOnce() -> T) -> (f64, T) {
    let begun = Clock::now();
    let made = act();
    (begun.elapsed().as_secs_f64() * 1_000.0, made)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Prints the table.
pub(crate) fn table() {
    let size = &SIZES[2];
    let facts = town::facts(size);
    let scope = Scope { geo: name("eu") };
    let projected = project(&facts, &scope);
    let snapshot = compile(&projected, town::header()).unwrap();
    println!(
        "changes, in ms, at {} principals and keys, {} rules, {} models:",
        size.principals, size.rules, size.models
    );
    println!("{:42} {:>8} {:>8} {:>8}", "", "facts", "project", "apply");
    for line in LINES {
        measure(&line, (&facts, &projected), &scope, &snapshot);
    }
}

fn measure(line: &Line, facts: (&Facts, &Facts), scope: &Scope, snapshot: &CompiledSnapshot) {
    let (before, projected) = facts;
    let (mut edited, mut narrowed, mut applied) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..RUNS {
        let id = (line.id)(n);
        let changes = [Change { kind: line.kind, id: id.clone() }];
        let (took, after) = timed(|| {
            let mut after = before.clone();
            (line.edit)(&mut after, &id);
            after
        });
        edited.push(took);
        let versions = Versions { before, after: &after };
        let (took, (next, differences)) = timed(|| project_changes(projected, versions, scope, &changes));
        narrowed.push(took);
        let (took, next) = timed(|| apply(snapshot, &next, town::header(), &differences).unwrap());
        applied.push(took);
        drop(next);
    }
    println!("{:42} {:8.2} {:8.2} {:8.2}", line.what, median(edited), median(narrowed), median(applied));
}
