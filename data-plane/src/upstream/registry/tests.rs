//! Registries, by a scripted upstream: what is asked, how answers are read, and what is no list. Bodies are after the vendors' published
//! references, which each test names; no vendor was asked.

use std::collections::HashMap;

use proto::admin::VendorModel;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::upstream::scripted::{KEY, answer, endpoint, request, serve};
use policy_engine::facts::Auth;

mod faults;
mod sagemaker;

/// What a vendor was asked: the heads of the requests.
type Heard = mpsc::UnboundedReceiver<String>;

/// A vendor that answers these bodies, each where it is asked for.
async fn vendor(pages: &[(&str, &str)]) -> (u16, Heard) {
    let pages: HashMap<String, String> =
        pages.iter().map(|(path, body)| ((*path).to_owned(), (*body).to_owned())).collect();
    let (told, heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let (told, pages) = (told.clone(), pages.clone());
        async move {
            let (head, body) = request(&mut stream).await;
            assert!(body.is_empty(), "a question has no body");
            let path = head.split(' ').nth(1).unwrap().to_owned();
            told.send(head).unwrap();
            let (status, body) = match pages.get(&path) {
                Some(body) => ("200 OK", body.as_str()),
                None => ("404 Not Found", "{}"),
            };
            stream.write_all(answer(status, body).as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    })
    .await;
    (port, heard)
}

fn config(adapter: Adapter, port: u16, root: &str) -> EndpointConfig {
    EndpointConfig { adapter, base_url: format!("http://127.0.0.1:{port}{root}"), ..endpoint(port) }
}

async fn listed(config: &EndpointConfig) -> Listed {
    Registry::build(config).unwrap().list().await.unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn seconds(at: &Option<prost_types::Timestamp>) -> i64 {
    at.as_ref().map_or(0, |at| at.seconds)
}

/// OpenAI, <https://platform.openai.com/docs/api-reference/models/list>.
const OPENAI: &str = r#"{"object":"list","data":[
  {"id":"text-embedding-3-small","object":"model","created":1705948997,"owned_by":"system"},
  {"id":"gpt-4o","object":"model","created":1715367049,"owned_by":"system"}]}"#;

#[tokio::test]
async fn openai_says_no_more_than_names() {
    let (port, mut heard) = vendor(&[("/v1/models", OPENAI)]).await;
    let Listed { models, catalogue_only } = listed(&config(Adapter::OpenAi, port, "/v1")).await;
    let model = |id: &str| VendorModel {
        id: id.to_owned(),
        publisher: "system".to_owned(),
        ..VendorModel::default()
    };
    assert_eq!(models, [model("gpt-4o"), model("text-embedding-3-small")]);
    assert!(!catalogue_only);
    let head = heard.recv().await.unwrap();
    assert!(head.starts_with("GET /v1/models HTTP/1.1\r\n"), "{head}");
    assert!(head.lines().any(|line| line == format!("authorization: Bearer {KEY}")), "{head}");
    assert!(!head.contains("content-type"), "{head}");
}

/// OpenRouter, <https://openrouter.ai/docs/models>; Mistral, <https://docs.mistral.ai/api/#tag/models>; Groq,
/// <https://console.groq.com/docs/api-reference#models>; vLLM's `max_model_len`.
const COMPATIBLE: &str = r#"{"data":[
  {"id":"openai/gpt-4","canonical_slug":"openai/gpt-4","name":"GPT-4","created":1692901234,"description":"A large multimodal model",
   "context_length":8192,"architecture":{"input_modalities":["text","image","video"],"output_modalities":["text"],"tokenizer":"GPT"},
   "top_provider":{"context_length":8192,"max_completion_tokens":4096,"is_moderated":true},
   "supported_parameters":["temperature","tools","structured_outputs","response_format","reasoning"],"expiration_date":"2026-12-31"},
  {"id":"mistral-large-2411","object":"model","created":1730000000,"owned_by":"mistralai","name":"mistral-large-2411",
   "description":"Top-tier reasoning","max_context_length":131072,"aliases":[],"deprecation":"2026-02-27T12:00:00Z",
   "capabilities":{"completion_chat":true,"completion_fim":false,"function_calling":true,"fine_tuning":false,"vision":true}},
  {"id":"llama-3.1-8b-instant","object":"model","owned_by":"Meta","active":false,"context_window":131072,"max_completion_tokens":8192},
  {"id":"own","object":"model","owned_by":"vllm","root":"/models/own","parent":null,"max_model_len":32768,"permission":[]}]}"#;

