//! A vendor's registry, synced: a node asks, what is new or ends is a proposal, and what was synced once is nothing new.

use std::fs;

use anyhow::Result;
use http::StatusCode;
use integration_tests::{
    door::{Ask, Caller, Door},
    household::Dev,
    scene::Scene,
    scripted::{Canned, OpenAiLike},
};
use serde_json::{Value, json};

/// What a verb prints on both, and how it ends.
fn done(dev: &Dev, arguments: &[&str]) -> (i32, String, String) {
    let output = dev.run(arguments).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn told(dev: &Dev, arguments: &[&str]) -> Value {
    let (code, said, complained) = done(dev, &[arguments, &["-o", "json"]].concat());
    assert_eq!(code, 0, "{arguments:?}: {complained}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
}

/// Applies a file, and waits until it is enforced: a node asks by what it enforces.
fn applied(dev: &Dev, home: &std::path::Path, text: &str) {
    fs::write(home.join("applied.yaml"), text).unwrap();
    let (code, _, complained) = done(dev, &["apply", "-f", "applied.yaml", "--wait=30"]);
    assert_eq!(code, 0, "{complained}");
}

fn provider(name: &str, adapter: &str, base_url: &str, secret: &str) -> String {
    format!(
        "---
apiVersion: chancery/v1
kind: Provider
metadata: {{name: {name}}}
spec: {{adapter: {adapter}, baseUrl: '{base_url}', credential: {{value: {secret}}}}}
"
    )
}

const GRANT: &str = "---
apiVersion: chancery/v1
kind: Role
metadata: {name: neighbours}
spec: {permissions: [{action: infer, models: ['*'], operations: [chat]}]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: neighbours, tenant: acme}
spec: {role: neighbours, team: research, to: {team: research}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_gateway_is_synced_and_what_was_synced_answers() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let key = dev.variable("CHANCERY_API_KEY").unwrap().to_owned();
    let there = format!("{}/v1", dev.variable("CHANCERY_DATA_URL_US").unwrap());
    applied(&dev, home.path(), &[provider("neighbour", "openai", &there, &key), GRANT.to_owned()].concat());

    let sync = ["providers", "sync", "neighbour", "--geo", "eu", "--only", "sim-claude-*", "--regions", "EU"];
    let found = told(&dev, &sync);
    assert_eq!((&found["geo"], &found["provider"]), (&json!("eu"), &json!("providers/neighbour")));
    let new: Vec<&str> = found["new"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    // Models of those names are there, and are left as they are: the endpoints alone are new.
    assert_eq!(new, ["endpoints/neighbour.sim-claude-haiku", "endpoints/neighbour.sim-claude-sonnet"]);
    assert!(!found.to_string().contains(&key), "{found}");

    // Under names of its own: what the list tells of a model is its card, and it answers.
    let (_, yaml, complained) = done(&dev, &[&sync[..], &["-o", "yaml"]].concat());
    assert!(complained.contains("there is a model of the name already"), "{complained}");
    let model = "---
apiVersion: chancery/v1
kind: Model
metadata: {name: next-door}
spec: {card: {operations: [chat], input: [text], output: [text], contextWindow: 1000, maxOutputTokens: 100},
  route: {groups: [[{endpoint: neighbour.sim-claude-haiku}]]}}
---
apiVersion: chancery/v1
kind: Price
metadata: {name: next-door}
spec: {model: next-door, validFrom: 2026-01-01, currency: USD, perMillion: {input: '1', output: '1'}}
";
    applied(&dev, home.path(), &[yaml.as_str(), model].concat());
    let caller = Caller::at(Door::Rest, dev.variable("CHANCERY_DATA_URL").unwrap(), &key);
    let answer = caller.ask(&Ask::chat("next-door", "hello")).await.unwrap().unwrap();
    assert!(answer.text.contains("you said hello"), "{answer:?}");

    // A second sync has nothing to say of those.
    let again = told(&dev, &sync);
    assert_eq!((&again["new"], &again["changed"], &again["gone"]), (&json!([]), &json!([]), &json!([])));
    let (code, said, _) = done(&dev, &[&sync[..], &["--propose"]].concat());
    assert!(code == 0 && said.contains("nothing is new, changed or gone"), "{said}");
    assert_eq!(told(&dev, &["proposals", "list"])["proposals"], json!([]));
    // It is in the log by whom the vendor was asked.
    let events = told(&dev, &["audit", "list", "--action", "SurveyProvider", "--limit", "1"]);
    assert_eq!(events["auditEvents"][0]["resource"], "providers/neighbour", "{events}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_new_and_what_ends_is_proposed_once_and_approved_by_another() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let sync = ["providers", "sync", "simulated", "--regions", "EU", "--only", "simulated-*"];
    let (code, said, _) = done(&dev, &sync);
    assert_eq!(code, 0);
    for line in [
        "new      endpoints/simulated.simulated-large-2",
        "new      models/simulated-small-2",
        "changed  models/sim-mistral-large: deprecated from 2026-02-27, retired from 2027-02-28",
        "4 new, 1 changed, 0 gone: 24 models of `providers/simulated`, asked by ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("simulated-small-1"), "the vendor discourages it: {said}");
    let before = told(&dev, &["revisions", "list", "--limit", "1"])["revisions"][0]["revision"].clone();

    let propose = [&sync[..], &["--propose", "--reason", "the spring catalogue"]].concat();
    let (code, _, complained) = done(&dev, &propose);
    assert!(code == 0 && complained.contains("proposals/1 waits for another principal"), "{complained}");
    let (code, said, _) = done(&dev, &propose);
    assert!(code == 0 && said.contains("proposals/1 proposes the same and waits"), "{said}");
    assert_eq!(told(&dev, &["proposals", "list"])["proposals"].as_array().unwrap().len(), 1);
    assert_eq!(told(&dev, &["revisions", "list", "--limit", "1"])["revisions"][0]["revision"], before);
    let (code, _, complained) = done(&dev, &["proposals", "approve", "1"]);
    assert!(code == 4, "who proposes does not approve: {complained}");

    // As files, by whoever may: then nothing is left to propose.
    let out = [&sync[..], &["--out", "synced.yaml"]].concat();
    assert_eq!(done(&dev, &out).0, 0);
    let synced = fs::read_to_string(home.path().join("synced.yaml")).unwrap();
    applied(&dev, home.path(), &synced);
    let (code, said, _) = done(&dev, &sync);
    assert!(code == 0 && said.starts_with("nothing is new, changed or gone: 24 models"), "{said}");

    // The dates are in the registry, and in what callers see.
    let shown = done(&dev, &["models", "sim-mistral-large"]).1;
    assert!(shown.contains("2026-02-27") && shown.contains("2027-02-28"), "{shown}");
    let mine = told(&dev, &["models", "--mine"]);
    let of =
        |id: &str| mine["data"].as_array().unwrap().iter().find(|model| model["id"] == id).cloned().unwrap();
    assert_eq!(of("sim-mistral-large")["chancery"]["retired_from"], "2027-02-28");
    assert_eq!(of("sim-gpt-4o")["chancery"]["deprecated_from"], Value::Null);
    let (code, said, _) = done(&dev, &["models", "--mine"]);
    assert!(code == 0 && said.contains("sim-gpt-4o"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_fails_is_told_and_makes_nothing() {
    const SECRET: &str = "sk-canary-of-the-vendor";
    let vendor = OpenAiLike::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let base = vendor.base_url();
    let both = [provider("v", "openai", &base, SECRET), provider("paged", "gemini", &base, SECRET)].concat();
    applied(&dev, home.path(), &both);
    let fails = |name: &str, why: &str| {
        let (code, said, complained) = done(&dev, &["providers", "sync", name, "--out", "never.yaml"]);
        assert_eq!((code, said.as_str()), (3, ""), "{complained}");
        assert!(
            complained.contains("could not ask the vendor: ") && complained.contains(why),
            "{complained}"
        );
        assert!(!complained.contains(SECRET) && !home.path().join("never.yaml").exists(), "{complained}");
    };
    let refusal = format!(r#"{{"error":{{"message":"the key {SECRET} is wrong"}}}}"#);
    for (status, why) in [
        (StatusCode::UNAUTHORIZED, "the upstream answered with status 401"),
        (StatusCode::INTERNAL_SERVER_ERROR, "the upstream answered with status 500"),
    ] {
        vendor.answer_next(Canned::json(status, refusal.clone())).await;
        fails("v", why);
    }
    for junk in ["<html>hello</html>", "{}", r#"{"data":[{"name":"no id"}]}"#] {
        vendor.answer_next(Canned::json(StatusCode::OK, junk)).await;
        fails("v", "page 1 of the list is not what the vendor's registry answers");
    }
    vendor
        .answer_next(Canned::json(StatusCode::OK, format!(r#"{{"data":["{}"]}}"#, "x".repeat(9 << 20))))
        .await;
    fails("v", "the upstream answer is too large");
    let page =
        |token: &str| Canned::json(StatusCode::OK, format!(r#"{{"models":[],"nextPageToken":"{token}"}}"#));
    for token in ["a", "b", "a"] {
        vendor.answer_next(page(token)).await;
    }
    fails("paged", "the list goes round: page 3 leads back to one before it");
    for number in 0..100 {
        vendor.answer_next(page(&format!("t{number}"))).await;
    }
    fails("paged", "the list does not end within 100 pages");
    let asked = vendor.request().await.unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/v1/models"));
    assert_eq!(asked.headers["authorization"], format!("Bearer {SECRET}"));

    // After all that, a list is a list; what nobody knows, and who may not ask, is told.
    let list = r#"{"object":"list","data":[{"id":"new-1","object":"model","created":0,"owned_by":"v"}]}"#;
    vendor.answer_next(Canned::json(StatusCode::OK, list)).await;
    assert_eq!(told(&dev, &["providers", "sync", "v"])["new"], json!(["endpoints/v.new-1", "models/new-1"]));
    assert_eq!(done(&dev, &["providers", "sync", "nobody"]).0, 5);
    let (code, _, complained) = done(&dev, &["providers", "sync", "v", "--geo", "mars"]);
    assert!(code == 7 && complained.contains("no node is known in `mars`"), "{complained}");
    assert!(!dev.log().contains(SECRET));
}

async fn an_answer_tells_until_when_its_model_may_be_used(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let exported = scene.house.try_apply(&policy()).await?;
    assert_eq!(exported.warnings.len(), 1, "{exported:?}");
    assert!(
        exported.warnings[0].message.starts_with("the model is past its end, 2026-02-01"),
        "{exported:?}"
    );
    scene.house.enforced(exported.revision).await?;
    for stream in [false, true] {
        let told = scene.answered(&Ask::chat("sim-ending", "hello").streaming(stream)).await?;
        assert_eq!(told.head["deprecation"], "@1767225600", "{:?}", told.head);
        assert_eq!(told.head["sunset"], "Sun, 01 Feb 2026 00:00:00 GMT", "{:?}", told.head);
    }
    let other = scene.answered(&Ask::chat("sim-gpt-4o", "hello")).await?;
    assert!(!other.head.contains_key("deprecation"), "{:?}", other.head);
    Ok(scene)
}

/// A model that ended, and is there still.
fn policy() -> String {
    let model = crate::policy::model("sim-ending", &["sim-gpt-4o-eu"]);
    model.replace(
        "operations: [chat, embed]",
        "operations: [chat], deprecatedFrom: 2026-01-01, retiredFrom: 2026-02-01",
    )
}

stories! {
    an_answer_tells_until_when_its_model_may_be_used,
}
