//! The admin API: every RPC that is declared is called and works, over gRPC and over REST.
//!
//! The stories are made from the descriptors: a kind or an RPC that is added tomorrow is called by them, or they fail.

mod others;

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use integration_tests::{
    admin::{Anything, name_of},
    door::{Ask, Door},
    sandbox::{Geo, Sandbox},
    scene::Scene,
};
use serde_json::{Value, json};

use others::other_methods;

const ADMIN: &str = "chancery.admin.v1";

/// A service of a declared kind: `teams` of `Team`, by `team`.
struct Noun {
    service: String,
    message: String,
    field: String,
    many: String,
    has_parent: bool,
}

/// The services with standard methods.
fn nouns(caller: &Anything) -> Vec<Noun> {
    let methods = caller.declared(ADMIN);
    let updates =
        methods.iter().filter_map(|method| Some((method, method.name().strip_prefix("Update")?.to_owned())));
    updates
        .map(|(update, message)| {
            let service = update.parent_service();
            let resource = update
                .input()
                .fields()
                .find(|field| field.name() != "update_mask" && !field.is_list())
                .unwrap();
            let list = service.methods().find(|method| method.name().starts_with("List")).unwrap();
            let many = list.output().fields().find(|field| field.is_list()).unwrap();
            Noun {
                service: service.full_name().to_owned(),
                message,
                field: resource.json_name().to_owned(),
                many: many.json_name().to_owned(),
                has_parent: list.input().get_field_by_name("parent").is_some(),
            }
        })
        .collect()
}

/// The spec of a second resource like this one.
fn sibling(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(spec) = spec.as_object_mut() {
        // What must be unique, or is told apart by its date.
        spec.remove("aliases");
        if spec.contains_key("validFrom") && spec.contains_key("perMillion") {
            spec.insert("validFrom".to_owned(), json!("2026-06-01"));
        }
    }
    spec
}

/// Calls the five standard methods of a kind.
async fn standard_methods(caller: &Anything, noun: &Noun) -> Result<()> {
    let rpc = |verb: &str| format!("{}/{verb}", noun.service);
    let mut found = None;
    for parent in ["", "tenants/acme"] {
        let request = if noun.has_parent { json!({"parent": parent}) } else { json!({}) };
        let verb = format!(
            "List{}{}",
            noun.many.get(..1).unwrap_or_default().to_uppercase(),
            noun.many.get(1..).unwrap_or_default()
        );
        let page = caller.call(&rpc(&verb), request).await?;
        let first = page.ok().and_then(|page| page[&noun.many].as_array()?.first().cloned());
        if let Some(first) = first {
            found = Some((parent, first));
        }
    }
    let (parent, listed) = found.with_context(|| format!("the quickstart has no {}", noun.message))?;
    let name = listed["name"].as_str().context("a resource has a name")?;
    let read =
        caller.call(&rpc(&format!("Get{}", noun.message)), json!({"name": name})).await?.map_err(told)?;
    assert_eq!(read, listed);

    let mut create =
        json!({format!("{}Id", noun.field): "sibling", noun.field.clone(): {"spec": sibling(&read["spec"])}});
    if noun.has_parent {
        create["parent"] = json!(parent);
    }
    let made = caller.call(&rpc(&format!("Create{}", noun.message)), create.clone()).await?.map_err(told)?;
    let name = made["name"].as_str().context("a resource has a name")?.to_owned();
    assert!(name.ends_with("/sibling"), "{name}");
    let again = caller.call(&rpc(&format!("Create{}", noun.message)), create).await?.unwrap_err();
    assert_eq!(again.code.as_str(), "already_exists");

    let change = json!({"name": name, "labels": {"told": "by-a-story"}, "etag": made["etag"]});
    let update = json!({noun.field.clone(): change, "updateMask": "labels"});
    let changed =
        caller.call(&rpc(&format!("Update{}", noun.message)), update.clone()).await?.map_err(told)?;
    assert_eq!((&changed["labels"]["told"], &changed["spec"]), (&json!("by-a-story"), &made["spec"]));
    assert_ne!(changed["etag"], made["etag"]);
    let stale = caller.call(&rpc(&format!("Update{}", noun.message)), update).await?.unwrap_err();
    assert_eq!(stale.code.as_str(), "etag_mismatch", "a change that nobody saw is not overwritten");

    let gone =
        caller.call(&rpc(&format!("Delete{}", noun.message)), json!({"name": name})).await?.map_err(told)?;
    assert_eq!(gone, json!({}));
    let missing =
        caller.call(&rpc(&format!("Get{}", noun.message)), json!({"name": name})).await?.unwrap_err();
    assert_eq!(missing.code.as_str(), "not_found");
    Ok(())
}