#[tokio::test]
async fn compatible_servers_say_more_each_in_its_own_words() {
    let (port, _heard) = vendor(&[("/api/v1/models", COMPATIBLE)]).await;
    let models = listed(&config(Adapter::OpenAi, port, "/api/v1/")).await.models;
    let [groq, mistral, router, own] = &models[..] else { panic!("{models:?}") };
    let tokens = |model: &VendorModel| (model.context_window, model.max_output_tokens);
    assert_eq!((groq.deprecated, tokens(groq)), (true, (131_072, 8_192)));
    assert_eq!((mistral.operations.clone(), mistral.operations_known), (words(&["chat"]), true));
    assert_eq!(
        (mistral.input.clone(), mistral.capabilities.clone()),
        (words(&["text", "image"]), words(&["tools"]))
    );
    assert_eq!((seconds(&mistral.deprecate_time), seconds(&mistral.retire_time)), (1_772_193_600, 0));
    assert_eq!(router.display_name, "GPT-4");
    assert_eq!((router.input.clone(), router.output.clone()), (words(&["text", "image"]), words(&["text"])));
    assert_eq!(router.capabilities, ["tools", "jsonSchema", "reasoning"]);
    assert_eq!((tokens(router), seconds(&router.retire_time)), ((8_192, 4_096), 1_798_675_200));
    assert_eq!((tokens(own), own.operations_known), ((32_768, 0), false));
}

/// Together, <https://docs.together.ai/reference/models-1>.
const BARE: &str = r#"[{"id":"meta-llama/Llama-3.3-70B","object":"model","created":1,"type":"chat","running":false,
  "display_name":"Llama 3.3 70B","organization":"Meta","link":"x","license":"llama3.3","context_length":131072,"pricing":{"input":0.88}},
 {"id":"BAAI/bge-base-en-v1.5","object":"model","created":1,"type":"embedding","organization":"BAAI","context_length":512}]"#;

#[tokio::test]
async fn a_bare_list_is_one() {
    let (port, _heard) = vendor(&[("/v1/models", BARE)]).await;
    let models = listed(&config(Adapter::OpenAi, port, "/v1")).await.models;
    let told: Vec<_> = models.iter().map(|m| (m.operations.join(","), m.publisher.as_str())).collect();
    assert_eq!(told, [("embed".to_owned(), "BAAI"), ("chat".to_owned(), "Meta")]);
}

/// Azure, <https://learn.microsoft.com/en-us/rest/api/azureopenai/models/list>.
const AZURE: &str = r#"{"data":[
 {"status":"succeeded","capabilities":{"fine_tune":true,"inference":true,"completion":true,"chat_completion":false,"embeddings":false},
  "lifecycle_status":"generally-available","deprecation":{"fine_tune":1677662127,"inference":1709284527},"id":"curie","created_at":1646126127,"object":"model"},
 {"status":"succeeded","capabilities":{"fine_tune":false,"inference":true,"completion":false,"chat_completion":true,"embeddings":false},
  "lifecycle_status":"preview","deprecation":{"inference":1767225600},"id":"gpt-4o","created_at":1646126127,"object":"model"}],"object":"list"}"#;

