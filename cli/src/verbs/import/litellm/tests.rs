use policy_engine::vocabulary::Kind;
use serde_json::{Value, json};

use super::*;

fn imported(text: &str) -> Imported {
    match read(text, &[]) {
        Ok(imported) => imported,
        Err(Refused::Faults(faults)) => panic!("{faults:?}"),
        Err(Refused::Unwritten(failure)) => panic!("{failure}"),
    }
}

/// The specs of a kind, by name.
fn specs(imported: &Imported, kind: Kind) -> Vec<(String, Value)> {
    let Ok(Value::Array(all)) = imported.written.json() else { panic!("not a list") };
    let of = all.into_iter().filter(|one| one["kind"] == kind.as_str());
    of.map(|one| (one["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(), one["spec"].clone()))
        .collect()
}

fn left(imported: &Imported) -> Vec<(u32, &str)> {
    imported.left.iter().map(|note| (note.line, note.path.as_str())).collect()
}

fn faults(text: &str) -> Vec<(u32, String, String)> {
    match read(text, &[]) {
        Err(Refused::Faults(faults)) => {
            faults.into_iter().map(|note| (note.line, note.path, note.why)).collect()
        }
        Err(Refused::Unwritten(failure)) => panic!("{failure}"),
        Ok(_) => panic!("it has no fault"),
    }
}

fn one(params: &str) -> String {
    format!("model_list:\n  - model_name: m\n    litellm_params: {{{params}}}\n")
}

#[test]
fn entries_of_one_name_are_one_model_that_shares_its_load() {
    let imported = imported(
        "model_list:
  - {model_name: chat, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY_A, weight: 3}}
  - {model_name: chat, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY_B, weight: 1}}
  - {model_name: chat, litellm_params: {model: anthropic/claude-sonnet-4-5, order: 2}}
  - {model_name: other, litellm_params: {model: groq/llama-3.3-70b, rpm: 30}}
",
    );
    let providers = specs(&imported, Kind::Provider);
    assert_eq!(
        providers[0].1,
        json!({"adapter": "openai", "baseUrl": "https://api.openai.com/v1", "credential": {"env": "KEY_A"}})
    );
    assert_eq!(providers[1].0, "openai-2");
    assert_eq!(providers[2].1["credential"], json!({"env": "ANTHROPIC_API_KEY"}));
    assert_eq!(providers[3].1["baseUrl"], "https://api.groq.com/openai/v1");
    let models = specs(&imported, Kind::Model);
    // The least rank is tried first; who has none is last, so both of the first two come after it here.
    assert_eq!(
        models[0].1["route"],
        json!({"policy": "weighted", "groups": [
            [{"endpoint": "anthropic-claude-sonnet-4-5"}],
            [{"endpoint": "openai-gpt-4o", "weight": 3}, {"endpoint": "openai-2-gpt-4o", "weight": 1}],
        ]})
    );
    assert_eq!(models.len(), 2);
    assert_eq!(
        specs(&imported, Kind::Limit),
        [(
            "groq-llama-3.3-70b-rpm".to_owned(),
            json!({"scope": {"endpoint": "groq-llama-3.3-70b"}, "bound": {"requests": 30, "per": "1m"}})
        )]
    );
    assert!(imported.left.is_empty(), "{:?}", imported.left);
}

#[test]
fn a_key_in_the_file_is_a_variable_to_be_set_and_is_printed_nowhere() {
    let text = "model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4o, api_key: sk-canary-1}}
  - {model_name: b, litellm_params: {model: openai/gpt-4o, api_key: sk-canary-2}}
  - {model_name: c, litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}}
  - {model_name: d, litellm_params: {model: openai/gpt-4o, api_key: sk-canary-1}}
general_settings: {master_key: sk-canary-3, database_url: 'postgres://u:canary@h/d'}
environment_variables: {OPENAI_API_KEY: sk-canary-4}
router_settings: {redis_password: canary-5}
";
    let imported = imported(text);
    let named =
        |n: usize| specs(&imported, Kind::Provider)[n].1["credential"]["env"].as_str().unwrap().to_owned();
    assert_eq!(
        (named(0), named(1), named(2)),
        ("OPENAI_API_KEY_2".into(), "OPENAI_API_KEY_3".into(), "OPENAI_API_KEY".into())
    );
    assert_eq!(specs(&imported, Kind::Provider).len(), 3, "one key, one provider");
    let wanted = [("OPENAI_API_KEY", false), ("OPENAI_API_KEY_2", true), ("OPENAI_API_KEY_3", true)];
    assert_eq!(imported.variables, wanted.map(|(name, inline)| (name.to_owned(), inline)));
    let told = format!("{:?}{}{:?}", imported.left, imported.written.yaml().unwrap(), imported.variables);
    assert!(!told.contains("canary"), "{told}");
    let refused = format!("{:?}", faults(&text.replace("sk-canary-1", "[sk-canary-1]")));
    assert!(!refused.contains("canary"), "{refused}");
}

