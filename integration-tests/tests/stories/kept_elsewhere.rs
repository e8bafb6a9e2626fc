//! Credentials that are kept elsewhere: fetched by the node, changed there while it serves, gone for a while, taken back.
//!
//! Vault is a server of bytes after its published HTTP API; Secrets Manager is moto's, which nobody here wrote.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use http::{StatusCode, header};
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, free},
    program::{self, Language},
    sandbox::{Geo, QUICKSTART},
    scripted::{Canned, OpenAiLike},
    wait::{until, until_within},
};
use serde_json::json;

use crate::{policy, secrets::holders};

const CANARY: &str = "sk-canary-kept-elsewhere";

/// Configuration of nodes that know a Vault here; the token is a file's.
fn knowing(vault: &str, token: &str) -> String {
    format!(
        "[upstream]\nallow_loopback = true\n[secrets]\nrefresh_seconds = 10\nvault_address = \"http://{vault}\"\nvault_token_file = \"{token}\"\n"
    )
}

/// What Vault answers for a secret with this key.
fn secret(key: &str) -> Canned {
    Canned::json(
        StatusCode::OK,
        json!({"data": {"data": {"api_key": key}, "metadata": {"version": 1}}}).to_string(),
    )
}

async fn bearer(house: &Household, key: &str, vendor: &OpenAiLike) -> Result<Option<String>> {
    let caller = Caller::at(Door::Rest, house.inference_url(Geo::Eu)?, key);
    if caller.ask(&Ask::chat("sim-story", "hello")).await?.is_err() {
        return Ok(None);
    }
    let asked = vendor.request().await?;
    Ok(asked.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_of_vault_is_changed_there_and_followed_without_a_restart() {
    let (vendor, vault) = (OpenAiLike::start().await.unwrap(), OpenAiLike::start().await.unwrap());
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "hvs.of-the-node\n").unwrap();
    let address = vault.base_url();
    let address = address.trim_start_matches("http://").trim_end_matches("/v1");
    let more = knowing(address, &token.display().to_string());
    // Both nodes ask, in whatever order.
    for _ in Geo::ALL {
        vault.answer_next(secret(&format!("{CANARY}-1"))).await;
    }
    let mut house = Household::at_level("debug", QUICKSTART, &more).await.unwrap();
    let credential = "adapter: openai, credential: {vault: {mount: kv, path: vendors/story, key: api_key}}";
    let story = policy::one_vendor(&vendor.base_url()).replace("adapter: openai", credential);
    let revision = house.apply(&story).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let is = |number: usize| Some(format!("Bearer {CANARY}-{number}"));
    until("the first value", async || (bearer(&house, &key, &vendor).await.ok()? == is(1)).then_some(()))
        .await
        .unwrap();
    let asked = vault.request().await.unwrap();
    assert_eq!(
        (asked.path.as_str(), asked.headers["x-vault-token"].as_bytes()),
        ("/v1/kv/data/vendors/story", &b"hvs.of-the-node"[..])
    );

    // The vendor refuses the old one, so that the node asks at once; the other node asks in its time.
    for _ in 0..8 {
        vault.answer_next(secret(&format!("{CANARY}-2"))).await;
    }
    vendor
        .answer_next(Canned::json(
            StatusCode::UNAUTHORIZED,
            json!({"error": {"message": "revoked"}}).to_string(),
        ))
        .await;
    assert_eq!(bearer(&house, &key, &vendor).await.unwrap(), None);
    until("the second value", async || (bearer(&house, &key, &vendor).await.ok()? == is(2)).then_some(()))
        .await
        .unwrap();
    let log = house.plane(Geo::Eu).unwrap().log().unwrap();
    assert!(log.contains("a secret was changed") && log.contains("vault:kv/vendors/story#api_key"), "{log}");
    assert!(!log.contains(CANARY) && !log.contains("hvs.of-the-node"), "{log}");
    let found = holders(house.home(), &[CANARY, "hvs.of-the-node"]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_of_aws_secrets_manager_is_fetched() {
    let (vendor, service) = (OpenAiLike::start().await.unwrap(), free().unwrap());
    let _moto = program::serve(
        Language::Python,
        "moto.server",
        &["-H", "127.0.0.1", "-p", &service.port().to_string()],
    )
    .unwrap();
    let call = async |target: &str, body: serde_json::Value| -> Result<reqwest::Response> {
        let request = reqwest::Client::new().post(format!("http://{service}/"));
        let signed = "AWS4-HMAC-SHA256 Credential=AKIASTORY/20260101/eu-central-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0";
        let request =
            request.header("authorization", signed).header("content-type", "application/x-amz-json-1.1");
        Ok(request
            .header("x-amz-target", format!("secretsmanager.{target}"))
            .body(body.to_string())
            .send()
            .await?
            .error_for_status()?)
    };
    let value = |number: usize| json!({"api_key": format!("{CANARY}-{number}"), "other": 1}).to_string();
    let made = json!({"Name": "vendors/story", "SecretString": value(1), "ClientRequestToken": "0198c0de-0000-7000-8000-000000000001"});
    until("a service of secrets", async || call("CreateSecret", made.clone()).await.ok()).await.unwrap();
    let more = format!(
        "[upstream]\nallow_loopback = true\n[secrets]\nrefresh_seconds = 10\naws_region = \"eu-central-1\"\naws_endpoint = \"http://{service}\"\n"
    );
    let house = Household::start(QUICKSTART, &more).await.unwrap();
    let credential =
        "adapter: openai, credential: {awsSecretsManager: {secretId: vendors/story, jsonKey: api_key}}";
    let story = policy::one_vendor(&vendor.base_url()).replace("adapter: openai", credential);
    let revision = house.apply(&story).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let is = |number: usize| Some(format!("Bearer {CANARY}-{number}"));
    until("the first value", async || (bearer(&house, &key, &vendor).await.ok()? == is(1)).then_some(()))
        .await
        .unwrap();
    let changed = json!({"SecretId": "vendors/story", "SecretString": value(2), "ClientRequestToken": "0198c0de-0000-7000-8000-000000000002"});
    call("PutSecretValue", changed).await.unwrap();
    vendor
        .answer_next(Canned::json(
            StatusCode::UNAUTHORIZED,
            json!({"error": {"message": "revoked"}}).to_string(),
        ))
        .await;
    assert_eq!(bearer(&house, &key, &vendor).await.unwrap(), None);
    until("the second value", async || (bearer(&house, &key, &vendor).await.ok()? == is(2)).then_some(()))
        .await
        .unwrap();
    let found = holders(house.home(), &[CANARY]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_of_a_file_is_followed_when_it_is_written_anew() {
    let vendor = OpenAiLike::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let write = |number: usize| fs::write(&file, format!("{CANARY}-{number}\n")).unwrap();
    write(1);
    let more = "[upstream]\nallow_loopback = true\n[secrets]\nrefresh_seconds = 10\n";
    let house = Household::start(QUICKSTART, more).await.unwrap();
    let credential = format!("adapter: openai, credential: {{file: {}}}", file.display());
    let story = policy::one_vendor(&vendor.base_url()).replace("adapter: openai", &credential);
    let revision = house.apply(&story).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let is = |number: usize| Some(format!("Bearer {CANARY}-{number}"));
    assert_eq!(bearer(&house, &key, &vendor).await.unwrap(), is(1));
    // The vendor refuses what was replaced, so that the file is read again at once.
    write(2);
    let refused = json!({"error": {"message": "revoked"}}).to_string();
    vendor.answer_next(Canned::json(StatusCode::UNAUTHORIZED, refused)).await;
    assert_eq!(bearer(&house, &key, &vendor).await.unwrap(), None);
    until("the second value", async || (bearer(&house, &key, &vendor).await.ok()? == is(2)).then_some(()))
        .await
        .unwrap();
    // And in its time, whoever refuses or does not.
    write(3);
    let third = async || (bearer(&house, &key, &vendor).await.ok()? == is(3)).then_some(());
    until_within(Duration::from_secs(40), "the third value", third).await.unwrap();
}
