//! Changes that come to the nodes by stages: held where they do harm, and everywhere where they do none.

use std::time::Duration;

use anyhow::Result;
use integration_tests::{
    admin::Anything,
    door::{Ask, Door},
    sandbox::{Geo, QUICKSTART, Sandbox},
    scene::Scene,
    wait::until,
};
use serde_json::{Value, json};

use crate::policy;

const MODEL: &str = "sim-mistral-large";

/// A house whose nodes are heard often, and whose stages bake for as long as it takes to hear enough.
async fn house() -> Result<Sandbox> {
    let control = |config: &mut control_plane::config::Config| {
        config.sync.heartbeat.0 = Duration::from_millis(100);
        config.rollout.stages = vec![0, 100];
        config.rollout.bake.0 = Duration::from_secs(2);
        config.rollout.least_requests = 5;
        config.rollout.more_denials = 50;
    };
    Sandbox::of(QUICKSTART, control, |_| ()).await
}

async fn staged(root: &Anything, rule: &str) -> Result<Value> {
    let file = json!({"path": "a.yaml", "text": rule});
    let asked = json!({"files": [file], "staged": true});
    let applied = root.call("chancery.admin.v1.PolicyService/Apply", asked).await?.unwrap();
    assert_eq!(applied["faults"], Value::Null, "{applied}");
    Ok(json!({"name": applied["rollout"]}))
}

/// The rollout once it is over. Until then both nodes are asked, again and again: what each answered is told.
async fn over(scene: &Scene, root: &Anything, name: &Value) -> Result<(Value, [Vec<Option<String>>; 2])> {
    let mut told = [vec![], vec![]];
    loop {
        let rollout = root.call("chancery.admin.v1.RolloutsService/GetRollout", name.clone()).await?.unwrap();
        if ["completed", "aborted"].iter().any(|state| rollout["state"] == *state) {
            return Ok((rollout, told));
        }
        for (geo, told) in Geo::ALL.into_iter().zip(&mut told) {
            let answer = scene.ask_at(geo, &scene.key, &Ask::chat(MODEL, "hello")).await?;
            told.push(answer.err().map(|refused| refused.code));
        }
    }
}

/// What an operator's metrics say of rollouts, each line without its prefix, where it is more than zero.
async fn metrics(house: &Sandbox) -> Result<Vec<String>> {
    let text = house.control_metrics().await?;
    let told = text.lines().filter_map(|line| line.strip_prefix("chancery_control_rollout"));
    let mut told: Vec<String> = told.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect();
    told.sort();
    Ok(told)
}

async fn case_23_a_bad_rule_is_held_at_the_canary_and_rolled_forward(door: Door) -> Result<()> {
    let scene = Scene::of(door, house().await?).await?;
    let root = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await?;
    // What is answered before is what the candidate is held against.
    for _ in 0..10 {
        scene.answered(&Ask::chat(MODEL, "hello")).await?;
    }
    let name = staged(&root, &policy::rule("closed", "forbid", "true", "")).await?;
    let (rollout, [eu, us]) = over(&scene, &root, &name).await?;
    assert_eq!(rollout["state"], "aborted", "{rollout}");
    let reason = rollout["reason"].as_str().unwrap();
    assert!(reason.starts_with("refusals under the candidate: 100.0 %"), "{reason}");
    println!("held after {} of {} requests in `eu`: {reason}", eu.iter().flatten().count(), eu.len());
    // One geo alone was refused by it, until it was taken back there too.
    assert!(eu.iter().flatten().all(|code| code == "rule_forbids") && eu.iter().any(Option::is_some));
    assert!(us.iter().all(Option::is_none), "{us:?}");
    let (candidate, rollback) = (&rollout["candidateRevision"], &rollout["rollbackRevision"]);
    assert!(rollback.as_i64() > candidate.as_i64(), "{rollout}");
    assert_eq!(metrics(&scene.house).await?, Vec::<String>::new(), "what was held is on its way no more");
    until("what was there before", async || {
        scene.ask_at(Geo::Eu, &scene.key, &Ask::chat(MODEL, "hello")).await.ok()?.ok()
    })
    .await?;
    Ok(())
}

