//! What is not exactly what its author published is refused, in words its author can use.

use proptest::prelude::*;
use std::sync::Arc;

use super::super::sample::{AUTHORITY, Sample, TestAuthority};
use policy_engine::vocabulary::Id;

use super::*;
use crate::house::world;

fn eu() -> Geo {
    "eu".parse().unwrap()
}

/// What a node that enforces `running` makes of what is offered.
fn weigh(offer: &Offer, running: Option<&Held>) -> Result<Held, Refusal> {
    let home = tempfile::tempdir().unwrap();
    let trust = Trust::open(home.path(), AUTHORITY.pem.as_bytes(), Arc::default()).unwrap();
    Judge { trust: &trust, geo: &eu(), running }.verify(offer)
}

fn judge(sample: &Sample, running: Option<&Held>) -> Result<Held, Refusal> {
    weigh(&sample.offer(), running)
}

fn code(sample: &Sample, running: Option<&Held>) -> NackCode {
    judge(sample, running).unwrap_err().code
}

/// What a node enforces: the usual world, as this version.
fn held(epoch: i64, revision: i64) -> Held {
    let mut sample = Sample::of(&world::facts(), revision);
    sample.envelope.epoch = epoch;
    judge(&sample, None).unwrap()
}

/// One of a few small edits, done or undone.
fn edit(facts: &mut Facts, (what, done): (u8, bool)) {
    let usual = world::facts();
    let (old, fast) = (world::name("old"), Id::platform(world::name("fast")));
    match (what, done) {
        (0, true) => drop(facts.keys.remove(&old)),
        (0, false) => drop(facts.keys.insert(old.clone(), usual.keys[&old].clone())),
        (1, revoked) => {
            let demo = world::name("demo");
            let key = Key { revoked, ..usual.keys[&demo].as_ref().clone() };
            facts.keys.insert(demo, Arc::new(key));
        }
        (2, true) => drop(facts.prices.remove(&fast)),
        (2, false) => drop(facts.prices.insert(fast.clone(), usual.prices[&fast].clone())),
        (3, done) => {
            let mut model = usual.models[&fast].as_ref().clone();
            model.card.context_window = done.then_some(policy_engine::vocabulary::Tokens(9));
            facts.models.insert(fast, Arc::new(model));
        }
        (4, true) => {
            let mut model = usual.models[&fast].as_ref().clone();
            model.aliases = vec![];
            facts.models.insert(Id::platform(world::name("another")), Arc::new(model));
        }
        (4, false) => drop(facts.models.remove(&Id::platform(world::name("another")))),
        (_, done) => {
            let id = world::id("ada");
            let mut ada = usual.principals[&id].as_ref().clone();
            ada.residency = done.then(|| world::name("FR"));
            facts.principals.insert(id, Arc::new(ada));
        }
    }
}

#[test]
fn what_was_published_is_what_compiles() {
    let verified = judge(&Sample::of(&world::facts(), 7), Some(&held(0, 7))).unwrap();
    assert_eq!((verified.version.revision, verified.snapshot.header().revision), (7, 7));
    assert_eq!(verified.snapshot.header().geo, Some(eu()));
    assert_eq!(verified.snapshot.key_count(), 3);
    assert_eq!(verified.scope_keys.into_iter().collect::<Vec<_>>(), ["k1"]);
}

#[test]
fn case_04_another_geos_or_an_older_one_is_refused() {
    let good = Sample::of(&world::facts(), 7);
    let mut other = good.clone();
    other.envelope.scope.as_mut().unwrap().geo = "us".into();
    other.seal();
    assert_eq!(code(&other, None), NackCode::WrongGeo);
    other.envelope.scope = None;
    assert_eq!(code(&other, None), NackCode::WrongGeo);
    assert_eq!(code(&good, Some(&held(0, 8))), NackCode::StaleRevision);
    assert_eq!(code(&good, Some(&held(1, 1))), NackCode::StaleRevision);
    let mut restored = good.clone();
    restored.envelope.epoch = 1;
    assert!(judge(&restored, Some(&held(0, 8))).is_ok(), "a new epoch may go back");
    let mut newer = good;
    newer.envelope.schema = SCHEMA + 1;
    assert_eq!(code(&newer, None), NackCode::SchemaUnsupported);
}

