//! A node that an operator drains: it takes no more, lets streams end or cuts them, stays, and serves again when it is undrained.

use anyhow::{Result, bail};
use integration_tests::{
    admin::Anything,
    door::{Ask, Caller, Door, Going, Step},
    household::Household,
    sandbox::{Geo, QUICKSTART, read_records},
    wait::until,
};
use serde_json::{Value, json};

use crate::restored::{ended, root, shows};

const MODEL: &str = "sim-mistral-large";
const SERVICE: &str = "chancery.admin.v1.NodesService";

/// A stream of each door, of which something was heard; with what that was.
async fn opened(house: &Household, key: &str, words: &str) -> Result<Vec<(String, Going)>> {
    let mut open = Vec::new();
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(Geo::Eu)?, key);
        let mut going = match caller.open(&Ask::chat(MODEL, words).streaming(true).at_most(64)).await? {
            Ok(going) => going,
            Err(refused) => bail!("refused: {refused:?}"),
        };
        let first = loop {
            match going.next().await? {
                Ok(Some(Step::Text(_, text))) => break text,
                Ok(Some(_)) => {}
                other => bail!("no text: {other:?}"),
            }
        };
        open.push((first, going));
    }
    Ok(open)
}

async fn ready(house: &Household) -> Result<(u16, String)> {
    let url = format!("{}/readyz", house.ops_url(Geo::Eu)?);
    let answer = integration_tests::door::get(&url).await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Waits until the node takes no requests, or takes them, at both doors.
async fn takes(house: &Household, key: &str, any: bool) -> Result<()> {
    until("a node that is ready, or is not", async || {
        let (status, text) = ready(house).await.ok()?;
        (if any { status == 200 } else { status == 503 && text == "draining\n" }).then_some(())
    })
    .await?;
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(Geo::Eu)?, key);
        match caller.ask(&Ask::chat(MODEL, "hello")).await? {
            Ok(_) => anyhow::ensure!(any, "{door:?} answered"),
            Err(refused) => {
                anyhow::ensure!(
                    !any && refused.status == 503 && refused.code == "shutting_down",
                    "{refused:?}"
                );
                anyhow::ensure!(refused.retry_after == Some(5), "{refused:?}");
            }
        }
    }
    Ok(())
}

