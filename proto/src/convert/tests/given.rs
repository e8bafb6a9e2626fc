//! Facts of every kind as they may be, for the laws of conversion.

mod template;

use std::sync::Arc;

use policy_engine::facts::*;
use policy_engine::vocabulary::*;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

mod auth;

fn name() -> impl Strategy<Value = Name> {
    "[a-z0-9][a-z0-9._@+~-]{0,12}".prop_map(|text| Name::new(&text).unwrap())
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    vec(name(), 0..3)
}

fn some_names() -> impl Strategy<Value = Vec<Name>> {
    vec(name(), 1..3)
}

fn glob() -> impl Strategy<Value = ModelGlob> {
    "[a-z*][a-z0-9*-]{0,8}".prop_map(|text| ModelGlob::new(&text).unwrap())
}

fn globs() -> impl Strategy<Value = Vec<ModelGlob>> {
    vec(glob(), 0..3)
}

fn prose() -> impl Strategy<Value = String> {
    "[ -~äß€\n\t]{0,20}"
}

fn some_prose() -> impl Strategy<Value = String> {
    "[ -~äß€]{1,20}"
}

/// Whole years 1 to 9000, in microseconds.
fn instant() -> impl Strategy<Value = Instant> {
    prop_oneof![
        (-62_000_000_000_000_000..220_000_000_000_000_000_i64).prop_map(Instant),
        (-700_000..2_500_000_i64).prop_map(|day| Instant(day * 86_400_000_000)),
    ]
}

fn instants() -> impl Strategy<Value = (Option<Instant>, Option<Instant>)> {
    (of(instant()), of(1..10_000_000_000_000_000_i64)).prop_map(|(from, length)| {
        let start = from.unwrap_or_default();
        (from, length.map(|length| Instant(start.0 + length)))
    })
}

fn length() -> impl Strategy<Value = Duration> {
    (1..i64::MAX / 2).prop_map(Duration)
}

fn period() -> impl Strategy<Value = Period> {
    prop_oneof![Just(Period::Day), Just(Period::Month), length().prop_map(Period::Sliding)]
}

fn currency() -> impl Strategy<Value = Currency> {
    "[A-Z]{3}".prop_map(|code| code.parse().unwrap())
}

fn nanos() -> impl Strategy<Value = i64> {
    prop_oneof![0..i64::MAX, 0..100_000_000_000_i64]
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all.to_vec())
}

fn flag() -> impl Strategy<Value = Option<bool>> {
    of(any::<bool>())
}

fn digest() -> impl Strategy<Value = Option<String>> {
    of("[0-9a-f]{64}")
}

fn staleness() -> impl Strategy<Value = Staleness> {
    let age = || of((1..=7 * 1440_i64).prop_map(|minutes| Duration(minutes * 60_000_000)));
    (age(), age(), any::<bool>()).prop_map(|(keys, rules, strict_revocation)| Staleness {
        keys,
        rules,
        strict_revocation,
    })
}

prop_compose! {
    fn tenant()(
        display_name in prose(), time_zone in "[A-Z][a-z]{1,8}(/[A-Z][a-z]{1,8})?", currency in currency(),
        domicile in of(name()), must_audit: bool, staleness in staleness(), geos in names(),
    ) -> Tenant {
        Tenant { display_name, time_zone, currency, domicile, must_audit, staleness, geos }
    }
}

prop_compose! {
    fn team()(jurisdictions in names(), geos in names()) -> Team {
        Team { jurisdictions, geos }
    }
}

prop_compose! {
    fn principal()(
        kind in word(PrincipalType::ALL), teams in names(), groups in names(), residency in of(name()), geos in names(),
    ) -> Principal {
        Principal { kind, teams, groups, residency, geos }
    }
}

fn permission() -> impl Strategy<Value = Permission> {
    let of_models =
        (word(&[Action::Infer, Action::View]), vec(glob(), 1..3), subsequence(Operation::ALL.to_vec(), 0..3))
            .prop_map(|(action, models, operations)| Permission {
                action,
                models,
                operations,
                resources: vec![],
            });
    let resources = vec(select(vec!["*", "teams", "licence*", "auditEvents"]), 0..3);
    let of_resources =
        (word(&[Action::Read, Action::Write, Action::Audit]), resources).prop_map(|(action, kinds)| {
            let resources = kinds.into_iter().map(|kind| ModelGlob::new(kind).unwrap()).collect();
            Permission { action, models: vec![], operations: vec![], resources }
        });
    prop_oneof![of_models, of_resources]
}