#[test]
fn case_07_what_does_not_hold_together_names_the_resource() {
    let running = held(0, 1);
    assert_eq!(code(&Sample::holding(vec![], 2), Some(&running)), NackCode::EmptyRefused);
    assert!(judge(&Sample::holding(vec![], 2), None).is_ok(), "a geo may have nothing yet");
    let facts = world::facts();
    let mut dangling = facts.clone();
    dangling.endpoints.remove(&Id::platform(world::name("sim-a")));
    let refusal = judge(&Sample::of(&dangling, 2), Some(&running)).unwrap_err();
    assert_eq!(refusal.code, NackCode::Validation);
    assert!(refusal.resource.starts_with("Model ") && refusal.detail.contains("sim-a"), "{refusal:?}");
    type Edit = fn(&mut Vec<Resource>);
    let edits: [(&str, Edit); 5] = [
        ("a kind nobody knows", |all| all[0].kind = "Spell".into()),
        ("a name that is none", |all| all[0].name = "tenants/..".into()),
        ("a body that is none", |all| all[0].body = vec![0xFF; 3].into()),
        ("the same twice", |all| all.insert(1, all[0].clone())),
        ("another order", |all| all.swap(0, 1)),
    ];
    for (what, edit) in edits {
        let mut sample = Sample::of(&facts, 2);
        edit(&mut sample.contents.resources);
        sample.seal();
        let refusal = judge(&sample, Some(&running)).unwrap_err();
        assert_eq!(refusal.code, NackCode::Validation, "{what}: {refusal:?}");
        assert!(!refusal.resource.is_empty(), "{what}");
    }
}

#[test]
fn case_07_a_word_this_build_does_not_know_is_refused_not_ignored() {
    let mut facts = world::facts();
    let rule = policy_engine::facts::Rule {
        layer: policy_engine::vocabulary::Layer::Regulation,
        effect: policy_engine::vocabulary::Effect::Forbid,
        when: "true".into(),
        obligations: vec![],
        reason_code: None,
        legal_ref: None,
        valid_from: None,
        valid_to: None,
        mode: policy_engine::vocabulary::Mode::Enforce,
        or_unknown: None,
        needs_permit: false,
        geos: vec![],
    };
    facts.rules.insert(Id::platform(world::name("r")), Arc::new(rule));
    let mut sample = Sample::of(&facts, 2);
    let stored = sample.contents.resources.iter_mut().find(|r| r.kind == "Rule").unwrap();
    let mut wire = proto::admin::Rule::decode(stored.body.clone()).unwrap();
    wire.spec.as_mut().unwrap().effect = "postpone".into();
    stored.body = wire.encode_to_vec().into();
    sample.seal();
    let refusal = judge(&sample, None).unwrap_err();
    assert_eq!(refusal.code, NackCode::Validation);
    assert!(refusal.resource.starts_with("Rule ") && refusal.detail.contains("postpone"), "{refusal:?}");
}

#[test]
fn case_06_too_much_is_refused_before_room_is_made_for_it() {
    let empty_resources = [0x0A, 0x00].repeat(MAX_RESOURCES + 1);
    let offer = Offer { contents: empty_resources.into(), ..Sample::holding(vec![], 2).offer() };
    assert_eq!(weigh(&offer, None).unwrap_err().code, NackCode::LimitExceeded);
    let names_alone = [0x12, 0x00].repeat(MAX_RESOURCES + 1);
    let offer = Offer { contents: names_alone.into(), ..Sample::holding(vec![], 2).offer() };
    assert_eq!(weigh(&offer, None).unwrap_err().code, NackCode::LimitExceeded, "names of such as go");
    // Of a kind there may be so many: they are counted, and none is read.
    let nothing =
        |n: usize| Resource { kind: "Role".into(), name: format!("roles/{n:06}"), ..Resource::default() };
    let many = Sample::holding((0..=bounds::most(Kind::Role)).map(nothing).collect(), 2);
    let refusal = judge(&many, None).unwrap_err();
    assert_eq!(refusal.code, NackCode::LimitExceeded);
    assert!(refusal.detail.contains("10001 of the kind Role"), "{}", refusal.detail);
    let mut sample = Sample::of(&world::facts(), 2);
    sample.contents.resources[0].body = vec![0; MAX_RESOURCE + 1].into();
    sample.seal();
    let refusal = judge(&sample, None).unwrap_err();
    assert_eq!(refusal.code, NackCode::LimitExceeded);
    assert!(refusal.resource.starts_with(&sample.contents.resources[0].kind), "{refusal:?}");
}

