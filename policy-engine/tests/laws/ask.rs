//! A question by names, the engine's answer to it in names, and when one answer is at least as strict as another.

use std::collections::{BTreeMap, BTreeSet};

use policy_engine::content::What;
use policy_engine::decision::{Actions, Decision, Permit};
use policy_engine::facts::Facts;
use policy_engine::replay::{Judged, Recorded};
use policy_engine::request::{Caller, Found, Request};
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::{Duration, Entity, Id, Instant, MaskAction, Name, Operation};
use policy_engine::{compile, decide, entitle};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::world::{MODELS, PEOPLE, TEAMS, TENANTS, TIMES, TOOLS, WORDS, name};

/// Something a content may hold, and what it then is found to hold.
pub(crate) const PARTS: [(&str, Option<Entity>); 4] = [
    ("ada@example.org", Some(Entity::Email)),
    ("call +49 30 901820 now", Some(Entity::Phone)),
    (WORDS[0], None),
    (WORDS[1], None),
];

/// Places that a caller may declare; the last is none.
const CLAIMS: [&str; 8] = ["DE", "EU", "GB", "US", "de-by", "EEA", "us-east-1", "europe"];

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) tenant: &'static str,
    pub(crate) team: &'static str,
    pub(crate) principal: &'static str,
    /// A key to ask with; it says who asks.
    pub(crate) key: Option<&'static str>,
    pub(crate) model: &'static str,
    pub(crate) stream: bool,
    pub(crate) purpose: Option<&'static str>,
    pub(crate) areas: Vec<Name>,
    pub(crate) classes: Vec<String>,
    /// Tools that the vendor runs.
    pub(crate) tools: Vec<String>,
    /// Fields outside the published schema.
    pub(crate) fields: Vec<String>,
    pub(crate) instant: Instant,
    /// Indices of [`PARTS`].
    pub(crate) content: Vec<usize>,
}

pub(crate) fn question() -> impl Strategy<Value = Question> {
    let who = (select(&TENANTS[..]), select(&TEAMS[..]), select(&PEOPLE[..]));
    let key = prop::option::weighted(0.3, select(&["k0", "k1", "k2"][..]));
    let what =
        (select(&MODELS[..]), any::<bool>(), prop::option::of(select(&["training", "chat", "other"][..])));
    let areas = prop_oneof![2 => Just(vec![]), 1 => subsequence(&CLAIMS[..], 1..=2)];
    let classes = prop_oneof![2 => Just(vec![]), 1 => subsequence(&["EMAIL", "PHI"][..], 1..=2)];
    let tools = prop_oneof![3 => Just(vec![]), 1 => subsequence(&TOOLS[..], 1..=2)];
    let fields = prop_oneof![3 => Just(vec![]), 1 => Just(vec!["plugins".to_owned()])];
    let when = (select(&TIMES[..]), 0..2_i64).prop_map(|(time, after)| Instant(time + after));
    let content = prop_oneof![1 => Just(vec![]), 1 => subsequence(&[0, 1, 2, 3][..], 0..=2)];
    (who, key, what, (areas, classes, tools, fields), when, content).prop_map(
        |(who, key, what, said, instant, content)| {
            let ((tenant, team, principal), (model, stream, purpose)) = (who, what);
            let areas = said.0.into_iter().map(name).collect();
            let classes = said.1.into_iter().map(str::to_owned).collect();
            let tools = said.2.into_iter().map(str::to_owned).collect();
            Question {
                tenant,
                team,
                principal,
                key,
                model,
                stream,
                purpose,
                areas,
                classes,
                tools,
                fields: said.3,
                instant,
                content,
            }
        },
    )
}

/// What was answered, in names and without an order that means nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// The code of the first reason.
    Deny(String),
    Allow(Terms),
}

/// The terms of a permit.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Terms {
    /// By endpoint: the price's amount, and the limits of its own.
    pub(crate) candidates: BTreeMap<Id, (Option<i64>, BTreeSet<Id>)>,
    pub(crate) limits: BTreeSet<Id>,
    /// By entity or word.
    pub(crate) input: BTreeMap<String, MaskAction>,
    pub(crate) output: BTreeMap<String, MaskAction>,
    pub(crate) notices: BTreeSet<String>,
    pub(crate) no_cache: bool,
    pub(crate) capture: Option<Duration>,
    pub(crate) matched: BTreeSet<Id>,
    pub(crate) shadow: BTreeSet<Id>,
}

impl Answer {
    /// Whether this allows nothing that `other` does not. Duties are compared where the same endpoints are left: an
    /// endpoint that is dropped takes along what was demanded for its sake.
    pub(crate) fn at_least_as_strict_as(&self, other: &Answer) -> bool {
        let (Answer::Allow(mine), Answer::Allow(theirs)) = (self, other) else {
            return matches!(self, Answer::Deny(_));
        };
        let fewer = mine.candidates.keys().all(|endpoint| theirs.candidates.contains_key(endpoint));
        let same = mine.candidates.len() == theirs.candidates.len();
        let tighter = |mine: &BTreeMap<String, MaskAction>, theirs: &BTreeMap<String, MaskAction>| {
            theirs.iter().all(|(what, action)| mine.get(what).is_some_and(|held| held >= action))
        };
        let dutiful = tighter(&mine.input, &theirs.input)
            && tighter(&mine.output, &theirs.output)
            && mine.notices.is_superset(&theirs.notices)
            && mine.no_cache >= theirs.no_cache
            && mine.capture >= theirs.capture;
        fewer && (!same || dutiful)
    }
}

