//! Names that become pseudonyms and names again, and what is left of whom is erased.

use std::collections::HashSet;
use std::sync::Arc;

use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message as _;
use proto::admin::{
    AuditEvent, AuditedChange, CreatePrincipalRequest, GetPrincipalRequest, Key, KeySpec,
    ListRevisionsRequest, Principal, PrincipalSpec, Rule, RuleSpec, Subject as Shown,
};

use super::{Subjects, is_pseudonym, is_sealed, says_pseudonym};
use crate::seal::Sealer;
use crate::store::SubjectStore;

const ADA: &str = "ada@example.org";

async fn opened(dir: &std::path::Path) -> Subjects {
    let store = SubjectStore::open(&dir.join("subjects.db")).await.unwrap();
    Subjects::open(store, Arc::new(Sealer::new(&[7; 32]).unwrap())).await.unwrap()
}

fn ada() -> Principal {
    Principal {
        name: format!("tenants/acme/principals/{ADA}"),
        labels: [("desk".to_owned(), "room \"7\"".to_owned())].into(),
        spec: Some(PrincipalSpec {
            r#type: "user".to_owned(),
            display_name: "Ada Lovelace".to_owned(),
            residency: "DE".to_owned(),
            ..PrincipalSpec::default()
        }),
        ..Principal::default()
    }
}

fn covered(subjects: &Subjects) -> Principal {
    subjects.covered("chancery.admin.v1.Principal", ada()).unwrap()
}

#[tokio::test]
async fn a_person_is_a_pseudonym_behind_the_api_and_itself_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = opened(dir.path()).await;
    let stored = covered(&subjects);
    let name = stored.name.strip_prefix("tenants/acme/principals/").unwrap().to_owned();
    let spec = stored.spec.clone().unwrap();
    assert!(
        is_pseudonym(&name) && is_sealed(&spec.display_name) && is_sealed(&stored.labels["desk"]),
        "{stored:?}"
    );
    assert_eq!(
        (spec.r#type.as_str(), spec.residency.as_str()),
        ("user", "DE"),
        "what decisions are by stays"
    );
    let bytes = stored.encode_to_vec();
    for said in [ADA, "Ada", "room"] {
        assert!(!bytes.windows(said.len()).any(|window| window == said.as_bytes()), "{said}");
    }
    assert_eq!(covered(&subjects), stored, "what did not change is seen not to have");
    assert_eq!(subjects.revealed("chancery.admin.v1.Principal", stored.clone()), ada());

    // Where a creation says the id alone, and where something else names it.
    let creation = CreatePrincipalRequest {
        parent: "tenants/acme".to_owned(),
        principal_id: ADA.to_owned(),
        principal: Some(Principal { name: String::new(), ..ada() }),
        ..CreatePrincipalRequest::default()
    };
    let creation = subjects.covered("chancery.admin.v1.CreatePrincipalRequest", creation).unwrap();
    assert_eq!(creation.principal_id, name);
    assert_eq!(creation.principal.unwrap().spec, stored.spec);
    let key =
        Key { spec: Some(KeySpec { principal: ADA.to_owned(), ..KeySpec::default() }), ..Key::default() };
    let key = subjects.covered("chancery.admin.v1.Key", key).unwrap();
    assert_eq!(key.spec.unwrap().principal, name);
    let asked = GetPrincipalRequest { name: ada().name };
    let asked = subjects.covered("chancery.admin.v1.GetPrincipalRequest", asked).unwrap();
    assert_eq!(asked.name, stored.name);
    for actor in [ADA, ada().name.as_str()] {
        let asked = ListRevisionsRequest { actor: actor.to_owned(), ..ListRevisionsRequest::default() };
        let asked = subjects.covered("chancery.admin.v1.ListRevisionsRequest", asked).unwrap();
        assert_eq!(asked.actor, actor.replace(ADA, &name));
    }
    let nobody = GetPrincipalRequest { name: "tenants/acme/principals/nobody".to_owned() };
    let asked = subjects.covered("chancery.admin.v1.GetPrincipalRequest", nobody.clone()).unwrap();
    assert_eq!(asked, nobody, "to ask for somebody makes nobody");
    assert!(subjects.pseudonym_of("nobody").is_none());
}

#[tokio::test]
async fn who_is_named_before_being_there_is_meant_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = opened(dir.path()).await;
    let rule = |when: &str| Rule {
        spec: Some(RuleSpec { when: when.to_owned(), ..RuleSpec::default() }),
        ..Rule::default()
    };
    let when = "caller.tenant == 'ada@example.org' || caller.principal in [\"ada@example.org\", 'eve']";
    let stored = subjects.covered("chancery.admin.v1.Rule", rule(when)).unwrap().spec.unwrap().when;
    let (ada, eve) = (subjects.pseudonym_of(ADA).unwrap(), subjects.pseudonym_of("eve").unwrap());
    assert_eq!(
        stored,
        format!("caller.tenant == 'ada@example.org' || caller.principal in ['{ada}', '{eve}']")
    );
    assert_eq!(covered(&subjects).name, format!("tenants/acme/principals/{ada}"));
    for wrong in ["caller.principal == ", "caller.principal == 'x' && no.such"] {
        let stored = subjects.covered("chancery.admin.v1.Rule", rule(wrong)).unwrap().spec.unwrap().when;
        assert_eq!(stored, wrong, "its faults are where its author wrote them");
    }
}