#[test]
fn case_06_of_ten_thousand_that_nobody_knows_the_first_is_told_by_the_beginning_of_its_name() {
    let long = "x".repeat(1 << 20);
    let spell = |n: usize| Resource {
        kind: "Spell".into(),
        name: if n == 0 { format!("spells/-{long}") } else { format!("spells/{n:06}") },
        ..Resource::default()
    };
    let running = held(0, 1);
    let refusal = judge(&Sample::holding((0..10_000).map(spell).collect(), 2), Some(&running)).unwrap_err();
    assert_eq!((refusal.code, refusal.resource.len()), (NackCode::Validation, MAX_DETAIL));
    assert!(refusal.resource.starts_with("Spell spells/-"), "{}", refusal.resource);
    // The same to be taken away.
    let mut sample = Sample::delta(&world::facts(), 2, &Sample::of(&world::facts(), 1));
    let gone = (0..10_000).map(spell).map(|it| ResourceName { kind: it.kind, name: it.name });
    sample.contents.removed = gone.collect();
    let refusal = judge(&sample, Some(&running)).unwrap_err();
    assert_eq!((refusal.code, refusal.resource.len()), (NackCode::Validation, MAX_DETAIL));
}

#[test]
fn a_delta_holds_only_on_what_it_changes_and_gives_what_the_whole_would() {
    let (before, mut after) = (world::facts(), world::facts());
    after.keys.remove(&world::name("old"));
    let mut team = after.teams.values().next().unwrap().as_ref().clone();
    team.geos = vec!["eu".parse().unwrap()];
    let id = after.teams.keys().next().unwrap().clone();
    after.teams.insert(id, Arc::new(team));
    let (one, two) = (Sample::of(&before, 1), Sample::of(&after, 2));
    let delta = Sample::delta(&after, 2, &one);
    assert_eq!((delta.contents.resources.len(), delta.contents.removed.len()), (1, 1));
    let running = judge(&one, None).unwrap();
    let (changed, whole) = (judge(&delta, Some(&running)).unwrap(), judge(&two, Some(&running)).unwrap());
    assert_eq!((&changed.version, &changed.facts), (&whole.version, &whole.facts));
    assert_eq!(changed.holding.root(), whole.holding.root());
    assert_eq!(changed.whole(), whole.whole());
    assert_eq!(changed.snapshot.key_count(), whole.snapshot.key_count());

    assert_eq!(code(&delta, None), NackCode::BaseMissing);
    assert_eq!(code(&delta, Some(&changed)), NackCode::BaseMissing);
    let mut less = delta.clone();
    less.contents.removed.clear();
    assert_eq!(code(&less, Some(&running)), NackCode::DigestMismatch);
    let mut nobody = delta.clone();
    nobody.contents.removed[0].name = "tenants/acme/keys/nobody".into();
    let refusal = judge(&nobody, Some(&running)).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.resource.as_str()),
        (NackCode::Validation, "Key tenants/acme/keys/nobody")
    );
    let mut removing = two;
    removing.contents.removed = delta.contents.removed.clone();
    assert_eq!(code(&removing, None), NackCode::Validation);
}