#[test]
fn fallbacks_aliases_prices_and_budgets_are_carried() {
    let imported = imported(
        "model_list:
  - model_name: gpt
    litellm_params: {model: gpt-4o, input_cost_per_token: 2.5e-06, output_cost_per_token: 0.00001, max_budget: 10, budget_duration: 1mo}
    model_info: {mode: chat, max_input_tokens: 128000, max_output_tokens: 16384, supports_vision: true, supports_function_calling: true}
  - model_name: meta/llama 3
    litellm_params: {model: ollama/llama3, api_base: 'http://10.0.0.7:11434', timeout: 0.5}
    model_info: {id: llama-in-the-cellar, cache_read_input_token_cost: 1e-07}
  - model_name: vectors
    litellm_params: {model: openai/text-embedding-3-small, input_cost_per_token: 2e-08, output_cost_per_token: 0}
router_settings:
  routing_strategy: least-busy
  model_group_alias: {gpt-4: gpt, old: {model: gpt, hidden: true}, gone: nowhere}
  fallbacks: [{gpt-4: [llama-in-the-cellar, nowhere]}]
  timeout: 30
  provider_budget_config: {openai: {budget_limit: 100.5, time_period: 2w}}
litellm_settings:
  request_timeout: 600
  default_fallbacks: [gpt]
  drop_params: true
",
    );
    let models = specs(&imported, Kind::Model);
    assert_eq!(
        models.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["gpt", "meta-llama-3", "vectors"]
    );
    assert_eq!(models[0].1["aliases"], json!(["gpt-4", "old"]));
    assert_eq!(
        models[0].1["route"]["groups"],
        json!([[{"endpoint": "openai-gpt-4o"}], [{"endpoint": "llama-in-the-cellar"}]])
    );
    assert_eq!(
        models[0].1["card"],
        json!({"input": ["text", "image"], "output": ["text"], "operations": ["chat"], "capabilities": ["tools"],
               "contextWindow": 128000, "maxOutputTokens": 16384})
    );
    assert_eq!(
        models[1].1["route"]["groups"],
        json!([[{"endpoint": "llama-in-the-cellar"}], [{"endpoint": "openai-gpt-4o"}]])
    );
    assert_eq!(models[2].1["card"]["operations"], json!(["embed"]));
    // The price of one is not the price of what it falls back to, which has none.
    let prices = specs(&imported, Kind::Price);
    assert_eq!(
        prices[0],
        (
            "gpt.openai-gpt-4o".to_owned(),
            json!({"model": "gpt", "endpoint": "openai-gpt-4o", "currency": "USD",
            "perMillion": {"input": "2.50", "output": "10.00"}})
        )
    );
    assert_eq!(
        prices.iter().filter(|(_, spec)| spec["endpoint"] == "llama-in-the-cellar").count(),
        0,
        "it is unpriced"
    );
    let endpoints = specs(&imported, Kind::Endpoint);
    assert_eq!(endpoints[0].1["timeouts"], json!({"total": "30s"}));
    assert_eq!(
        (&endpoints[1].1["timeouts"], &endpoints[1].1["upstreamModel"]),
        (&json!({"total": "500ms"}), &json!("llama3"))
    );
    let limits: Vec<Value> = specs(&imported, Kind::Limit).into_iter().map(|(_, spec)| spec).collect();
    assert_eq!(
        limits[0],
        json!({"scope": {"endpoint": "openai-gpt-4o"}, "bound": {"spend": "10.00 USD", "per": "month"}})
    );
    assert_eq!(
        limits[1],
        json!({"scope": {"provider": "openai"}, "bound": {"spend": "100.50 USD", "per": "14d"}})
    );
    let left: Vec<&str> = imported.left.iter().map(|note| note.path.as_str()).collect();
    for path in [
        "model_list[1].model_info.cache_read_input_token_cost",
        "router_settings.model_group_alias.gone",
        "router_settings.fallbacks[0].gpt-4[1]",
        "router_settings.model_group_alias.old.hidden",
        "litellm_settings.drop_params",
    ] {
        assert!(left.contains(&path), "{path}: {left:?}");
    }
}

