//! Nodes that are killed over and over: what they had only just is left, and its author reads why; what they served by for long is
//! served again.

use std::time::{Duration, Instant};

use anyhow::Result;
use integration_tests::{
    door::{Ask, Caller, Door},
    household::Household,
    sandbox::{Geo, QUICKSTART},
    wait::{until, until_within},
};
use proto::admin::{GetNodeRequest, NodeNack, nodes_service_client::NodesServiceClient};

use crate::policy;

const MODEL: &str = "sim-mistral-large";

/// How long a node has to live with a policy to show that it can, and some heartbeats.
const PROOF: Duration = Duration::from_secs(90);

/// Whether somebody who gossips is refused in a geo by a rule; both doors say the same.
async fn forbids_gossip(house: &Household, geo: Geo, key: &str) -> Result<bool> {
    let mut told = Vec::new();
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(geo)?, key);
        let answer = caller.ask(&Ask::chat(MODEL, "hello").with("x-purpose", "gossip")).await?;
        assert!(answer.as_ref().err().is_none_or(|refused| refused.code == "rule_forbids"), "{answer:?}");
        told.push(answer.is_err());
    }
    assert_eq!(told[0], told[1], "the doors differ");
    Ok(told[0])
}

async fn killed(house: &mut Household, geo: Geo) -> Result<()> {
    house.plane(geo)?.kill()?;
    house.plane(geo)?.start_again()?;
    // Whatever it serves by.
    house.enforces(geo, 1).await
}

/// Why a node refused a snapshot last, as its author reads it over gRPC; REST tells the same.
async fn nack(house: &Household, node: &str) -> Result<Option<NodeNack>> {
    let asked = house.authorised(GetNodeRequest { name: format!("nodes/{node}") })?;
    let known = NodesServiceClient::new(house.channel().await?).get_node(asked).await?.into_inner();
    if let Some(nack) = &known.last_nack {
        let over_rest = house.read(&format!("nodes/{node}")).await?;
        assert_eq!(over_rest["lastNack"]["code"], nack.code, "{over_rest}");
        assert_eq!(over_rest["lastNack"]["detail"], nack.detail, "{over_rest}");
    }
    Ok(known.last_nack)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_08_what_two_processes_did_not_outlive_is_refused_and_its_author_reads_why_within_five_seconds()
{
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    assert_eq!(nack(&house, "eu-1").await.unwrap(), None);
    let gossip = policy::rule("no-gossip", "forbid", "purpose == 'gossip'", "");
    let revision = house.apply(&gossip).await.unwrap();
    for geo in Geo::ALL {
        house.enforces(geo, revision).await.unwrap();
    }
    killed(&mut house, Geo::Eu).await.unwrap();
    assert!(forbids_gossip(&house, Geo::Eu, &key).await.unwrap(), "one end says nothing of it");
    killed(&mut house, Geo::Eu).await.unwrap();
    let begun = Instant::now();
    let told = until("why it was refused", async || nack(&house, "eu-1").await.ok().flatten()).await.unwrap();
    let took = begun.elapsed();
    println!("the author reads why after {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!((told.code.as_str(), told.revision), ("CRASH_LOOP", revision));
    assert!(told.detail.contains("the process ended twice"), "{}", told.detail);
    // It serves by the one before, and the other node by what was published.
    assert!(!forbids_gossip(&house, Geo::Eu, &key).await.unwrap());
    assert!(forbids_gossip(&house, Geo::Us, &key).await.unwrap());
    assert_eq!(nack(&house, "us-1").await.unwrap(), None);
    // Another policy is another matter.
    let next = house.apply(&policy::rule("no-idling", "forbid", "purpose == 'idling'", "")).await.unwrap();
    house.enforces(Geo::Eu, next).await.unwrap();
    assert!(forbids_gossip(&house, Geo::Eu, &key).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_08_what_a_node_served_by_for_a_minute_is_served_again_however_often_it_is_killed() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let gossip = policy::rule("no-gossip", "forbid", "purpose == 'gossip'", "");
    let revision = house.apply(&gossip).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    let proven = house.state_dir(Geo::Eu).join("policy/policy.proven");
    until_within(PROOF, "a minute that the node lives", async || proven.exists().then_some(()))
        .await
        .unwrap();
    // Nobody can send it anew.
    house.control.kill().unwrap();
    for _ in 0..3 {
        killed(&mut house, Geo::Eu).await.unwrap();
        house.enforces(Geo::Eu, revision).await.unwrap();
        assert!(forbids_gossip(&house, Geo::Eu, &key).await.unwrap());
    }
    let caller = Caller::at(Door::Grpc, house.inference_url(Geo::Eu).unwrap(), key.as_str());
    assert!(caller.ask(&Ask::chat(MODEL, "hello")).await.unwrap().is_ok());
}
