//! Everything that a snapshot says to a list of questions, in names and in its own order.

use policy_engine::content::What;
use policy_engine::decision::{Actions, Decision, EndpointIx, LimitIx, RuleIx};
use policy_engine::facts::Facts;
use policy_engine::request::{Caller, Found, Request};
use policy_engine::snapshot::{CompiledSnapshot, LimitRow};
use policy_engine::vocabulary::{Entity, Id, Operation};
use policy_engine::{decide, entitle};

use super::ask::{PARTS, Question};
use super::world::{MODELS, PEOPLE, TEAMS, TENANTS, WORDS, name};

/// What a snapshot of these facts says.
pub(crate) fn told(snapshot: &CompiledSnapshot, facts: &Facts, questions: &[Question]) -> Vec<String> {
    let mut lines = vec![format!("{:?} {} keys", snapshot.header(), snapshot.key_count())];
    for (public_id, _) in &facts.keys {
        let row = snapshot.key(public_id.as_str());
        let shown = row.map(|row| {
            let caller = row.caller();
            let rest = (&row.mac, &row.scope_key, row.expires, row.revoked);
            format!("{rest:?} {}", seen(snapshot, caller))
        });
        lines.push(format!("key {public_id}: {shown:?}"));
    }
    lines.extend(registry(snapshot));
    for tenant in TENANTS {
        for (team, who) in TEAMS.iter().flat_map(|team| PEOPLE.iter().map(move |who| (team, who))) {
            let caller = snapshot.find_caller(&name(tenant), &name(team), &name(who));
            lines.push(format!("{tenant} {team} {who}: {:?}", caller.map(|caller| seen(snapshot, caller))));
        }
    }
    lines.extend(questions.iter().map(|question| format!("{question:?}: {}", answer(snapshot, question))));
    lines
}

/// Whose a caller's requests are, and what it may use.
fn seen(snapshot: &CompiledSnapshot, caller: Caller) -> String {
    let identity = snapshot.identity(caller).map(|who| {
        let terms = (who.tenant.currency, who.tenant.must_audit, who.tenant.staleness);
        let tenant = (&who.tenant.name, &who.tenant.time_zone, terms);
        format!("{tenant:?} {} {} {}", who.team.name, who.principal.name, who.principal.kind)
    });
    let visible: Vec<String> = snapshot.visible_models(caller).map(|(_, row)| row.id.to_string()).collect();
    let usable = MODELS.iter().map(|model| {
        let ix = snapshot.find_model(caller, model)?;
        Some((snapshot.model(ix)?.id.clone(), snapshot.may_infer(caller, Operation::Chat, ix)))
    });
    let usable: Vec<Option<(Id, bool)>> = usable.collect();
    let content = snapshot.content(caller).map(|view| {
        let lists: Vec<&Id> = view.word_lists.iter().map(|list| &list.guardrail).collect();
        format!("{lists:?}")
    });
    format!("{identity:?} sees {visible:?}, may use {usable:?}, is looked at for {content:?}")
}

fn registry(snapshot: &CompiledSnapshot) -> Vec<String> {
    let endpoints = snapshot.endpoints().map(|(ix, row)| {
        let shown = (&row.id, &row.upstream_model, row.timeouts, &row.processing_regions);
        let provider = snapshot.provider_of(row).map(|p| format!("{p:?}"));
        assert_eq!(snapshot.endpoint(ix).map(|row| &row.id), Some(&row.id));
        format!("endpoint {shown:?} of {provider:?}")
    });
    let mut lines: Vec<String> = endpoints.collect();
    let limits = snapshot.limits().map(|(ix, row)| {
        assert_eq!(snapshot.limit(ix).map(|row| &row.id), Some(&row.id));
        limit(row)
    });
    lines.extend(limits);
    lines.sort();
    lines
}

fn limit(row: &LimitRow) -> String {
    format!("limit {:?}", (&row.id, row.bound, row.each, &row.models, row.on_store_loss))
}