#[tokio::test]
async fn azure_lists_what_could_be_deployed_under_the_form_of_its_url() {
    for (root, version, path) in [
        ("", "", "/openai/v1/models"),
        ("/openai", "", "/openai/v1/models"),
        ("/openai/v1", "", "/openai/v1/models"),
        ("", "2024-10-21", "/openai/models?api-version=2024-10-21"),
        ("/openai/v1/", "preview", "/openai/v1/models?api-version=preview"),
    ] {
        let (port, mut heard) = vendor(&[(path, AZURE)]).await;
        let config = EndpointConfig { api_version: version.to_owned(), ..config(Adapter::Azure, port, root) };
        let Listed { models, catalogue_only } = listed(&config).await;
        assert!(catalogue_only);
        let told: Vec<_> =
            models.iter().map(|m| (m.id.as_str(), m.operations.join(","), seconds(&m.retire_time))).collect();
        assert_eq!(
            told,
            [("curie", String::new(), 1_709_284_527), ("gpt-4o", "chat".to_owned(), 1_767_225_600)]
        );
        let head = heard.recv().await.unwrap();
        assert!(head.lines().any(|line| line == format!("api-key: {KEY}")), "{head}");
    }
}

/// Anthropic, <https://platform.claude.com/docs/en/api/models-list>.
const CLAUDE: &str = r#"{"data":[{"id":"claude-opus-4-6","type":"model","display_name":"Claude Opus 4.6","created_at":"2026-02-04T00:00:00Z",
 "capabilities":{"batch":{"supported":true},"image_input":{"supported":true},"pdf_input":{"supported":true},
  "structured_outputs":{"supported":true},"thinking":{"supported":true,"types":{"adaptive":{"supported":true}}}},
 "max_input_tokens":200000,"max_tokens":64000}],"first_id":"claude-opus-4-6","has_more":true,"last_id":"claude-opus-4-6"}"#;
const CLAUDE_LAST: &str = r#"{"data":[{"id":"claude-haiku-4-5","type":"model","display_name":"Claude Haiku 4.5","created_at":"2025-10-01T00:00:00Z"}],
 "first_id":"claude-haiku-4-5","has_more":false,"last_id":"claude-haiku-4-5"}"#;

#[tokio::test]
async fn anthropic_is_asked_page_by_page() {
    let second = "/v1/models?limit=1000&after_id=claude-opus-4-6";
    let (port, mut heard) = vendor(&[("/v1/models?limit=1000", CLAUDE), (second, CLAUDE_LAST)]).await;
    let models = listed(&config(Adapter::Foreign(Dialect::Anthropic), port, "/v1")).await.models;
    let [haiku, opus] = &models[..] else { panic!("{models:?}") };
    assert_eq!((haiku.id.as_str(), haiku.display_name.as_str()), ("claude-haiku-4-5", "Claude Haiku 4.5"));
    assert!(haiku.input.is_empty() && haiku.operations == ["chat"], "{haiku:?}");
    assert_eq!(opus.input, ["text", "image", "file"]);
    assert_eq!(
        (opus.capabilities.clone(), opus.operations_known),
        (words(&["jsonSchema", "reasoning"]), true)
    );
    assert_eq!((opus.context_window, opus.max_output_tokens), (200_000, 64_000));
    for _ in 0..2 {
        let head = heard.recv().await.unwrap();
        for line in [format!("x-api-key: {KEY}"), "anthropic-version: 2023-06-01".to_owned()] {
            assert!(head.lines().any(|sent| sent == line), "{head}");
        }
    }
}

/// Google, <https://ai.google.dev/api/models#method:-models.list>.
const GEMINI: &str = r#"{"models":[
 {"name":"models/gemini-2.5-pro","version":"2.5","displayName":"Gemini 2.5 Pro","description":"Stable release (June 17th, 2025) of Gemini 2.5 Pro",
  "inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens","createCachedContent"],
  "temperature":1,"topP":0.95,"topK":64,"maxTemperature":2,"thinking":true},
 {"name":"models/imagen-4.0-generate-001","version":"001","displayName":"Imagen 4","inputTokenLimit":480,"outputTokenLimit":8192,
  "supportedGenerationMethods":["predict"]}],"nextPageToken":"Ch9tb2/+="}"#;
const GEMINI_LAST: &str = r#"{"models":[{"name":"models/gemini-embedding-001","version":"001","displayName":"Gemini Embedding 001",
 "inputTokenLimit":2048,"outputTokenLimit":1,"supportedGenerationMethods":["embedContent","countTextTokens"]}]}"#;

