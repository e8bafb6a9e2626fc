//! Signatures that botocore 1.44.5 (`botocore.auth.SigV4Auth`, AWS's own library for Python) made of the same requests at the same time.

use std::time::{Duration, UNIX_EPOCH};

use http::Method;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const BODY: &[u8] = br#"{"messages":[]}"#;
const CLAUDE: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
const PROFILE: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0/converse-stream";
const LOCAL: &str = "http://127.0.0.1:8000/prefix/model/m-1/invoke";

const REGION: &str = "eu-central-1";

fn signed(key: &Key, service: &'static str, url: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from_static(BODY)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    request.headers_mut().insert(header::ACCEPT, "application/json".parse().unwrap());
    // 2026-03-01T12:34:56Z
    let scope = Scope { region: REGION.to_owned(), service };
    key.sign((&mut request, BODY), &scope, UNIX_EPOCH + Duration::from_secs(1_772_368_496)).unwrap();
    request
}

#[test]
fn signatures_are_those_of_aws_own_library() {
    let plain = Key::read("AKIDEXAMPLE", &Secret::new(SECRET.to_owned())).unwrap();
    let document = format!(
        r#"{{"Version":1,"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"{SECRET}","SessionToken":"AQoEXAMPLEH4aoAH0gNCAPy==","Expiration":"2026-03-02T00:00:00Z"}}"#
    );
    let session = Key::read("", &Secret::new(document)).unwrap();
    for (key, url, signature) in [
        (&plain, CLAUDE, "49d69e7ece5a8330f236ecd249ffa2d0105fb8ca0a76eb47c252805a262387d4"),
        (&session, CLAUDE, "38340b5c59a653d36ad0739a6b149a9fbb1ce96f37faecb831dc2f0d6c344bd7"),
        (&plain, PROFILE, "19d93e9674c7ef3b5e87080d87300ded37357bd0958842a9b256eaffb25d268b"),
        (&session, PROFILE, "3e43c08deba7b0d89a462cdb995f2c10beb9d34da6dba8bde6a59af18145d5ff"),
        (&plain, LOCAL, "1f213e05ea4b9d1ce7ea3f2231e1f4e6457b3fb67c6592c9a6cab06e69d4daed"),
        (&session, LOCAL, "c3fab3ff2553b186066c4ca5dad811ea59a18a798eff013ae79c025ea1427f6d"),
    ] {
        let request = signed(key, "bedrock", url);
        let told = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let authorization = told("authorization").unwrap();
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{url}: {authorization}");
        let scope = "Credential=AKIDEXAMPLE/20260301/eu-central-1/bedrock/aws4_request";
        assert!(authorization.contains(scope), "{authorization}");
        assert_eq!(told("x-amz-date"), Some("20260301T123456Z"));
        let is_session = std::ptr::eq(key, &session);
        let token = is_session.then_some("AQoEXAMPLEH4aoAH0gNCAPy==");
        assert_eq!((told("x-amz-security-token"), request.uri().to_string()), (token, url.to_owned()));
        assert!(!format!("{:?}", request.headers()).contains(SECRET));
    }
    assert_eq!(session.shown().reveal(), "AQoEXAMPLEH4aoAH0gNCAPy==");
    assert_eq!(plain.shown().reveal(), SECRET);
}

#[test]
fn each_service_is_signed_for_by_its_own_name() {
    let document = format!(
        r#"{{"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"{SECRET}","SessionToken":"AQoEXAMPLEH4aoAH0gNCAPy=="}}"#
    );
    let sagemaker = "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/jumpstart-llama-3-1";
    let function = "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Aanswer%3Alive";
    for (service, url, plain, session) in [
        (
            "sagemaker",
            format!("{sagemaker}/invocations"),
            "a72ceea78cf87969d8ec10223d4e3a953ef066315c56d870ea138b23c67d9b30",
            "eda846e7fb4f5e53b8b197768ccc60fddebce476cc3aef796c8be6a191353a29",
        ),
        (
            "sagemaker",
            format!("{sagemaker}/invocations-response-stream"),
            "fe7dae165fe2580e44eb675351065124bf4491abfda70fb22d41c852082aa31e",
            "8301a64306397ca2a5aed0975647897de6f3a0630445bd33160f0c8747f1c9eb",
        ),
        (
            "lambda",
            format!("{function}/invocations"),
            "8308675ab50906646f48d79eb525281d2f0c9a2a0a80e863e623b8d34752c5e9",
            "ae673bf7b6dccd1b11b200024983ee4b6d5b9c01054fb73423db7b2646d3defe",
        ),
        (
            "execute-api",
            "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/prod/models/m%201?stream=true".to_owned(),
            "ad7f055bd4a44214954133ab1e9608474faf32447baea7a896e35b14fa54e4e4",
            "6a8caaa5eeedc0fce8d897137a4879c8b8e67be9347cecf8fbbc0afc60c7db42",
        ),
    ] {
        for (id, secret, signature) in [("AKIDEXAMPLE", SECRET, plain), ("", document.as_str(), session)] {
            let secret = Secret::new(secret.to_owned());
            let request = signed(&Key::read(id, &secret).unwrap(), service, &url);
            let authorization = request.headers()["authorization"].to_str().unwrap();
            assert!(
                authorization.contains(&format!("/eu-central-1/{service}/aws4_request")),
                "{authorization}"
            );
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{url}: {authorization}");
        }
    }
}

#[test]
fn a_question_without_a_body_is_signed_with_its_query() {
    let key = Key::read("AKIDEXAMPLE", &Secret::new(SECRET.to_owned())).unwrap();
    let scope = Scope { region: REGION.to_owned(), service: "bedrock" };
    for (path, signature) in [
        ("foundation-models", "758c638fde8a3576009dbc88a5b6d907d1782efa6873b5b236daa815ecb990e5"),
        (
            "inference-profiles?maxResults=1000&nextToken=n%2F1-%2B%3D&type=SYSTEM_DEFINED",
            "24c9264ded0f817e11080e38c6c83926d97a936a3f01e23edc100f0d254c3d23",
        ),
    ] {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = format!("https://bedrock.eu-central-1.amazonaws.com/{path}").parse().unwrap();
        key.sign((&mut request, b""), &scope, UNIX_EPOCH + Duration::from_secs(1_772_368_496)).unwrap();
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{path}: {authorization}");
    }
}

#[test]
fn what_is_no_key_is_told_when_the_endpoint_is_built() {
    for secret in ["{", "{}", r#"{"AccessKeyId":"","SecretAccessKey":"s"}"#, SECRET] {
        let fault = Key::read("", &Secret::new(secret.to_owned())).err().unwrap();
        assert!(fault.is_of_credential() && !fault.to_string().contains(SECRET), "{fault}");
    }
}