fn answer(snapshot: &CompiledSnapshot, question: &Question) -> String {
    let caller = match question.key {
        Some(key) => snapshot.key(key).map(|row| row.caller()),
        None => {
            let Question { tenant, team, principal, .. } = question;
            snapshot.find_caller(&name(tenant), &name(team), &name(principal))
        }
    };
    let Some(caller) = caller else { return "nobody".to_owned() };
    let request = Request {
        caller,
        model: question.model,
        operation: Operation::Chat,
        stream: question.stream,
        purpose: question.purpose,
        declared_jurisdictions: &question.areas,
        declared_classes: &question.classes,
        egress_tools: &question.tools,
        unknown_fields: &question.fields,
        picture: None,
        instant: question.instant,
        key: question.key,
    };
    let entitled = match entitle(&request, snapshot) {
        Ok(entitled) => entitled,
        Err(denial) => return format!("{denial:?}"),
    };
    let mut found = Found::default();
    if let Some(view) = entitled.inspect {
        let mut findings = Vec::new();
        question.content.iter().for_each(|part| view.detectors.scan(PARTS[*part].0, &mut findings));
        for finding in findings {
            match finding.what {
                What::Entity(entity) => found.note_entity(entity),
                What::Word(list) => found.note_words(list),
            };
        }
    }
    let licence = snapshot.licence_of(entitled.row).map(|row| (&row.id, row.term, &row.attribution));
    let model =
        (&entitled.row.id, &entitled.row.card, &entitled.row.aliases, &entitled.row.licence_name, licence);
    let decision = decide(&request, &entitled, &found, snapshot);
    format!("{model:?} {found:?} {}", decided(snapshot, caller, &decision))
}

fn decided(snapshot: &CompiledSnapshot, caller: Caller, decision: &Decision) -> String {
    let limits = |all: &[LimitIx]| {
        format!("{:?}", all.iter().map(|ix| limit(snapshot.limit(*ix).unwrap())).collect::<Vec<_>>())
    };
    let rules = |all: &[RuleIx]| {
        format!("{:?}", all.iter().map(|ix| snapshot.rule(*ix).unwrap()).collect::<Vec<_>>())
    };
    let endpoint = |ix: EndpointIx| snapshot.endpoint(ix).unwrap().id.clone();
    match decision {
        Decision::Deny(denial) => format!("denied {:?} by {}", denial.reasons, rules(&denial.matched)),
        Decision::Allow(permit) => {
            let candidates = permit.candidates.iter().map(|candidate| {
                let shown =
                    (endpoint(candidate.endpoint), candidate.group, candidate.weight, &candidate.price);
                format!("{shown:?} under {}", limits(&candidate.limits))
            });
            let candidates: Vec<String> = candidates.collect();
            let actions =
                (actions(snapshot, caller, &permit.input), actions(snapshot, caller, &permit.output));
            let kept = (permit.no_cache, permit.capture);
            let rest = (permit.policy, permit.output_decides, &permit.notices, kept, &permit.dropped);
            let (matched, shadow) = (rules(&permit.matched), rules(&permit.shadow_denials));
            format!(
                "{candidates:?} {} {actions:?} {rest:?} by {matched}, in shadow {shadow}",
                limits(&permit.limits)
            )
        }
    }
}

fn actions(snapshot: &CompiledSnapshot, caller: Caller, actions: &Actions) -> String {
    let entities: Vec<_> = Entity::ALL.iter().map(|entity| (entity, actions.on(*entity))).collect();
    let words: Vec<_> = WORDS
        .iter()
        .map(|word| {
            let mut findings = Vec::new();
            snapshot.content(caller).unwrap().detectors.scan(word, &mut findings);
            let lists = findings.into_iter().filter_map(|finding| match finding.what {
                What::Word(list) => Some(actions.on_words(list)),
                What::Entity(_) => None,
            });
            (word, lists.collect::<Vec<_>>())
        })
        .collect();
    format!("{entities:?} {words:?}")
}