prop_compose! {
    fn role()(permissions in vec(permission(), 0..4), inherits in names(), geos in names()) -> Role {
        Role { permissions, inherits, geos }
    }
}

prop_compose! {
    fn grant()(
        role in name(), team in of(name()), geos in names(),
        to in prop_oneof![
            name().prop_map(GrantSubject::Team), name().prop_map(GrantSubject::Principal), name().prop_map(GrantSubject::Group)
        ],
    ) -> Grant {
        Grant { role, team, to, geos }
    }
}

prop_compose! {
    fn terms()(trains_on_data in flag(), dpa in flag(), baa in flag(), zero_retention in flag()) -> Terms {
        Terms { trains_on_data, dpa, baa, zero_retention }
    }
}

fn provider() -> impl Strategy<Value = Provider> {
    let credential = prop_oneof![
        "[A-Z_]{1,12}".prop_map(Credential::Env),
        "/[a-z/]{1,12}".prop_map(Credential::File),
        Just(Credential::Sealed),
        ("[a-z]{1,6}", "[a-z]{1,6}(/[a-z]{1,6})?", "[a-z_]{1,8}")
            .prop_map(|(mount, path, key)| Credential::Vault(VaultSecret { mount, path, key })),
        ("[a-z/]{1,12}", of("[a-z]{1,8}"), of("AWS[A-Z]{1,8}")).prop_map(
            |(secret_id, json_key, version_stage)| {
                Credential::Aws(AwsSecret { secret_id, json_key, version_stage })
            }
        ),
    ];
    let url = || "https?://[a-z]{1,8}(:[1-9][0-9]{0,3})?(/v[0-9])?";
    let version = prop_oneof![Just(String::new()), "20[0-9]{2}-10-21"];
    let none = || Just((None, String::new()));
    let reach = prop_oneof![
        (Just((Adapter::Simulated, String::new())), none()),
        (url().prop_map(|url| (Adapter::OpenAi, url)), none()),
        (url().prop_map(|url| (Adapter::Cohere, url)), none()),
        (url().prop_map(|url| (Adapter::Azure, url)), (of(auth::entra()), version)),
        (url().prop_map(|url| (Adapter::Custom, url)), none()),
        (url().prop_map(|url| (Adapter::SageMaker, url)), (auth::aws().prop_map(Some), Just(String::new()))),
        (url().prop_map(|url| (Adapter::Bedrock, url)), (of(auth::aws()), Just(String::new()))),
        (url().prop_map(|url| (Adapter::Gemini, url)), (of(auth::google()), Just(String::new()))),
    ];
    (reach, of(credential), terms(), names(), (template::template(), of(any::<bool>()))).prop_map(
        |(reach, credential, terms, geos, (template, responses_api))| {
            let ((adapter, base_url), (auth, api_version)) = reach;
            let credential = credential.or_else(|| auth.as_ref().map(|_| Credential::Sealed));
            let template = (adapter == Adapter::Custom).then(|| Arc::new(template));
            Provider {
                adapter,
                base_url,
                credential,
                auth,
                api_version,
                responses_api: responses_api.filter(|_| matches!(adapter, Adapter::OpenAi | Adapter::Azure)),
                transport: Transport::Http,
                template,
                terms,
                geos,
            }
        },
    )
}

prop_compose! {
    fn timeouts()(
        connect in of(length()), first_byte in of(length()), idle in of(length()), total in of(length()),
    ) -> Timeouts {
        Timeouts { connect, first_byte, idle, total }
    }
}

prop_compose! {
    fn endpoint()(
        provider in name(), upstream_model in some_prose(), processing_regions in names(), storage_regions in names(),
        terms in terms(), timeouts in timeouts(), unknown_fields in word(UnknownFields::ALL), geos in names(),
    ) -> Endpoint {
        Endpoint {
            provider,
            upstream_model,
            processing_regions,
            storage_regions,
            terms,
            timeouts,
            unknown_fields,
            geos,
        }
    }
}

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    let most = words.len();
    subsequence(words, 0..=most)
}

