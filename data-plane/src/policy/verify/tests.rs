//! What is not exactly what its author published is refused, in words its author can use.

use proptest::prelude::*;
use std::sync::Arc;

use super::super::sample::Sample;
use policy_engine::vocabulary::Id;

use super::*;
use crate::house::world;

fn eu() -> Geo {
    "eu".parse().unwrap()
}

fn judge(sample: &Sample, running: Option<&Version>) -> Result<Verified, Refusal> {
    let (envelope, contents) = sample.encoded();
    verify(&envelope, &contents, &eu(), running)
}

fn code(sample: &Sample, running: Option<&Version>) -> NackCode {
    judge(sample, running).unwrap_err().code
}

fn version(epoch: i64, revision: i64) -> Version {
    Version { epoch, revision, digest: [0; 32] }
}

#[test]
fn what_was_published_is_what_compiles() {
    let verified = judge(&Sample::of(&world::facts(), 7), Some(&version(0, 7))).unwrap();
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
    assert_eq!(code(&good, Some(&version(0, 8))), NackCode::StaleRevision);
    assert_eq!(code(&good, Some(&version(1, 1))), NackCode::StaleRevision);
    let mut restored = good.clone();
    restored.envelope.epoch = 1;
    assert!(judge(&restored, Some(&version(0, 8))).is_ok(), "a new epoch may go back");
    let mut newer = good;
    newer.envelope.schema = 2;
    assert_eq!(code(&newer, None), NackCode::SchemaUnsupported);
}

#[test]
fn case_07_what_does_not_hold_together_names_the_resource() {
    let running = version(0, 1);
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
    let envelope = Sample::holding(vec![], 2).encoded().0;
    assert_eq!(verify(&envelope, &empty_resources, &eu(), None).unwrap_err().code, NackCode::LimitExceeded);
    let mut sample = Sample::of(&world::facts(), 2);
    sample.contents.resources[0].body = vec![0; MAX_RESOURCE + 1].into();
    sample.seal();
    let refusal = judge(&sample, None).unwrap_err();
    assert_eq!(refusal.code, NackCode::LimitExceeded);
    assert!(refusal.resource.starts_with(&sample.contents.resources[0].kind), "{refusal:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// No byte of the contents can be changed, left out or added without being refused.
    #[test]
    fn contents_that_were_changed_are_refused(at in any::<prop::sample::Index>(), flip in 1_u8..=255, cut in any::<bool>()) {
        let (envelope, contents) = Sample::of(&world::facts(), 7).encoded();
        let mut changed = contents.to_vec();
        let at = at.index(changed.len());
        if cut { changed.truncate(at) } else { changed[at] ^= flip }
        prop_assert!(verify(&envelope, &changed, &eu(), None).is_err());
    }

    /// Whatever happens to the envelope, no other content than its author's is ever put in force.
    #[test]
    fn an_envelope_that_was_changed_brings_nothing_else_in(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let sample = Sample::of(&world::facts(), 7);
        let (envelope, contents) = sample.encoded();
        let mut changed = envelope.to_vec();
        let at = at.index(changed.len());
        changed[at] ^= flip;
        if let Ok(verified) = verify(&changed, &contents, &eu(), Some(&version(0, 7))) {
            prop_assert_eq!(&verified.version.digest[..], &sample.envelope.digest[..]);
            prop_assert!((verified.version.epoch, verified.version.revision) >= (0, 7));
        }
    }

    /// Nothing that may be received makes it panic.
    #[test]
    fn any_bytes_are_answered(envelope in prop::collection::vec(any::<u8>(), 0..200), contents in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = verify(&envelope, &contents, &eu(), None);
        let good = Sample::of(&world::facts(), 7).encoded().0;
        let _ = verify(&good, &contents, &eu(), None);
    }
}