#[tokio::test]
async fn google_is_asked_page_by_page_and_what_the_gateway_can_not_ask_is_told_to_be_nothing() {
    let second = "/v1beta/models?pageSize=1000&pageToken=Ch9tb2%2F%2B%3D";
    let (port, mut heard) = vendor(&[("/v1beta/models?pageSize=1000", GEMINI), (second, GEMINI_LAST)]).await;
    let models = listed(&config(Adapter::Foreign(Dialect::Gemini), port, "/v1beta")).await.models;
    let told: Vec<_> = models
        .iter()
        .map(|m| (m.id.as_str(), m.operations.join(","), m.context_window, m.max_output_tokens))
        .collect();
    assert_eq!(
        told,
        [
            ("gemini-2.5-pro", "chat".to_owned(), 1_048_576, 65_536),
            ("gemini-embedding-001", "embed".to_owned(), 2_048, 0),
            ("imagen-4.0-generate-001", String::new(), 480, 0),
        ]
    );
    assert!(models.iter().all(|model| model.operations_known));
    assert_eq!(models[0].capabilities, ["reasoning"]);
    let head = heard.recv().await.unwrap();
    assert!(head.lines().any(|line| line == format!("x-goog-api-key: {KEY}")), "{head}");
    let vertex = EndpointConfig {
        base_url: "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/google".to_owned(),
        ..config(Adapter::Foreign(Dialect::Gemini), 1, "")
    };
    assert!(matches!(Registry::build(&vertex), Err(Unlisted::None(why)) if why.starts_with("Vertex AI")));
}

/// Cohere, <https://docs.cohere.com/reference/list-models>.
const COHERE: &str = r#"{"models":[
 {"name":"command-a-03-2025","is_deprecated":false,"endpoints":["chat"],"finetuned":false,"context_length":288000,
  "tokenizer_url":"x","default_endpoints":[],"features":["json_mode","json_schema","safety_modes","strict_tools","tools"]},
 {"name":"embed-v4.0","endpoints":["embed","classify"],"finetuned":false,"context_length":128000},
 {"name":"rerank-v3.5","endpoints":["rerank"],"context_length":4096}],"next_page_token":"t 2"}"#;
const COHERE_LAST: &str = r#"{"models":[{"name":"command-r","is_deprecated":true,"endpoints":["generate","chat","summarize"],"context_length":128000}]}"#;

#[tokio::test]
async fn cohere_is_asked_at_the_first_version_of_its_api() {
    let second = "/v1/models?page_size=1000&page_token=t%202";
    let (port, mut heard) = vendor(&[("/v1/models?page_size=1000", COHERE), (second, COHERE_LAST)]).await;
    let models = listed(&config(Adapter::Foreign(Dialect::Cohere), port, "/v2")).await.models;
    let told: Vec<_> = models
        .iter()
        .map(|m| (m.id.as_str(), m.operations.join(","), m.context_window, m.deprecated))
        .collect();
    assert_eq!(
        told,
        [
            ("command-a-03-2025", "chat".to_owned(), 288_000, false),
            ("command-r", "chat".to_owned(), 128_000, true),
            ("embed-v4.0", "embed".to_owned(), 128_000, false),
            ("rerank-v3.5", "rerank".to_owned(), 4_096, false),
        ]
    );
    assert_eq!(models[0].capabilities, ["tools", "jsonSchema"]);
    let head = heard.recv().await.unwrap();
    assert!(head.lines().any(|line| line == format!("authorization: Bearer {KEY}")), "{head}");
}

