//! Whose things are whose: keys narrowed to models, names that mean a tenant's own, and nothing of one tenant reaching another.

use std::sync::Arc;

use policy_engine::decision::{Decision, Permit};
use policy_engine::facts::{
    Check, Facts, GrantSubject, Guardrail, Key, ModelGlob, Obligation, Rule, Subject,
};
use policy_engine::request::{Caller, Findings, Found, Request};
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::{Effect, Entity, Instant, MaskAction, Name, Operation};
use policy_engine::{compile, decide, decide_answer, entitle};

use super::plain::{change, grant, house, model, name, person, put, rule, tenant};

/// A question about the plain house; what is not said is ada of research asking for `big` at the epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) who: (&'a str, &'a str),
    pub(crate) team: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) model: &'a str,
    pub(crate) purpose: Option<&'a str>,
    pub(crate) areas: &'a [Name],
    pub(crate) tools: &'a [String],
    pub(crate) fields: &'a [String],
    pub(crate) found: &'a [Entity],
    pub(crate) instant: Instant,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            who: ("acme", "ada"),
            team: "research",
            key: None,
            model: "big",
            purpose: None,
            areas: &[],
            tools: &[],
            fields: &[],
            found: &[],
            instant: Instant(0),
        }
    }
}

pub(crate) fn snapshot(facts: &Facts) -> CompiledSnapshot {
    compile(facts, Header { revision: 1, geo: Some(name("eu")) })
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn caller(snapshot: &CompiledSnapshot, ask: &Ask<'_>) -> Caller {
    let key = ask.key.map(|key| snapshot.key(key).unwrap().caller());
    key.unwrap_or_else(|| snapshot.find_caller(&name(ask.who.0), &name(ask.team), &name(ask.who.1)).unwrap())
}

pub(crate) fn decided(snapshot: &CompiledSnapshot, ask: &Ask<'_>) -> Decision {
    let request = Request {
        caller: caller(snapshot, ask),
        model: ask.model,
        operation: Operation::Chat,
        stream: false,
        purpose: ask.purpose,
        declared_jurisdictions: ask.areas,
        declared_classes: &[],
        egress_tools: ask.tools,
        unknown_fields: ask.fields,
        picture: None,
        instant: ask.instant,
        key: ask.key,
    };
    let mut found = Found::default();
    for entity in ask.found {
        found.note_entity(*entity);
    }
    match entitle(&request, snapshot) {
        Ok(entitled) => decide(&request, &entitled, &found, snapshot),
        Err(denial) => Decision::Deny(denial),
    }
}

pub(crate) fn decision(facts: &Facts, ask: &Ask<'_>) -> Decision {
    decided(&snapshot(facts), ask)
}

pub(crate) fn permit(facts: &Facts, ask: &Ask<'_>) -> (CompiledSnapshot, Permit) {
    let snapshot = snapshot(facts);
    match decided(&snapshot, ask) {
        Decision::Allow(permit) => (snapshot, permit),
        Decision::Deny(denial) => panic!("{denial:#?}"),
    }
}

/// The code of the first reason, or `allow`.
pub(crate) fn code(facts: &Facts, ask: &Ask<'_>) -> &'static str {
    match decision(facts, ask) {
        Decision::Allow(_) => "allow",
        Decision::Deny(denial) => denial.code().as_str(),
    }
}

pub(crate) fn key(facts: &mut Facts, public_id: &str, models: &[&str]) {
    let key = Key {
        mac: [0; 32],
        scope_key: "k".to_owned(),
        tenant: name("acme"),
        principal: name("ada"),
        team: name("research"),
        models: models.iter().map(|m| ModelGlob::new(m).unwrap()).collect(),
        geos: vec![],
        expires: None,
        revoked: false,
    };
    facts.keys.insert(name(public_id), Arc::new(key));
}

/// The plain house with a second tenant, whose team and person have the same names.
fn two_tenants() -> Facts {
    let mut facts = house();
    put(&mut facts.tenants, "bolt", tenant(Some("US")));
    let team = facts.teams[&super::plain::id("acme/research")].clone();
    facts.teams.insert(super::plain::id("bolt/research"), team);
    put(&mut facts.principals, "bolt/ada", person(&["research"]));
    put(&mut facts.grants, "bolt/all", grant("user", GrantSubject::Team(name("research"))));
    facts
}

const BOLT: Ask<'static> = Ask {
    who: ("bolt", "ada"),
    team: "research",
    key: None,
    model: "big",
    purpose: None,
    areas: &[],
    tools: &[],
    fields: &[],
    found: &[],
    instant: Instant(0),
};

#[test]
fn a_key_reaches_only_the_models_it_is_narrowed_to() {
    let mut facts = house();
    put(&mut facts.models, "small", model(None, &["in-eu"]));
    key(&mut facts, "wide", &[]);
    key(&mut facts, "narrow", &["sm*"]);
    key(&mut facts, "named", &["big"]);
    key(&mut facts, "blind", &["none"]);
    for (public_id, model, expected) in [
        ("wide", "big", "allow"),
        ("wide", "small", "allow"),
        ("narrow", "big", "key_scope"),
        ("narrow", "small", "allow"),
        ("named", "big", "allow"),
        ("named", "small", "key_scope"),
        ("blind", "big", "key_scope"),
    ] {
        let ask = Ask { key: Some(public_id), model, ..Ask::default() };
        assert_eq!(code(&facts, &ask), expected, "{public_id} {model}");
    }
    let snapshot = snapshot(&facts);
    let caller = snapshot.key("narrow").unwrap().caller();
    let seen: Vec<_> = snapshot.visible_models(caller).map(|(_, row)| row.id.to_string()).collect();
    assert_eq!(seen, ["small"]);
}

#[test]
fn a_revoked_key_stays_known_and_one_that_refers_to_nobody_is_no_fault() {
    let mut facts = house();
    key(&mut facts, "known", &[]);
    key(&mut facts, "lost", &[]);
    Arc::make_mut(facts.keys.get_mut("known").unwrap()).revoked = true;
    let lost = Arc::make_mut(facts.keys.get_mut("lost").unwrap());
    (lost.revoked, lost.principal) = (true, name("gone"));
    let snapshot = snapshot(&facts);
    assert!(snapshot.key("known").unwrap().revoked);
    assert!(snapshot.key("lost").is_none());
    assert_eq!(snapshot.key_count(), 1);
}

#[test]
fn a_name_means_the_tenants_own_model_first_and_never_anothers() {
    let mut facts = two_tenants();
    put(&mut facts.models, "acme/big", model(None, &["home"]));
    change(&mut facts.models, "acme/big").aliases = vec!["ours".to_owned()];
    change(&mut facts.models, "big").aliases = vec!["default".to_owned()];
    let snapshot = snapshot(&facts);
    let meant = |ask: &Ask<'_>| {
        let found = snapshot.find_model(caller(&snapshot, ask), ask.model);
        found.map(|ix| snapshot.model(ix).unwrap().id.to_string())
    };
    assert_eq!(meant(&Ask::default()).as_deref(), Some("acme/big"));
    assert_eq!(meant(&BOLT).as_deref(), Some("big"));
    assert_eq!(meant(&Ask { model: "ours", ..Ask::default() }).as_deref(), Some("acme/big"));
    assert_eq!(meant(&Ask { model: "ours", ..BOLT }), None);
    assert_eq!(meant(&Ask { model: "default", ..Ask::default() }).as_deref(), Some("big"));
    let seen = |ask| snapshot.visible_models(caller(&snapshot, ask)).count();
    assert_eq!((seen(&Ask::default()), seen(&BOLT)), (2, 1));
    assert_eq!(code(&facts, &Ask { model: "ours", ..BOLT }), "model_not_found");
}

