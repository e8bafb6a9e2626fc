//! History: a change that did harm is found, explained as of before and after, and taken back; the same at both doors and from a terminal.

use anyhow::{Context as _, Result};
use integration_tests::{
    door::{Ask, Door},
    household::Dev,
    sandbox::{QUICKSTART, Sandbox},
    scene::Scene,
    wait::until,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{operators, policy};

const MODEL: &str = "sim-mistral-large";

/// Calls something of a service that is called by its verb, as the house's own.
async fn call(house: &Sandbox, door: Door, rpc: &str, body: Value) -> Result<Result<Value, String>> {
    let (service, method) = rpc.split_once('/').context("a service and its method")?;
    let place = service.strip_suffix("Service").context("a service")?.to_lowercase();
    let verb = format!(
        "{}{}",
        method.get(..1).unwrap_or_default().to_lowercase(),
        method.get(1..).unwrap_or_default()
    );
    let place = (&*format!("chancery.admin.v1.{rpc}"), Method::POST, &*format!("{place}:{verb}"));
    operators::call(house, (door, house.token()), place, &body).await
}

async fn applied(house: &Sandbox, door: Door, rule: &str) -> Result<i64> {
    let file = json!({"path": "a.yaml", "text": rule});
    let answer = call(house, door, "PolicyService/Apply", json!({"files": [file]})).await?.unwrap();
    answer["revision"].as_i64().context("a revision")
}

fn question(further: Value) -> Value {
    let mut question = json!({"principal": "tenants/acme/principals/ada@example.org", "team": "research", "model": MODEL,
        "operation": "chat", "geo": "eu"});
    question.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    question
}

async fn a_change_that_did_harm_is_found_and_taken_back(door: Door) -> Result<()> {
    let scene = Scene::quickstart(door).await?;
    let house = &scene.house;
    let ask = Ask::chat(MODEL, "hello").with("x-purpose", "gossip");
    let first = applied(house, door, &policy::rule("gossip", "forbid", "purpose == 'slander'", "")).await?;
    house.enforced(first).await?;
    assert!(scene.ask(&ask).await?.is_ok());
    let second = applied(house, door, &policy::rule("gossip", "forbid", "purpose == 'gossip'", "")).await?;
    house.enforced(second).await?;
    assert_eq!(scene.ask(&ask).await?.unwrap_err().code, "rule_forbids");

    let diff = call(house, door, "HistoryService/DiffRevisions", json!({"from": "head~1", "to": "head"}))
        .await?
        .unwrap();
    assert_eq!(diff["changes"][0]["name"], "rules/gossip", "{diff}");
    let field = json!({"path": "spec.when", "before": "\"purpose == 'slander'\"", "after": "\"purpose == 'gossip'\""});
    assert_eq!(diff["changes"][0]["fields"], json!([field]));
    assert_eq!(diff["changes"][0]["authors"][0]["revision"], format!("revisions/{second}"));

    let blame =
        call(house, door, "HistoryService/Blame", json!({"resource": "rules/gossip"})).await?.unwrap();
    let set = |path: &str| {
        let fields = blame["fields"].as_array().unwrap();
        fields.iter().find(|field| field["path"] == path).unwrap()["author"]["revision"].clone()
    };
    assert_eq!(set("spec.when"), format!("revisions/{second}"));
    assert_eq!(set("spec.effect"), format!("revisions/{first}"));

    for (as_of, effect) in [(first.to_string(), "allow"), ("head".to_owned(), "deny")] {
        let asked = question(json!({"asOf": as_of, "purpose": "gossip"}));
        let answer = call(house, door, "PolicyService/Explain", asked).await?.unwrap();
        assert_eq!(answer["effect"], effect, "{answer}");
        assert!(answer["evaluator"].is_string() && answer["assumptions"].is_array(), "{answer}");
    }

    let back =
        |dry_run: bool| json!({"revision": first.to_string(), "resources": ["rules"], "dryRun": dry_run});
    let tried = call(house, door, "HistoryService/Rollback", back(true)).await?.unwrap();
    assert_eq!(
        (tried["revision"].as_i64(), &tried["differences"][0]["name"]),
        (None, &json!("rules/gossip"))
    );
    let done = call(house, door, "HistoryService/Rollback", back(false)).await?.unwrap();
    house.enforced(done["revision"].as_i64().context("a revision")?).await?;
    until("what was there before", async || scene.ask(&ask).await.ok()?.ok()).await?;
    let again = call(house, door, "HistoryService/Rollback", back(false)).await?.unwrap();
    assert!(again.get("changes").is_none() && again.get("revision").is_none(), "{again}");
    Ok(())
}

async fn what_history_does_not_know_is_refused(door: Door) -> Result<()> {
    let house = Sandbox::start(QUICKSTART, |_| ()).await?;
    for (word, told) in [
        ("0", "is before the first revision"),
        ("999", "was never published"),
        ("1999-12-31T00:00:00Z", "is before the first revision, which was published at"),
        ("2999-12-31T00:00:00Z", "is in the future"),
        ("'; DROP TABLE revision", "names no revision"),
        ("\u{1b}[2J", "names no revision"),
    ] {
        for (rpc, field, body) in [
            ("HistoryService/DiffRevisions", "from", json!({"from": word})),
            ("HistoryService/Blame", "revision", json!({"resource": "rules/eu-residency", "revision": word})),
            ("HistoryService/Rollback", "revision", json!({"revision": word})),
            ("PolicyService/Explain", "asOf", question(json!({"asOf": word}))),
        ] {
            let refused = call(&house, door, rpc, body).await?.unwrap_err();
            let start = format!("invalid_request {field}: ");
            assert!(refused.starts_with(&start) && refused.contains(told), "{rpc} {word}: {refused}");
            assert!(!refused.contains('\u{1b}'), "{refused}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_did_harm_is_found_explained_and_taken_back_whichever_door_is_asked() {
    for door in Door::BOTH {
        a_change_that_did_harm_is_found_and_taken_back(door).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_that_history_does_not_know_is_refused_at_both_doors() {
    for door in Door::BOTH {
        what_history_does_not_know_is_refused(door).await.unwrap();
    }
}

/// Runs a verb; whether it succeeded and what it printed.
fn run(dev: &Dev, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = dev.run(arguments).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn does(dev: &Dev, arguments: &[&str]) -> String {
    let (code, told, complaint) = run(dev, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {told}{complaint}");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_read_and_put_back_from_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    for (purpose, reason) in [("slander", "the works council asked"), ("gossip", "far too strict")] {
        let rule = policy::rule("gossip", "forbid", &format!("purpose == '{purpose}'"), "");
        std::fs::write(home.path().join("rule.yaml"), rule).unwrap();
        does(&dev, &["apply", "-f", "rule.yaml", "--reason", reason, "--ticket", "CHG-7"]);
    }
    let diff = does(&dev, &["revisions", "diff", "head~1"]);
    for part in [
        "updated  rules/gossip",
        ": far too strict (CHG-7)",
        "    spec.when\n      - purpose == 'slander'\n      + purpose == 'gossip'\n",
        "1 updated\n",
    ] {
        assert!(diff.contains(part), "{part}: {diff}");
    }
    let json: Value =
        serde_json::from_str(&does(&dev, &["revisions", "diff", "head", "head~1", "-o", "json"])).unwrap();
    assert_eq!(json["changes"][0]["fields"][0]["after"], "\"purpose == 'slander'\"");
    assert!(does(&dev, &["revisions", "diff", "head~1", "head", "-o", "yaml"]).contains("path: spec.when"));
    assert!(does(&dev, &["revisions", "diff", "1", "--kind", "limit"]).ends_with("nothing is different\n"));

    let blame = does(&dev, &["blame", "gossip"]);
    let line = |field: &str| {
        blame.lines().find(|line| line.contains(field)).unwrap_or_else(|| panic!("{field}: {blame}"))
    };
    assert!(line("spec.when").contains("far too strict, CHG-7"), "{blame}");
    assert!(line("spec.effect").contains("the works council asked"), "{blame}");

    let explain = [
        "explain",
        "--tenant",
        "acme",
        "--principal",
        "ada@example.org",
        "--team",
        "research",
        "--model",
        MODEL,
        "--geo",
        "eu",
        "--purpose",
        "gossip",
    ];
    let explained = |as_of: &str| does(&dev, &[&explain[..], &["--as-of", as_of]].concat());
    assert!(explained("head").starts_with("DENIED"));
    let then = explained("head~1");
    assert!(then.starts_with("ALLOWED") && then.contains("taken for given\n"), "{then}");

    let tried = does(&dev, &["rollback", "head~1", "--resource", "rules/gossip", "--dry-run"]);
    assert!(
        tried.contains("      + purpose == 'slander'\n") && tried.ends_with("dry run, nothing was changed\n"),
        "{tried}"
    );
    let done = does(&dev, &["rollback", "head~1", "--kind", "rule", "--reason", "it did harm", "--wait"]);
    assert!(done.starts_with("updated   rules/gossip\n"), "{done}");
    assert!(explained("head").starts_with("ALLOWED"));
    let again = does(&dev, &["rollback", "head~2", "--kind", "rule"]);
    assert!(again.ends_with("is in force\n") && again.starts_with("nothing changed: "), "{again}");
    for (arguments, told) in [
        (&["revisions", "diff", "junk"][..], "`junk` names no revision"),
        (&["rollback", "999"], "was never published"),
        (&["blame", "none"], "there is no such resource"),
        (&["revisions", "diff", "2999-01-01"], "is in the future"),
    ] {
        let (code, _, complaint) = run(&dev, arguments);
        assert!(code != Some(0) && complaint.contains(told), "{arguments:?}: {complaint}");
    }
}
