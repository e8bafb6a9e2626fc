//! Against a server that says byte for byte what Vault's HTTP API documents.

use std::sync::Arc;

use parking_lot::Mutex as Lock;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::upstream::scripted;

/// A Vault that gives these answers one after another, and keeps the heads and bodies of what it was asked.
async fn vault(
    answers: &[(u16, &str)],
    change: impl FnOnce(&mut config::Secrets),
) -> (Vault, Arc<Lock<Vec<String>>>) {
    let answers: Vec<(u16, String)> =
        answers.iter().rev().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let (answers, heard) = (Arc::new(Lock::new(answers)), Arc::new(Lock::new(Vec::new())));
    let hearing = heard.clone();
    let port = scripted::serve(move |mut stream| {
        let (answers, hearing) = (answers.clone(), hearing.clone());
        async move {
            let (head, body) = scripted::request(&mut stream).await;
            hearing.lock().push(format!("{head}\n{}", String::from_utf8_lossy(&body)));
            let next = answers.lock().pop();
            let (status, body) = next.unwrap_or((500, String::new()));
            let answer = format!(
                "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let address = format!("http://127.0.0.1:{port}");
    let mut config = config::Secrets { vault_namespace: Some("team".into()), ..Default::default() };
    change(&mut config);
    (Vault::of(&address, &config).unwrap(), heard)
}

fn place(key: &str) -> VaultSecret {
    VaultSecret { mount: "kv".into(), path: "vendors/openai".into(), key: key.into() }
}

const SECRET: &str = r#"{"request_id":"r","lease_duration":0,"renewable":false,"data":{"data":{"api_key":"sk-\u0031","other":7},"metadata":{"version":3,"destroyed":false}}}"#;

fn file_with(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[tokio::test]
async fn a_key_of_a_secret_is_read_by_the_token_of_a_file_as_it_is_then() {
    let token = file_with("hvs.one\n");
    let (vault, heard) =
        vault(&[(200, SECRET), (200, SECRET)], |config| config.vault_token_file = Some(token.path().into()))
            .await;
    assert_eq!(vault.fetch(&place("api_key")).await.unwrap().as_str(), "sk-1");
    std::fs::write(token.path(), "hvs.two").unwrap();
    vault.fetch(&place("api_key")).await.unwrap();
    let heard = heard.lock();
    assert!(heard[0].starts_with("GET /v1/kv/data/vendors/openai HTTP/1.1\r\n"), "{}", heard[0]);
    assert!(
        heard[0].contains("x-vault-token: hvs.one") && heard[0].contains("x-vault-namespace: team"),
        "{}",
        heard[0]
    );
    assert!(heard[1].contains("x-vault-token: hvs.two"), "{}", heard[1]);
}

#[tokio::test]
async fn signing_in_is_done_once_and_again_when_the_token_is_refused() {
    let secret = file_with("the-secret-id\n");
    let signed = |token: &str| format!(r#"{{"auth":{{"client_token":"{token}","lease_duration":3600}}}}"#);
    let (one, two) = (signed("hvs.a"), signed("hvs.b"));
    let answers =
        [(200, one.as_str()), (200, SECRET), (200, SECRET), (403, "{}"), (200, two.as_str()), (200, SECRET)];
    let (vault, heard) = vault(&answers, |config| {
        (config.vault_role_id, config.vault_secret_id_file) =
            (Some("role".into()), Some(secret.path().into()));
    })
    .await;
    for _ in 0..3 {
        assert_eq!(vault.fetch(&place("api_key")).await.unwrap().as_str(), "sk-1");
    }
    let heard = heard.lock();
    assert_eq!(heard.len(), answers.len());
    assert!(
        heard[0].starts_with("POST /v1/auth/approle/login ")
            && heard[0].contains(r#"{"role_id":"role","secret_id":"the-secret-id"}"#)
    );
    assert!(heard[2].contains("x-vault-token: hvs.a") && heard[5].contains("x-vault-token: hvs.b"));
}

#[tokio::test]
async fn a_pod_signs_in_by_its_own_token() {
    let token = file_with("eyJ.pod");
    let signed = r#"{"auth":{"client_token":"hvs.a","lease_duration":60}}"#;
    let (vault, heard) = vault(&[(200, signed), (200, SECRET)], |config| {
        config.vault_kubernetes_role = Some("chancery".into());
        config.vault_kubernetes_token_file = Some(token.path().into());
        config.vault_auth_mount = Some("k8s-eu".into());
    })
    .await;
    vault.fetch(&place("api_key")).await.unwrap();
    let first = heard.lock()[0].clone();
    assert!(
        first.starts_with("POST /v1/auth/k8s-eu/login ")
            && first.contains(r#"{"jwt":"eyJ.pod","role":"chancery"}"#),
        "{first}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_a_server_that_is_away() {
    let token = file_with("t");
    let large = "x".repeat(300 * 1024);
    let deleted = r#"{"data":{"data":null,"metadata":{"deletion_time":"2026-01-01T00:00:00Z"}}}"#;
    for (status, body, key, gone) in [
        (404, r#"{"errors":[]}"#, "api_key", true),
        (404, deleted, "api_key", true),
        (404, r#"{"errors":["no handler for route \"kv/data/x\""]}"#, "api_key", false),
        (404, "<html>not found</html>", "api_key", false),
        (200, deleted, "api_key", true),
        (200, SECRET, "missing", true),
        (200, SECRET, "other", true),
        (403, "{}", "api_key", false),
        (503, r#"{"errors":["Vault is sealed"]}"#, "api_key", false),
        (301, "", "api_key", false),
        (200, "<html>", "api_key", false),
        (200, large.as_str(), "api_key", false),
        (200, r#"{"data":[]}"#, "api_key", false),
    ] {
        let (vault, _) =
            vault(&[(status, body)], |config| config.vault_token_file = Some(token.path().into())).await;
        let error = vault.fetch(&place(key)).await.unwrap_err();
        assert_eq!(error.is_gone(), gone, "{status} {key}: {error}");
        assert!(!error.to_string().contains("sk-"), "{error}");
    }
    let (vault, heard) = vault(&[], |config| config.vault_token_file = Some("/nowhere".into())).await;
    let error = vault.fetch(&place("api_key")).await.unwrap_err();
    assert!(!error.is_gone() && error.to_string().contains("/nowhere"), "{error}");
    assert!(heard.lock().is_empty());
}

#[tokio::test]
async fn there_is_one_way_in() {
    let two = config::Secrets {
        vault_role_id: Some("r".into()),
        vault_token_file: Some("f".into()),
        ..Default::default()
    };
    assert_eq!(Vault::of("https://v", &two).err().unwrap().key, "vault_address");
    assert_eq!(Door::of(&config::Secrets::default()), Ok(Door::Environment));
}