prop_compose! {
    fn card()(
        description in prose(), input in some_of(&["text", "image"]), output in some_of(&["text", "embedding"]),
        operations in subsequence(Operation::ALL.to_vec(), 1..3), window in of(1..u32::MAX), most in of(1..u32::MAX),
        use_cases in vec(some_prose(), 0..3), risk_class in of(select(vec!["minimal".to_owned(), "high".to_owned()])),
        (display_name, publisher) in (prose(), prose()), capabilities in vec(some_prose(), 0..3),
        metrics in btree_map("[a-z]{1,5}", prose(), 0..3), (deprecated_from, retired_from) in (of(instant()), of(instant())),
    ) -> ModelCard {
        let tokens = |n: Option<u32>| n.map(|n| Tokens(n.into()));
        ModelCard {
            description, input, output, operations, context_window: tokens(window), max_output_tokens: tokens(most),
            use_cases, risk_class, display_name, publisher, capabilities, metrics,
            deprecated_from, retired_from,
        }
    }
}

prop_compose! {
    fn target()(
        endpoint in name(), weight in 1..=1_000_000_u32, canary_percent in of(1..=49_u32), mirror in of(1..=100_u32),
    ) -> RouteTarget {
        // A canary answers somebody, and a mirror nobody.
        let mirror_percent = mirror.filter(|_| canary_percent.is_none());
        RouteTarget { endpoint, weight, canary_percent, mirror_percent }
    }
}

prop_compose! {
    fn model()(
        card in card(), licence in of(name()), aliases in vec("[!-~]{1,20}", 0..3),
        policy in word(RoutePolicy::ALL), groups in vec(vec(target(), 1..3), 1..3),
        (retry_percent, sticky_by, hedge) in (of(0..=100_u32), word(StickyBy::ALL), any::<bool>()), geos in names(),
    ) -> Model {
        Model { card, licence, aliases, route: Route { policy, groups, retry_percent, sticky_by, hedge }, geos }
    }
}

prop_compose! {
    fn scope()(
        team in of(name()), principal in of(name()), key in of(name()), model in of(glob()), endpoint in of(name()),
        provider in of(name()), each in of(word(&[Each::Scope, Each::Tenant, Each::Team, Each::Principal, Each::Key])),
    ) -> LimitScope {
        LimitScope { team, principal, key, model, endpoint, provider, each }
    }
}

fn bound() -> impl Strategy<Value = Bound> {
    (any::<u64>(), period(), currency(), nanos(), 0..7).prop_map(|(n, per, currency, nanos, which)| {
        match which {
            0 => Bound::Requests(n, per),
            1 => Bound::Tokens(n, per),
            2 => Bound::InputTokens(n, per),
            3 => Bound::OutputTokens(n, per),
            4 => Bound::Spend(Money { currency, nanos }, per),
            5 => Bound::Concurrent(n),
            _ => Bound::Seats(n, per),
        }
    })
}

prop_compose! {
    fn limit()(scope in scope(), bound in bound(), on_store_loss in word(OnStoreLoss::ALL), geos in names()) -> Limit {
        Limit { scope, bound, on_store_loss, geos }
    }
}

prop_compose! {
    fn per_unit()(
        request in of(nanos()), audio_second in of(nanos()), character in of(nanos()),
        pictures in vec(((of("[a-z0-9]{1,16}"), of("[a-z]{1,16}")), nanos()), 0..3),
    ) -> PricePerUnit {
        let label = |text: Option<String>| text.and_then(|text| Label::new(&text));
        let each = pictures.into_iter().map(|((size, quality), amount)| {
            PicturePrice { of: Picture { size: label(size), quality: label(quality) }, amount }
        });
        let mut pictures: Vec<PicturePrice> = each.collect();
        pictures.sort_unstable_by_key(|price| price.of);
        pictures.dedup_by_key(|price| price.of);
        PricePerUnit { request, pictures, floor: Vec::new(), audio_second, character }
    }
}

prop_compose! {
    fn price()(
        model in name(), endpoint in of(name()), valid_from in of(instant()), currency in currency(),
        input in nanos(), cached_input in of(nanos()), output in nanos(), reasoning in of(nanos()), geos in names(),
        per_unit in per_unit(),
    ) -> Price {
        let per_million = PricePerMillion { input, cached_input, output, reasoning };
        Price { model, endpoint, valid_from, currency, per_million, per_unit, geos }
    }
}

fn obligation() -> impl Strategy<Value = Obligation> {
    let entities = || vec(word(Entity::ALL), 1..4);
    prop_oneof![
        some_names().prop_map(Obligation::Residency),
        entities().prop_map(Obligation::Mask),
        entities().prop_map(Obligation::Block),
        some_prose().prop_map(Obligation::Notice),
        Just(Obligation::NoCache),
        (1..=3_660_i64).prop_map(|days| Obligation::Capture(Duration(days * 86_400_000_000))),
    ]
}

