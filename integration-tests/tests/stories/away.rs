//! Nodes and control planes that were away: what was accepted meanwhile holds when they are back, and nobody has to lend a hand.

use anyhow::{Context as _, Result};
use integration_tests::{
    admin::Anything,
    door::{Ask, Caller, Door},
    household::Household,
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use serde_json::{Value, json};

use crate::policy;

/// What stays when almost everything goes: one model, and who may use it.
const STAYS: [&str; 9] = [
    "acme",
    "research",
    "ada@example.org",
    "chat-user",
    "research-chat",
    "simulated",
    "sim-mistral-large-eu",
    "sim-mistral-large",
    "auditor",
];

/// All of the quickstart but that.
fn almost_everything() -> String {
    let name =
        |text: &str| Some(text.split_once("metadata: {name: ")?.1.split([',', '}']).next()?.to_owned());
    let goes = |text: &&str| name(text).is_some_and(|name| !STAYS.contains(&name.as_str()));
    QUICKSTART.split("\n---\n").filter(goes).collect::<Vec<_>>().join("\n---\n")
}

async fn posted(house: &Household, door: Door, verb: &str, body: Value) -> Result<Result<Value, String>> {
    match door {
        Door::Grpc => {
            let admin = Anything::at(&house.admin_url(), Some(&house.token()?)).await?;
            let rpc = format!("chancery.admin.v1.PolicyService/{}{}", verb[..1].to_uppercase(), &verb[1..]);
            Ok(admin.call(&rpc, body).await?.map_err(|refusal| format!("{refusal:?}")))
        }
        Door::Rest => {
            let client = integration_tests::door::client()?;
            let asked = client.post(format!("{}/v1/policy:{verb}", house.admin_url()));
            let answer = asked.bearer_auth(house.token()?).json(&body).send().await?;
            let (good, told) = (answer.status().is_success(), answer.json::<Value>().await?);
            Ok(if good { Ok(told) } else { Err(told.to_string()) })
        }
    }
}

async fn asked(house: &Household, door: Door, ask: &Ask, key: &str) -> Result<Option<String>> {
    let caller = Caller::at(door, house.inference_url(Geo::Us)?, key);
    Ok(caller.ask(ask).await?.err().map(|refused| refused.code))
}

async fn a_node_takes_over_what_shrank_while_it_was_away(door: Door) -> Result<()> {
    let mut house = Household::start(QUICKSTART, "").await?;
    let key = house.key("ada@example.org", "research").await?;
    let (stays, goes) = (Ask::chat("sim-mistral-large", "hello"), Ask::chat("sim-gpt-4o", "hello"));
    assert_eq!(asked(&house, door, &goes, &key).await?, None);
    house.plane(Geo::Us)?.kill()?;
    let files = json!([{"path": "gone.yaml", "text": almost_everything()}]);
    let unasked = posted(&house, door, "delete", json!({"files": files})).await?;
    let unasked = unasked.map_or_else(|refused| refused, |told| told["faults"].to_string());
    assert!(unasked.contains("shrink"), "{unasked}");
    let told = posted(&house, door, "delete", json!({"files": files, "allowShrink": true})).await?;
    let told = told.map_err(anyhow::Error::msg)?;
    assert_eq!(told["faults"], Value::Null, "{told}");
    // What comes after it says nothing of shrinking.
    let gossip = policy::rule("no-gossip", "forbid", "purpose == 'gossip'", "");
    let revision = house.apply(&gossip).await?;
    house.enforces(Geo::Eu, revision).await?;
    house.plane(Geo::Us)?.start_again()?;
    house.enforces(Geo::Us, revision).await?;
    let node = house.read("nodes/us-1").await?;
    assert_eq!(node["lastNack"], Value::Null, "{node}");
    assert_eq!(asked(&house, door, &goes, &key).await?.as_deref(), Some("model_not_found"));
    let of_gossip = asked(&house, door, &stays.with("x-purpose", "gossip"), &key).await?;
    assert_eq!(of_gossip.as_deref(), Some("rule_forbids"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shrank_while_a_node_was_away_needs_no_hand_whichever_door_is_asked() {
    let [rest, grpc] = Door::BOTH.map(a_node_takes_over_what_shrank_while_it_was_away);
    let (rest, grpc) = tokio::join!(Box::pin(rest), Box::pin(grpc));
    rest.and(grpc).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_saw_before_a_restart_is_what_it_may_change_after_it() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let client = integration_tests::door::client().unwrap();
    let url = format!("{}/v1/tenants/acme/teams/research", house.admin_url());
    let token = house.token().unwrap();
    let name = "tenants/acme/teams/research";
    // Over REST, and over gRPC; what is given is the etag, or why not.
    let over_rest = async |label: &str, etag: &Value| {
        let team = json!({"name": name, "labels": {"seen": label}, "etag": etag});
        let asked = client.patch(format!("{url}?updateMask=labels")).bearer_auth(&token).json(&team);
        let told: Value = asked.send().await.unwrap().json().await.unwrap();
        told["etag"].as_str().map(|_| told["etag"].clone()).ok_or(told.to_string())
    };
    let admin_url = house.admin_url();
    let over_grpc = async |label: &str, etag: &Value| {
        let admin = Anything::at(&admin_url, Some(&token)).await.unwrap();
        let team = json!({"name": name, "labels": {"seen": label}, "etag": etag});
        let asked = json!({"team": team, "updateMask": "labels"});
        let told = admin.call("chancery.admin.v1.TeamsService/UpdateTeam", asked).await.unwrap();
        told.map(|told| told["etag"].clone()).map_err(|refusal| refusal.code.as_str().to_owned())
    };
    let first = house.read(name).await.unwrap()["etag"].clone();
    let second = over_rest("once", &first).await.unwrap();
    for kill in [true, false] {
        if kill { house.control.kill() } else { house.control.terminate() }.unwrap();
        house.control.ended().await.unwrap();
        house.control.start_again().unwrap();
        let read = until("a control plane that answers", async || house.read(name).await.ok()).await.unwrap();
        assert_eq!(read["etag"], second, "a restart changes nothing");
        let refused = over_rest("late", &first).await.unwrap_err();
        assert!(refused.contains("etag_mismatch"), "{refused}");
        assert_eq!(over_grpc("late", &first).await.unwrap_err(), "etag_mismatch");
        assert_eq!(house.read(name).await.unwrap()["labels"]["seen"], "once");
    }
    let third = over_grpc("twice", &second).await.unwrap();
    assert_ne!(third, second);
    assert!(over_rest("late", &second).await.unwrap_err().contains("etag_mismatch"));
    let context = || "no label";
    let seen = house.read(name).await.unwrap()["labels"]["seen"].as_str().map(str::to_owned);
    assert_eq!(seen.with_context(context).unwrap(), "twice");
}