#[test]
fn a_tenants_rules_and_guardrails_are_not_felt_by_another() {
    let mut facts = two_tenants();
    put(&mut facts.rules, "acme/no", rule(Effect::Forbid, "purpose == 'x'"));
    let masked = Obligation::Mask(vec![Entity::Phone]);
    put(&mut facts.rules, "acme/mask", Rule { obligations: vec![masked], ..rule(Effect::Require, "") });
    let check = Check { detect: vec![Entity::Email], words: vec![], action: MaskAction::Block };
    let teams = vec![name("research")];
    put(
        &mut facts.guardrails,
        "acme/block",
        Guardrail {
            applies: Subject { models: vec![], teams },
            input: vec![check],
            output: vec![],
            geos: vec![],
        },
    );
    let asking = |ask| Ask { purpose: Some("x"), ..ask };
    assert_eq!(code(&facts, &asking(Ask::default())), "rule_forbids");
    assert_eq!(code(&facts, &asking(BOLT)), "allow");
    let telling = |ask| Ask { found: &[Entity::Email], ..ask };
    assert_eq!(code(&facts, &telling(Ask::default())), "content_blocked");
    assert_eq!(code(&facts, &telling(BOLT)), "allow");
    assert_eq!(
        code(&facts, &telling(Ask { team: "sales", ..Ask::default() })),
        "allow",
        "a guardrail of one team"
    );
    let (snapshot, permit) = permit(&facts, &BOLT);
    assert!(permit.input.is_empty() && permit.matched.is_empty());
    let request = |ask| snapshot.content(caller(&snapshot, ask)).unwrap().detectors.is_empty();
    assert!(request(&BOLT), "nobody asks what bolt sends");
    assert!(!request(&Ask::default()));
}

