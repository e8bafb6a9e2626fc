//! Rollouts whose control plane is away, or stands still, for longer than a stage bakes: what nobody could see counts for nothing.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, Lines},
    sandbox::{Geo, QUICKSTART},
    wait::until_within,
};
use prost_reflect::prost_types::Timestamp;
use proto::admin::{
    ApplyRequest, GetRolloutRequest, Rollout, RolloutStage, SourceFile,
    policy_service_client::PolicyServiceClient, rollouts_service_client::RolloutsServiceClient,
};

use crate::policy;

/// How long a stage bakes, and for how long nobody sees it.
const BAKE: Duration = Duration::from_secs(4);
const AWAY: Duration = Duration::from_secs(6);

/// What nodes that come back and have to be steadily there may take on a busy machine, and a bake after it.
const MOST: Duration = Duration::from_secs(60);

/// Nodes that are heard often; stages that bake for a moment.
const CONTROL: &str = "[sync]\nheartbeat = \"200ms\"\n[rollout]\nstages = [0, 100]\nbake = \"4s\"\n";

async fn staged(house: &Household, rule: &str) -> Result<String> {
    let files = vec![SourceFile { path: "a.yaml".into(), text: rule.into() }];
    let asked = house.authorised(ApplyRequest { files, staged: true, ..ApplyRequest::default() })?;
    let told = PolicyServiceClient::new(house.channel().await?).apply(asked).await?.into_inner();
    assert!(told.faults.is_empty(), "{:?}", told.faults);
    Ok(told.rollout)
}

/// The rollout, and what REST says of its state.
async fn rollout(house: &Household, name: &str) -> Result<Rollout> {
    let asked = house.authorised(GetRolloutRequest { name: name.into() })?;
    let told = RolloutsServiceClient::new(house.channel().await?).get_rollout(asked).await?.into_inner();
    assert_eq!(house.read(name).await?["candidateRevision"], told.candidate_revision);
    Ok(told)
}

fn time(stamp: Option<&Timestamp>) -> Option<SystemTime> {
    SystemTime::try_from(*stamp?).ok()
}

/// The first stage, once all its nodes had the candidate after an instant, and since when they have.
async fn followed(house: &Household, name: &str, after: SystemTime) -> Result<(RolloutStage, SystemTime)> {
    until_within(MOST, "a stage whose nodes follow", async || {
        let stage = rollout(house, name).await.ok()?.stages.into_iter().next()?;
        let acked = time(stage.acked_time.as_ref()).filter(|acked| *acked > after)?;
        Some((stage, acked))
    })
    .await
}

async fn gossip(house: &Household, geo: Geo, key: &str) -> Result<Vec<Option<String>>> {
    let mut told = Vec::new();
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(geo)?, key);
        let answer = caller.ask(&Ask::chat("sim-mistral-large", "hello").with("x-purpose", "gossip")).await?;
        told.push(answer.err().map(|refused| refused.code));
    }
    Ok(told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_bakes_anew_where_nobody_could_see_it_bake() {
    let lines = Lines { control: CONTROL, ..Lines::default() };
    let mut house = Household::of("info", QUICKSTART, lines).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let name = staged(&house, &policy::rule("no-gossip", "forbid", "purpose == 'gossip'", "")).await.unwrap();
    let forbidden = vec![Some("rule_forbids".to_owned()); 2];

    // Its process is killed for longer than the stage has to bake.
    let (stage, _) = followed(&house, &name, SystemTime::UNIX_EPOCH).await.unwrap();
    assert_eq!((stage.geo.as_str(), stage.state.as_str()), ("eu", "running"));
    house.control.kill().unwrap();
    tokio::time::sleep(AWAY).await;
    assert_eq!(gossip(&house, Geo::Eu, &key).await.unwrap(), forbidden, "who has it serves by it");
    assert_eq!(gossip(&house, Geo::Us, &key).await.unwrap(), [None, None]);
    let back = SystemTime::now();
    house.control.start_again().unwrap();
    let (stage, _) = followed(&house, &name, back).await.unwrap();
    assert_eq!(stage.state, "running", "{stage:?}");
    assert_eq!(gossip(&house, Geo::Us, &key).await.unwrap(), [None, None]);

    // It stands still for as long.
    house.control.signal("STOP").unwrap();
    tokio::time::sleep(AWAY).await;
    let back = SystemTime::now();
    house.control.signal("CONT").unwrap();
    let (_, acked) = followed(&house, &name, back).await.unwrap();

    let done = until_within(MOST, "the end of the stage", async || {
        let stage = rollout(&house, &name).await.ok()?.stages.into_iter().next()?;
        (stage.state == "done").then_some(stage)
    });
    let ended = time(done.await.unwrap().end_time.as_ref()).context("it has ended").unwrap();
    let baked = ended.duration_since(acked).unwrap();
    println!("baked for {baked:?} of what was seen");
    assert!(baked >= BAKE, "{baked:?}");
    let whole = until_within(MOST, "the end of the rollout", async || {
        rollout(&house, &name).await.ok().filter(|rollout| rollout.state == "completed")
    });
    whole.await.unwrap();
    assert_eq!(gossip(&house, Geo::Us, &key).await.unwrap(), forbidden);
}
