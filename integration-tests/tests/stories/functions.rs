//! A function of AWS Lambda by a service that nobody here wrote: moto's server, which runs no function and answers with the event.
//!
//! What it checks: that the key is one that it gave out, that the signature is the one botocore makes of the request (path, headers and the body's
//! digest among what is signed), and that the key's policy allows what is called. What it does not: whether there is such a function, event
//! streams, which it does not have, and whether a function fails.

use anyhow::{Context as _, Result};
use integration_tests::{
    door::{Ask, Door},
    household::free,
    program::{self, Language},
    scene::Scene,
    wait::until,
};
use serde_json::json;

/// Calls that are taken at their word, before every one is checked: a user, its key and policy, a role, a function.
const UNCHECKED: &str = "5";

/// An archive with nothing in it.
const NO_CODE: &str = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==";

/// AWS, where a function was made for a key that may call it.
struct Aws {
    url: String,
    key: String,
    secret: String,
}

impl Aws {
    async fn at(address: &str) -> Result<Self> {
        let url = format!("http://{address}");
        let config = json!({"lambda": {"use_docker": false}}).to_string();
        let configured = async || {
            let asked = reqwest::Client::new().post(format!("{url}/moto-api/config"));
            asked.header("content-type", "application/json").body(config.clone()).send().await.ok()
        };
        until("a service of functions", configured).await?.error_for_status()?;
        let iam = async |action: &str| -> Result<String> {
            let form = ("application/x-www-form-urlencoded", format!("Version=2010-05-08&Action={action}"));
            call(&url, ("iam", "/"), form).await
        };
        iam("CreateUser&UserName=node").await?;
        let made = iam("CreateAccessKey&UserName=node").await?;
        let allow =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:*","Resource":"*"}]}"#;
        iam(&format!("PutUserPolicy&UserName=node&PolicyName=calls&PolicyDocument={allow}")).await?;
        iam("CreateRole&RoleName=function&AssumeRolePolicyDocument={}").await?;
        let function = json!({"FunctionName": "house-7b", "Runtime": "python3.13", "Handler": "f.h",
            "Role": "arn:aws:iam::123456789012:role/function", "Code": {"ZipFile": NO_CODE}});
        call(&url, ("lambda", "/2015-03-31/functions"), ("application/json", function.to_string())).await?;
        let within = |name: &str| -> Result<String> {
            let (_, rest) = made.split_once(&format!("<{name}>")).context("a key")?;
            Ok(rest.split_once('<').context("a key")?.0.to_owned())
        };
        Ok(Self { key: within("AccessKeyId")?, secret: within("SecretAccessKey")?, url })
    }

    /// A provider of it, by a key and a secret; the answer is what was sent.
    fn policy(&self, key: &str, secret: &str) -> String {
        let example = include_str!("../../../deploy/examples/custom.yaml");
        let (_, rest) = example.split_once("\n---\n").unwrap();
        format!(
            "---
apiVersion: chancery/v1
kind: Provider
metadata: {{name: house}}
spec:
  adapter: custom
  transport: lambda
  baseUrl: {url}
  credential: {{value: '{secret}'}}
  auth: {{aws: {{accessKeyId: {key}, region: eu-central-1}}}}
  terms: {{trainsOnData: false, dpa: true, zeroRetention: true}}
  template:
    request: {{body: '{{\"said\": \"${{prompt}}\", \"words\": 2}}'}}
    response: {{text: /said, inputTokens: /words, outputTokens: /words}}
---
{rest}",
            url = self.url,
        )
    }
}

async fn call(url: &str, (service, path): (&str, &str), (kind, body): (&str, String)) -> Result<String> {
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential=AKIASTORY/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = reqwest::Client::new().post(format!("{url}{path}")).header("authorization", signed);
    let answer = request.header("content-type", kind).body(body).send().await?;
    Ok(answer.error_for_status()?.text().await?)
}

async fn a_function_is_called_by_a_signature_that_others_make_alike(door: Door) -> Result<Scene> {
    let address = free()?;
    let port = address.port().to_string();
    let _moto = program::serve_with(
        Language::Python,
        ("moto.server", &["-H", "127.0.0.1", "-p", &port]),
        &[("INITIAL_NO_AUTH_ACTION_COUNT", UNCHECKED)],
    )?;
    let aws = Aws::at(&address.to_string()).await?;
    let scene = Scene::with(door, &aws.policy(&aws.key, &aws.secret)).await?;
    for (text, stream) in [("What do cats eat?", false), ("Mäuse, \"grau\"", true)] {
        let told = scene.answered(&Ask::chat("sim-house", text).streaming(stream)).await?;
        assert_eq!((told.text.as_str(), told.usage), (text, Some((2, 2))));
    }
    // Another secret signs otherwise, and another key is nobody's: the gateway's fault, and never the caller's.
    for (key, secret) in [(aws.key.as_str(), "not-its-secret"), ("AKIANOBODY", aws.secret.as_str())] {
        scene.house.apply(&aws.policy(key, secret)).await?;
        let refused = scene.refused(&Ask::chat("sim-house", "hi")).await?;
        assert!(refused.status >= 500, "{refused:?}");
        assert!(!refused.message.contains("123456789012"), "{refused:?}");
    }
    scene.house.apply(&aws.policy(&aws.key, &aws.secret)).await?;
    assert_eq!(scene.answered(&Ask::chat("sim-house", "Mice.")).await?.text, "Mice.");
    Ok(scene)
}

stories! {
    a_function_is_called_by_a_signature_that_others_make_alike,
}