/// An address in an answer is masked as answers are, though callers may not send one; a rule about addresses is asked again.
#[test]
fn what_is_blocked_on_the_way_in_is_not_held_against_an_answer() {
    let mut facts = house();
    let check = |action| Check { detect: vec![Entity::Email], words: vec![], action };
    put(
        &mut facts.guardrails,
        "mail",
        Guardrail {
            applies: Subject::default(),
            input: vec![check(MaskAction::Block)],
            output: vec![check(MaskAction::Mask)],
            geos: vec![],
        },
    );
    put(&mut facts.rules, "phones", rule(Effect::Forbid, "'PHONE' in data.classes"));
    let snapshot = snapshot(&facts);
    let request = Request {
        caller: caller(&snapshot, &Ask::default()),
        model: "big",
        operation: Operation::Chat,
        stream: false,
        purpose: None,
        declared_jurisdictions: &[],
        declared_classes: &[],
        egress_tools: &[],
        unknown_fields: &[],
        picture: None,
        instant: Instant(0),
        key: None,
    };
    let entitled = entitle(&request, &snapshot).unwrap();
    let found = |entity: Option<Entity>| {
        let mut found = Found::default();
        if let Some(entity) = entity {
            found.note_entity(entity);
        }
        found
    };
    let ask = |sent: Option<Entity>, answered: Option<Entity>| {
        let (sent, answered) = (found(sent), found(answered));
        match decide_answer(&request, &entitled, Findings { sent: &sent, answered: &answered }, &snapshot) {
            Decision::Allow(permit) => permit.output.on(Entity::Email).unwrap().as_str(),
            Decision::Deny(denial) => denial.code().as_str(),
        }
    };
    assert_eq!(ask(Some(Entity::Email), None), "content_blocked");
    assert_eq!(ask(None, Some(Entity::Email)), "mask");
    assert_eq!(ask(None, Some(Entity::Phone)), "rule_forbids");
    assert_eq!(ask(Some(Entity::Phone), None), "rule_forbids");
}

#[test]
fn whoever_blocks_content_is_named() {
    let mut facts = house();
    let block = |words: &[&str], detect: &[Entity]| Guardrail {
        applies: Subject::default(),
        input: vec![Check {
            detect: detect.to_vec(),
            words: words.iter().map(|w| (*w).to_owned()).collect(),
            action: MaskAction::Block,
        }],
        output: vec![],
        geos: vec![],
    };
    put(&mut facts.guardrails, "a-words", block(&["secret"], &[]));
    put(&mut facts.guardrails, "b-words", block(&["secret"], &[]));
    put(&mut facts.guardrails, "mail", block(&[], &[Entity::Email]));
    let law = Rule { legal_ref: Some("Art. 9".to_owned()), ..rule(Effect::Require, "") };
    put(
        &mut facts.rules,
        "phones",
        Rule { obligations: vec![Obligation::Block(vec![Entity::Phone])], ..law },
    );
    let found = Ask { found: &[Entity::Email, Entity::Phone], ..Ask::default() };
    let Decision::Deny(denial) = decision(&facts, &found) else { panic!("allowed") };
    let named: Vec<_> = denial.reasons.iter().map(|r| r.source.as_ref().unwrap().to_string()).collect();
    assert_eq!(named, ["mail", "phones"]);
    assert_eq!(denial.reasons[1].legal_ref.as_deref(), Some("Art. 9"));
    let snapshot = snapshot(&facts);
    let view = snapshot.content(caller(&snapshot, &Ask::default())).unwrap();
    assert_eq!(view.word_lists.len(), 1, "the same words are one list");
}
