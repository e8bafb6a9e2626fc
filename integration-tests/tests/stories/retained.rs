//! What a retention keeps no longer goes, wherever it is, unless a hold is over it; and what is left is proved as before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, Lines, binary},
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use serde_json::Value;

use crate::decisions::{files, verb};
use crate::policy::rule;
use crate::secrets::holders;

const MODEL: &str = "sim-mistral-large";
const CANARY: &str = "canary-of-a-reason-51d2";

/// A verb that must succeed, as JSON.
fn told(house: &Household, arguments: &[&str]) -> Result<Value> {
    let (code, told) = verb(house, &[arguments, &["-o", "json"]].concat())?;
    ensure!(code == 0, "{arguments:?}: {told}");
    let line = told.lines().find(|line| line.starts_with('{')).context("an answer")?;
    Ok(serde_json::from_str(line)?)
}

/// Verifies an export as somebody else does.
fn verified(arguments: &[&str]) -> Result<(Option<i32>, Value)> {
    let output = Command::new(binary()?).env_clear().args(arguments).args(["-o", "json"]).output()?;
    Ok((output.status.code(), serde_json::from_slice(&output.stdout)?))
}

async fn asked(house: &Household, key: &str) -> Result<()> {
    for geo in Geo::ALL {
        for door in Door::BOTH {
            let ask = Ask::chat(MODEL, "write this down").with("x-chancery-purpose", "kept");
            let told = Caller::at(door, house.inference_url(geo)?, key).ask(&ask).await?;
            ensure!(told.is_ok(), "{told:?}");
        }
    }
    Ok(())
}

/// A call that is refused, and says why it was made.
async fn refused(house: &Household) -> Result<()> {
    let call = reqwest::Client::new().delete(format!("{}/v1/rules/nobody-made-it", house.admin_url()));
    let answer = call.bearer_auth(house.token()?).header("x-chancery-reason", CANARY).send().await?;
    ensure!(answer.status() == 404, "{}", answer.status());
    Ok(())
}

/// The event of that call: its sequence.
async fn event_of_refusal(house: &Household) -> Result<i64> {
    let log = house.read("auditEvents?action=DeleteRule").await?;
    log["auditEvents"][0]["sequence"].as_i64().with_context(|| format!("an event: {log}"))
}

/// Whether the time of every file of content is over.
fn are_over(content: &[PathBuf]) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let until = |path: &PathBuf| path.file_name()?.to_str()?.split('-').next()?.parse::<u64>().ok();
    content.iter().all(|path| until(path).is_some_and(|until| until < now.as_secs()))
}