async fn a_rule_that_does_no_harm_comes_to_all(door: Door) -> Result<()> {
    let scene = Scene::of(door, house().await?).await?;
    let root = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await?;
    let gossip = Ask::chat(MODEL, "hello").with("x-purpose", "gossip");
    let name = staged(&root, &policy::rule("no-gossip", "forbid", "purpose == 'gossip'", "")).await?;
    let first =
        until("the canary's answer", async || scene.ask_at(Geo::Eu, &scene.key, &gossip).await.ok()?.err())
            .await?;
    assert_eq!(first.code, "rule_forbids");
    assert!(scene.ask_at(Geo::Us, &scene.key, &gossip).await?.is_ok(), "it has not come to `us` yet");
    let on_its_way =
        ["_stages{state=\"pending\"} 1", "_stages{state=\"running\"} 1", "{state=\"progressing\"} 1"];
    assert_eq!(metrics(&scene.house).await?, on_its_way);
    // A key is for all at once, whatever is on its way.
    let key = scene.house.key("ada@example.org", "research").await?;
    for geo in Geo::ALL {
        assert!(scene.ask_at(geo, &key, &Ask::chat(MODEL, "hello")).await?.is_ok());
    }
    let (rollout, told) = over(&scene, &root, &name).await?;
    assert_eq!(rollout["state"], "completed", "{rollout}");
    assert_eq!(metrics(&scene.house).await?, Vec::<String>::new(), "no rollout is on its way");
    assert!(told.iter().flatten().all(Option::is_none), "{told:?}");
    for geo in Geo::ALL {
        let refused = scene.ask_at(geo, &key, &gossip).await?.unwrap_err();
        assert_eq!(refused.code, "rule_forbids");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_23_a_bad_rule_is_held_and_rolled_forward_whichever_door_is_asked() {
    for door in Door::BOTH {
        case_23_a_bad_rule_is_held_at_the_canary_and_rolled_forward(door).await.unwrap();
    }
}

async fn a_kill_is_held_against_no_candidate(door: Door) -> Result<()> {
    let scene = Scene::of(door, house().await?).await?;
    let root = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await?;
    for _ in 0..10 {
        scene.answered(&Ask::chat(MODEL, "hello")).await?;
    }
    let name = staged(&root, &policy::rule("no-gossip", "forbid", "purpose == 'gossip'", "")).await?;
    let spec = json!({"target": "model", "resource": format!("models/{MODEL}"), "mode": "deny", "reason": "a drill"});
    let asked = json!({"killId": "drill", "kill": {"spec": spec}});
    root.call("chancery.admin.v1.KillsService/CreateKill", asked).await?.unwrap();
    let (rollout, [eu, us]) = over(&scene, &root, &name).await?;
    assert_eq!(rollout["state"], "completed", "{rollout}");
    let killed =
        |told: &[Option<String>]| told.iter().flatten().filter(|code| *code == "switched_off").count();
    assert!(killed(&eu) > 5 && killed(&us) > 5, "{eu:?} {us:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_takes_no_rollout_back_whichever_door_is_asked() {
    for door in Door::BOTH {
        a_kill_is_held_against_no_candidate(door).await.unwrap();
    }
}

/// Begins a deletion by stages over one of the admin API's doors; gives the rollout's name.
async fn withdrawn(house: &Sandbox, door: Door, text: &str) -> Result<Value> {
    let asked = json!({"files": [{"path": "a.yaml", "text": text}], "staged": true});
    let told = match door {
        Door::Grpc => {
            let root = Anything::at(&house.admin_url(), Some(house.token())).await?;
            root.call("chancery.admin.v1.PolicyService/Delete", asked).await?.unwrap()
        }
        Door::Rest => {
            let url = format!("{}/v1/policy:delete", house.admin_url());
            let asked = integration_tests::door::client()?.post(url).bearer_auth(house.token()).json(&asked);
            asked.send().await?.error_for_status()?.json().await?
        }
    };
    assert_eq!((&told["faults"], &told["stages"][0]["geo"]), (&Value::Null, &json!("eu")), "{told}");
    Ok(json!({"name": told["rollout"]}))
}

async fn what_is_deleted_by_stages_goes_from_the_canary_first(door: Door) -> Result<()> {
    let scene = Scene::of(door, house().await?).await?;
    let root = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await?;
    let ask = Ask::chat(MODEL, "hello");
    scene.answered(&ask).await?;
    let of = |kind: &str| {
        format!("---\napiVersion: chancery/v1\nkind: {kind}\nmetadata: {{name: {MODEL}}}\nspec: {{}}\n")
    };
    let name = withdrawn(&scene.house, door, &[of("Model"), of("Price")].concat()).await?;
    let first =
        until("the canary's refusal", async || scene.ask_at(Geo::Eu, &scene.key, &ask).await.ok()?.err());
    assert_eq!(first.await?.code, "model_not_found");
    assert!(scene.ask_at(Geo::Us, &scene.key, &ask).await?.is_ok(), "it is not gone from `us` yet");
    let over = until("the end of the rollout", async || {
        let told =
            root.call("chancery.admin.v1.RolloutsService/GetRollout", name.clone()).await.ok()?.ok()?;
        ["completed", "aborted"].iter().any(|state| told["state"] == *state).then_some(told)
    });
    let over = over.await?;
    assert_eq!(over["state"], "completed", "{over}");
    for geo in Geo::ALL {
        assert_eq!(scene.ask_at(geo, &scene.key, &ask).await?.unwrap_err().code, "model_not_found");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_deletion_comes_to_the_canary_first_and_then_to_all_whichever_door_is_asked() {
    for door in Door::BOTH {
        what_is_deleted_by_stages_goes_from_the_canary_first(door).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_change_that_does_no_harm_comes_to_every_node() {
    a_rule_that_does_no_harm_comes_to_all(Door::Rest).await.unwrap();
}