prop_compose! {
    fn rule()(
        layer in word(Layer::ALL), effect in word(Effect::ALL), when in prose(), wanted in vec(obligation(), 0..4),
        reason_code in of("[a-z][a-z0-9_]{0,20}"), legal_ref in of(some_prose()), (valid_from, valid_to) in instants(),
        mode in word(Mode::ALL), or_unknown in flag(), needs_permit: bool, geos in names(),
    ) -> Rule {
        let obligations = if effect == Effect::Require { wanted } else { vec![] };
        Rule {
            layer, effect, when, obligations, reason_code, legal_ref, valid_from, valid_to, mode, or_unknown,
            needs_permit, geos,
        }
    }
}

prop_compose! {
    fn licence()(
        kind in word(LicenceKind::ALL), spdx in of(some_prose()), (from, until) in instants(),
        (include, exclude) in (names(), names()), prohibited in vec(some_prose(), 0..3),
        permitted in vec(some_prose(), 0..3), seats in of((any::<u64>(), period())),
        acceptance in word(&[Acceptance::Required, Acceptance::NotRequired]), text_digest in digest(),
        attribution in of(some_prose()), geos in names(),
    ) -> Licence {
        Licence {
            kind, spdx, term: LicenceTerm { from, until }, territory: Territory { include, exclude }, prohibited,
            permitted, seats: seats.map(|(limit, per)| Seats { limit, per }), acceptance, text_digest, attribution, geos,
        }
    }
}

prop_compose! {
    fn acceptance()(
        licence in name(), team in name(), text_digest in digest(), accepted_by in prose(), geos in names(),
    ) -> LicenceAcceptance {
        LicenceAcceptance { licence, team, text_digest, accepted_by, geos }
    }
}

fn check() -> impl Strategy<Value = Check> {
    let action = || word(MaskAction::ALL);
    prop_oneof![
        (word(Entity::ALL), action()).prop_map(|(e, action)| Check {
            detect: vec![e],
            words: vec![],
            action
        }),
        (vec(some_prose(), 1..3), action()).prop_map(|(words, action)| Check {
            detect: vec![],
            words,
            action
        }),
    ]
}

prop_compose! {
    fn guardrail()(
        models in globs(), teams in names(), input in vec(check(), 0..3), output in vec(check(), 0..3), geos in names(),
    ) -> Guardrail {
        Guardrail { applies: Subject { models, teams }, input, output, geos }
    }
}

prop_compose! {
    fn key()(
        mac: [u8; 32], scope_key in "[a-z0-9]{1,8}", tenant in name(), principal in name(), team in name(),
        models in globs(), geos in names(), expires in of(instant()), revoked: bool,
    ) -> Key {
        Key { mac, scope_key, tenant, principal, team, models, geos, expires, revoked }
    }
}

fn id(owner: bool) -> impl Strategy<Value = Id> {
    (name(), name()).prop_map(move |(tenant, name)| Id { tenant: owner.then_some(tenant), name })
}

fn map<T: std::fmt::Debug>(
    owner: bool,
    fact: impl Strategy<Value = T>,
) -> impl Strategy<Value = Map<Id, Arc<T>>> {
    btree_map(id(owner), fact.prop_map(Arc::new), 0..3).prop_map(Map::from_iter)
}

pub(super) fn facts() -> impl Strategy<Value = Facts> {
    let people = (
        map(false, tenant()),
        map(true, team()),
        map(true, principal()),
        map(true, role()),
        map(true, grant()),
    );
    let registry = (map(false, provider()), map(true, endpoint()), map(false, model()));
    let rulebook =
        (map(false, licence()), map(true, acceptance()), map(false, rule()), map(true, guardrail()));
    let commerce = (
        map(true, limit()),
        map(false, price()),
        btree_map(name(), key().prop_map(Arc::new), 0..3).prop_map(Map::from_iter),
    );
    (people, registry, rulebook, commerce).prop_map(|(people, registry, rulebook, commerce)| {
        let (tenants, teams, principals, roles, grants) = people;
        let (providers, endpoints, models) = registry;
        let (licences, acceptances, rules, guardrails) = rulebook;
        let (limits, prices, keys) = commerce;
        Facts {
            tenants,
            teams,
            principals,
            roles,
            grants,
            providers,
            endpoints,
            licences,
            acceptances,
            models,
            limits,
            rules,
            guardrails,
            prices,
            keys,
        }
    })
}
