use serde_json::json;

use super::*;

#[test]
fn only_the_address_of_a_control_plane_is_one() {
    for good in ["http://127.0.0.1:7070", "https://control.example/", "http://[::1]:7070"] {
        assert!(Client::new(good, "t".into()).is_ok(), "{good}");
    }
    for bad in ["", "127.0.0.1:7070", "ftp://a", "http://a/v1", "http://a/?x=1", "localhost"] {
        assert!(matches!(Client::new(bad, "t".into()), Err(ClientError::Url)), "{bad}");
    }
    for bad in ["a b", "a\n", "schlüssel"] {
        assert!(matches!(Client::new("http://a", bad.into()), Err(ClientError::Token)), "{bad}");
    }
}

#[test]
fn a_name_can_not_leave_its_place_in_the_path() {
    let client = Client::new("http://a:7070", "secret-token".into()).unwrap();
    let url = |path: &str| client.url(path).unwrap().to_string();
    assert_eq!(url("tenants/acme/keys/k:revoke"), "http://a:7070/v1/tenants/acme/keys/k:revoke");
    assert_eq!(url("tenants/a b?c#d%2f"), "http://a:7070/v1/tenants/a%20b%3Fc%23d%252f");
    assert!(!format!("{client:?}").contains("secret-token"));
}

#[test]
fn a_refusal_is_read_whole_and_anything_else_is_a_stranger() {
    let body = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "spec.x: is\u{7} missing",
    "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "invalid_request", "domain": "chancery",
         "metadata": {"request_id": "r-1"}},
        {"@type": "type.googleapis.com/google.rpc.BadRequest",
         "fieldViolations": [{"field": "spec.x", "description": "is missing"}]},
    ]}});
    let refused = Refused::read(400, &body).unwrap();
    assert_eq!(refused.to_string(), "spec.x: is\\u{7} missing (invalid_request)");
    assert_eq!(refused.fields, [("spec.x".to_owned(), "is missing".to_owned())]);
    assert_eq!(refused.request_id.as_deref(), Some("r-1"));
    for other in [json!({}), json!([]), json!({"error": "no"}), json!({"error": {"message": 1}})] {
        assert_eq!(Refused::read(400, &other), None, "{other}");
    }
}

#[test]
fn pages_become_one() {
    let mut whole = json!({"teams": [1, 2], "nextPageToken": "a"});
    assert_eq!(next(&whole).as_deref(), Some("a"));
    join(&mut whole, json!({"teams": [3], "nextPageToken": "b"}), "teams");
    assert_eq!(next(&whole).as_deref(), Some("b"));
    join(&mut whole, json!({}), "teams");
    assert_eq!((next(&whole), &whole), (None, &json!({"teams": [1, 2, 3]})));
    let mut empty = json!({"nextPageToken": "a"});
    join(&mut empty, json!({"teams": [1]}), "teams");
    assert_eq!(empty, json!({"teams": [1]}));
    assert_eq!(next(&json!({"nextPageToken": ""})), None);
}
