//! Roles of AWS that a node assumes, by a key and by a token of the machine's own identity: who gives the sessions, checks each signature anew with
//! botocore and knows what a role may do is moto's server, which nobody here wrote; so is the SageMaker endpoint behind them.

use std::net::SocketAddr;

use anyhow::Result;
use integration_tests::door::{Ask, Caller, Door};
use integration_tests::household::{Household, free};
use integration_tests::program::{self, Language};
use integration_tests::sandbox::{Geo, QUICKSTART};
use integration_tests::wait::until;
use reqwest::{Client, Response, header};
use serde_json::{Value, json};

use crate::{policy, secrets::holders};

const ROLE: &str = "arn:aws:iam::123456789012:role/models";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.canary-of-a-machine.c2ln";

/// A cloud on this machine.
struct Aws(SocketAddr);

impl Aws {
    async fn iam(&self, action: &str, arguments: &[(&str, &str)]) -> Result<String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-05-08").extend_pairs(arguments);
        let admin = "AWS4-HMAC-SHA256 Credential=AKIASTORY/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
        let request = Client::new().post(format!("http://{}/", self.0)).header(header::AUTHORIZATION, admin);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        Ok(request.body(form.finish()).send().await?.error_for_status()?.text().await?)
    }

    async fn its(&self, path: &str, media: &str, body: String) -> Result<Response> {
        let request = Client::new().post(format!("http://{}/moto-api/{path}", self.0));
        Ok(request.header(header::CONTENT_TYPE, media).body(body).send().await?.error_for_status()?)
    }

    /// A role that may call endpoints of SageMaker, and the key of a user who may assume it and nothing else.
    async fn peopled(&self) -> Result<(String, String)> {
        let statement = |rest: Value| json!({"Version": "2012-10-17", "Statement": [rest]}).to_string();
        let may = |action: &str| statement(json!({"Effect": "Allow", "Action": action, "Resource": "*"}));
        let trusts = statement(json!({
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::123456789012:user/node"},
        }));
        self.iam("CreateUser", &[("UserName", "node")]).await?;
        let key = self.iam("CreateAccessKey", &[("UserName", "node")]).await?;
        let assumes = may("sts:AssumeRole");
        let its_own = [("UserName", "node"), ("PolicyName", "p"), ("PolicyDocument", assumes.as_str())];
        self.iam("PutUserPolicy", &its_own).await?;
        let role = [("RoleName", "models"), ("AssumeRolePolicyDocument", trusts.as_str())];
        self.iam("CreateRole", &role).await?;
        let invokes = may("sagemaker:InvokeEndpoint");
        let its_own = [("RoleName", "models"), ("PolicyName", "p"), ("PolicyDocument", invokes.as_str())];
        self.iam("PutRolePolicy", &its_own).await?;
        let within = |tag: &str| -> Option<String> {
            let (_, rest) = key.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        Ok((within("AccessKeyId").unwrap(), within("SecretAccessKey").unwrap()))
    }

    /// What its endpoints answer, each once.
    async fn answers(&self, texts: &[&str]) -> Result<()> {
        let results: Vec<Value> = texts
            .iter()
            .map(|text| {
                let choice = json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}});
                let answer = json!({
                    "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
                });
                json!({"Body": answer.to_string(), "ContentType": "application/json"})
            })
            .collect();
        let queued = json!({"results": results}).to_string();
        self.its("static/sagemaker/endpoint-results", "application/json", queued).await?;
        Ok(())
    }

    /// From now on every call is checked: its signature, and whether whose it is may do it.
    async fn checks(&self) -> Result<()> {
        self.its("reset-auth", "text/plain", "0".to_owned()).await?;
        Ok(())
    }
}

/// A model on an endpoint of SageMaker that is called with this right.
fn served(aws: SocketAddr, name: &str, credential: &str, auth: &str) -> String {
    format!(
        "---
apiVersion: chancery/v1
kind: Provider
metadata: {{name: {name}}}
spec:
  adapter: sagemaker
  baseUrl: http://{aws}
  credential: {{value: \"{credential}\"}}
  auth: {{aws: {{region: us-east-1, sts: \"http://{aws}\", {auth}}}}}
  terms: {{trainsOnData: false, dpa: true, zeroRetention: true}}
---
apiVersion: chancery/v1
kind: Endpoint
metadata: {{name: {name}}}
spec: {{provider: {name}, upstreamModel: {name}, processingRegions: [EU], storageRegions: [EU]}}
{}",
        policy::model(&format!("sim-{name}"), &[name])
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_assumed_and_its_sessions_signatures_hold() {
    let aws = Aws(free().unwrap());
    let _moto = program::serve(
        Language::Python,
        "moto.server",
        &["-H", "127.0.0.1", "-p", &aws.0.port().to_string()],
    )
    .unwrap();
    until("a cloud", async || aws.iam("ListUsers", &[]).await.ok()).await.unwrap();
    let (id, secret) = aws.peopled().await.unwrap();
    aws.answers(&["by a token", "by the same session", "by a key"]).await.unwrap();

    let mut house = Household::start(QUICKSTART, "[upstream]\nallow_loopback = true\n").await.unwrap();
    let story = [
        served(aws.0, "by-token", TOKEN, &format!("roleArn: \"{ROLE}\", webIdentity: true")),
        served(aws.0, "by-key", &secret, &format!("accessKeyId: {id}, roleArn: \"{ROLE}\"")),
        served(
            aws.0,
            "by-wrong-key",
            &format!("{secret}x"),
            &format!("accessKeyId: {id}, roleArn: \"{ROLE}\""),
        ),
    ];
    let revision = house.apply(&story.concat()).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let caller = Caller::at(Door::Rest, house.inference_url(Geo::Eu).unwrap(), &key);

    // That a token is a pool's is not checked there: its session is given while nothing is, and checked with the next call.
    let answered = async |model: &str, said: &str| caller.ask(&Ask::chat(model, said)).await.unwrap();
    assert_eq!(answered("sim-by-token", "one").await.unwrap().text, "by a token");
    aws.checks().await.unwrap();
    assert_eq!(answered("sim-by-token", "two").await.unwrap().text, "by the same session");
    assert_eq!(answered("sim-by-key", "three").await.unwrap().text, "by a key");

    // A key that signs wrongly assumes nothing, and no caller is told why.
    let refused = answered("sim-by-wrong-key", "four").await.unwrap_err();
    assert_eq!(refused.code, "upstream_credential", "{refused:?}");
    assert!(!refused.message.contains(&id) && !refused.message.contains("Signature"), "{refused:?}");
    let log = house.plane(Geo::Eu).unwrap().log().unwrap();
    assert!(log.contains("no token was given: SignatureDoesNotMatch"), "{log}");
    let found = holders(house.home(), &[&secret, TOKEN]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