async fn drain(admin: &Anything, within: &str) -> Result<Value> {
    let asked = json!({"name": "nodes/eu-1", "reason": "a new kernel", "within": within});
    let told = admin.call(&format!("{SERVICE}/DrainNode"), asked).await?;
    told.map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

async fn undrain(admin: &Anything) -> Result<Value> {
    let told = admin.call(&format!("{SERVICE}/UndrainNode"), json!({"name": "nodes/eu-1"})).await?;
    told.map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

/// Whether a node, as it is shown, has drained, having cut so many.
fn drained(cut: u64) -> impl Fn(&Value) -> bool {
    let cut = if cut == 0 { Value::Null } else { json!(cut) };
    move |node| node["drain"]["doneTime"].is_string() && node["drain"]["cut"] == cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_lets_streams_end_takes_no_more_and_stays_so_over_a_restart_of_the_control_plane() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let admin = root(&house).await.unwrap();
    let all = "all of it comes, word by word, and nobody is in a hurry here";
    let open =
        opened(&house, &key, &format!("[[sim:say={all}]][[sim:chunk=4]][[sim:pace=150ms]]")).await.unwrap();
    let told = drain(&admin, "20s").await.unwrap();
    assert_eq!(
        (&told["drain"]["reason"], &told["drain"]["withinMs"]),
        (&json!("a new kernel"), &json!(20_000))
    );
    assert!(told["drain"]["actor"].as_str().is_some_and(|actor| actor.starts_with("platform/")), "{told}");
    takes(&house, &key, false).await.unwrap();
    let elsewhere = Caller::at(Door::Rest, house.inference_url(Geo::Us).unwrap(), key.as_str());
    elsewhere.ask(&Ask::chat(MODEL, "hello")).await.unwrap().unwrap();
    for (first, going) in open {
        let told = going.hear().await.unwrap().unwrap();
        assert_eq!((format!("{first}{}", told.text).as_str(), told.finish.as_str()), (all, "stop"));
    }
    let done = shows(&admin, Geo::Eu, "a node that has drained", drained(0)).await.unwrap();
    assert_eq!(done["state"], "connected", "it stays");
    let records = read_records(&house.state_dir(Geo::Eu).join("outbox")).unwrap();
    assert!(
        records.len() == 2 && records.iter().all(|record| record["outcome"] == "answered"),
        "{records:?}"
    );

    ended(&mut house).await.unwrap();
    house.control.start_again().unwrap();
    let admin = root(&house).await.unwrap();
    let again = shows(&admin, Geo::Eu, "the node again", |node| node["state"] == "connected").await.unwrap();
    assert_eq!(again["drain"], done["drain"]);
    takes(&house, &key, false).await.unwrap();
    assert!(undrain(&admin).await.unwrap().get("drain").is_none());
    takes(&house, &key, true).await.unwrap();
    undrain(&admin).await.unwrap();

    let events =
        admin.call("chancery.admin.v1.AuditService/ListAuditEvents", json!({})).await.unwrap().unwrap();
    let acts: Vec<_> = events["auditEvents"].as_array().unwrap().iter().take(2).collect();
    for (event, verb, reason) in
        [(acts[0], "UndrainNode", Value::Null), (acts[1], "DrainNode", json!("a new kernel"))]
    {
        assert_eq!(
            (&event["action"], &event["reason"]),
            (&json!(format!("{SERVICE}/{verb}")), &reason),
            "{event}"
        );
        assert_eq!((&event["resource"], &event["outcome"]), (&json!("geos/eu/nodes/eu-1"), &json!("ok")));
        // What begins and ends is the drain, not the node.
        assert_eq!(event["changes"][0]["name"], "geos/eu/nodes/eu-1/drain", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_ended_in_time_is_cut_and_a_node_that_was_away_is_told() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let admin = root(&house).await.unwrap();
    let words = "[[sim:say=one two three four five six seven eight]][[sim:chunk=4]][[sim:hang=8]]";
    let open = opened(&house, &key, words).await.unwrap();
    drain(&admin, "300ms").await.unwrap();
    for (_, going) in open {
        let told = going.hear().await;
        assert!(!matches!(&told, Ok(Ok(told)) if told.finish == "stop"), "{told:?}");
    }
    let done = shows(&admin, Geo::Eu, "a node that has drained", drained(2)).await.unwrap();
    let records = read_records(&house.state_dir(Geo::Eu).join("outbox")).unwrap();
    assert!(
        records.len() == 2 && records.iter().all(|record| record["outcome"] == "cancelled"),
        "{records:?}"
    );
    takes(&house, &key, false).await.unwrap();

    // A process that starts is told, and had nothing to cut; one that was away when it ended serves.
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    until("a node that answers", async || ready(&house).await.ok()).await.unwrap();
    takes(&house, &key, false).await.unwrap();
    assert_eq!(shows(&admin, Geo::Eu, "the node", |_| true).await.unwrap()["drain"], done["drain"]);
    // Told to end: a second death within a minute would be held against what it had taken over.
    let plane = house.plane(Geo::Eu).unwrap();
    plane.terminate().unwrap();
    plane.ended().await.unwrap();
    undrain(&admin).await.unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    takes(&house, &key, true).await.unwrap();

    // Who may not, what is not there, and what nobody may ask.
    let ada = Anything::at(&house.admin_url(), Some(&key)).await.unwrap();
    let asked =
        |name: &str, reason: &str, within: &str| json!({"name": name, "reason": reason, "within": within});
    for (caller, asked, code, field) in [
        (&ada, asked("nodes/eu-1", "a whim", ""), "permission_denied", ""),
        (&admin, asked("nodes/nobody", "a whim", ""), "not_found", ""),
        (&admin, asked("geos/eu/nodes/nobody", "a whim", ""), "not_found", ""),
        (&admin, asked("nodes/eu-1", " ", ""), "invalid_request", "reason"),
        (&admin, asked("nodes/eu-1", "a whim", "2h"), "invalid_request", "within"),
        (&admin, asked("nodes/eu-1", "a whim", "soon"), "invalid_request", "within"),
    ] {
        let refused = caller.call(&format!("{SERVICE}/DrainNode"), asked.clone()).await.unwrap().unwrap_err();
        let fields: Vec<&str> = refused.fields.iter().map(|wrong| wrong.field.as_str()).collect();
        assert_eq!((refused.code.as_str(), fields.concat().as_str()), (code, field), "{asked}");
    }
    let refused =
        admin.call(&format!("{SERVICE}/UndrainNode"), json!({"name": "nodes/nobody"})).await.unwrap();
    assert_eq!(refused.unwrap_err().code.as_str(), "not_found");
    takes(&house, &key, true).await.unwrap();
}
