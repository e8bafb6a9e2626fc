//! A store that was restored from a backup: nodes keep what they have until its epoch is bumped, and what was denied stays denied.

use std::path::Path;

use anyhow::{Context, Result};
use integration_tests::{
    admin::Anything,
    door::{Ask, Caller, Door},
    household::Household,
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use serde_json::{Value, json};

use crate::policy;

const MODEL: &str = "sim-mistral-large";
const OTHER: &str = "sim-claude-haiku";

/// What an operator restores: the store, with what lies beside it of the same process.
const STORE: [&str; 3] = ["store.db", "store.db-wal", "store.db-shm"];

fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in STORE {
        let (from, to) = (from.join(file), to.join(file));
        match std::fs::remove_file(&to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        if from.exists() {
            std::fs::copy(&from, &to).with_context(|| from.display().to_string())?;
        }
    }
    Ok(())
}

/// The control plane ends, and begins with the files of another place.
pub(crate) async fn ended(house: &mut Household) -> Result<()> {
    house.control.terminate()?;
    house.control.ended().await?;
    Ok(())
}

pub(crate) async fn root(house: &Household) -> Result<Anything> {
    let token = std::fs::read_to_string(house.home().join("control/control-plane/admin.token"))?;
    until("a control plane that answers", async || {
        let root = Anything::at(&house.admin_url(), Some(token.trim())).await.ok()?;
        root.call("chancery.admin.v1.NodesService/ListNodes", json!({})).await.ok()?.ok()?;
        Some(root)
    })
    .await
}

async fn node(root: &Anything, geo: Geo) -> Result<Value> {
    let name = json!({"name": format!("nodes/{}-1", geo.name())});
    let told = root.call("chancery.admin.v1.NodesService/GetNode", name).await?;
    told.map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

/// Waits until a node is as it is to be, as the control plane shows it.
pub(crate) async fn shows(
    root: &Anything,
    geo: Geo,
    what: &str,
    is: impl Fn(&Value) -> bool,
) -> Result<Value> {
    until(what, async || node(root, geo).await.ok().filter(|node| is(node))).await
}

/// What each door answers in a geo to a key and a model; `None` is well.
async fn told(house: &Household, geo: Geo, (key, model): (&str, &str)) -> Result<Option<String>> {
    let mut codes = Vec::new();
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(geo)?, key);
        codes.push(
            caller.ask(&Ask::chat(model, "hello").at_most(16)).await?.err().map(|refused| refused.code),
        );
    }
    anyhow::ensure!(codes.iter().all(|code| *code == codes[0]), "the doors differ: {codes:?}");
    Ok(codes.remove(0))
}