#[test]
fn what_has_no_counterpart_is_told_with_its_place() {
    let imported = imported(
        "model_list:
  - {model_name: wx, litellm_params: {model: watsonx/granite, api_base: 'https://x.example.com', api_version: 2024-02-01}}
  - {model_name: 'openai/*', litellm_params: {model: 'openai/*'}}
  - {model_name: who, litellm_params: {model: something}}
  - {model_name: pic, litellm_params: {model: openai/dall-e-3}, model_info: {mode: image_generation}}
  - {model_name: env, litellm_params: {model: openai/x, api_base: os.environ/BASE}}
  - {model_name: vllm, litellm_params: {model: hosted_vllm/x}}
  - {model_name: secret, litellm_params: {model: openai/x, api_base: 'https://u:canary@h/v1'}}
  - {model_name: ok, litellm_params: {model: openai/x, temperature: 0.2, surprise: 1}, extra: 1}
surprise: {a: 1}
",
    );
    assert_eq!(
        left(&imported),
        [
            (2, "model_list[0].litellm_params.model"),
            (3, "model_list[1]"),
            (4, "model_list[2].litellm_params.model"),
            (5, "model_list[3].model_info.mode"),
            (6, "model_list[4].litellm_params.api_base"),
            (7, "model_list[5].litellm_params.model"),
            (8, "model_list[6].litellm_params.api_base"),
            (9, "model_list[7].extra"),
            (9, "model_list[7].litellm_params.surprise"),
            (9, "model_list[7].litellm_params.temperature"),
            (10, "surprise.a"),
        ]
    );
    assert!(!format!("{:?}", imported.left).contains("canary"));
    assert!(imported.left[0].why.contains("`watsonx` is not carried yet"));
    assert_eq!(specs(&imported, Kind::Model).len(), 1);
}

#[test]
fn azures_version_is_the_providers() {
    let imported = imported(
        "model_list:
  - {model_name: az, litellm_params: {model: azure/gpt-4o-eu, api_base: 'https://x.openai.azure.com', api_version: 2024-10-21, api_key: os.environ/AZ}}
",
    );
    assert!(imported.left.is_empty(), "{:?}", imported.left);
    let providers = specs(&imported, Kind::Provider);
    let told = ["adapter", "baseUrl", "apiVersion"].map(|field| providers[0].1[field].clone());
    assert_eq!(told, ["azure", "https://x.openai.azure.com", "2024-10-21"]);
}

#[test]
fn the_files_own_variables_are_read_where_no_reference_can_be() {
    let imported = imported(
        "environment_variables: {BASE: 'https://vllm.example.com/v1', RPM: '7'}
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_base: os.environ/BASE, rpm: os.environ/RPM, api_key: os.environ/KEY}}
",
    );
    assert_eq!(specs(&imported, Kind::Provider)[0].1["baseUrl"], "https://vllm.example.com/v1");
    assert_eq!(specs(&imported, Kind::Limit)[0].1["bound"]["requests"], 7);
}

