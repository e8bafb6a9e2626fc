//! Tokens from an authority that is scripted, byte for byte.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::upstream::error::Stage;
use crate::upstream::scripted::{answer, endpoint, request, serve};

const HUSH: &str = "client-secret-canary-0123";

/// An authority that gives `answers` in turn, the last one for ever; and what it was asked.
async fn authority(answers: Vec<String>) -> (u16, mpsc::UnboundedReceiver<(String, String)>) {
    let (told, heard) = mpsc::unbounded_channel();
    let asked = Arc::new(AtomicUsize::new(0));
    let port = serve(move |mut stream| {
        let (told, answers, asked) = (told.clone(), answers.clone(), Arc::clone(&asked));
        async move {
            let (head, body) = request(&mut stream).await;
            told.send((head, String::from_utf8(body).unwrap())).unwrap();
            let turn = asked.fetch_add(1, Ordering::Relaxed);
            let answer = answers.get(turn).or(answers.last()).unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    })
    .await;
    (port, heard)
}

fn given(token: &str, seconds: u64) -> String {
    let body = format!(r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{token}"}}"#);
    answer("200 OK", &body)
}

fn tokens(port: u16) -> Tokens {
    let secret = Arc::new(Secret::new(HUSH.to_owned()));
    let grant = Grant::Client {
        client: "c-1".to_owned(),
        secret: Arc::clone(&secret),
        is_federated: false,
        scope: "a/.default".to_owned(),
    };
    let from = format!("http://127.0.0.1:{port}/t-1/oauth2/v2.0/token");
    Granted::build(&endpoint(port), (grant, &from), (Some(secret), None)).unwrap()
}

async fn shown(tokens: &Tokens) -> String {
    tokens.current(None).await.unwrap().given.header.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_asked_for_once_however_many_wait() {
    let (port, mut heard) = authority(vec![given("token-one", 3600)]).await;
    let tokens = tokens(port);
    let waiting: Vec<_> = (0..32)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { shown(&tokens).await })
        })
        .collect();
    for one in waiting {
        assert_eq!(one.await.unwrap(), "Bearer token-one");
    }
    assert_eq!(shown(&tokens).await, "Bearer token-one");
    let (head, form) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /t-1/oauth2/v2.0/token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    let expected =
        format!("grant_type=client_credentials&client_id=c-1&client_secret={HUSH}&scope=a%2F.default");
    assert_eq!(form, expected);
    assert!(heard.try_recv().is_err(), "nobody asked twice");
}

#[tokio::test]
async fn the_next_token_is_asked_for_while_this_one_serves() {
    let (port, mut heard) = authority(vec![given("token-one", 3600), given("token-two", 3600)]).await;
    let tokens = tokens(port);
    assert_eq!(shown(&tokens).await, "Bearer token-one");
    heard.recv().await.unwrap();
    // Most of its life is over.
    tokens.is_late();
    assert_eq!(shown(&tokens).await, "Bearer token-one", "nobody waits");
    heard.recv().await.unwrap();
    while shown(&tokens).await != "Bearer token-two" {
        tokio::task::yield_now().await;
    }
    assert!(heard.try_recv().is_err(), "one asked");
}

#[tokio::test]
async fn a_token_that_is_over_or_refused_is_not_shown_again() {
    let answers = vec![given("token-one", 0), given("token-two", 3600), given("token-three", 3600)];
    let (port, _heard) = authority(answers).await;
    let tokens = tokens(port);
    assert_eq!(shown(&tokens).await, "Bearer token-one");
    assert_eq!(shown(&tokens).await, "Bearer token-two", "the first was over at once");
    let held = tokens.current(None).await.unwrap();
    tokens.refused(&held);
    tokens.refused(&held);
    assert_eq!(shown(&tokens).await, "Bearer token-three");
    tokens.refused(&held);
    assert_eq!(shown(&tokens).await, "Bearer token-three", "it was another that was refused");
}

#[tokio::test]
async fn a_failure_counts_for_a_moment_and_tells_no_secret() {
    let body = format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided: {HUSH}"}}"#
    );
    let (port, mut heard) = authority(vec![answer("401 Unauthorized", &body)]).await;
    let tokens = tokens(port);
    let error = tokens.current(None).await.err().unwrap();
    assert!(matches!(error.kind, Kind::Credential) && error.retryable(), "{error:?}");
    let cause = error.source().unwrap().to_string();
    assert_eq!(cause, "no token was given: invalid_client");
    assert!(!format!("{error:?}{error}").contains(HUSH));
    assert!(matches!(tokens.current(None).await.err().unwrap().kind, Kind::Credential));
    heard.recv().await.unwrap();
    assert!(heard.try_recv().is_err(), "it is not asked again at once");
}

