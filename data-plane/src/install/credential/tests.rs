//! An endpoint without its credential: not called, passed over where another can answer, and told once it is known.

use policy_engine::facts::Facts;
use policy_engine::snapshot::Header;

use super::super::Installer;
use super::*;
use crate::house::log::Lines;
use crate::house::{House, asking, refused, whole, world};
use crate::metrics::Metrics;
use crate::policy::{Install as _, PolicyState, Version};
use crate::record::Outcome;
use crate::upstream::address::AddressPolicy;

/// Puts the usual world in force, whose provider has this credential, as a node does.
fn install(house: &House, credential: Credential, mut secrets: Secrets) {
    secrets.scope_keys.insert("k1".to_owned(), vec![7; 32].into());
    let mut facts: Facts = world::facts();
    for provider in facts.providers.values_mut() {
        Arc::make_mut(provider).credential = Some(credential.clone());
    }
    let header = Header { revision: 8, geo: Some(house.node.geo.clone()) };
    let snapshot = Arc::new(policy_engine::compile(&facts, header).unwrap());
    let installer = Installer {
        node: house.node.clone(),
        addresses: AddressPolicy::default(),
        extra_roots: None,
        fetch: None,
        remote: Arc::new(Remote::of(&Default::default()).unwrap()),
        last: Default::default(),
    };
    let version = Version { epoch: 0, revision: 8, digest: [0; 32] };
    installer.install(snapshot, &version, &Arc::new(secrets)).unwrap();
}

#[tokio::test]
async fn no_prompt_goes_out_without_the_credential_it_is_to_go_with() {
    let house = House::new(|facts| {
        let mut other = Arc::clone(&facts.endpoints[&Id::platform(world::name("down-a"))]);
        Arc::make_mut(&mut other).upstream_model = "keyless".to_owned();
        facts.endpoints.insert(Id::platform(world::name("keyless-a")), other);
        for (model, first) in [("pair", "keyless-a"), ("down", "keyless-a")] {
            let model = facts.models.get_mut(&Id::platform(world::name(model))).unwrap();
            Arc::make_mut(model).route.groups[0][0].endpoint = world::name(first);
        }
    });
    whole(house.chat(&asking("pair", "hi", "")).await);
    let (code, status, message) = refused(house.chat(&asking("down", "hi", "")).await);
    assert_eq!((code, status), ("upstream_credential", 502), "{message}");
    let [pair, down] = house.records();
    assert_eq!((pair.outcome, pair.attempts.len()), (Outcome::Answered, 2));
    assert_eq!(pair.endpoint.unwrap().name.as_str(), "sim-b");
    assert_eq!((down.outcome, down.endpoint), (Outcome::Failed, None), "no endpoint was called");
    for attempts in [pair.attempts, down.attempts] {
        assert_eq!(attempts[0].endpoint.name.as_str(), "keyless-a");
        let failure = attempts[0].failure.as_ref().map(|failure| failure.why.as_str());
        assert_eq!(failure, Some("the gateway's credential for the upstream can't be opened"));
    }
    let text = Metrics::new().render(&house.node, &PolicyState::default());
    assert!(text.contains("chancery_endpoints_unusable 2\n"), "{text}");
    house.close();
}

#[tokio::test]
async fn what_is_missing_is_told_with_its_reference_and_an_empty_one_is_missing() {
    let house = House::new(|_| {});
    let (lines, _guard) = Lines::of_this_thread();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, " \n").unwrap();
    let file = file.display().to_string();
    for (credential, reference) in [
        (Credential::Env("CHANCERY_NO_SUCH_KEY".into()), "env:CHANCERY_NO_SUCH_KEY".to_owned()),
        (Credential::File(file.clone()), format!("file:{file}")),
    ] {
        let before = lines.errors().len();
        install(&house, credential, Secrets::default());
        let told = lines.errors().split_off(before);
        assert_eq!(told.len(), 3, "one for each endpoint: {told:?}");
        assert!(told.iter().all(|line| line.contains(&reference)), "{told:?}");
        assert!(told[0].contains("\"endpoint\":\"down-a\""), "{told:?}");
        assert_eq!(refused(house.chat(&asking("fast", "hi", "")).await).0, "upstream_credential");
    }
    std::fs::write(&file, "sk-canary-4711\n").unwrap();
    install(&house, Credential::File(file), Secrets::default());
    whole(house.chat(&asking("fast", "hi", "")).await);
    assert!(!format!("{:?}", lines.errors()).contains("canary"));
    house.close();
}

#[tokio::test]
async fn sealed_secrets_that_are_on_their_way_are_no_error() {
    let house = House::new(|_| {});
    let (lines, _guard) = Lines::of_this_thread();
    let after_a_while = |then: &Weak<Runtime>| {
        let sealed = missing(&then.upgrade().unwrap());
        tell_unless_replaced(&sealed, &Arc::downgrade(&house.node), then);
    };
    install(&house, Credential::Sealed, Secrets::default());
    assert_eq!(refused(house.chat(&asking("fast", "hi", "")).await).0, "upstream_credential");
    let first = house.node.runtime.load_full().unwrap();
    let mut arrived = Secrets::default();
    arrived.credentials.insert("providers/sim".to_owned(), Secret::new("sk".to_owned()));
    install(&house, Credential::Sealed, arrived);
    after_a_while(&Arc::downgrade(&first));
    assert_eq!(lines.errors(), Vec::<String>::new());
    whole(house.chat(&asking("fast", "hi", "")).await);

    install(&house, Credential::Sealed, Secrets::default());
    assert_eq!(lines.errors(), Vec::<String>::new(), "not at once");
    after_a_while(&Arc::downgrade(&house.node.runtime.load_full().unwrap()));
    assert_eq!(lines.errors().len(), 3, "they did not come: {:?}", lines.errors());
    house.close();
}
