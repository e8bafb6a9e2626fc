//! What is sent and read, after the published reference; a story asks moto's service, which nobody here wrote.

use std::time::Duration;

use http_body_util::BodyExt as _;

use super::*;

fn service(endpoint: Option<&str>) -> Aws {
    let config = config::Secrets {
        aws_region: Some("eu-central-1".into()),
        aws_endpoint: endpoint.map(str::to_owned),
        ..Default::default()
    };
    let environment = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("AKIDEXAMPLE".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("canary-of-the-node".to_owned()),
        "AWS_SESSION_TOKEN" => Some("session".to_owned()),
        _ => None,
    };
    Aws::of(&config, environment).unwrap().unwrap()
}

#[tokio::test]
async fn a_question_is_signed_for_its_region_and_service() {
    let service = service(None);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let request = service.signed(r#"{"SecretId":"a"}"#.to_owned(), time).unwrap();
    assert_eq!(request.uri(), "https://secretsmanager.eu-central-1.amazonaws.com/");
    let headers = request.headers().clone();
    let signed = headers["authorization"].to_str().unwrap();
    let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-central-1/secretsmanager/aws4_request, SignedHeaders=";
    assert!(signed.starts_with(scope) && signed.contains("x-amz-target"), "{signed}");
    assert_eq!(headers["x-amz-target"], TARGET);
    assert_eq!(
        (&headers["x-amz-date"], &headers["x-amz-security-token"]),
        (&"20270115T080000Z".parse().unwrap(), &"session".parse().unwrap())
    );
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), r#"{"SecretId":"a"}"#);
    assert!(!format!("{headers:?}").contains("canary"));
    // The same question at the same time has the same signature, and another one another.
    let again =
        |body: &str| service.signed(body.to_owned(), time).unwrap().headers()["authorization"].clone();
    assert_eq!(again(r#"{"SecretId":"a"}"#), signed);
    assert_ne!(again(r#"{"SecretId":"b"}"#), signed);
}

#[test]
fn without_a_region_there_is_no_service_and_without_credentials_it_is_told() {
    let none = |_: &str| None;
    assert!(Aws::of(&config::Secrets::default(), none).unwrap().is_none());
    let region = config::Secrets { aws_region: Some("eu-central-1".into()), ..Default::default() };
    assert_eq!(Aws::of(&region, none).err().unwrap().key, "aws_region");
    let only = |name: &str| (name == "AWS_REGION").then(|| "eu-west-1".to_owned());
    assert!(
        Aws::of(&config::Secrets::default(), only).unwrap().is_none(),
        "it may be there for something else"
    );
}

#[test]
fn refusals_are_told_apart() {
    let told = |status: u16, kind: &str| {
        refusal(StatusCode::from_u16(status).unwrap(), format!(r#"{{"__type":"{kind}"}}"#).as_bytes())
    };
    assert!(told(400, "ResourceNotFoundException").is_gone());
    assert!(told(400, "com.amazonaws.secretsmanager#InvalidRequestException").is_gone());
    assert_eq!(told(400, "AccessDeniedException"), NotFetched::Refused(400));
    assert!(matches!(told(400, "ThrottlingException"), NotFetched::Away(_)));
    assert!(matches!(refusal(StatusCode::BAD_GATEWAY, b"<html>"), NotFetched::Away(_)));
}
