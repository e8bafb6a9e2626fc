//! Nodes that the control plane is gone for: they serve until their policy is too old, say so, and heal.

use integration_tests::{
    door::{Ask, Caller, Door},
    household::Household,
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use serde_json::Value;

const MODEL: &str = "sim-mistral-large";

/// A vendor whose credential is nowhere.
const KEYLESS: &str = "apiVersion: chancery/v1\nkind: Provider\nmetadata: {name: keyless}\n\
    spec: {adapter: openai, baseUrl: 'https://vendor.example/v1', credential: {env: NO_SUCH_CREDENTIAL}}\n---\n\
    apiVersion: chancery/v1\nkind: Endpoint\nmetadata: {name: keyless}\n\
    spec: {provider: keyless, upstreamModel: m, processingRegions: [DE], storageRegions: [DE]}\n";

/// Status and code of a chat; 200 and nothing where it is answered.
async fn met(house: &Household, geo: Geo, door: Door, key: &str) -> (u16, String) {
    let caller = Caller::at(door, house.inference_url(geo).unwrap(), key);
    match caller.ask(&Ask::chat(MODEL, "are you there?")).await.unwrap() {
        Ok(_) => (200, String::new()),
        Err(refused) => (refused.status, refused.code),
    }
}

/// What the control plane shows of a node.
async fn shown(house: &Household, node: &str) -> Option<Value> {
    let token = std::fs::read_to_string(house.home().join("control/control-plane/admin.token")).ok()?;
    let client = integration_tests::door::client().ok()?;
    let asked = client.get(format!("{}/v1/nodes/{node}", house.admin_url())).bearer_auth(token.trim());
    asked.send().await.ok()?.json().await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_17_nodes_that_are_cut_off_serve_until_their_keys_are_too_old_and_heal() {
    let mut house = Household::start(QUICKSTART, "[policy]\nkeys_stale_seconds = 5\n").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    for door in Door::BOTH {
        assert_eq!(met(&house, Geo::Eu, door, &key).await, (200, String::new()));
    }
    house.control.kill().unwrap();
    for door in Door::BOTH {
        assert_eq!(met(&house, Geo::Eu, door, &key).await, (200, String::new()), "it serves on");
    }
    for geo in Geo::ALL {
        for door in Door::BOTH {
            let refused = until("a policy that is too old", async || {
                Some(met(&house, geo, door, &key).await).filter(|(status, _)| *status != 200)
            });
            assert_eq!(refused.await.unwrap(), (503, "auth_stale".to_owned()), "{geo:?} {door:?}");
            let unknown = met(&house, geo, door, "chy_unknown_key").await;
            assert_eq!(unknown, (503, "auth_stale".to_owned()), "never a 401");
        }
        let ready = format!("{}/readyz", house.ops_url(geo).unwrap());
        assert_eq!(integration_tests::door::get(&ready).await.unwrap().status(), 503);
    }
    house.control.start_again().unwrap();
    for geo in Geo::ALL {
        for door in Door::BOTH {
            let healed = until("a policy that is confirmed", async || {
                Some(met(&house, geo, door, &key).await).filter(|(status, _)| *status == 200)
            });
            healed.await.unwrap();
            assert_eq!(met(&house, geo, door, "chy_unknown_key").await.0, 401);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_can_not_call_and_what_it_counted_is_seen_at_the_control_plane() {
    let house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let revision = house.apply(KEYLESS).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    for door in Door::BOTH {
        assert_eq!(met(&house, Geo::Eu, door, &key).await.0, 200);
    }
    let node = until("a node that was asked", async || {
        let node = shown(&house, "eu-1").await?;
        let tally = node["tallies"].as_array()?.first()?.clone();
        (tally["revision"].as_i64() == Some(revision) && tally["requests"].as_i64() >= Some(2))
            .then_some(node)
    });
    let node = node.await.unwrap();
    let unusable = &node["unusableEndpoints"][0];
    assert_eq!(unusable["endpoint"], "endpoints/keyless", "{node}");
    assert!(unusable["reason"].as_str().unwrap().starts_with("credential"), "{node}");
    assert_eq!((&node["state"], &node["staleness"]), (&"connected".into(), &"fresh".into()), "{node}");
    assert_eq!((&node["persisted"], node["headRevision"].as_i64()), (&true.into(), Some(revision)), "{node}");
    assert_eq!((node["snapshotsAlive"].as_i64(), node["unusableEndpointCount"].as_i64()), (Some(1), Some(1)));
    assert!(
        node["certificateExpireTime"].as_str().is_some_and(|end| end > node["connectTime"].as_str().unwrap())
    );
    assert!(shown(&house, "us-1").await.is_some_and(|node| node["geo"] == "us"));
}
