//! A house that moves in: another gateway's configuration is imported, applied, and answers as it did.

use std::fs;

use integration_tests::{
    door::{Ask, Caller, Door},
    household::Dev,
    scripted::OpenAiLike,
};
use serde_json::{Value, json};

/// A configuration as LiteLLM's pages show one, with two servers of its own behind a name, a fallback, aliases, prices and limits.
fn config(first: &str, second: &str) -> String {
    format!(
        "model_list:
  - model_name: team/chat            # two servers share it, three to one
    litellm_params: {{model: hosted_vllm/echo-small, api_base: '{first}', weight: 3, rpm: 600, input_cost_per_token: 2.5e-07, output_cost_per_token: 1e-06}}
    model_info: {{mode: chat, max_input_tokens: 8192, supports_function_calling: true}}
  - model_name: team/chat
    litellm_params: {{model: hosted_vllm/echo-small, api_base: '{second}', api_key: os.environ/VLLM_KEY, weight: 1, rpm: 600, input_cost_per_token: 2.5e-07, output_cost_per_token: 1e-06}}
    model_info: {{mode: chat, max_input_tokens: 8192, supports_function_calling: true}}
  - model_name: backup
    litellm_params: {{model: openai/echo-small, api_base: '{second}', api_key: sk-canary-in-the-file}}
  - model_name: granite
    litellm_params: {{model: watsonx/granite}}
  - model_name: anthropic/*
    litellm_params: {{model: anthropic/*, api_key: os.environ/ANTHROPIC_API_KEY}}
  - model_name: nova
    litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, aws_region_name: eu-central-1, aws_access_key_id: AKIASTORY, aws_secret_access_key: os.environ/BEDROCK_SECRET}}
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {{gpt-4: team/chat}}
  fallbacks: [{{team/chat: [backup, granite]}}]
  num_retries: 2
  redis_password: os.environ/REDIS_PASSWORD
litellm_settings:
  drop_params: true
  success_callback: [langfuse]
general_settings:
  master_key: sk-canary-master
  database_url: postgresql://litellm:canary@db:5432/litellm
"
    )
}

/// Who may use what was imported: the one thing its file does not say.
const GRANT: &str = "---
apiVersion: chancery/v1
kind: Role
metadata: {name: moved-in}
spec: {permissions: [{action: infer, models: [team-chat, backup], operations: [chat]}, {action: view, models: ['*']}]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: moved-in, tenant: acme}
spec: {role: moved-in, team: research, to: {team: research}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn litellms_configuration_is_imported_applied_and_answers() {
    let (first, second) = (OpenAiLike::start().await.unwrap(), OpenAiLike::start().await.unwrap());
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[("VLLM_KEY", "sk-of-the-second")]).await.unwrap();
    fs::write(home.path().join("config.yaml"), config(&first.base_url(), &second.base_url())).unwrap();

    let import = ["import", "litellm", "config.yaml", "--regions", "EU,UK", "--out", "moved.yaml"];
    let done = dev.run(&import).unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() && done.stdout.is_empty(), "{told}");
    for line in [
        "config.yaml:11: model_list[3].litellm_params.model: `watsonx` is not carried yet",
        "config.yaml:12: model_list[4]: stands for any model of a vendor",
        "config.yaml:19: router_settings.fallbacks[0].team/chat[1]: falls back to no model that is carried",
        "general_settings.master_key: ",
        "a key stands in the file itself: put it into `OPENAI_API_KEY` where nodes run",
        "nodes need `VLLM_KEY` in their environment",
        "nodes need `BEDROCK_SECRET` in their environment",
        "4 providers, 4 endpoints, 3 models, ",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let moved = fs::read_to_string(home.path().join("moved.yaml")).unwrap();
    assert!(!moved.contains("canary") && !told.contains("canary"), "{moved}{told}");
    assert_eq!(dev.run(&import).unwrap().status.code(), Some(6), "what is there is not overwritten");

    fs::write(home.path().join("grant.yaml"), GRANT).unwrap();
    let applied = dev.run(&["apply", "--wait", "-f", "moved.yaml", "-f", "grant.yaml"]).unwrap();
    assert!(applied.status.success(), "{}\n{moved}", String::from_utf8_lossy(&applied.stderr));
    let again = dev.run(&["apply", "-f", "moved.yaml", "-o", "json"]).unwrap();
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    let changes = again["changes"].as_array().unwrap();
    assert!(changes.iter().all(|change| change["change"] == "unchanged"), "{again}");

    let url = dev.variable("CHANCERY_DATA_URL").unwrap();
    for door in Door::BOTH {
        let caller = Caller::at(door, url, dev.variable("CHANCERY_API_KEY").unwrap());
        // By its name here, by the one it had, and by the alias that one had.
        for model in ["team-chat", "team/chat", "gpt-4"] {
            let told = caller.ask(&Ask::chat(model, "did you move well?")).await.unwrap().unwrap();
            assert_eq!(told.text, "did you move well?");
        }
    }
    let shown = dev.run(&["get", "models", "team-chat", "-o", "json"]).unwrap();
    let model: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let targets = |n: usize| model["spec"]["route"]["groups"][n]["targets"].clone();
    let shares = json!([{"endpoint": "hosted_vllm-echo-small", "weight": 3}, {"endpoint": "hosted_vllm-2-echo-small", "weight": 1}]);
    assert_eq!((targets(0), targets(1)), (shares, json!([{"endpoint": "openai-echo-small"}])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_asks_nobody_and_ends_by_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let binary = integration_tests::household::binary().unwrap();
    let run = |name: &str, text: &str, further: &[&str]| {
        fs::write(home.path().join(name), text).unwrap();
        let mut command = std::process::Command::new(&binary);
        // No control plane, no token: nothing of either is asked for.
        command
            .env_clear()
            .current_dir(home.path())
            .args(["import", "litellm", name])
            .args(further)
            .output()
            .unwrap()
    };
    let bad = run(
        "bad.yaml",
        "model_list:\n  - {model_name: m, litellm_params: {model: openai/x, rpm: many}}\n",
        &[],
    );
    let told = String::from_utf8(bad.stderr).unwrap();
    assert_eq!((bad.status.code(), bad.stdout.len()), (Some(7), 0), "{told}");
    assert!(told.contains("bad.yaml:2: model_list[0].litellm_params.rpm: is not a whole number"), "{told}");
    let nothing = run(
        "none.yaml",
        "model_list: [{model_name: m, litellm_params: {model: bedrock/x}}]\n",
        &["-o", "json"],
    );
    assert_eq!((nothing.status.code(), nothing.stdout.len()), (Some(7), 0));
    let good = run(
        "good.yaml",
        "model_list: [{model_name: m, litellm_params: {model: groq/x, tags: [a]}}]\n",
        &["-o", "json"],
    );
    let told: Value = serde_json::from_slice(&good.stdout).unwrap();
    assert!(good.status.success() && good.stderr.is_empty(), "{}", String::from_utf8_lossy(&good.stderr));
    assert_eq!(told["left"][0]["path"], "model_list[0].litellm_params.tags");
    assert_eq!(told["variables"], json!([{"name": "GROQ_API_KEY", "keyIsInFile": false}]));
    assert_eq!(told["resources"].as_array().unwrap().len(), 3);
    let missing = std::process::Command::new(&binary)
        .env_clear()
        .args(["import", "litellm", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(7));
}