fn told(refusal: proto::status::Refusal) -> anyhow::Error {
    anyhow::anyhow!("{refusal:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rpc_that_is_declared_is_called_and_works() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    let caller = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await.unwrap();
    for noun in nouns(&caller) {
        let called = standard_methods(&caller, &noun).await;
        called.with_context(|| noun.service.clone()).unwrap();
    }
    other_methods(&caller, &scene.house).await.unwrap();
    let declared: BTreeSet<String> = caller.declared(ADMIN).iter().map(name_of).collect();
    assert_eq!(caller.called(), declared);

    scene.house.apply(include_str!("../../../deploy/examples/surfaces.yaml")).await.unwrap();
    let url = scene.house.inference_url(Geo::Eu).unwrap();
    let node = Anything::at(&url, Some(&scene.key)).await.unwrap();
    let chat = json!({"model": "sim-mistral-large", "messages": [{"role": "ROLE_USER", "content": [{"text": "hi"}]}]});
    for method in node.declared("chancery.inference.v1") {
        let message = match method.name() {
            "Chat" | "ChatStream" => chat.clone(),
            "CountTokens" => chat.clone(),
            "Embed" => json!({"model": "sim-embed-small", "inputs": ["hi"]}),
            "Moderate" => json!({"model": "sim-moderation", "inputs": ["hi"]}),
            "Rerank" => json!({"model": "sim-rerank", "query": "hi", "documents": ["hello"]}),
            "GenerateImage" => json!({"model": "sim-image", "prompt": "hi"}),
            "Speech" => json!({"model": "sim-speech", "input": "hi", "voice": "alloy"}),
            "Transcribe" => json!({"model": "sim-whisper", "data": "aGk=", "filename": "a.wav"}),
            "ApplyGuardrail" => {
                json!({"guardrail": "baseline", "direction": "GUARDRAIL_DIRECTION_INPUT", "texts": ["hi"]})
            }
            "GetModel" => json!({"name": "sim-gpt-4o"}),
            _ => json!({}),
        };
        let answers = node
            .answers(&method, message)
            .await
            .unwrap()
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", method.name()));
        assert!(!answers.is_empty(), "{}", method.name());
    }
    // What nodes speak is called by every house that stands, and in `enrolment`; nothing else is declared.
    let sync: Vec<String> = node.declared("chancery.sync.v1").iter().map(name_of).collect();
    assert_eq!(
        sync,
        ["Sync/Sync", "Enrolment/Enrol", "Enrolment/Renew"].map(|rpc| format!("chancery.sync.v1.{rpc}"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_lives_the_same_life_over_rest() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let (client, base, token) =
        (integration_tests::door::client().unwrap(), scene.house.admin_url(), scene.house.token().to_owned());
    let teams = format!("{base}/v1/tenants/acme/teams");
    let team = json!({"labels": {"a": "b"}, "spec": {"displayName": "Legal", "jurisdictions": ["EU"]}});
    let made =
        client.post(format!("{teams}?teamId=legal")).bearer_auth(&token).json(&team).send().await.unwrap();
    assert_eq!(made.status(), 200);
    assert!(made.headers().contains_key("x-chancery-request-id"));
    let made: Value = made.json().await.unwrap();
    assert_eq!((&made["name"], &made["spec"]), (&json!("tenants/acme/teams/legal"), &team["spec"]));
    let patch = json!({"spec": {"displayName": "Law"}});
    let url = format!("{base}/v1/tenants/acme/teams/legal");
    let changed = client
        .patch(format!("{url}?updateMask=spec.displayName"))
        .bearer_auth(&token)
        .json(&patch)
        .send()
        .await
        .unwrap();
    let changed: Value = changed.json().await.unwrap();
    assert_eq!(changed["spec"], json!({"displayName": "Law", "jurisdictions": ["EU"]}));
    let read: Value = client.get(&url).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!(read, changed);
    let caller = Anything::at(&base, Some(&token)).await.unwrap();
    let name = json!({"name": "tenants/acme/teams/legal"});
    let same = caller.call("chancery.admin.v1.TeamsService/GetTeam", name).await.unwrap().unwrap();
    assert_eq!(same, read, "one resource, one form");
    assert_eq!(client.delete(&url).bearer_auth(&token).send().await.unwrap().status(), 200);
    let gone = client.get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    let refusal: Value = gone.json().await.unwrap();
    assert_eq!(refusal["error"]["status"], "NOT_FOUND", "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openapi_has_every_rpc_and_nothing_else() {
    let house = Sandbox::quickstart().await.unwrap();
    let document =
        integration_tests::door::get(&format!("{}/openapi.json", house.admin_url())).await.unwrap();
    assert_eq!(document.status(), 200);
    let document: Value = document.json().await.unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths = document["paths"].as_object().unwrap();
    let mut described = 0;
    for route in control_plane::api::rest::routes() {
        for template in &route.templates {
            let operation = &paths[&template.spelled()][route.verb.as_str().to_lowercase()];
            assert!(operation["operationId"].is_string(), "{} {}", route.verb, template.spelled());
            described += 1;
        }
    }
    let all: usize = paths
        .values()
        .map(|path| path.as_object().unwrap().keys().filter(|key| *key != "parameters").count())
        .sum();
    assert_eq!(all, described);
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_says_what_a_request_would_be_told() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let admin = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await.unwrap();
    let bot = scene.house.key("build-bot", "engineering").await.unwrap();
    let people = [("ada@example.org", "research", scene.key.clone()), ("build-bot", "engineering", bot)];
    let (mut allowed, mut denied) = (0, 0);
    for (principal, team, key) in people {
        for model in [
            "sim-gpt-4o",
            "sim-gemini-pro",
            "sim-llama-3.2-vision",
            "sim-mistral-large",
            "default-chat",
            "nothing",
        ] {
            for purpose in ["", "social-scoring", "training-on-outputs"] {
                let question = json!({
                    "principal": format!("tenants/acme/principals/{principal}"), "team": team, "model": model,
                    "operation": "chat", "geo": "eu", "purpose": purpose,
                });
                let why = admin.call("chancery.admin.v1.PolicyService/Explain", question).await.unwrap();
                let mut ask = Ask::chat(model, "hello");
                if !purpose.is_empty() {
                    ask = ask.with("x-purpose", purpose);
                }
                let told = scene.ask_at(Geo::Eu, &key, &ask).await.unwrap();
                let row = format!("{principal} {model} {purpose}: {why:?} {told:?}");
                match (why, told) {
                    (Ok(why), Ok(told)) => {
                        assert_eq!(why["effect"], "allow", "{row}");
                        let first = why["candidates"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .find(|c| c["permitted"] == true)
                            .unwrap();
                        assert!(
                            told.header("x-chancery-endpoint")
                                .ends_with(first["endpoint"].as_str().unwrap().rsplit('/').next().unwrap()),
                            "{row}"
                        );
                        allowed += 1;
                    }
                    (Ok(why), Err(refused)) => {
                        assert_eq!(why["effect"], "deny", "{row}");
                        assert_eq!(why["reasons"][0]["code"], refused.code, "{row}");
                        denied += 1;
                    }
                    (Err(_), _) => panic!("{row}"),
                }
            }
        }
    }
    assert!(allowed >= 5 && denied >= 10, "{allowed} allowed, {denied} denied");
}
