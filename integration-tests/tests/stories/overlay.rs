//! What is taken back or switched off: refused at once, cut where it is under way, on every node and over restarts.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use integration_tests::{
    admin::Anything,
    door::{Ask, Caller, Door, Going, Step},
    household::Household,
    sandbox::{Geo, QUICKSTART},
    scene::Scene,
    wait::until,
};
use proto::admin::KeySpec;
use serde_json::{Value, json};

const MODEL: &str = "sim-mistral-large";
const OTHER: &str = "sim-claude-haiku";

/// How long it may take until what is under way is cut.
const BOUND: Duration = Duration::from_secs(1);

/// An answer that says some words and then nothing for as long as it is let.
fn silent() -> Ask {
    let words = "[[sim:say=one two three four five six seven eight]]";
    Ask::chat(MODEL, &format!("{words}[[sim:chunk=4]][[sim:hang=8]]")).streaming(true).at_most(16)
}

/// A stream of which something was heard.
async fn opened(caller: &Caller) -> Result<Going> {
    let mut going = match caller.open(&silent()).await? {
        Ok(going) => going,
        Err(refused) => bail!("refused: {refused:?}"),
    };
    loop {
        match going.next().await? {
            Ok(Some(Step::Text(..))) => return Ok(going),
            Ok(Some(_)) => {}
            other => bail!("no text: {other:?}"),
        }
    }
}

/// The code a stream is ended with, and when.
async fn end_of(mut going: Going) -> Result<(String, Instant)> {
    loop {
        match going.next().await? {
            Ok(Some(_)) => {}
            Ok(None) => bail!("it ended well"),
            Err(refused) => return Ok((refused.code, Instant::now())),
        }
    }
}

async fn root(scene: &Scene) -> Result<Anything> {
    Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await
}

async fn kill(root: &Anything, id: &str, (target, resource): (&str, &str), mode: &str) -> Result<Value> {
    let spec = json!({"target": target, "resource": resource, "mode": mode, "reason": "a drill"});
    let asked = json!({"killId": id, "kill": {"spec": spec}});
    Ok(root.call("chancery.admin.v1.KillsService/CreateKill", asked).await?.unwrap())
}

async fn lift(root: &Anything, id: &str) -> Result<()> {
    let asked = json!({"name": format!("kills/{id}")});
    root.call("chancery.admin.v1.KillsService/DeleteKill", asked).await?.unwrap();
    Ok(())
}

/// Waits until both nodes say that so many kills hold.
async fn known(scene: &Scene, active: usize) -> Result<()> {
    for geo in Geo::ALL {
        until("the kills on a node", async || {
            let line = format!("\nchancery_overlay_kills_active {active}\n");
            scene.house.metrics(geo).await.ok()?.contains(&line).then_some(())
        })
        .await?;
    }
    Ok(())
}

async fn case_16_a_revoked_key_is_refused_and_cut_on_both_nodes(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let spec = KeySpec {
        principal: "ada@example.org".to_owned(),
        team: "research".to_owned(),
        ..KeySpec::default()
    };
    let (key, secret) = scene.house.key_of(spec).await?;
    let mut streams = Vec::new();
    for geo in Geo::ALL {
        scene.house.count(geo);
        let going = opened(&scene.caller_at(geo, &secret)?).await?;
        streams.push(tokio::spawn(end_of(going)));
    }
    let root = root(&scene).await?;
    let began = Instant::now();
    let revoked = root.call("chancery.admin.v1.KeysService/RevokeKey", json!({"name": key.name})).await?;
    for stream in streams {
        let (code, at) = stream.await??;
        println!("from the call to the cut: {:?}", at - began);
        assert_eq!(code, "key_revoked");
        assert!(at - began < BOUND, "{:?}", at - began);
    }
    // So that both tellings are judged by the same revision: it says the same.
    scene.house.enforced(revoked.unwrap()["revision"].as_i64().unwrap()).await?;
    for geo in Geo::ALL {
        let refused = scene.ask_at(geo, &secret, &Ask::chat(MODEL, "hello")).await?.unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (401, "key_revoked"));
        scene.ask_at(geo, &scene.key, &Ask::chat(MODEL, "hello")).await?.unwrap();
        let records = scene.house.records(geo).await?;
        let cut = records.iter().find(|record| record["outcome"] == "cut").unwrap();
        assert_eq!((&cut["code"], &cut["reasons"]), (&json!("key_revoked"), &json!(["key_revoked"])));
        assert!(cut["usage"]["output"].as_u64() > Some(0), "what came is charged: {cut}");
    }
    Ok(scene)
}