/// AWS, `ListFoundationModels` and `FoundationModelLifecycle` of Bedrock's API reference.
const FOUNDATION: &str = r#"{"modelSummaries":[
 {"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/amazon.titan-embed-text-v2:0","modelId":"amazon.titan-embed-text-v2:0",
  "modelName":"Titan Text Embeddings V2","providerName":"Amazon","inputModalities":["TEXT"],"outputModalities":["EMBEDDING"],
  "responseStreamingSupported":false,"customizationsSupported":[],"inferenceTypesSupported":["ON_DEMAND"],"modelLifecycle":{"status":"ACTIVE"}},
 {"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0","modelId":"anthropic.claude-3-haiku-20240307-v1:0",
  "modelName":"Claude 3 Haiku","providerName":"Anthropic","inputModalities":["TEXT","IMAGE"],"outputModalities":["TEXT"],
  "inferenceTypesSupported":["ON_DEMAND","PROVISIONED"],
  "modelLifecycle":{"status":"LEGACY","startOfLifeTime":"2024-03-13T00:00:00Z","legacyTime":"2026-03-10T00:00:00Z","endOfLifeTime":"2026-09-10T00:00:00Z"}},
 {"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0","modelId":"anthropic.claude-sonnet-4-5-20250929-v1:0",
  "modelName":"Claude Sonnet 4.5","providerName":"Anthropic","inputModalities":["TEXT","IMAGE"],"outputModalities":["TEXT"],
  "inferenceTypesSupported":["INFERENCE_PROFILE"],"modelLifecycle":{"status":"ACTIVE"}}]}"#;
/// AWS, `ListInferenceProfiles`.
const PROFILES: &str = r#"{"inferenceProfileSummaries":[
 {"inferenceProfileId":"eu.anthropic.claude-sonnet-4-5-20250929-v1:0","inferenceProfileName":"EU Anthropic Claude Sonnet 4.5",
  "inferenceProfileArn":"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
  "description":"Routes requests within the EU.","createdAt":"2025-09-29T00:00:00Z","updatedAt":"2025-09-29T00:00:00Z","status":"ACTIVE","type":"SYSTEM_DEFINED",
  "models":[{"modelArn":"arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"},
            {"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"}]}],"nextToken":"n/1"}"#;
const PROFILES_LAST: &str = r#"{"inferenceProfileSummaries":[
 {"inferenceProfileId":"global.anthropic.claude-sonnet-4-5-20250929-v1:0","inferenceProfileName":"Global Claude Sonnet 4.5","status":"ACTIVE","type":"SYSTEM_DEFINED",
  "models":[{"modelArn":"arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"},
            {"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"}]}]}"#;

