//! A person whose name and everything that is only known of it is in no file in the open, and after its erasure in no file at all, while
//! every proof of what it did still holds.

use std::path::Path;

use anyhow::{Context as _, Result};
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, Process, binary},
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use serde_json::Value;

use crate::decisions::verb;
use crate::policy;
use crate::secrets::holders;

/// Whatever is known of the person. The id is in no request's path of the log either.
const ID: &str = "canary.person@example.net";
const SHOWN: &str = "Canary Fullname";
const LABEL: &str = "room canary-\"17\"";
const CANARIES: [&str; 4] = [ID, SHOWN, "canary-", "Fullname"];
const PRINCIPAL: &str = "tenants/acme/principals/canary.person@example.net";

fn person() -> String {
    format!(
        "apiVersion: chancery/v1\nkind: Principal\n\
         metadata: {{name: '{ID}', tenant: acme, labels: {{desk: '{LABEL}'}}}}\n\
         spec: {{type: user, displayName: '{SHOWN}', teams: [research], residency: DE}}\n---\n{}---\n\
         apiVersion: chancery/v1\nkind: Grant\nmetadata: {{name: of-one, tenant: acme}}\n\
         spec: {{role: chat-user, team: research, to: {{principal: '{ID}'}}}}\n---\n\
         apiVersion: chancery/v1\nkind: Limit\nmetadata: {{name: of-one, tenant: acme}}\n\
         spec: {{scope: {{principal: '{ID}'}}, bound: {{requests: 1000, per: 1h}}}}\n",
        policy::rule(
            "not-this-one",
            "forbid",
            &format!("caller.principal == '{ID}' && purpose == 'gossip'"),
            ""
        )
    )
}

/// A verb that must succeed, as JSON.
fn told(house: &Household, arguments: &[&str]) -> Result<Value> {
    let (code, told) = verb(house, &[arguments, &["-o", "json"]].concat())?;
    anyhow::ensure!(code == 0, "{arguments:?}: {told}");
    let line = told.lines().find(|line| line.starts_with('{')).context("an answer")?;
    Ok(serde_json::from_str(line)?)
}