#[tokio::test]
async fn json_is_json_still_and_bytes_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = opened(dir.path()).await;
    let stored = covered(&subjects);
    let label = &stored.labels["desk"];
    let change = AuditedChange {
        name: stored.name.clone(),
        diff: format!(r#"[{{"op":"add","path":"/labels/desk","value":"{label}"}}]"#),
        ..AuditedChange::default()
    };
    let event = AuditEvent { actor: stored.name.clone(), changes: vec![change], ..AuditEvent::default() };
    let told = subjects.revealed("chancery.admin.v1.AuditEvent", event);
    assert_eq!(
        (told.actor.as_str(), told.changes[0].name.as_str()),
        (ada().name.as_str(), ada().name.as_str())
    );
    let diff: serde_json::Value = serde_json::from_str(&told.changes[0].diff).unwrap();
    assert_eq!(diff[0]["value"], "room \"7\"");
    let shown =
        Shown { name: format!("subjects/{}", subjects.pseudonym_of(ADA).unwrap()), ..Shown::default() };
    assert_eq!(subjects.revealed("chancery.admin.v1.Subject", shown.clone()), shown);
    let odd = "p~ s~ p~0123 ~ s~0123456789abcdef01234567~ p~0123456789abcdef01234567 é~";
    assert_eq!(subjects.reveal_text(odd), odd.replace("s~0123456789abcdef01234567~", "(erased)"));
}

#[tokio::test]
async fn whoever_is_erased_is_nobody_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let (stored, pseudonym) = {
        let subjects = opened(dir.path()).await;
        let stored = covered(&subjects);
        subjects.keep().await.unwrap();
        let pseudonym = subjects.pseudonym_of(ADA).unwrap();
        subjects.close().await;
        (stored, pseudonym)
    };
    let subjects = opened(dir.path()).await;
    assert_eq!(subjects.pseudonym_of(ADA), Some(pseudonym.clone()));
    assert_eq!(subjects.revealed("chancery.admin.v1.Principal", stored.clone()), ada());
    subjects.erase(&pseudonym).await.unwrap();
    let told = subjects.revealed("chancery.admin.v1.Principal", stored.clone());
    assert_eq!(told.name, stored.name);
    assert_eq!(told.spec.unwrap().display_name, "(erased)");
    let again = covered(&subjects);
    assert_ne!(again.name, stored.name, "who comes again is somebody else");
    subjects.erase(&pseudonym).await.unwrap();
    subjects.close().await;
    let bytes = std::fs::read(dir.path().join("subjects.db")).unwrap();
    assert!(!bytes.windows(pseudonym.len()).any(|window| window == pseudonym.as_bytes()), "overwritten");
}

#[tokio::test]
async fn names_of_before_stay_and_a_file_that_is_gone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = opened(dir.path()).await;
    let mut facts = Facts::default();
    let principal = |name: &str| {
        let id = Id { tenant: Some(Name::new("acme").unwrap()), name: Name::new(name).unwrap() };
        (id, Arc::new(policy_engine::facts::Principal::try_from(&ada()).unwrap()))
    };
    facts.principals.extend([principal(ADA)]);
    subjects.settle(&facts, &HashSet::new()).unwrap();
    assert_eq!(covered(&subjects), ada(), "it was in force under its name");
    // A rule of then means whom it says, who comes later.
    let when = "caller.principal == 'zoe'";
    let rule = RuleSpec {
        effect: "forbid".to_owned(),
        layer: "organisation".to_owned(),
        when: when.to_owned(),
        ..RuleSpec::default()
    };
    let rule = policy_engine::facts::Rule::try_from(&Rule { spec: Some(rule), ..Rule::default() }).unwrap();
    facts.rules.extend([(Id::platform(Name::new("of-zoe").unwrap()), Arc::new(rule))]);
    subjects.settle(&facts, &HashSet::new()).unwrap();
    let key =
        Key { spec: Some(KeySpec { principal: "zoe".to_owned(), ..KeySpec::default() }), ..Key::default() };
    assert_eq!(subjects.covered("chancery.admin.v1.Key", key.clone()).unwrap(), key);
    let lost = "p~0123456789abcdef01234567";
    facts.principals.extend([principal(lost)]);
    assert!(subjects.settle(&facts, &HashSet::new()).unwrap_err().to_string().starts_with("1 principals"));
    subjects.settle(&facts, &HashSet::from([lost.to_owned()])).unwrap();
}

#[tokio::test]
async fn a_resource_of_a_file_is_covered_whole_or_left() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = opened(dir.path()).await;
    let id = Id { tenant: Some(Name::new("acme").unwrap()), name: Name::new(ADA).unwrap() };
    let covered = subjects.covered_resource(Kind::Principal, &id, &ada().encode_to_vec()).unwrap().unwrap();
    assert_eq!(covered.id.name.as_str(), subjects.pseudonym_of(ADA).unwrap());
    assert!(subjects.covered_resource(Kind::Team, &id, &[]).unwrap().is_none());
    assert!(Subjects::default().covered_resource(Kind::Principal, &id, &[]).unwrap().is_none());
    assert!(says_pseudonym(covered.encoded.as_slice()) && !says_pseudonym(b"p~ p~0 up~zz"));
}