#[test]
fn it_shrinks_only_where_its_author_said_so() {
    let mut facts = world::facts();
    facts.models.clear();
    facts.prices.clear();
    facts.limits.clear();
    let mut bare = Sample::of(&facts, 3);
    let running = held(0, 2);
    let refusal = judge(&bare, Some(&running)).unwrap_err();
    assert_eq!(refusal.code, NackCode::EmptyRefused);
    assert!(refusal.detail.contains("0 models"), "{}", refusal.detail);
    // Said of the revision that is enforced, or of one before, it says nothing of what comes after.
    bare.envelope.shrink_revision = 2;
    assert_eq!(code(&bare, Some(&running)), NackCode::EmptyRefused);
    bare.envelope.shrink_revision = 3;
    assert!(judge(&bare, Some(&running)).is_ok());
    // A new epoch began with a revision that may shrink, wherever the node is in the one before.
    bare.envelope.epoch = 1;
    assert!(judge(&bare, Some(&held(0, 9))).is_ok());
    assert_eq!(code(&bare, Some(&held(1, 3))), NackCode::EmptyRefused);
    assert!(judge(&bare, None).is_ok());
}

#[test]
fn case_05_a_signer_that_is_not_the_one_the_envelope_names_is_refused() {
    let mut sample = Sample::of(&world::facts(), 2);
    sample.envelope.signer = 7;
    assert_eq!(code(&sample, None), NackCode::BadSignature);
    let stranger = TestAuthority::new().signer(1);
    let refusal = weigh(&Sample::of(&world::facts(), 2).signed_by(&stranger), None).unwrap_err();
    assert_eq!(refusal.code, NackCode::BadSignature);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// No byte of an offer can be changed, left out or added without being refused.
    #[test]
    fn case_04_an_offer_that_was_changed_anywhere_is_refused(part in 0..4_u8, at in any::<prop::sample::Index>(), flip in 1_u8..=255, cut in any::<bool>()) {
        let good = Sample::of(&world::facts(), 7).offer();
        let mut offer = good.clone();
        let bytes = match part {
            0 => &mut offer.envelope,
            1 => &mut offer.signature,
            2 => &mut offer.signer,
            _ => &mut offer.contents,
        };
        let mut changed = bytes.to_vec();
        let at = at.index(changed.len());
        if cut { changed.truncate(at) } else { changed[at] ^= flip }
        *bytes = changed.into();
        prop_assert!(weigh(&offer, None).is_err());
    }

    /// Nothing that may be received makes it panic.
    #[test]
    fn any_bytes_are_answered(envelope in prop::collection::vec(any::<u8>(), 0..200), contents in prop::collection::vec(any::<u8>(), 0..400)) {
        let good = Sample::of(&world::facts(), 7).offer();
        let _ = weigh(&Offer { envelope: envelope.into(), ..good.clone() }, None);
        let _ = weigh(&Offer { contents: contents.clone().into(), ..good.clone() }, None);
        let running = held(0, 6);
        let base = running.version.digest.to_vec().into();
        let _ = weigh(&Offer { contents: contents.into(), base, ..good }, Some(&running));
    }

    /// Whatever changes come one after the other, they lead where the whole does.
    #[test]
    fn deltas_lead_where_the_whole_does(edits in prop::collection::vec(prop::collection::vec((0..6_u8, any::<bool>()), 0..4), 1..6)) {
        let mut facts = world::facts();
        let mut sample = Sample::of(&facts, 1);
        let mut running = judge(&sample, None).unwrap();
        for (revision, edits) in (2..).zip(edits) {
            edits.iter().for_each(|wanted| edit(&mut facts, *wanted));
            let delta = Sample::delta(&facts, revision, &sample);
            sample = Sample::of(&facts, revision);
            running = judge(&delta, Some(&running)).unwrap();
            let whole = judge(&sample, None).unwrap();
            prop_assert_eq!(running.version.digest, whole.version.digest);
            prop_assert_eq!(&running.facts, &whole.facts);
        }
    }
}

#[test]
fn of_a_long_detail_the_beginning_is_told() {
    let refusal = Refusal::of(NackCode::Validation, "ü".repeat(100_000) + "end");
    assert_eq!(refusal.detail, "ü".repeat(MAX_DETAIL / 2));
    let refusal = Refusal::of(NackCode::Validation, ["a", &"ü".repeat(1_000)].concat());
    assert_eq!(refusal.detail.len(), MAX_DETAIL - 1, "no character is told by half");
}