/// Verifies as somebody else does: an exit code, and what was said.
fn verified(arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(binary().unwrap()).env_clear().args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn asked(house: &Household, key: &str) -> Result<()> {
    for (at, geo) in [Geo::Eu, Geo::Us, Geo::Eu, Geo::Us].into_iter().enumerate() {
        let caller = Caller::at(Door::BOTH[at / 2], house.inference_url(geo)?, key);
        let ask = Ask::chat("sim-mistral-large", "hello");
        assert!(caller.ask(&ask).await?.is_ok());
        let refused = caller.ask(&ask.with("x-purpose", "gossip")).await?.unwrap_err();
        assert_eq!(refused.code, "rule_forbids", "the rule that names the person holds: {refused:?}");
    }
    Ok(())
}

/// What exports and the house's own files say, of which the person is nowhere.
fn nowhere(house: &Household, more: &Path) {
    for place in [house.home(), more] {
        let found = holders(place, &CANARIES);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

/// Ends a process and waits for it.
async fn stopped(process: &mut Process) -> Result<()> {
    process.terminate()?;
    process.ended().await?;
    Ok(())
}

async fn started(house: &mut Household) -> Result<()> {
    house.control.start_again()?;
    until("a control plane that is back", async || told(house, &["get", "tenants"]).ok().map(drop)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_erased_is_in_nothing_and_everything_is_still_proved() {
    let away = tempfile::tempdir().unwrap();
    let at = |name: &str| away.path().join(name).to_str().unwrap().to_owned();
    let mut house = Household::start(QUICKSTART, "[decisions]\nsegment_records = 4\n").await.unwrap();
    house.apply(&person()).await.unwrap();
    let key = house.key(ID, "research").await.unwrap();
    asked(&house, &key).await.unwrap();

    // Whoever may read it is told its name and all that is known of it, by every way to ask.
    let found = told(&house, &["get", "principal", ID, "--tenant", "acme"]).unwrap();
    assert_eq!(found["name"], PRINCIPAL);
    assert_eq!((&found["spec"]["displayName"], &found["labels"]["desk"]), (&SHOWN.into(), &LABEL.into()));
    let (_, files) = verb(&house, &["export", "--tenant", "acme"]).unwrap();
    assert!(files.contains(ID) && files.contains(SHOWN), "{files}");
    let (_, rules) = verb(&house, &["export", "--kinds", "Rule"]).unwrap();
    assert!(rules.contains(&format!("caller.principal == '{ID}'")), "{rules}");
    let who = ["explain", "--tenant", "acme", "--principal", ID, "--team", "research", "--geo", "eu"];
    let why =
        told(&house, &[&who[..], &["--model", "sim-mistral-large", "--purpose", "gossip"]].concat()).unwrap();
    assert_eq!(why["effect"], "deny", "{why}");
    let (_, unchanged) = verb(&house, &["get", "principals", "--tenant", "acme"]).unwrap();
    assert!(unchanged.contains(ID), "{unchanged}");
    let before = told(&house, &["revisions", "list"]).unwrap()["revisions"][0]["name"].clone();
    house.apply(&person()).await.unwrap();
    assert_eq!(
        told(&house, &["revisions", "list"]).unwrap()["revisions"][0]["name"],
        before,
        "nothing changed"
    );
    let events = told(&house, &["audit", "list", "--resource", PRINCIPAL]).unwrap();
    let diff = events.to_string();
    assert!(diff.contains(SHOWN) && diff.contains(PRINCIPAL), "{events}");

    let pseudonym = told(&house, &["subjects", "show", ID]).unwrap()["name"].as_str().unwrap().to_owned();
    let erase = |house: &Household| verb(house, &["subjects", "erase", ID, "--reason", "request 7"]).unwrap();
    let (code, why) = erase(&house);
    assert!(code == 6 && why.contains(PRINCIPAL), "{code}: {why}");

    // It goes, and leaves its records, its events and exports of both.
    told(&house, &["audit", "export", "--out", &at("early.jsonl")]).unwrap();
    told(&house, &["audit", "key", "--out", &at("log.keys")]).unwrap();
    let keys = told(&house, &["get", "keys", "--tenant", "acme"]).unwrap();
    let own = keys["keys"].as_array().unwrap().iter().find(|key| key["spec"]["principal"] == ID).unwrap();
    let name = own["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    verb(&house, &["keys", "revoke", &name, "--tenant", "acme"]).unwrap();
    for kind in ["grant", "limit"] {
        verb(&house, &["delete", kind, "of-one", "--tenant", "acme"]).unwrap();
    }
    let (code, gone) = verb(&house, &["delete", "principal", ID, "--tenant", "acme"]).unwrap();
    assert_eq!(code, 0, "{gone}");
    told(&house, &["holds", "create", "case-7", "--subject", ID, "--reason", "case 7"]).unwrap();
    let (code, why) = erase(&house);
    assert!(code == 6 && why.contains("holds/case-7"), "{code}: {why}");
    let refused = told(&house, &["audit", "list", "--resource", &pseudonym]).unwrap();
    let refused = &refused["auditEvents"][0];
    assert_eq!(
        (&refused["outcome"], &refused["approvals"], &refused["reason"]),
        (&"failed_precondition".into(), &serde_json::json!(["holds/case-7"]), &"request 7".into()),
        "{refused}"
    );
    told(&house, &["holds", "release", "case-7", "--reason", "closed"]).unwrap();
    std::fs::copy(house.home().join("control/control-plane/subjects.db"), at("subjects.backup")).unwrap();
    let (code, done) = erase(&house);
    assert_eq!(code, 0, "{done}");

    // What was in force with it comes back without it.
    let number = before.as_str().unwrap().trim_start_matches("revisions/").to_owned();
    let back = told(&house, &["rollback", &number, "--dry-run"]).unwrap();
    let left: Vec<_> = back["left"].as_array().unwrap().iter().map(|left| left["name"].clone()).collect();
    let person = format!("tenants/acme/principals/{}", pseudonym.trim_start_matches("subjects/"));
    for gone in [person.as_str(), "tenants/acme/grants/of-one", "tenants/acme/limits/of-one"] {
        assert!(left.contains(&gone.into()), "{gone}: {back}");
    }

    // Nobody knows it any more, and a backup of who is who does not bring it back.
    for restored in [false, true] {
        if restored {
            stopped(&mut house.control).await.unwrap();
            std::fs::copy(at("subjects.backup"), house.home().join("control/control-plane/subjects.db"))
                .unwrap();
            started(&mut house).await.unwrap();
        }
        let nobody = told(&house, &["subjects", "show", &pseudonym]).unwrap();
        assert!(nobody["eraseTime"].is_string() && nobody.get("id").is_none_or(|id| id == ""), "{nobody}");
        assert_eq!(verb(&house, &["subjects", "show", ID]).unwrap().0, 5);
        let events = told(&house, &["audit", "list", "--limit", "200"]).unwrap().to_string();
        for canary in CANARIES {
            assert!(!events.contains(canary), "{canary}: {events}");
        }
        assert!(events.contains("(erased)") && events.contains(pseudonym.trim_start_matches("subjects/")));
    }

    // Everything it did is proved as before.
    told(&house, &["audit", "export", "--out", &at("late.csv"), "--format", "csv"]).unwrap();
    for geo in Geo::ALL {
        stopped(house.plane(geo).unwrap()).await.unwrap();
    }
    for export in ["early.jsonl", "late.csv"] {
        let (code, told) = verified(&["audit", "verify", &at(export), "--key", &at("log.keys")]);
        assert_eq!(code, Some(0), "{export}: {told}");
    }
    let ca = house.home().join("control/control-plane/ca/ca.pem").to_str().unwrap().to_owned();
    let outboxes = Geo::ALL.map(|geo| house.state_dir(geo).join("outbox").to_str().unwrap().to_owned());
    let paths: Vec<&str> = outboxes.iter().map(String::as_str).collect();
    let again = told(&house, &[&["decisions", "replay", "--ca", &ca], &paths[..]].concat()).unwrap();
    assert_eq!((&again["different"], &again["same"]), (&0.into(), &8.into()), "{again}");
    std::fs::remove_file(at("subjects.backup")).unwrap();
    nowhere(&house, away.path());
    stopped(&mut house.control).await.unwrap();
    nowhere(&house, away.path());
}
