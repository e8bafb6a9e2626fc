//! Random rules: conditions over a few words, every effect, every obligation.

use std::sync::Arc;

use policy_engine::facts::{Map, Obligation, Rule};
use policy_engine::vocabulary::{Effect, Entity, Id, Instant, Layer, Mode};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::world::{TIMES, id, name};

/// What conditions may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// Whether parts may be negated.
    pub(crate) negations: bool,
    /// Whether permits are given.
    pub(crate) permits: bool,
    /// Whether an unknown attribute always counts as a match.
    pub(crate) unknown_matches: bool,
}

impl Words {
    pub(crate) const ANY: Words = Words { negations: true, permits: true, unknown_matches: false };
    /// Rules that more of anything can only make match more.
    pub(crate) const POSITIVE: Words = Words { negations: false, permits: false, unknown_matches: false };
    /// Rules of law.
    pub(crate) const LAW: Words = Words { negations: true, permits: true, unknown_matches: true };
}

const ATOMS: [&str; 26] = [
    "'EU' in subject.jurisdictions",
    "'US' in subject.jurisdictions",
    "'GB' in subject.jurisdictions",
    "'EMAIL' in data.classes",
    "'PHI' in data.classes",
    "'US' in endpoint.processingRegions",
    "'DE' in endpoint.processingRegions",
    "endpoint.name == 'e1'",
    "endpoint.name in ['e2', 'e3']",
    "endpoint.provider == 'north'",
    "endpoint.terms.trainsOnData",
    "endpoint.terms.dpa",
    "model.name == 'big'",
    "model.licence == 'paid'",
    "model.riskClass == 'high'",
    "caller.tenant == 'acme'",
    "'blue' in caller.teams",
    "'r1' in caller.roles",
    "caller.principal == 'ada'",
    "caller.kind == 'user'",
    "caller.country in ['DE', 'GB']",
    "purpose == 'training'",
    "stream",
    "'web_search' in egressTools",
    "'mcp' in egressTools",
    "purpose in ['training', 'chat'] && operation == 'chat'",
];

/// What permits say of the vendor's tools, as often as not: some by name, or all but some.
const TOOLS: [&str; 3] = ["'web_search' in egressTools", "'mcp' in egressTools", "!('mcp' in egressTools)"];

fn condition(words: Words) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => Just(String::new()),
        12 => select(&ATOMS[..]).prop_map(|atom| format!("({atom})")),
    ];
    let leaf = leaf.prop_map(|text| if text.is_empty() { "true".to_owned() } else { text });
    leaf.prop_recursive(2, 6, 2, move |inner| {
        let pair = |op: &'static str, inner: BoxedStrategy<String>| {
            (inner.clone(), inner).prop_map(move |(a, b)| format!("({a} {op} {b})"))
        };
        let not = if words.negations { 1 } else { 0 };
        prop_oneof![
            3 => pair("&&", inner.clone().boxed()),
            3 => pair("||", inner.clone().boxed()),
            not => inner.prop_map(|a| format!("!{a}")),
        ]
    })
}

fn obligation() -> impl Strategy<Value = Obligation> {
    let entities = || subsequence(&[Entity::Email, Entity::Phone][..], 1..=2);
    prop_oneof![
        2 => subsequence(&["EEA", "EU", "UK", "US", "global"][..], 1..=2)
            .prop_map(|all| Obligation::Residency(all.into_iter().map(name).collect())),
        2 => entities().prop_map(Obligation::Mask),
        1 => entities().prop_map(Obligation::Block),
        1 => select(&["be told", "be warned"][..]).prop_map(|text| Obligation::Notice(text.to_owned())),
        1 => Just(Obligation::NoCache),
        1 => select(&["1d", "30d"][..]).prop_map(|text| Obligation::Capture(text.parse().unwrap())),
    ]
}

/// One rule.
pub(crate) fn rule(words: Words) -> impl Strategy<Value = Rule> {
    let permits = u32::from(words.permits);
    let effect = prop_oneof![
        2 => Just(Effect::Forbid),
        5 => Just(Effect::Require),
        permits => Just(Effect::Permit),
    ];
    let tools = prop::option::of((select(&TOOLS[..]), any::<bool>()));
    let duties = prop::collection::vec(obligation(), 1..3);
    let dates = (prop::option::of(select(&TIMES[..])), prop::option::of(select(&TIMES[..])));
    let modes = prop_oneof![6 => Just(Mode::Enforce), 1 => Just(Mode::Shadow)];
    let unknown = prop::option::of(any::<bool>());
    let wording = (condition(words), effect, duties, dates, tools);
    (wording, (modes, select(Layer::ALL), unknown, prop::bool::weighted(0.2))).prop_map(
        move |(wording, rest)| {
            let ((when, effect, obligations, (from, to), tools), (mode, layer, unknown, needs)) =
                (wording, rest);
            let when = match tools.filter(|_| effect == Effect::Permit) {
                Some((tools, true)) => tools.to_owned(),
                Some((tools, false)) => format!("{when} && {tools}"),
                None => when,
            };
            let (require, from) = (effect == Effect::Require, from.map(Instant));
            Rule {
                layer,
                effect,
                when,
                obligations: if require { without_conflict(obligations) } else { vec![] },
                reason_code: None,
                legal_ref: None,
                valid_from: from,
                valid_to: to.map(Instant).filter(|to| from.is_none_or(|from| from < *to)),
                mode,
                or_unknown: if words.unknown_matches { Some(true) } else { unknown },
                needs_permit: require && needs && words.permits,
                geos: vec![],
            }
        },
    )
}

/// One rule says where at most once, so that it does not contradict itself.
fn without_conflict(obligations: Vec<Obligation>) -> Vec<Obligation> {
    let mut places = 0;
    let once = |o: &Obligation| {
        places += usize::from(matches!(o, Obligation::Residency(_)));
        !matches!(o, Obligation::Residency(_)) || places == 1
    };
    obligations.into_iter().filter(once).collect()
}

/// Up to `most` rules, the platform's and tenants' own.
pub(crate) fn rules(words: Words, most: usize) -> impl Strategy<Value = Map<Id, Arc<Rule>>> {
    let owner = prop_oneof![3 => Just(None), 1 => Just(Some("acme")), 1 => Just(Some("bolt"))];
    let all = prop::collection::vec((owner, rule(words)), 0..=most);
    // Now and then a house permits tools and says nothing else of them, or hardly a request with tools would be allowed.
    let tools = (prop::bool::weighted(0.5), select(&TOOLS[..]), rule(words));
    (all, tools).prop_map(move |(all, (open, tools, rule))| {
        let permit = Rule {
            effect: Effect::Permit,
            when: tools.to_owned(),
            obligations: vec![],
            needs_permit: false,
            ..rule
        };
        let permit = (open && words.permits).then_some((None, permit));
        let numbered = all.into_iter().chain(permit).enumerate();
        numbered.map(|(n, (owner, rule))| (id(owner, &format!("rule-{n}")), Arc::new(rule))).collect()
    })
}
