//! AWS, `ListEndpoints` of SageMaker's API reference and botocore's service model (`sagemaker`, JSON 1.1).

use super::*;
use crate::upstream::config::Place;

const FIRST: &str = r#"{"Endpoints":[
 {"EndpointName":"tgi-mistral-7b","EndpointArn":"arn:aws:sagemaker:eu-central-1:123456789012:endpoint/tgi-mistral-7b",
  "CreationTime":1.7E9,"LastModifiedTime":1.7E9,"EndpointStatus":"InService"}],"NextToken":"n\"1"}"#;
const LAST: &str =
    r#"{"Endpoints":[{"EndpointName":"lmi-llama","EndpointArn":"arn","EndpointStatus":"InService"}]}"#;

/// Which questions are asked, one connection each.
async fn service() -> (u16, mpsc::UnboundedReceiver<(String, serde_json::Value)>) {
    let (told, heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let told = told.clone();
        async move {
            let (head, body) = request(&mut stream).await;
            let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let page = if asked.get("NextToken").is_some() { LAST } else { FIRST };
            told.send((head, asked)).unwrap();
            stream.write_all(answer("200 OK", page).as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    })
    .await;
    (port, heard)
}

#[tokio::test]
async fn sagemaker_lists_what_is_in_service_by_its_name() {
    let (port, mut heard) = service().await;
    let auth =
        Auth::Aws { access_key_id: "AKIDEXAMPLE".to_owned(), region: "eu-central-1".to_owned(), role: None };
    let config = EndpointConfig { auth: Some(auth), ..config(Adapter::Custom(Place::SageMaker), port, "") };
    let listed = listed(&config).await;
    let told: Vec<_> =
        listed.models.iter().map(|m| (m.id.as_str(), m.regions.join(","), m.operations_known)).collect();
    assert_eq!(
        told,
        [("lmi-llama", String::new(), false), ("tgi-mistral-7b", "eu-central-1".to_owned(), false)]
    );
    for token in [None, Some("n\"1")] {
        let (head, asked) = heard.recv().await.unwrap();
        assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("x-amz-target: SageMaker.ListEndpoints"), "{head}");
        assert!(head.contains("content-type: application/x-amz-json-1.1"), "{head}");
        assert!(head.contains("/eu-central-1/sagemaker/aws4_request"), "{head}");
        assert!(head.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target,"), "{head}");
        assert_eq!(asked["StatusEquals"], "InService");
        assert_eq!(asked.get("NextToken").and_then(|token| token.as_str()), token);
    }
}

#[test]
fn it_is_asked_where_aws_has_it_and_nowhere_else() {
    let at = |url: &str| Written::SageMaker.base(&EndpointConfig { base_url: url.to_owned(), ..endpoint(1) });
    assert_eq!(
        at("https://runtime.sagemaker.eu-central-1.amazonaws.com/"),
        "https://api.sagemaker.eu-central-1.amazonaws.com"
    );
    for other in [
        "https://vpce-1.runtime.sagemaker.eu-central-1.vpce.amazonaws.com",
        "https://x.example/://runtime.sagemaker.y",
    ] {
        assert_eq!(at(other), other);
    }
}

#[test]
fn what_is_organisations_own_otherwise_has_no_list() {
    for adapter in [Adapter::Custom(Place::Http), Adapter::Custom(Place::Lambda), Adapter::Rpc] {
        assert!(matches!(Registry::build(&config(adapter, 8000, "")), Err(Unlisted::None(_))), "{adapter:?}");
    }
}