#[tokio::test]
async fn what_is_no_token_is_none() {
    for (body, kind) in [
        (answer("200 OK", "{}"), Kind::Credential),
        (answer("200 OK", r#"{"access_token":""}"#), Kind::Credential),
        (answer("200 OK", r#"{"access_token":"a\nb"}"#), Kind::Credential),
        (answer("200 OK", r#"{"access_token":"a","expires_in":"soon"}"#), Kind::Credential),
        (answer("400 Bad Request", "<html>"), Kind::Credential),
        (answer("503 Service Unavailable", "{}"), Kind::Connect),
        (answer("429 Too Many Requests", "{}"), Kind::Connect),
        (answer("200 OK", &format!("{{\"x\":\"{}\"}}", "a".repeat(64 * 1024))), Kind::TooLarge),
        ("junk\r\n\r\n".to_owned(), Kind::Protocol),
        (String::new(), Kind::Reset),
    ] {
        let (port, _heard) = authority(vec![body.clone()]).await;
        let error = tokens(port).current(None).await.err().unwrap();
        assert_eq!(error.kind, kind, "{body}");
    }
    let (port, _heard) =
        authority(vec![answer("200 OK", r#"{"access_token":"a","expires_in":"3599"}"#)]).await;
    assert_eq!(shown(&tokens(port)).await, "Bearer a", "older authorities write seconds as text");
}

#[tokio::test]
async fn a_deadline_ends_the_wait_and_the_address_policy_holds() {
    let port = serve(|mut stream| async move {
        request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let silent = tokens(port);
    let soon = Instant::now() + Duration::from_millis(50);
    let error = silent.current(Some(soon)).await.err().unwrap();
    assert_eq!(error.kind, Kind::Timeout(Stage::Total));

    let config = EndpointConfig { addresses: Default::default(), ..endpoint(port) };
    for place in ["http://127.0.0.1:9000/token", "http://169.254.169.254/token", "http://10.0.0.1/token"] {
        let grant = Grant::Client {
            client: String::new(),
            secret: Arc::new(Secret::new(String::new())),
            is_federated: true,
            scope: String::new(),
        };
        let built = Granted::build(&config, (grant, place), (None, None));
        assert!(matches!(built.err(), Some(Fault::BaseUrl(_))), "{place}");
    }
}

#[tokio::test]
async fn a_token_of_the_machines_own_identity_is_shown_instead_of_a_clients_secret() {
    let (port, mut heard) = authority(vec![given("token-one", 3600)]).await;
    let secret = Arc::new(Secret::new(HUSH.to_owned()));
    let grant = Grant::Client {
        client: "c-1".to_owned(),
        secret: Arc::clone(&secret),
        is_federated: true,
        scope: "a/.default".to_owned(),
    };
    let from = format!("http://127.0.0.1:{port}/t-1/oauth2/v2.0/token");
    let tokens = Granted::build(&endpoint(port), (grant, &from), (Some(secret), None)).unwrap();
    assert_eq!(shown(&tokens).await, "Bearer token-one");
    let (_, form) = heard.recv().await.unwrap();
    let expected = format!(
        "grant_type=client_credentials&client_id=c-1&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={HUSH}&scope=a%2F.default"
    );
    assert_eq!(form, expected);
}

#[tokio::test]
async fn google_exchanges_a_token_and_a_service_account_is_impersonated_by_it() {
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let impersonated = format!(r#"{{"accessToken":"token-two","expireTime":"{ends}"}}"#);
    let (port, mut heard) = authority(vec![given("token-one", 3600), answer("200 OK", &impersonated)]).await;
    let secret = Arc::new(Secret::new(HUSH.to_owned()));
    let pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s";
    let grant = || Grant::Exchange {
        audience: pool.to_owned(),
        subject: Arc::clone(&secret),
        scope: "https://scope.example/auth".to_owned(),
    };
    let config = endpoint(port);
    let account =
        format!("http://127.0.0.1:{port}/v1/projects/-/serviceAccounts/robot@p-1:generateAccessToken");
    let then = Impersonation::build(&config, &account, "https://one.example https://two.example").unwrap();
    let from = format!("http://127.0.0.1:{port}/v1/token");
    let secrets = (Some(Arc::clone(&secret)), Some(then));
    let tokens = Granted::build(&config, (grant(), &from), secrets).unwrap();
    assert_eq!(shown(&tokens).await, "Bearer token-two");
    let (head, form) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/token HTTP/1.1\r\n"), "{head}");
    let form: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let expected = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", pool),
        ("scope", "https://scope.example/auth"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token", HUSH),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/projects/-/serviceAccounts/robot@p-1:generateAccessToken "), "{head}");
    assert!(head.contains("authorization: Bearer token-one"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let scopes = ["https://one.example", "https://two.example"];
    assert_eq!(body, json!({ "scope": scopes, "lifetime": "3600s" }));

    let refused = r#"{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}"#;
    let (port, _heard) = authority(vec![given("token-one", 3600), answer("403 Forbidden", refused)]).await;
    let account = format!("http://127.0.0.1:{port}/v1/robot:generateAccessToken");
    let then = Impersonation::build(&endpoint(port), &account, "s").unwrap();
    let from = format!("http://127.0.0.1:{port}/v1/token");
    let tokens = Granted::build(&endpoint(port), (grant(), &from), (None, Some(then))).unwrap();
    let error = tokens.current(None).await.err().unwrap();
    assert_eq!(error.source().unwrap().to_string(), "no token was given: PERMISSION_DENIED");
}
