//! What a geo's nodes are told of kills: all that hits something there, and nothing that names what is not.

use std::sync::Arc;

use policy_engine::facts::{Model, ModelCard, Route, Tenant};
use policy_engine::{Scope as Where, project};

use super::*;
use crate::publish::tests::fixture;

fn spec(target: &str, resource: &str) -> KillSpec {
    let (target, resource) = (target.to_owned(), resource.to_owned());
    KillSpec { target, resource, mode: "deny".to_owned(), reason: "x".to_owned(), expire_time: None }
}

fn geo(name: &str) -> Geo {
    name.parse().unwrap()
}

/// A platform's model and tenant in every geo, and of each one that is in one alone.
fn facts() -> Facts {
    let mut facts = Facts::default();
    for (name, geos) in [("all", vec![]), ("eu-only", vec![geo("eu")]), ("us-only", vec![geo("us")])] {
        let id = Id::platform(name.parse().unwrap());
        let model = Model {
            card: ModelCard::default(),
            licence: None,
            aliases: vec![],
            route: Route::default(),
            geos: geos.clone(),
        };
        facts.models.insert(id.clone(), Arc::new(model));
        let tenant = Tenant {
            display_name: String::new(),
            time_zone: "UTC".into(),
            currency: "USD".parse().unwrap(),
            domicile: None,
            must_audit: false,
            staleness: Default::default(),
            geos,
        };
        facts.tenants.insert(id, Arc::new(tenant));
    }
    facts
}

fn held<'a>(policies: &'a [&'a Facts], earlier: &'a Earlier, told: &'a KillSet) -> Held<'a> {
    Held { policies, earlier, told }
}

#[test]
fn nothing_of_another_geo_travels() {
    let facts = facts();
    let all = [
        ("everything", ""),
        ("geo", "eu"),
        ("geo", "us"),
        ("model", "models/all"),
        ("model", "models/eu-only"),
        ("model", "models/us-only"),
        ("model", "tenants/us-only/models/all"),
        ("tenant", "tenants/eu-only"),
        ("tenant", "tenants/us-only"),
        ("endpoint", "endpoints/all"),
    ];
    let kills = all.iter().enumerate().map(|(at, (target, resource))| {
        let id: Name = format!("k{at}").parse().unwrap();
        (id, Kill { spec: Some(spec(target, resource)), ..Kill::default() })
    });
    let now = KillsNow { seq: 5, kills: kills.collect() };
    let head = Head { revision: 9, epoch: 2 };
    let told = |place: &str| {
        let projected = project(&facts, &Where { geo: geo(place) });
        let set =
            set_for(&now, &geo(place), held(&[&projected], &Earlier::default(), &KillSet::default()), head);
        assert_eq!((set.seq, set.epoch, set.scope.unwrap().geo.as_str()), (14, 2, place));
        set.kills.into_iter().map(|kill| kill.name).collect::<Vec<_>>()
    };
    assert_eq!(told("eu"), ["", "eu", "models/all", "models/eu-only", "tenants/eu-only"]);
    assert_eq!(told("us"), ["", "us", "models/all", "models/us-only", "tenants/us-only"]);
}

#[test]
fn what_was_told_stays_until_it_is_lifted_and_any_of_the_policies_counts() {
    let (facts, head) = (facts(), Head { revision: 9, epoch: 1 });
    let (eu, us) = (project(&facts, &Where { geo: geo("eu") }), project(&facts, &Where { geo: geo("us") }));
    let kill = |resource: &str| {
        let kill = Kill { spec: Some(spec("model", resource)), ..Kill::default() };
        KillsNow { seq: 5, kills: BTreeMap::from([("k".parse().unwrap(), kill)]) }
    };
    let (now, nothing, none) = (kill("models/us-only"), Facts::default(), KillSet::default());
    let earlier = Earlier::default();
    let told = |now: &KillsNow, (policies, told): (&[&Facts], &KillSet)| {
        set_for(now, &geo("us"), held(policies, &earlier, told), head)
    };
    let first = told(&now, (&[&eu, &us], &none));
    assert_eq!(first.kills.len(), 1, "the candidate has lost it, and what others enforce has not");
    assert_eq!(told(&now, (&[&nothing], &first)).kills, first.kills);
    assert!(told(&now, (&[&nothing], &none)).kills.is_empty());
    // Of the same id and another thing is another one.
    assert!(told(&kill("models/eu-only"), (&[&nothing], &first)).kills.is_empty());
    let lifted = KillsNow { seq: 6, kills: BTreeMap::new() };
    assert!(told(&lifted, (&[&us], &first)).kills.is_empty());
}

#[test]
fn what_is_told_again_as_it_was_keeps_the_seq_by_which_it_came() {
    let kill = |id: &str, mode: &str| proto::sync::Kill {
        id: id.to_owned(),
        mode: mode.to_owned(),
        ..proto::sync::Kill::default()
    };
    let set =
        |seq, epoch, kills: &[proto::sync::Kill]| KillSet { seq, epoch, kills: kills.to_vec(), scope: None };
    let seqs = |telling: &Telling| telling.since.values().copied().collect::<Vec<_>>();
    let first = set(5, 1, &[kill("a", "deny"), kill("b", "deny")]);
    let told = Telling::default().then(1, &KillSet::default(), &first);
    assert_eq!((told.seq, told.of, seqs(&told)), (5, 1, vec![5, 5]));
    let second = set(7, 1, &[kill("a", "deny"), kill("b", "drain"), kill("c", "deny")]);
    let told = told.then(2, &first, &second);
    assert_eq!(seqs(&told), [5, 7, 7]);
    let third = set(8, 1, &[kill("c", "deny")]);
    let told = told.then(3, &second, &third);
    assert_eq!(seqs(&told), [7], "what was lifted is forgotten");
    let anew = set(9, 2, &[kill("c", "deny")]);
    assert_eq!(seqs(&told.then(4, &third, &anew)), [9], "an epoch counts anew");
}

#[test]
fn the_seq_grows_with_what_may_change_the_set() {
    let (eu, facts) = (geo("eu"), facts());
    let seq = |kills, revision| {
        let now = KillsNow { seq: kills, kills: BTreeMap::new() };
        set_for(
            &now,
            &eu,
            held(&[&facts], &Earlier::default(), &KillSet::default()),
            Head { revision, epoch: 1 },
        )
        .seq
    };
    assert_eq!(seq(0, 7), 0, "nothing was ever switched off");
    assert!(seq(1, 7) < seq(1, 8) && seq(1, 8) < seq(2, 8));
}

#[tokio::test]
async fn a_kill_that_is_not_committed_is_not_told_and_the_next_counts_on() {
    let fixture = fixture().await;
    let kills = fixture.publisher.kills();
    let act = || Act::of_system("test");
    let id: Name = "a".parse().unwrap();
    let mut watch = kills.watch();
    fixture.publisher.store().pragma("PRAGMA query_only = ON").await.unwrap();
    let refused = kills.create(act(), id.clone(), spec("everything", "")).await;
    assert!(matches!(refused, Err(ChangeError::Store(_))));
    assert!(!watch.has_changed().unwrap() && kills.current().seq == 0);
    fixture.publisher.store().pragma("PRAGMA query_only = OFF").await.unwrap();
    kills.create(act(), id.clone(), spec("everything", "")).await.unwrap();
    assert_eq!(watch.borrow_and_update().seq, 1);
    kills.lift(act(), id.clone()).await.unwrap();
    assert!(kills.lift(act(), id).await.is_err());
    assert_eq!((kills.current().seq, kills.current().kills.len()), (2, 0));
}
