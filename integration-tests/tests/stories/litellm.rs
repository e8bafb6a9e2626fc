//! A vendor that is not ours: the LiteLLM proxy, spoken to in three dialects. It answers of itself, so nothing behind it is reached.

use std::{fs, time::Duration};

use integration_tests::{
    door::{Door, get},
    household::free,
    program::{self, Language},
    sandbox::Geo,
    scene::Scene,
    wait::until_within,
};

/// One model answers by itself; the other asks that one, so that its streams are translated as a vendor's are.
fn configuration(port: u16) -> String {
    format!(
        "model_list:
  - model_name: mocked
    litellm_params: {{model: openai/gpt-4o, api_key: none, mock_response: one two three four five six seven}}
  - model_name: asked
    litellm_params: {{model: hosted_vllm/mocked, api_key: sk-of-the-proxy, api_base: 'http://127.0.0.1:{port}/v1'}}
general_settings: {{master_key: sk-of-the-proxy}}
"
    )
}

fn vendors(url: &str) -> String {
    let of = |adapter: &str, root: &str| {
        format!(
            "---
apiVersion: chancery/v1
kind: Provider
metadata: {{name: litellm-{adapter}}}
spec: {{adapter: {adapter}, baseUrl: '{url}{root}', credential: {{value: sk-of-the-proxy}}}}
---
apiVersion: chancery/v1
kind: Endpoint
metadata: {{name: litellm-{adapter}}}
spec: {{provider: litellm-{adapter}, upstreamModel: asked, processingRegions: [EU], storageRegions: [EU]}}
---
apiVersion: chancery/v1
kind: Model
metadata: {{name: litellm-via-{adapter}}}
spec:
  card: {{input: [text], output: [text], operations: [chat], contextWindow: 32000, maxOutputTokens: 4096}}
  route: {{policy: weighted, groups: [[{{endpoint: litellm-{adapter}}}]]}}
---
apiVersion: chancery/v1
kind: Price
metadata: {{name: litellm-via-{adapter}}}
spec: {{model: litellm-via-{adapter}, validFrom: 2026-01-01, currency: USD, perMillion: {{input: '1', output: '2'}}}}
"
        )
    };
    [of("openai", "/v1"), of("anthropic", "/v1"), of("gemini", "/v1beta"), GRANT.to_owned()].concat()
}

const GRANT: &str = "---
apiVersion: chancery/v1
kind: Role
metadata: {name: litellm-user, tenant: acme}
spec: {permissions: [{action: infer, models: [litellm-*], operations: [chat]}]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: research-litellm, tenant: acme}
spec: {role: litellm-user, team: research, to: {team: research}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_nobody_here_wrote_is_reached_in_three_dialects() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let vendor = free().unwrap();
    let configured = scene.house.home().join("litellm.yaml");
    fs::write(&configured, configuration(vendor.port())).unwrap();
    let (port, path) = (vendor.port().to_string(), configured.to_str().unwrap());
    let arguments = ["--config", path, "--host", "127.0.0.1", "--port", &port];
    let _litellm = program::serve(Language::LiteLlm, "litellm.proxy.proxy_cli", &arguments).unwrap();
    let url = format!("http://{vendor}");
    let alive = format!("{url}/health/liveliness");
    // Its imports alone take it a quarter of a minute on a busy machine.
    let minutes = Duration::from_secs(120);
    until_within(minutes, "the proxy", async || get(&alive).await.ok()).await.unwrap();

    scene.house.apply(crate::replayed::UNLIMITED).await.unwrap();
    scene.house.apply(&vendors(&url)).await.unwrap();
    let (openai, here) =
        (scene.house.openai_url(Geo::Eu).unwrap(), scene.house.inference_url(Geo::Eu).unwrap());
    let variables = [
        ("OPENAI_BASE_URL", openai.as_str()),
        ("OPENAI_API_KEY", &scene.key),
        ("ANTHROPIC_BASE_URL", &here),
        ("ANTHROPIC_API_KEY", &scene.key),
        ("GEMINI_BASE_URL", &here),
        ("GEMINI_API_KEY", &scene.key),
    ];
    let said = program::run("litellm_upstream.py", &variables).await.unwrap();
    assert!(said.ends_with("requests: 24\n"), "{said}");
    (0..24).for_each(|_| scene.house.count(Geo::Eu));
    let records = scene.house.records(Geo::Eu).await.unwrap();
    assert!(records.iter().all(|record| record["usage"]["output"].as_u64() > Some(0)), "{records:?}");
}