#[tokio::test]
async fn bedrock_lists_what_its_ids_call_and_where_profiles_process() {
    let pages = [
        ("/foundation-models", FOUNDATION),
        ("/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED", PROFILES),
        ("/inference-profiles?maxResults=1000&nextToken=n%2F1&type=SYSTEM_DEFINED", PROFILES_LAST),
    ];
    let (port, mut heard) = vendor(&pages).await;
    let auth =
        Auth::Aws { access_key_id: "AKIDEXAMPLE".to_owned(), region: "eu-central-1".to_owned(), role: None };
    let config = EndpointConfig { auth: Some(auth), ..config(Adapter::Foreign(Dialect::Bedrock), port, "") };
    let models = listed(&config).await.models;
    let told: Vec<_> =
        models.iter().map(|m| (m.id.as_str(), m.operations.join(","), m.regions.join(","))).collect();
    let (chat, embed) = ("chat".to_owned(), "embed".to_owned());
    assert_eq!(
        told,
        [
            ("amazon.titan-embed-text-v2:0", embed, "eu-central-1".to_owned()),
            ("anthropic.claude-3-haiku-20240307-v1:0", chat.clone(), "eu-central-1".to_owned()),
            (
                "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
                chat.clone(),
                "eu-central-1,eu-west-1".to_owned()
            ),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", chat, String::new()),
        ]
    );
    let haiku = &models[1];
    assert!(haiku.deprecated && haiku.input == ["text", "image"]);
    assert_eq!((seconds(&haiku.deprecate_time), seconds(&haiku.retire_time)), (1_773_100_800, 1_788_998_400));
    assert_eq!(
        (models[2].display_name.as_str(), models[2].publisher.as_str()),
        ("EU Anthropic Claude Sonnet 4.5", "Anthropic")
    );
    for _ in 0..3 {
        let head = heard.recv().await.unwrap();
        assert!(head.contains("authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{head}");
        assert!(head.contains("/eu-central-1/bedrock/aws4_request"), "{head}");
    }
    let at = |url: &str| {
        let config = EndpointConfig { base_url: url.to_owned(), ..endpoint(1) };
        Written::Bedrock.base(&config)
    };
    assert_eq!(
        at("https://bedrock-runtime.eu-central-1.amazonaws.com/"),
        "https://bedrock.eu-central-1.amazonaws.com"
    );
    // Elsewhere the key would go to somebody else's host.
    for other in [
        "https://my-bedrock-runtime.example.com",
        "https://bedrock-runtime-proxy.example.com",
        "https://vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com",
        "https://gateway.example.com/bedrock-runtime",
        "https://gateway.example.com/://bedrock-runtime.x",
    ] {
        assert_eq!(at(other), other);
    }
}

#[test]
fn words_of_another_gateway_are_bounded_and_its_places_are_all_there_or_not_known() {
    let model = |card: serde_json::Value| {
        let page = serde_json::json!({"data": [{"id": "m", "chancery": card}]});
        openai::read(&page).unwrap().models.pop().unwrap()
    };
    let long = "x".repeat(200_000);
    let told =
        model(serde_json::json!({"capabilities": ["tools", long], "processing_regions": ["EU", long]}));
    assert_eq!((told.capabilities, told.regions), (words(&["tools"]), Vec::new()));
    let many: Vec<String> = (0..17).map(|n| format!("r-{n:02}")).collect();
    assert!(model(serde_json::json!({ "processing_regions": many })).regions.is_empty());
    assert_eq!(model(serde_json::json!({ "processing_regions": ["US", "EU"] })).regions, ["EU", "US"]);
}

#[test]
fn a_profile_of_many_places_or_of_one_that_is_not_said_is_of_none() {
    let regions = |models: Vec<serde_json::Value>| {
        let mut reading = bedrock::Reading::default();
        reading.read(&serde_json::json!({"modelSummaries": []})).unwrap();
        let profile = serde_json::json!({"inferenceProfileId": "p", "models": models});
        let page = reading.read(&serde_json::json!({"inferenceProfileSummaries": [profile]})).unwrap();
        page.models.into_iter().flat_map(|model| model.regions).count()
    };
    let of = |count: usize| -> Vec<serde_json::Value> {
        let arn =
            |n: usize| serde_json::json!({"modelArn": format!("arn:aws:bedrock:eu-{n}::foundation-model/m")});
        (0..count).map(arn).collect()
    };
    assert_eq!((regions(of(16)), regions(of(17))), (16, 0));
    let unsaid = [of(2), vec![serde_json::json!({})]].concat();
    assert_eq!(regions(unsaid), 0);
}

#[tokio::test]
async fn this_gateways_own_list_gives_its_cards() {
    let body = r#"{"object":"list","data":[{"id":"sim-gpt-4o","object":"model","created":0,"owned_by":"chancery","chancery":{
      "aliases":["gpt-4o"],"display_name":"GPT-4o","publisher":"OpenAI","description":"d","input":["text","image"],"output":["text"],
      "operations":["chat"],"capabilities":["tools"],"context_window":128000,"max_output_tokens":16384,"use_cases":[],"risk_class":"limited",
      "licence":null,"metrics":{},"available":true,"processing_regions":["EU"],"reasons":[],"deprecated_from":"2026-01-01","retired_from":"2027-01-01"}}]}"#;
    let (port, _heard) = vendor(&[("/v1/models", body)]).await;
    let models = listed(&config(Adapter::OpenAi, port, "/v1")).await.models;
    let [model] = &models[..] else { panic!("{models:?}") };
    assert_eq!((model.display_name.as_str(), model.publisher.as_str()), ("GPT-4o", "OpenAI"));
    assert_eq!((model.operations.clone(), model.regions.clone()), (words(&["chat"]), words(&["EU"])));
    assert_eq!((model.context_window, model.max_output_tokens), (128_000, 16_384));
    assert_eq!((seconds(&model.deprecate_time), seconds(&model.retire_time)), (1_767_225_600, 1_798_761_600));
}
