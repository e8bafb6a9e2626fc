//! Clients that are not ours: official SDKs of Python and Node by base URL and key alone, and grpcio by reflection without our definitions.

use integration_tests::{door::Door, program, sandbox::Geo, scene::Scene};
use serde_json::json;

use crate::replayed::UNLIMITED;

/// A script of an official SDK, the door it goes through, and the SDK's own variables for where and as whom.
struct Client {
    script: &'static str,
    door: &'static str,
    /// What its door's address ends with.
    root: &'static str,
    variables: [&'static str; 2],
}

impl Client {
    const fn openai(script: &'static str) -> Self {
        Self { script, door: "openai", root: "/v1", variables: ["OPENAI_BASE_URL", "OPENAI_API_KEY"] }
    }

    const fn anthropic(script: &'static str) -> Self {
        let variables = ["ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"];
        Self { script, door: "anthropic", root: "", variables }
    }

    const fn gemini(script: &'static str) -> Self {
        Self { script, door: "gemini", root: "", variables: ["GEMINI_BASE_URL", "GEMINI_API_KEY"] }
    }

    /// Runs it, and gives the records: one for each request it says it made, all of its door.
    async fn runs(self) -> Vec<serde_json::Value> {
        let scene = Scene::quickstart(Door::Rest).await.unwrap();
        let grace = scene.house.key("grace@example.org", "support").await.unwrap();
        let url = scene.house.inference_url(Geo::Eu).unwrap() + self.root;
        let [url_name, key_name] = self.variables;
        let variables = [(url_name, url.as_str()), (key_name, &scene.key), ("OTHER_API_KEY", &grace)];
        let said = program::run(self.script, &variables).await.unwrap();
        let count: usize = said.lines().last().unwrap().strip_prefix("requests: ").unwrap().parse().unwrap();
        (0..count).for_each(|_| scene.house.count(Geo::Eu));
        let records = scene.house.records(Geo::Eu).await.unwrap();
        assert!(records.iter().all(|record| record["door"] == self.door), "{records:?}");
        assert!(records.iter().any(|record| record["stream"] == json!(true)));
        records
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_openai_sdk_needs_a_base_url_and_a_key() {
    let records = Client::openai("openai_sdk.py").runs().await;
    assert!(records.iter().any(|record| record["operation"] == "embed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_openai_sdk_for_node_needs_a_base_url_and_a_key() {
    let records = Client::openai("openai_sdk.cjs").runs().await;
    assert!(records.iter().any(|record| record["operation"] == "embed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_anthropic_sdk_needs_a_base_url_and_a_key() {
    Client::anthropic("anthropic_sdk.py").runs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_anthropic_sdk_for_node_needs_a_base_url_and_a_key() {
    Client::anthropic("anthropic_sdk.cjs").runs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_gemini_sdk_needs_a_base_url_and_a_key() {
    Client::gemini("gemini_sdk.py").runs().await;
}

/// Models for what there is beside conversations.
const SURFACES: &str = include_str!("../../../deploy/examples/surfaces.yaml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_openai_sdk_asks_for_more_than_conversations() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    scene.house.apply(SURFACES).await.unwrap();
    scene.house.apply(UNLIMITED).await.unwrap();
    let url = scene.house.openai_url(Geo::Eu).unwrap();
    let variables = [("OPENAI_BASE_URL", url.as_str()), ("OPENAI_API_KEY", &scene.key)];
    let said = program::run("openai_surfaces.py", &variables).await.unwrap();
    let count: usize = said.lines().last().unwrap().strip_prefix("requests: ").unwrap().parse().unwrap();
    (0..count).for_each(|_| scene.house.count(Geo::Eu));
    let records = scene.house.records(Geo::Eu).await.unwrap();
    for operation in
        ["complete", "moderate", "rerank", "image", "editImage", "speech", "transcribe", "translate"]
    {
        let of = || records.iter().filter(|record| record["operation"] == operation);
        assert!(of().any(|record| record["outcome"] == "answered"), "{operation}");
        let blocked = || of().any(|record| record["code"] == "content_blocked");
        assert!(operation == "translate" || blocked(), "{operation}");
        // What is not told in tokens is unpriced, never free.
        let told = !["speech", "transcribe", "translate"].contains(&operation);
        let answered = || of().filter(|record| record["outcome"] == "answered");
        assert!(answered().all(|record| record.get("costNanos").is_some() == told), "{operation}");
        assert!(
            answered().all(|record| record["usage"]["input"].as_u64().is_some_and(|n| n > 0) == told),
            "{operation}"
        );
    }
}

/// The example, as it stands.
#[expect(dead_code, reason = "its `main` is for the shell")]
#[path = "../../../deploy/examples/clients/grpc_chat.rs"]
mod grpc_chat;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tonic_stub_needs_an_address_and_a_key() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    let said = grpc_chat::chat(scene.house.inference_url(Geo::Eu).unwrap(), &scene.key).await.unwrap();
    assert!(said.ends_with("you said hello"), "{said}");
    scene.house.count(Geo::Eu);
    assert_eq!(scene.house.records(Geo::Eu).await.unwrap().len(), 1);
}

/// Endpoints of one simulated model, spoken to in three dialects: their vendor is the other node of the house, by its own doors.
fn vendors(url: &str, key: &str) -> String {
    let of = |adapter: &str, root: &str| {
        format!(
            "---
apiVersion: chancery/v1
kind: Provider
metadata: {{name: by-{adapter}}}
spec: {{adapter: {adapter}, baseUrl: '{url}{root}', credential: {{value: {key}}}}}
---
apiVersion: chancery/v1
kind: Endpoint
metadata: {{name: by-{adapter}}}
spec: {{provider: by-{adapter}, upstreamModel: sim-mistral-large, processingRegions: [EU], storageRegions: [EU]}}
---
apiVersion: chancery/v1
kind: Model
metadata: {{name: sim-via-{adapter}}}
spec:
  card: {{input: [text], output: [text], operations: [chat], contextWindow: 32000, maxOutputTokens: 4096}}
  route: {{policy: weighted, groups: [[{{endpoint: by-{adapter}}}]]}}
---
apiVersion: chancery/v1
kind: Price
metadata: {{name: sim-via-{adapter}}}
spec: {{model: sim-via-{adapter}, validFrom: 2026-01-01, currency: USD, perMillion: {{input: '1', output: '2'}}}}
"
        )
    };
    [of("openai", "/v1"), of("anthropic", "/v1"), of("gemini", "/v1beta"), BOTH.to_owned()].concat()
}

/// A model of two vendors whose dialects differ in what they can say.
const BOTH: &str = "---
apiVersion: chancery/v1
kind: Model
metadata: {name: sim-via-both}
spec:
  card: {input: [text], output: [text], operations: [chat], contextWindow: 32000, maxOutputTokens: 4096}
  route: {policy: weighted, groups: [[{endpoint: by-anthropic}], [{endpoint: by-openai}]]}
---
apiVersion: chancery/v1
kind: Price
metadata: {name: sim-via-both}
spec: {model: sim-via-both, validFrom: 2026-01-01, currency: USD, perMillion: {input: '1', output: '2'}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_reaches_every_dialect_of_a_vendor_and_the_same_comes_of_the_same() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let there = scene.house.inference_url(Geo::Us).unwrap();
    scene.house.apply(UNLIMITED).await.unwrap();
    scene.house.apply(&vendors(&there, &scene.key)).await.unwrap();
    let openai = scene.house.openai_url(Geo::Eu).unwrap();
    let url = scene.house.inference_url(Geo::Eu).unwrap();
    let variables = [
        ("OPENAI_BASE_URL", openai.as_str()),
        ("OPENAI_API_KEY", &scene.key),
        ("ANTHROPIC_BASE_URL", &url),
        ("ANTHROPIC_API_KEY", &scene.key),
        ("GEMINI_BASE_URL", &url),
        ("GEMINI_API_KEY", &scene.key),
    ];
    let said = program::run("doors_by_vendors.py", &variables).await.unwrap();
    assert!(said.contains("the same of all: "), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_client_needs_an_address_and_a_key() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    scene.house.apply(SURFACES).await.unwrap();
    let url = scene.house.inference_url(Geo::Eu).unwrap();
    let address = url.trim_start_matches("http://");
    let admin = scene.house.admin_url();
    let variables = [
        ("ADDRESS", address),
        ("API_KEY", scene.key.as_str()),
        ("ADMIN_ADDRESS", admin.trim_start_matches("http://")),
        ("ADMIN_TOKEN", scene.house.token()),
    ];
    let said = program::run("grpc_by_reflection.py", &variables).await.unwrap();
    let count: usize = said.lines().last().unwrap().strip_prefix("requests: ").unwrap().parse().unwrap();
    (0..count).for_each(|_| scene.house.count(Geo::Eu));
    let records = scene.house.records(Geo::Eu).await.unwrap();
    assert!(records.iter().all(|record| record["door"] == "grpc"));
}