#[test]
fn a_named_credential_is_the_entrys_own_where_it_says_nothing() {
    let imported = imported(
        "credential_list:
  - {credential_name: c, credential_values: {api_key: os.environ/KEY, api_base: 'https://a.example.com/v1'}}
model_list:
  - {model_name: m, litellm_params: {model: openai/x, litellm_credential_name: c}}
",
    );
    assert_eq!(
        specs(&imported, Kind::Provider)[0].1,
        json!({"adapter": "openai", "baseUrl": "https://a.example.com/v1", "credential": {"env": "KEY"}})
    );
    assert!(imported.left.is_empty(), "{:?}", imported.left);
}

#[test]
fn a_vendors_own_key_is_not_sent_to_another_address() {
    let imported = imported(&one("model: openai/x, api_base: 'https://a.example.com/v1'"));
    assert_eq!(specs(&imported, Kind::Provider)[0].1["credential"], Value::Null);
    assert_eq!(left(&imported), [(3, "model_list[0].litellm_params.model")]);
}

#[test]
fn what_is_no_such_file_is_refused_with_every_fault_and_its_line() {
    for (text, line, path) in [
        ("a: [1", 2, "the file"),
        ("", 1, "the file"),
        ("just a text", 1, "the file"),
        ("a: 1\n---\nb: 2\n", 1, "the file"),
        ("litellm_settings: {}\n", 1, "the file"),
        ("model_list: {}\n", 1, "model_list"),
        ("model_list: []\n", 1, "model_list"),
        ("model_list: [1]\n", 1, "model_list[0]"),
        ("model_list:\n  - &x {model_name: m}\n  - *x\n", 2, "the file"),
        ("model_list: [{model_name: m}]\n", 1, "model_list[0]"),
        ("model_list: [{model_name: m, litellm_params: 7}]\n", 1, "model_list[0].litellm_params"),
        ("model_list: [{model_name: [m], litellm_params: {model: x}}]\n", 1, "model_list[0].model_name"),
        ("model_list: [{model_name: m, litellm_params: {rpm: 1}}]\n", 1, "model_list[0].litellm_params"),
        ("model_list: [{model_name: m, litellm_params: {model: x, model: y}}]\n", 1, "the file"),
        (&one("model: openai/x, rpm: many"), 3, "model_list[0].litellm_params.rpm"),
        (&one("model: openai/x, rpm: -1"), 3, "model_list[0].litellm_params.rpm"),
        (&one("model: openai/x, timeout: 0"), 3, "model_list[0].litellm_params.timeout"),
        (&one("model: openai/x, timeout: nan"), 3, "model_list[0].litellm_params.timeout"),
        (&one("model: 'openai/'"), 3, "model_list[0].litellm_params.model"),
        (&one("model: openai/x, api_key: {a: b}"), 3, "model_list[0].litellm_params.api_key"),
        (&one("model: openai/x, api_key: os.environ/a-b"), 3, "model_list[0].litellm_params.api_key"),
        (
            &one("model: openai/x, max_budget: lots, budget_duration: 1d"),
            3,
            "model_list[0].litellm_params.max_budget",
        ),
    ] {
        let found = faults(text);
        assert!(found.iter().any(|(at, of, _)| (*at, of.as_str()) == (line, path)), "{text:?}: {found:?}");
    }
    let both = format!(
        "{}  - model_name: n\n    litellm_params: {{model: openai/x, tpm: x}}\n",
        one("model: openai/x, rpm: many")
    );
    assert_eq!(faults(&both).len(), 2);
}

#[test]
fn shares_beyond_the_greatest_keep_their_relation() {
    let imported = imported(
        "model_list:
  - {model_name: m, litellm_params: {model: openai/a, tpm: 30000000}}
  - {model_name: m, litellm_params: {model: openai/b, tpm: 10000000}}
  - {model_name: m, litellm_params: {model: openai/c}}
",
    );
    let weights: Vec<Value> = specs(&imported, Kind::Model)[0].1["route"]["groups"][0]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["weight"].clone())
        .collect();
    assert_eq!(weights, [json!(1_000_000), json!(333_333), json!(1)]);
    assert_eq!(left(&imported), [(4, "model_list[2].litellm_params")]);
}

