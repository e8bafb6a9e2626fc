//! Processes that are killed: what goes on without the control plane, what comes back from disk, and what is let end.

use anyhow::Result;
use integration_tests::{
    admin::Anything,
    door::{Ask, Caller, Door, Step},
    household::Household,
    sandbox::{Geo, QUICKSTART, read_records},
    wait::until,
};

use serde_json::{Value, json};

use crate::policy;

const MODEL: &str = "sim-mistral-large";

async fn answered(house: &Household, geo: Geo, door: Door, key: &str) -> Result<()> {
    let caller = Caller::at(door, house.inference_url(geo)?, key);
    let told = caller.ask(&Ask::chat(MODEL, "are you there?")).await?;
    assert!(
        told.as_ref().is_ok_and(|told| told.text.contains("are you there?")),
        "{geo:?} {door:?}: {told:?}"
    );
    Ok(())
}

async fn everywhere(house: &Household, key: &str) -> Result<()> {
    for geo in Geo::ALL {
        for door in Door::BOTH {
            answered(house, geo, door, key).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_serve_without_the_control_plane_and_after_a_restart_from_disk() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    everywhere(&house, &key).await.unwrap();

    house.control.kill().unwrap();
    everywhere(&house, &key).await.unwrap();

    for geo in Geo::ALL {
        house.plane(geo).unwrap().kill().unwrap();
        house.plane(geo).unwrap().start_again().unwrap();
        house.enforces(geo, 1).await.unwrap();
    }
    everywhere(&house, &key).await.unwrap();
    let wrong = Caller::at(Door::Rest, house.inference_url(Geo::Eu).unwrap(), "chy_unknown_key");
    assert_eq!(
        wrong.ask(&Ask::chat(MODEL, "hello")).await.unwrap().unwrap_err().status,
        401,
        "what was learnt from disk is the whole policy"
    );

    // The control plane comes back, and is followed again.
    house.control.start_again().unwrap();
    let forbid = policy::rule("closed", "forbid", "true", "");
    let revision =
        until("a control plane that takes changes again", async || house.apply(&forbid).await.ok())
            .await
            .unwrap();
    for geo in Geo::ALL {
        house.enforces(geo, revision).await.unwrap();
        let caller = Caller::at(Door::Grpc, house.inference_url(geo).unwrap(), key.as_str());
        assert_eq!(caller.ask(&Ask::chat(MODEL, "hello")).await.unwrap().unwrap_err().code, "rule_forbids");
    }
    // No request was lost over all these deaths: eight in each geo were answered, one of `eu` was nobody's, one each forbidden.
    for (geo, asked) in [(Geo::Eu, 8), (Geo::Us, 7)] {
        let outbox = house.state_dir(geo).join("outbox");
        let records = until("all records", async || {
            read_records(&outbox).ok().filter(|records| records.len() >= asked)
        })
        .await
        .unwrap();
        assert_eq!(records.len(), asked, "{}", geo.name());
        let ids: std::collections::BTreeSet<String> =
            records.iter().map(|record| record["requestId"].to_string()).collect();
        assert_eq!(ids.len(), asked);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_2_a_node_that_never_had_a_policy_says_so() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    house.control.kill().unwrap();
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    std::fs::remove_dir_all(house.state_dir(Geo::Eu).join("policy")).unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    let ready = format!("{}/readyz", house.ops_url(Geo::Eu).unwrap());
    let answer = until("an answer of the ops port", async || integration_tests::door::get(&ready).await.ok())
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(Geo::Eu).unwrap(), "chy_any_key");
        let refused = caller.ask(&Ask::chat(MODEL, "hello")).await.unwrap().unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (503, "policy_unavailable"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_4_a_policy_on_disk_that_was_changed_is_not_believed() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    house.control.kill().unwrap();
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    let kept = house.state_dir(Geo::Eu).join("policy");
    let mut changed = 0;
    for entry in std::fs::read_dir(&kept).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 0x10;
            std::fs::write(&path, bytes).unwrap();
            changed += 1;
        }
    }
    assert!(changed > 0, "nothing was kept in {}", kept.display());
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    let caller = Caller::at(Door::Rest, house.inference_url(Geo::Eu).unwrap(), "chy_any_key");
    let refused = until("an answer", async || caller.ask(&Ask::chat(MODEL, "hello")).await.ok())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (503, "policy_unavailable"));
    // The control plane heals it.
    house.control.start_again().unwrap();
    house.enforces(Geo::Eu, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_99_a_signal_lets_streams_end_and_takes_no_more() {
    // A supervisor ends it, or its terminal is closed.
    tokio::join!(ends_well_at("TERM"), ends_well_at("HUP"));
}

async fn ends_well_at(signal: &str) {
    let mut house = Household::start(QUICKSTART, "[drain]\nseconds = 20\n").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    // Slowly enough that it is seen to drain on a busy machine: once it has ended, its port is anybody's.
    let ask = Ask::chat(MODEL, "[[sim:say=all of it comes, word by word]][[sim:chunk=4]][[sim:pace=600ms]]")
        .streaming(true);
    let mut open = Vec::new();
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(Geo::Eu).unwrap(), key.as_str());
        let mut going = caller.open(&ask).await.unwrap().unwrap();
        let first = loop {
            if let Some(Step::Text(_, text)) = going.next().await.unwrap().unwrap() {
                break text;
            }
        };
        open.push((first, going));
    }
    house.plane(Geo::Eu).unwrap().signal(signal).unwrap();
    let ready = format!("{}/readyz", house.ops_url(Geo::Eu).unwrap());
    let mut last = String::new();
    let unready = until("a node that is not ready any more", async || {
        let Ok(answer) = integration_tests::door::get(&ready).await else { return Some(()) };
        let status = answer.status();
        last = format!("{status}: {}", answer.text().await.unwrap_or_default());
        (status == 503).then_some(())
    });
    let unready = unready.await;
    unready.unwrap_or_else(|error| panic!("{error:#}; at {signal} it told last: {last}"));
    for (first, going) in open {
        let told = going.hear().await.unwrap().unwrap();
        assert_eq!(format!("{first}{}", told.text), "all of it comes, word by word");
        assert_eq!(told.finish, "stop");
    }
    let status = house.plane(Geo::Eu).unwrap().ended().await.unwrap();
    assert!(status.success(), "{status}");
    let records = read_records(&house.state_dir(Geo::Eu).join("outbox")).unwrap();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record["outcome"] == "answered"), "{records:?}");
    assert!(integration_tests::door::get(&ready).await.is_err(), "it is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_known_of_nodes_outlives_the_control_plane() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let token = std::fs::read_to_string(house.home().join("control/control-plane/admin.token")).unwrap();
    let url = house.admin_url();
    let listed = async |door: Door| {
        let nodes = match door {
            Door::Grpc => {
                let admin = Anything::at(&url, Some(token.trim())).await.ok()?;
                admin.call("chancery.admin.v1.NodesService/ListNodes", json!({})).await.ok()?.ok()?
            }
            Door::Rest => {
                let client = integration_tests::door::client().ok()?;
                let asked = client.get(format!("{url}/v1/nodes")).bearer_auth(token.trim());
                asked.send().await.ok()?.json::<Value>().await.ok()?
            }
        };
        nodes["nodes"].as_array().cloned()
    };
    let before = until("nodes that enforce", async || listed(Door::Grpc).await.filter(|n| n.len() == 2))
        .await
        .unwrap();
    for geo in Geo::ALL {
        house.plane(geo).unwrap().kill().unwrap();
    }
    house.control.terminate().unwrap();
    house.control.ended().await.unwrap();
    house.control.start_again().unwrap();
    for door in Door::BOTH {
        let after = until("a control plane that answers", async || listed(door).await).await.unwrap();
        assert_eq!(after.len(), before.len(), "{door:?} {after:?}");
        for (then, now) in before.iter().zip(&after) {
            assert_eq!((&now["name"], &now["geo"]), (&then["name"], &then["geo"]));
            assert_eq!(now["state"], "disconnected", "{door:?}");
            assert_eq!(now["expected"], true, "it was there a moment ago, by whichever control plane: {now}");
            assert!(now["appliedRevision"].as_i64() >= then["appliedRevision"].as_i64(), "{now} {then}");
            assert!(now["lastSeenTime"].as_str() >= then["lastSeenTime"].as_str(), "{now} {then}");
        }
    }
    // Whoever comes back is who it was.
    house.plane(Geo::Us).unwrap().start_again().unwrap();
    let back = until("a node that is back", async || {
        listed(Door::Rest).await.filter(|nodes| nodes.iter().any(|node| node["state"] == "connected"))
    });
    let back = back.await.unwrap();
    assert_eq!(back.len(), 2, "{back:?}");
    assert_eq!((&back[1]["name"], &back[1]["state"]), (&json!("nodes/us-1"), &json!("connected")));
    assert_eq!((&back[0]["expected"], &back[1]["expected"]), (&json!(true), &Value::Null), "{back:?}");
}