async fn case_18_a_kill_refuses_at_once_and_does_to_streams_what_its_mode_says(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let root = root(&scene).await?;
    let before = scene.house.control.as_ref().unwrap().publisher().current().revision();
    let (ask, other) = (Ask::chat(MODEL, "hello"), Ask::chat(OTHER, "hello"));
    for (mode, cut) in [("deny", true), ("drain", false), ("read_only", false)] {
        let mut streams = Vec::new();
        for geo in Geo::ALL {
            scene.house.count(geo);
            streams.push(opened(&scene.caller_at(geo, &scene.key)?).await?);
        }
        let began = Instant::now();
        kill(&root, mode, ("model", &format!("models/{MODEL}")), mode).await?;
        known(&scene, 1).await?;
        for (geo, going) in Geo::ALL.into_iter().zip(streams) {
            if cut {
                let (code, at) = end_of(going).await?;
                println!("from the call to the cut: {:?}", at - began);
                assert_eq!(code, "switched_off");
                assert!(at - began < BOUND, "{:?}", at - began);
            } else {
                // It is still there; its caller has heard enough.
                drop(going);
            }
            let refused = scene.ask_at(geo, &scene.key, &ask).await?.unwrap_err();
            assert_eq!((refused.status, refused.code.as_str()), (503, "switched_off"), "{mode}");
            assert!(!refused.message.contains("drill"), "{}", refused.message);
            scene.ask_at(geo, &scene.key, &other).await?.unwrap();
        }
        lift(&root, mode).await?;
        known(&scene, 0).await?;
        for geo in Geo::ALL {
            scene.ask_at(geo, &scene.key, &ask).await?.unwrap();
        }
    }
    let records = scene.house.records(Geo::Eu).await?;
    let count = |field: &str, what: &str| records.iter().filter(|record| record[field] == what).count();
    assert_eq!((count("outcome", "cut"), count("outcome", "cancelled")), (1, 2));
    assert_eq!((count("kill", "deny"), count("kill", "drain"), count("kill", "read_only")), (2, 1, 1));
    let revision = scene.house.control.as_ref().unwrap().publisher().current().revision();
    assert_eq!(revision, before, "no revision was made");
    Ok(scene)
}

async fn what_is_switched_off_is_hidden_or_shown_as_its_mode_says(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let root = root(&scene).await?;
    for (target, resource, geos) in
        [("everything", "", &Geo::ALL[..]), ("geo", "us", &[Geo::Us]), ("tenant", "tenants/acme", &Geo::ALL)]
    {
        for (mode, shown) in [("deny", false), ("read_only", true)] {
            kill(&root, "x", (target, resource), mode).await?;
            for geo in Geo::ALL {
                let hit = geos.contains(&geo);
                until("the kill, where it holds", async || {
                    let metrics = scene.house.metrics(geo).await.ok()?;
                    let active = format!("\nchancery_overlay_kills_active {}\n", usize::from(hit));
                    metrics.contains(&active).then_some(())
                })
                .await?;
                let answered = scene.ask_at(geo, &scene.key, &Ask::chat(MODEL, "hello")).await?;
                assert_eq!(answered.is_err(), hit, "{target} {mode} {geo:?}");
                let models = scene.caller_at(geo, &scene.key)?.models().await?;
                assert_eq!(models.is_ok(), shown || !hit, "{target} {mode} {geo:?}");
            }
            lift(&root, "x").await?;
            known(&scene, 0).await?;
        }
    }
    Ok(scene)
}

stories! {
    case_16_a_revoked_key_is_refused_and_cut_on_both_nodes,
    case_18_a_kill_refuses_at_once_and_does_to_streams_what_its_mode_says,
    what_is_switched_off_is_hidden_or_shown_as_its_mode_says,
}