pub(crate) fn snapshot(facts: &Facts) -> CompiledSnapshot {
    let header = Header { revision: 1, geo: Some(name("eu")) };
    compile(facts, header).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The engine's answer.
pub(crate) fn ask(snapshot: &CompiledSnapshot, question: &Question) -> Answer {
    let Some(caller) = caller(snapshot, question) else { return Answer::Deny("nobody".to_owned()) };
    match decided(snapshot, question, caller).0 {
        Decision::Deny(denial) => Answer::Deny(denial.code().as_str().to_owned()),
        Decision::Allow(permit) => Answer::Allow(terms(snapshot, caller, &permit)),
    }
}

/// What is decided, and what was found for it.
fn decided(snapshot: &CompiledSnapshot, question: &Question, caller: Caller) -> (Decision, Found) {
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
    let mut found = Found::default();
    let entitled = match entitle(&request, snapshot) {
        Ok(entitled) => entitled,
        Err(denial) => return (Decision::Deny(denial), found),
    };
    if let Some(view) = entitled.inspect {
        let mut findings = Vec::new();
        question.content.iter().for_each(|part| view.detectors.scan(PARTS[*part].0, &mut findings));
        findings.into_iter().for_each(|finding| note(&mut found, finding.what));
    }
    (decide(&request, &entitled, &found, snapshot), found)
}

/// A question with a key and its answer as they are written down; `None` where it has no key, or one that is not known.
pub(crate) fn written_down(snapshot: &CompiledSnapshot, question: &Question) -> Option<(Recorded, Judged)> {
    let key = question.key?;
    let caller = snapshot.key(key)?.caller();
    let who = snapshot.identity(caller)?;
    let (decision, found) = decided(snapshot, question, caller);
    let lists = &snapshot.content(caller)?.word_lists;
    let recorded = Recorded {
        tenant: who.tenant.name.clone(),
        team: who.team.name.clone(),
        principal: who.principal.name.clone(),
        key: key.to_owned(),
        model: question.model.to_owned(),
        operation: Operation::Chat,
        stream: question.stream,
        purpose: question.purpose.map(str::to_owned),
        declared_jurisdictions: question.areas.clone(),
        declared_classes: question.classes.clone(),
        egress_tools: question.tools.clone(),
        unknown_fields: question.fields.len(),
        picture: None,
        instant: question.instant,
        entities: Entity::ALL.iter().copied().filter(|entity| found.has(*entity)).collect(),
        word_lists: found.word_lists.iter().map(|list| lists[*list as usize].to_string()).collect(),
    };
    Some((recorded, Judged::of(&decision, snapshot)))
}

fn note(found: &mut Found, what: What) {
    match what {
        What::Entity(entity) => found.note_entity(entity),
        What::Word(list) => found.note_words(list),
    };
}

fn caller(snapshot: &CompiledSnapshot, question: &Question) -> Option<Caller> {
    match question.key {
        Some(key) => snapshot.key(key).map(|row| row.caller()),
        None => {
            let Question { tenant, team, principal, .. } = question;
            snapshot.find_caller(&name(tenant), &name(team), &name(principal))
        }
    }
}

fn terms(snapshot: &CompiledSnapshot, caller: Caller, permit: &Permit) -> Terms {
    let limits = |all: &[policy_engine::decision::LimitIx]| -> BTreeSet<Id> {
        all.iter().map(|ix| snapshot.limit(*ix).unwrap().id.clone()).collect()
    };
    let rules = |all: &[policy_engine::decision::RuleIx]| -> BTreeSet<Id> {
        all.iter().map(|ix| snapshot.rule(*ix).unwrap().id.clone()).collect()
    };
    let candidates = permit.candidates.iter().map(|c| {
        let price = c.price.as_ref().map(|price| price.per_million.input);
        (snapshot.endpoint(c.endpoint).unwrap().id.clone(), (price, limits(&c.limits)))
    });
    Terms {
        candidates: candidates.collect(),
        limits: limits(&permit.limits),
        input: actions(snapshot, caller, &permit.input),
        output: actions(snapshot, caller, &permit.output),
        notices: permit.notices.iter().map(|text| text.to_string()).collect(),
        no_cache: permit.no_cache,
        capture: permit.capture,
        matched: rules(&permit.matched),
        shadow: rules(&permit.shadow_denials),
    }
}

fn actions(snapshot: &CompiledSnapshot, caller: Caller, actions: &Actions) -> BTreeMap<String, MaskAction> {
    let entities = Entity::ALL.iter().filter_map(|e| Some((e.to_string(), actions.on(*e)?)));
    let words = WORDS.iter().filter_map(|word| {
        let mut findings = Vec::new();
        snapshot.content(caller)?.detectors.scan(word, &mut findings);
        let mut found = Found::default();
        findings.into_iter().for_each(|finding| note(&mut found, finding.what));
        let strictest = found.word_lists.iter().filter_map(|list| actions.on_words(*list)).max()?;
        Some(((*word).to_owned(), strictest))
    });
    entities.chain(words).collect()
}