#[test]
fn a_file_of_ten_megabytes_is_read_in_one_go() {
    let mut text = "model_list:\n".to_owned();
    let mut entries = 0;
    while text.len() < 10 << 20 {
        text.push_str(&format!(
            "  - {{model_name: m-{n}, litellm_params: {{model: openai/gpt-{n}, api_key: sk-{n}, rpm: {n}, unknown: {n}}}}}\n",
            n = entries
        ));
        entries += 1;
    }
    let imported = imported(&text);
    assert_eq!((imported.written.count(Kind::Model), imported.left.len()), (entries, entries));
    assert!(matches!(read(&"#".repeat(17 << 20), &[]), Err(Refused::Faults(_))));
}

#[test]
fn bedrock_is_a_provider_of_a_region_and_an_identity() {
    let imported = imported(
        "environment_variables: {BEDROCK_ID: AKIAFILE}
model_list:
  - {model_name: a, litellm_params: {model: bedrock/anthropic.claude-3-5-haiku-20241022-v1:0, aws_region_name: eu-central-1, aws_access_key_id: AKIAEXAMPLE, aws_secret_access_key: os.environ/BEDROCK_SECRET}}
  - {model_name: b, litellm_params: {model: bedrock/converse/us-east-1/amazon.nova-lite-v1:0, aws_access_key_id: os.environ/BEDROCK_ID, aws_secret_access_key: secret-canary}}
  - {model_name: c, litellm_params: {model: bedrock/eu.amazon.nova-pro-v1:0, aws_region_name: eu-west-1, aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID, aws_secret_access_key: os.environ/AWS_SECRET_ACCESS_KEY}}
  - {model_name: d, litellm_params: {model: bedrock_converse/x.y, aws_region_name: eu-west-1, api_key: os.environ/BEDROCK_KEY, model_id: 'arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc', aws_bedrock_runtime_endpoint: 'https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com/'}}
  - {model_name: e, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, aws_region_name: eu-west-1, aws_role_name: 'arn:aws:iam::1:role/r', aws_session_name: s}}
  - {model_name: f, litellm_params: {model: bedrock/amazon.nova-pro-v1:0}}
  - {model_name: g, litellm_params: {model: bedrock/agent/L1RT58GYRW/MFPSBCXYTW, aws_region_name: eu-west-1}}
",
    );
    let providers: Vec<Value> = specs(&imported, Kind::Provider).into_iter().map(|(_, spec)| spec).collect();
    let runtime = |region: &str| format!("https://bedrock-runtime.{region}.amazonaws.com");
    assert_eq!(
        providers,
        [
            json!({"adapter": "bedrock", "baseUrl": runtime("eu-central-1"), "credential": {"env": "BEDROCK_SECRET"},
                   "auth": {"aws": {"accessKeyId": "AKIAEXAMPLE", "region": "eu-central-1"}}}),
            json!({"adapter": "bedrock", "baseUrl": runtime("us-east-1"), "credential": {"env": "AWS_SECRET_ACCESS_KEY"},
                   "auth": {"aws": {"accessKeyId": "AKIAFILE", "region": "us-east-1"}}}),
            json!({"adapter": "bedrock", "baseUrl": runtime("eu-west-1"),
                   "credential": {"env": "AWS_SECRET_ACCESS_KEY_DOCUMENT"}, "auth": {"aws": {"region": "eu-west-1"}}}),
            json!({"adapter": "bedrock", "baseUrl": "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com",
                   "credential": {"env": "BEDROCK_KEY"}}),
        ]
    );
    let endpoints: Vec<Value> = specs(&imported, Kind::Endpoint).into_iter().map(|(_, spec)| spec).collect();
    let told: Vec<_> =
        endpoints.iter().map(|spec| (&spec["upstreamModel"], &spec["processingRegions"])).collect();
    assert_eq!(
        told,
        [
            (&json!("anthropic.claude-3-5-haiku-20241022-v1:0"), &json!(["eu-central-1"])),
            (&json!("amazon.nova-lite-v1:0"), &json!(["us-east-1"])),
            (&json!("eu.amazon.nova-pro-v1:0"), &Value::Null),
            (&json!("arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc"), &Value::Null),
        ],
        "a profile is processed in more places than the one that is called"
    );
    assert_eq!(
        left(&imported),
        [
            (1, "environment_variables.BEDROCK_ID"),
            (5, "model_list[2].litellm_params.model"),
            (7, "model_list[4].litellm_params.aws_role_name"),
            (8, "model_list[5].litellm_params.model"),
            (9, "model_list[6].litellm_params.model"),
        ],
        "{:?}",
        imported.left
    );
    let told = format!("{:?}{}{:?}", imported.left, imported.written.yaml().unwrap(), imported.variables);
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn vertex_and_sagemaker_are_carried_where_they_are_spoken_to() {
    let imported = imported(
        "model_list:
  - {model_name: a, litellm_params: {model: vertex_ai/gemini-2.5-pro, vertex_project: acme-1, vertex_location: europe-west1, vertex_credentials: /run/secrets/key.json}}
  - {model_name: b, litellm_params: {model: vertex_ai/gemini-2.5-flash, vertex_project: acme-1, vertex_location: global, vertex_credentials: os.environ/VERTEX_KEY}}
  - {model_name: c, litellm_params: {model: vertex_ai/gemini-2.5-flash, vertex_project: acme-1, vertex_credentials: '{\"private_key\": \"canary\"}'}}
  - {model_name: d, litellm_params: {model: vertex_ai/claude-sonnet-4-5, vertex_project: acme-1}}
  - {model_name: e, litellm_params: {model: vertex_ai/gemini-2.5-pro}}
  - {model_name: f, litellm_params: {model: sagemaker_chat/my-endpoint, aws_region_name: eu-central-1, aws_access_key_id: A, aws_secret_access_key: os.environ/S}}
  - {model_name: g, litellm_params: {model: sagemaker/my-endpoint, aws_region_name: eu-central-1}}
",
    );
    let providers: Vec<Value> = specs(&imported, Kind::Provider).into_iter().map(|(_, spec)| spec).collect();
    let vertex = |host: &str, location: &str, credential: Value| {
        json!({"adapter": "gemini", "credential": credential, "auth": {"google": {}},
               "baseUrl": format!("https://{host}/v1/projects/acme-1/locations/{location}/publishers/google")})
    };
    assert_eq!(
        providers,
        [
            vertex(
                "europe-west1-aiplatform.googleapis.com",
                "europe-west1",
                json!({"file": "/run/secrets/key.json"})
            ),
            vertex("aiplatform.googleapis.com", "global", json!({"env": "VERTEX_KEY"})),
            vertex(
                "us-central1-aiplatform.googleapis.com",
                "us-central1",
                json!({"env": "VERTEX_CREDENTIALS"})
            ),
            json!({"adapter": "sagemaker", "baseUrl": "https://runtime.sagemaker.eu-central-1.amazonaws.com",
                   "credential": {"env": "S"}, "auth": {"aws": {"accessKeyId": "A", "region": "eu-central-1"}}}),
        ]
    );
    let endpoints = specs(&imported, Kind::Endpoint);
    let places: Vec<_> = endpoints.iter().map(|(_, spec)| &spec["processingRegions"]).collect();
    assert_eq!(
        places,
        [&json!(["europe-west1"]), &json!(["global"]), &json!(["us-central1"]), &json!(["eu-central-1"])]
    );
    assert_eq!(
        left(&imported),
        [
            (3, "model_list[1].litellm_params.vertex_credentials"),
            (5, "model_list[3].litellm_params.model"),
            (6, "model_list[4].litellm_params.model"),
            (8, "model_list[6].litellm_params.model"),
        ],
        "{:?}",
        imported.left
    );
    assert!(!format!("{:?}{}", imported.left, imported.written.yaml().unwrap()).contains("canary"));
}