/// Asks until the answer is of this code, or is one where there is none.
async fn answers(caller: &Caller, code: Option<&str>) -> Result<()> {
    let what = format!("{code:?} as an answer");
    until(&what, async || {
        let told = caller.ask(&Ask::chat(MODEL, "hello").at_most(16)).await.ok()?;
        (told.err().map(|refused| refused.code).as_deref() == code).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_18_of_five_hundred_streams_each_is_cut_and_the_kill_survives_a_restart() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let token = std::fs::read_to_string(house.home().join("control/control-plane/admin.token")).unwrap();
    let root = Anything::at(&house.admin_url(), Some(token.trim())).await.unwrap();
    let url = house.inference_url(Geo::Eu).unwrap();
    // More than one key may have in flight.
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(house.key("ada@example.org", "research").await.unwrap());
    }
    let mut callers = Vec::new();
    for (door, key) in Door::BOTH.into_iter().flat_map(|door| keys.iter().map(move |key| (door, key))) {
        callers.push(Caller::at(door, url.as_str(), key.as_str()));
    }
    let mut streams = Vec::new();
    for _ in 0..20 {
        let some = (0..25).map(|at| callers[at % callers.len()].clone());
        let some: Vec<_> = some.map(|caller| tokio::spawn(async move { opened(&caller).await })).collect();
        for opening in some {
            streams.push(opening.await.unwrap().unwrap());
        }
    }
    let streams: Vec<_> = streams.into_iter().map(|going| tokio::spawn(end_of(going))).collect();
    let began = Instant::now();
    let made = kill(&root, "no-mistral", ("model", &format!("models/{MODEL}")), "deny").await.unwrap();
    assert_eq!(made["state"], "active");
    let mut last = began;
    for stream in streams {
        let (code, at) = stream.await.unwrap().unwrap();
        assert_eq!(code, "switched_off");
        last = last.max(at);
    }
    println!("from the call to the last of 500 cuts: {:?}", last - began);
    // The promise is one second for each; that a debug build on a busy machine reads 500 ends as fast is none.
    assert!(last - began < 3 * BOUND, "{:?}", last - began);
    for caller in &callers {
        answers(caller, Some("switched_off")).await.unwrap();
    }

    // Neither the control plane nor a clean end is needed for it to hold on.
    house.control.kill().unwrap();
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    house.enforces(Geo::Eu, 1).await.unwrap();
    for caller in &callers {
        let told = caller.ask(&Ask::chat(MODEL, "hello").at_most(16)).await.unwrap();
        assert_eq!(told.unwrap_err().code, "switched_off", "from the first request on");
        caller.ask(&Ask::chat(OTHER, "hello").at_most(16)).await.unwrap().unwrap();
    }

    house.control.start_again().unwrap();
    until("a control plane that lifts kills again", async || {
        let root = Anything::at(&house.admin_url(), Some(token.trim())).await.ok()?;
        lift(&root, "no-mistral").await.ok()
    })
    .await
    .unwrap();
    for caller in &callers {
        answers(caller, None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_disk_that_was_changed_is_not_taken_for_none() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let token = std::fs::read_to_string(house.home().join("control/control-plane/admin.token")).unwrap();
    let root = Anything::at(&house.admin_url(), Some(token.trim())).await.unwrap();
    let caller = Caller::at(Door::Rest, house.inference_url(Geo::Eu).unwrap(), key.as_str());
    kill(&root, "x", ("model", &format!("models/{MODEL}")), "deny").await.unwrap();
    answers(&caller, Some("switched_off")).await.unwrap();
    let path = house.state_dir(Geo::Eu).join("policy/kills");
    let mut bytes = until("the kill on disk", async || std::fs::read(&path).ok()).await.unwrap();
    house.control.kill().unwrap();
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    let ready = format!("{}/readyz", house.ops_url(Geo::Eu).unwrap());
    let answer = until("an answer of the ops port", async || integration_tests::door::get(&ready).await.ok())
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("switched off"));
    for model in [MODEL, OTHER] {
        let refused = caller.ask(&Ask::chat(model, "hello")).await.unwrap().unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (503, "policy_unavailable"));
    }
    house.control.start_again().unwrap();
    answers(&caller, Some("switched_off")).await.unwrap();
    caller.ask(&Ask::chat(OTHER, "hello").at_most(16)).await.unwrap().unwrap();
}
