//! Sessions from an STS that is scripted, byte for byte, as the reference of its API (2011-06-15) has its questions and answers.

use std::error::Error as _;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::upstream::error::Kind;
use crate::upstream::scripted::{endpoint, request, serve};

const ARN: &str = "arn:aws:iam::123456789012:role/models";
const HUSH: &str = "eyJhbGciOi.canary.0123";

/// An STS that answers this, and what it was asked.
async fn sts(answer: String) -> (u16, mpsc::UnboundedReceiver<(String, String)>) {
    let (told, heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let (told, answer) = (told.clone(), answer.clone());
        async move {
            let (head, body) = request(&mut stream).await;
            // As AWS does it: who asks for JSON is given JSON.
            let json = head.to_ascii_lowercase().contains("accept: application/json");
            let answer = if json { http("200 OK", r#"{"AssumeRoleResponse":{}}"#) } else { answer };
            told.send((head, String::from_utf8(body).unwrap())).unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    })
    .await;
    (port, heard)
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// An answer of this operation: all that the reference shows, of which the key alone is read.
fn document(operation: &str, token: &str, ends: jiff::Timestamp) -> String {
    format!(
        r#"<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <{operation}Result>
    <SubjectFromWebIdentityToken>system:serviceaccount:models:chancery</SubjectFromWebIdentityToken>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::123456789012:assumed-role/models/chancery</Arn>
      <AssumedRoleId>ARO123EXAMPLE123:chancery</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
      <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>
      <SessionToken>{token}</SessionToken>
      <Expiration>{ends}</Expiration>
    </Credentials>
    <PackedPolicySize>6</PackedPolicySize>
  </{operation}Result>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</{operation}Response>"#
    )
}

fn given(operation: &str, token: &str, ends: jiff::Timestamp) -> String {
    http("200 OK", &document(operation, token, ends))
}

fn in_an_hour() -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)
}

fn sessions(port: u16, is_web_identity: bool) -> Sessions {
    let role = AssumedRole {
        arn: ARN.to_owned(),
        external_id: if is_web_identity { String::new() } else { "ext-1".to_owned() },
        is_web_identity,
        sts: format!("http://127.0.0.1:{port}"),
    };
    let id = if is_web_identity { "" } else { "AKIDEXAMPLE" };
    let secret = Secret::new(HUSH.to_owned());
    Assuming::build(&endpoint(port), &role, ((id, &secret), "eu-central-1")).unwrap()
}

#[tokio::test]
async fn a_role_is_assumed_by_a_key_whose_question_is_signed() {
    let (port, mut heard) = sts(given("AssumeRole", "session-1", in_an_hour())).await;
    let sessions = sessions(port, false);
    let lease = sessions.current(None).await.unwrap();
    assert_eq!(lease.given.shown().reveal(), "session-1");
    let (head, form) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{head}");
    assert!(head.contains("/eu-central-1/sts/aws4_request"), "{head}");
    let expected = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fmodels&RoleSessionName=chancery&ExternalId=ext-1";
    assert_eq!(form, expected);
    assert!(!head.contains(HUSH) && !form.contains(HUSH), "the key's secret stays here");
    sessions.current(None).await.unwrap();
    assert!(heard.try_recv().is_err(), "it is asked once");
}

#[tokio::test]
async fn a_role_is_assumed_by_a_token_of_the_machines_own_identity() {
    let answer = given("AssumeRoleWithWebIdentity", "session-2", in_an_hour());
    let (port, mut heard) = sts(answer).await;
    let lease = sessions(port, true).current(None).await.unwrap();
    assert_eq!(lease.given.shown().reveal(), "session-2");
    let (head, form) = heard.recv().await.unwrap();
    assert!(!head.contains("authorization:"), "{head}");
    let expected = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fmodels&RoleSessionName=chancery&WebIdentityToken={HUSH}"
    );
    assert_eq!(form, expected);
}

#[tokio::test]
async fn a_refusal_is_the_credentials_fault_and_tells_no_secret() {
    let refused = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{HUSH} is not authorized</Message></Error><RequestId>r</RequestId></ErrorResponse>"#
    );
    let keyless = document("AssumeRole", "s", in_an_hour()).replace("ASIAIOSFODNN7EXAMPLE", "");
    for (answer, kind, cause) in [
        (http("403 Forbidden", &refused), Kind::Credential, "no token was given: AccessDenied"),
        (http("400 Bad Request", "<html>"), Kind::Credential, "no token was given: no reason"),
        (http("200 OK", "<html/>"), Kind::Credential, "the answer has no token"),
        (http("200 OK", &keyless), Kind::Credential, "the answer has no token"),
        (
            http("400 Bad Request", &refused.replace("AccessDenied", "Throttling")),
            Kind::Connect,
            "whoever gives tokens has none now",
        ),
        (http("503 Slow Down", ""), Kind::Connect, "whoever gives tokens has none now"),
    ] {
        let (port, _heard) = sts(answer.clone()).await;
        let error = sessions(port, true).current(None).await.err().unwrap();
        assert_eq!(error.kind, kind, "{answer}");
        assert_eq!(error.source().unwrap().to_string(), cause, "{answer}");
        assert!(!format!("{error:?}{error}").contains(HUSH));
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_asked_for_again() {
    let (port, mut heard) = sts(given("AssumeRole", "session-1", jiff::Timestamp::now())).await;
    let sessions = sessions(port, false);
    for _ in 0..2 {
        sessions.current(None).await.unwrap();
        heard.recv().await.unwrap();
    }
    assert!(heard.try_recv().is_err());
}
