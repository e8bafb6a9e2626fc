//! Erasures and holds that come at once: one of them is done, and the other is told why not.

use std::sync::Arc;

use proto::admin::holds_service_server::HoldsService;
use proto::admin::subjects_service_server::SubjectsService;

use super::*;
use crate::publish::{Publisher, Terms};
use crate::seal::Sealer;
use crate::store::{Store, SubjectStore};
use crate::subjects::Subjects;

/// Persons who are in no policy any more.
const PEOPLE: usize = 12;

async fn house() -> (Admin, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let sealer = Arc::new(Sealer::new(&[7; 32]).unwrap());
    let who = SubjectStore::open(&home.path().join("subjects.db")).await.unwrap();
    let terms = Terms { subjects: Subjects::open(who, sealer.clone()).await.unwrap(), ..Terms::default() };
    let store = Store::open(&home.path().join("store.db")).await.unwrap();
    let publisher = Publisher::open(store, sealer, terms).await.unwrap();
    let token = TokenDigest::of_admin("root", token_digest(TOKEN));
    let authenticator = Authenticator::new(publisher.clone(), vec![token]);
    let admin = Admin::new(publisher, authenticator, NodeRegistry::default());
    let person = |at| {
        format!(
            "---\napiVersion: chancery/v1\nkind: Principal\nmetadata: {{name: p{at}@x.org, tenant: acme}}\nspec: {{type: user, teams: [research]}}\n"
        )
    };
    let people: String = (0..PEOPLE).map(person).collect();
    let file = |path: &str, text: &str| vec![SourceFile { path: path.into(), text: text.into() }];
    for files in [file("world.yaml", WORLD), file("people.yaml", &people)] {
        let asked = ApplyRequest { files, ..ApplyRequest::default() };
        assert_eq!(admin.apply(root(asked)).await.unwrap().into_inner().faults, vec![]);
    }
    let asked = DeleteRequest { files: file("people.yaml", &people), ..DeleteRequest::default() };
    assert_eq!(PolicyService::delete(&admin, root(asked)).await.unwrap().into_inner().faults, vec![]);
    (admin, home)
}

#[tokio::test]
async fn nobody_is_erased_and_held() {
    let (admin, _home) = house().await;
    let mut done = [0, 0];
    for at in 0..PEOPLE {
        let name = format!("subjects/p{at}@x.org");
        let erase = EraseSubjectRequest { name: name.clone(), reason: "asked".into() };
        let spec = HoldSpec { subject: name.clone(), reason: "a case".into(), ..HoldSpec::default() };
        let hold = CreateHoldRequest {
            hold_id: format!("h{at}"),
            hold: Some(Hold { spec: Some(spec), ..Hold::default() }),
        };
        let (erased, held) = match at % 2 {
            0 => tokio::join!(admin.erase_subject(root(erase)), admin.create_hold(root(hold))),
            _ => {
                let (held, erased) =
                    tokio::join!(admin.create_hold(root(hold)), admin.erase_subject(root(erase)));
                (erased, held)
            }
        };
        match (&erased, &held) {
            (Ok(_), Err(_)) => done[0] += 1,
            (Err(_), Ok(_)) => done[1] += 1,
            both => panic!("{name}: {both:?}"),
        }
    }
    assert_eq!(done.iter().sum::<usize>(), PEOPLE);
}

#[tokio::test]
async fn nobody_is_erased_whom_the_store_knows() {
    let (admin, _home) = house().await;
    let store = admin.publisher.store();
    let act = crate::act::Act::of_system("x");
    let event = crate::act::changed_aside(act, "subjects/x", (None, None), 0);
    let known = admin.publisher.subjects().pseudonym_of("ada").unwrap();
    let refused = store.erase((&known, "ada"), 0, &event).await;
    assert!(matches!(refused, Err(crate::store::StoreError::Decided)), "{refused:?}");
    assert_eq!(store.erased_at(&known).await.unwrap(), None);
    let gone = admin.publisher.subjects().pseudonym_of("p1@x.org").unwrap();
    store.erase((&gone, "p1@x.org"), 7, &event).await.unwrap();
    // As it is where an erasure was broken off: the name is there still.
    let spec =
        HoldSpec { subject: "subjects/p1@x.org".into(), reason: "a case".into(), ..HoldSpec::default() };
    let hold = Some(Hold { spec: Some(spec), ..Hold::default() });
    let late = admin.create_hold(root(CreateHoldRequest { hold_id: "late".into(), hold })).await;
    assert_eq!(code(late), ErrorCode::InvalidRequest);
}