async fn answers(house: &Household, geo: Geo, asked: (&str, &str), code: Option<&str>) -> Result<()> {
    let what = format!("{code:?} as the answer to {} in {}", asked.1, geo.name());
    until(&what, async || {
        let told = told(house, geo, asked).await.ok()?;
        (told.as_deref() == code).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_11_a_store_restored_from_a_backup_is_refused_until_its_epoch_is_bumped() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let (kept, lost, other) = (
        house.key("ada@example.org", "research").await.unwrap(),
        house.key("ada@example.org", "research").await.unwrap(),
        house.key("ada@example.org", "research").await.unwrap(),
    );
    let (store, backup) = (house.home().join("control/control-plane"), house.home().join("backup"));
    std::fs::create_dir(&backup).unwrap();
    ended(&mut house).await.unwrap();
    copy(&store, &backup).unwrap();
    house.control.start_again().unwrap();

    // After the backup: a rule, a key that is revoked, something that is switched off.
    let admin = root(&house).await.unwrap();
    house.apply(&policy::rule("after", "forbid", &format!("model.name == '{OTHER}'"), "")).await.unwrap();
    let spec = json!({"target": "model", "resource": "models/sim-mistral-large", "mode": "deny", "reason": "a drill"});
    let asked = json!({"killId": "after", "kill": {"spec": spec}});
    admin.call("chancery.admin.v1.KillsService/CreateKill", asked).await.unwrap().unwrap();
    let name = json!({"name": format!("tenants/acme/keys/{}", lost.split('_').nth(1).unwrap())});
    let gone = admin.call("chancery.admin.v1.KeysService/RevokeKey", name).await.unwrap().unwrap();
    let newest = gone["revision"].as_i64().unwrap();
    for geo in Geo::ALL {
        house.enforces(geo, newest).await.unwrap();
        answers(&house, geo, (&kept, OTHER), Some("rule_forbids")).await.unwrap();
        answers(&house, geo, (&kept, MODEL), Some("switched_off")).await.unwrap();
    }

    // The log is signed for from time to time; what comes after the backup is witnessed once it was.
    let list = "chancery.admin.v1.AuditService/ListAuditEvents";
    let events = admin.call(list, json!({})).await.unwrap().unwrap();
    let logged = events["auditEvents"][0]["sequence"].as_u64().unwrap();
    let witnessed = |node: &Value| node["auditLogSize"].as_u64().is_some_and(|size| size >= logged);
    for geo in Geo::ALL {
        shows(&admin, geo, "a witness of what was done", witnessed).await.unwrap();
    }

    // One node is away, and stays so until all is over.
    house.plane(Geo::Us).unwrap().kill().unwrap();
    ended(&mut house).await.unwrap();
    copy(&backup, &store).unwrap();
    house.control.start_again().unwrap();
    let admin = root(&house).await.unwrap();
    let refusing = shows(&admin, Geo::Eu, "that it knows more", |node| node["aheadEpoch"] == 1);
    let refusing = refusing.await.unwrap();
    assert_eq!((&refusing["appliedRevision"], &refusing["appliedEpoch"]), (&json!(newest), &json!(1)));
    let head = refusing["headRevision"].as_i64().unwrap();
    assert!(head < newest && refusing["confirmedRevision"].as_i64().unwrap_or_default() < head, "{refusing}");
    // What is published there meanwhile is for nobody who knows more, also when the store has caught up with it by number, and the
    // node begins another stream.
    let name = json!({"name": format!("tenants/acme/keys/{}", other.split('_').nth(1).unwrap())});
    admin.call("chancery.admin.v1.KeysService/RevokeKey", name).await.unwrap().unwrap();
    let another =
        json!({"target": "model", "resource": "models/sim-gpt-4o", "mode": "deny", "reason": "another"});
    let asked = json!({"killId": "another", "kill": {"spec": another}});
    admin.call("chancery.admin.v1.KillsService/CreateKill", asked).await.unwrap().unwrap();
    let mut head = head + 1;
    while head <= newest {
        house
            .apply(&policy::rule("meanwhile", "forbid", &format!("purpose == 'x{head}'"), ""))
            .await
            .unwrap();
        head += 1;
    }
    ended(&mut house).await.unwrap();
    house.control.start_again().unwrap();
    let admin = root(&house).await.unwrap();
    let is_back = |node: &Value| node["state"] == "connected" && node["headRevision"] == json!(head);
    let there = shows(&admin, Geo::Eu, "the node again", is_back).await.unwrap();
    assert_eq!((&there["appliedRevision"], &there["aheadEpoch"]), (&json!(newest), &json!(1)), "{there}");
    assert_eq!(told(&house, Geo::Eu, (&kept, MODEL)).await.unwrap().as_deref(), Some("switched_off"));
    // It is another history, which its audit log tells: the node is a witness of it.
    let is_told = |node: &Value| {
        node["auditInconsistency"].as_str().is_some_and(|told| told.starts_with("the audit log was "))
    };
    shows(&admin, Geo::Eu, "that the log is another", is_told).await.unwrap();
    let metrics = reqwest::get(format!("{}/metrics", house.ops_url(Geo::Eu).unwrap())).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("chancery_audit_log_inconsistent 1\n"), "{metrics}");
    assert_eq!(told(&house, Geo::Eu, (&kept, OTHER)).await.unwrap().as_deref(), Some("rule_forbids"));
    assert_eq!(told(&house, Geo::Eu, (&lost, MODEL)).await.unwrap().as_deref(), Some("key_revoked"));

    // Nobody may without a reason, and without being the platform's; both are told apart.
    let bump = "chancery.admin.v1.RevisionsService/BumpEpoch";
    let refused = admin.call(bump, json!({})).await.unwrap().unwrap_err();
    assert_eq!((refused.code.as_str(), refused.fields[0].field.as_str()), ("invalid_request", "reason"));
    let ada = Anything::at(&house.admin_url(), Some(&kept)).await.unwrap();
    let refused = ada.call(bump, json!({"reason": "a whim"})).await.unwrap().unwrap_err();
    assert_eq!(refused.code.as_str(), "permission_denied");
    let begun = admin.call(bump, json!({"reason": "restored from backup"})).await.unwrap().unwrap();
    assert_eq!((&begun["epoch"], &begun["revision"]), (&json!(2), &json!(head + 1)), "{begun}");
    let events = admin.call(list, json!({})).await.unwrap().unwrap();
    let event = &events["auditEvents"][0];
    assert_eq!((&event["action"], &event["reason"]), (&json!(bump), &json!("restored from backup")));
    assert_eq!((&event["revision"], &event["outcome"]), (&begun["revision"], &json!("ok")));
    assert!(event["actor"].as_str().is_some_and(|actor| actor.starts_with("platform/")), "{event}");

    let follows =
        |node: &Value| node["confirmedRevision"] == json!(head + 1) && node["appliedEpoch"] == json!(2);
    shows(&admin, Geo::Eu, "the new epoch in eu", follows).await.unwrap();
    // The node that was away takes it from its disk on, and the other one from its own.
    house.plane(Geo::Us).unwrap().start_again().unwrap();
    shows(&admin, Geo::Us, "the new epoch in us", follows).await.unwrap();
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    shows(&admin, Geo::Eu, "the new epoch, from disk", |node| follows(node) && node["state"] == "connected")
        .await
        .unwrap();
    for geo in Geo::ALL {
        let witness = |node: &Value| {
            node.get("auditInconsistency").is_none()
                && node["auditLogSize"].as_u64().is_some_and(|size| size > 0)
        };
        shows(&admin, geo, "a witness of the new log", witness).await.unwrap();
        answers(&house, geo, (&kept, OTHER), None).await.unwrap();
        // The store has forgotten what was denied since, and no node has.
        answers(&house, geo, (&lost, MODEL), Some("key_revoked")).await.unwrap();
        answers(&house, geo, (&kept, MODEL), Some("switched_off")).await.unwrap();
        let held = shows(&admin, geo, "what holds on", |node| node["earlierKills"].is_array()).await.unwrap();
        let kill = json!([{"kill": "kills/after", "target": "model", "resource": "models/sim-mistral-large", "mode": "deny"}]);
        assert_eq!((&held["earlierKills"], &held["earlierKeys"]), (&kill, &json!(1)), "{held}");
    }
    // It is made anew, and then lifted.
    let asked = json!({"killId": "after", "kill": {"spec": spec}});
    admin.call("chancery.admin.v1.KillsService/CreateKill", asked).await.unwrap().unwrap();
    for geo in Geo::ALL {
        shows(&admin, geo, "nothing that holds on", |node| node.get("earlierKills").is_none()).await.unwrap();
    }
    let name = json!({"name": "kills/after"});
    admin.call("chancery.admin.v1.KillsService/DeleteKill", name).await.unwrap().unwrap();
    for geo in Geo::ALL {
        answers(&house, geo, (&kept, MODEL), None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_10_behind_a_replica_that_lags_no_node_goes_back_and_all_go_on_when_it_has_caught_up() {
    const LAG: usize = 10;
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let forbids = |model: &str| policy::rule("after", "forbid", &format!("model.name == '{model}'"), "");
    let (store, lagging, newest) = (
        house.home().join("control/control-plane"),
        house.home().join("lagging"),
        house.home().join("newest"),
    );
    for place in [&lagging, &newest] {
        std::fs::create_dir(place).unwrap();
    }
    ended(&mut house).await.unwrap();
    copy(&store, &lagging).unwrap();
    house.control.start_again().unwrap();
    root(&house).await.unwrap();
    let mut head = 0;
    for number in 0..LAG {
        let model = if number + 1 == LAG { OTHER.to_owned() } else { format!("nobody-{number}") };
        head = house.apply(&forbids(&model)).await.unwrap();
    }
    for geo in Geo::ALL {
        house.enforces(geo, head).await.unwrap();
    }

    // The one that lags answers in the other's place: it has the same authority, and another head.
    ended(&mut house).await.unwrap();
    copy(&store, &newest).unwrap();
    copy(&lagging, &store).unwrap();
    house.control.start_again().unwrap();
    let admin = root(&house).await.unwrap();
    for geo in Geo::ALL {
        let refusing = shows(&admin, geo, "that it knows more", |node| node["aheadEpoch"] == 1);
        assert_eq!(refusing.await.unwrap()["appliedRevision"], json!(head));
        assert_eq!(told(&house, geo, (&key, OTHER)).await.unwrap().as_deref(), Some("rule_forbids"));
    }

    // It has caught up.
    ended(&mut house).await.unwrap();
    copy(&newest, &store).unwrap();
    house.control.start_again().unwrap();
    let admin = root(&house).await.unwrap();
    let next = house.apply(&forbids("nobody")).await.unwrap();
    assert_eq!(next, head + 1);
    for geo in Geo::ALL {
        shows(&admin, geo, "the next", |node| node["appliedRevision"] == json!(next)).await.unwrap();
        answers(&house, geo, (&key, OTHER), None).await.unwrap();
    }
}