/// Segments and content in the store, once all of what was asked is there: lines, manifests, files of content.
async fn shipped(store: &Path) -> Result<[Vec<PathBuf>; 3]> {
    let all = || {
        let found = ["jsonl", "manifest", "captured"].map(|ending| files(store, ending).ok());
        let [Some(lines), Some(manifests), Some(content)] = found else { return None };
        let records = |path: &PathBuf| fs::read_to_string(path).map_or(0, |text| text.lines().count());
        let is_all =
            lines.iter().map(records).sum::<usize>() == 4 && content.iter().map(records).sum::<usize>() == 4;
        (is_all && lines.len() == manifests.len()).then_some([lines, manifests, content])
    };
    until("everything in the store", async || all()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_goes_unless_it_is_held_and_the_rest_is_proved() {
    let (store, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| away.path().join(name).to_str().unwrap().to_owned();
    let planes = format!("[decisions]\nsegment_seconds = 1\nstore = \"dir:{}\"\n", store.path().display());
    let more = Lines { control: "[retention]\ngrace = \"0s\"\nevery = \"100ms\"\n", planes: &planes };
    let house = Household::of("debug", QUICKSTART, more).await.unwrap();
    told(&house, &["holds", "create", "case-7", "--reason", "case 7"]).unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let keep = rule("keep", "require", "purpose == 'kept'", ", obligations: [{capture: {retention: 1s}}]");
    let revision = house.apply(&keep).await.unwrap();
    for geo in Geo::ALL {
        house.enforces(geo, revision).await.unwrap();
    }
    asked(&house, &key).await.unwrap();
    refused(&house).await.unwrap();
    let event = event_of_refusal(&house).await.unwrap();
    let [lines, manifests, content] = shipped(store.path()).await.unwrap();
    told(&house, &["audit", "export", "--out", &at("early.jsonl")]).unwrap();
    told(&house, &["audit", "key", "--out", &at("log.keys")]).unwrap();
    for class in ["reads", "decisions"] {
        let set = told(&house, &["retention", "set", class, "--keep", "1s", "--reason", "policy 7"]).unwrap();
        assert_eq!(set["name"], format!("retentions/{class}"));
    }

    // Everything is over, and held.
    until("the end of its time", async || are_over(&content).then_some(())).await.unwrap();
    told(&house, &["holds", "create", "case-8", "--tenant", "acme", "--reason", "case 8"]).unwrap();
    told(&house, &["holds", "release", "case-8", "--reason", "closed"]).unwrap();
    let logged = house.read(&format!("auditEvents/{event}")).await.unwrap();
    assert_eq!((&logged["reason"], logged.get("pruned")), (&CANARY.into(), None), "{logged}");
    assert!(lines.iter().chain(&content).all(|path| path.exists()));

    told(&house, &["holds", "release", "case-7", "--reason", "closed"]).unwrap();
    until("an event that was pruned", async || {
        house.read(&format!("auditEvents/{event}")).await.ok().filter(|event| event["pruned"].is_object())
    })
    .await
    .unwrap();
    until("segments without lines", async || {
        let told = told(&house, &["decisions", "segments"]).ok()?;
        let all = told["decisionSegments"].as_array()?;
        let done = all.iter().filter(|segment| segment["pruneDoneTime"].is_string()).count();
        (done == manifests.len() && done == all.len()).then_some(())
    })
    .await
    .unwrap();
    until("content that is gone", async || (!content.iter().any(|path| path.exists())).then_some(()))
        .await
        .unwrap();
    for class in ["reads", "decisions"] {
        told(&house, &["retention", "delete", class, "--reason", "policy 8"]).unwrap();
    }
    events_are_proved(&house, (event, &at)).await.unwrap();
    assert!(lines.iter().all(|path| !path.exists()) && manifests.iter().all(|path| path.exists()));
    segments_are_proved(&house, store.path(), &at("segments.json")).unwrap();
}

/// What is left of the log is proved, and no file of the house has what went.
async fn events_are_proved(house: &Household, (event, at): (i64, &impl Fn(&str) -> String)) -> Result<()> {
    let logged = house.read(&format!("auditEvents/{event}")).await?;
    ensure!(logged["pruned"]["retention"] == "retentions/reads", "{logged}");
    ensure!(logged["sequence"] == event && logged["createTime"].is_string(), "{logged}");
    ensure!(logged.get("reason").is_none() && logged.get("actor").is_none(), "{logged}");
    let by = logged["pruned"]["event"].as_str().context("an event")?;
    let told_by = house.read(by).await?;
    ensure!(told_by["actor"] == "system" && told_by["approvals"][0] == "retentions/reads", "{told_by}");
    let (_, listed) = verb(house, &["audit", "list", "--limit", "200"])?;
    ensure!(listed.contains("pruned under retentions/reads at "), "{listed}");
    let found = holders(&house.home().join("control"), &[CANARY]);
    ensure!(found.is_empty(), "{found:?}");

    told(house, &["audit", "export", "--out", &at("late.jsonl")])?;
    told(house, &["audit", "export", "--out", &at("late.csv"), "--format", "csv"])?;
    told(house, &["audit", "export", "--out", &at("part.jsonl"), "--since", "2020-01-01"])?;
    for name in ["early.jsonl", "late.jsonl", "late.csv", "part.jsonl"] {
        let (code, told) = verified(&["audit", "verify", &at(name), "--key", &at("log.keys")])?;
        let pruned = told["pruned"].as_u64().context("a number")?;
        ensure!(code == Some(0) && (pruned > 0) == (name != "early.jsonl"), "{name}: {told}");
    }
    let kept = at("early.jsonl");
    let (code, told) =
        verified(&["audit", "verify", &at("late.jsonl"), "--key", &at("log.keys"), "--checkpoint", &kept])?;
    ensure!(code == Some(0) && told["extends"].is_u64(), "{told}");
    let forged = fs::read_to_string(at("late.jsonl"))?.replacen("\"prunedBy\":", "\"prunedBy\":1", 1);
    fs::write(at("forged.jsonl"), forged)?;
    let (code, told) = verified(&["audit", "verify", &at("forged.jsonl"), "--key", &at("log.keys")])?;
    ensure!(code == Some(10), "{told}");
    Ok(())
}

/// Manifests are there, and what is not beside them was pruned, as far as that is known.
fn segments_are_proved(house: &Household, store: &Path, known: &str) -> Result<()> {
    let ca = house.home().join("control/control-plane/ca/ca.pem");
    let [store, ca] = [store, &ca].map(|path| path.to_str().unwrap_or_default());
    let (_, told) = verb(house, &["decisions", "segments", "-o", "json"])?;
    fs::write(known, told)?;
    let (code, told) = verb(house, &["decisions", "verify", store, "--ca", ca, "--anchors", known])?;
    ensure!(code == 0 && told.contains("under retentions/decisions at "), "{code}: {told}");
    let (code, told) = verb(house, &["decisions", "verify", store, "--ca", ca])?;
    ensure!(code == 11 && told.contains("its manifest is here, and its records are not"), "{code}: {told}");
    let (_, told) = verb(house, &["decisions", "segments"])?;
    ensure!(
        told.contains("under retentions/decisions at ") && !told.contains("not told to be gone"),
        "{told}"
    );
    Ok(())
}
