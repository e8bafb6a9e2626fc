use serde_json::json;

use super::*;

#[test]
fn only_the_address_of_a_control_plane_is_one() {
    for good in ["http://127.0.0.1:7070", "https://control.example/", "http://[::1]:7070"] {
        assert!(Client::new(good, "t".into(), None).is_ok(), "{good}");
    }
    for bad in ["", "127.0.0.1:7070", "ftp://a", "http://a/v1", "http://a/?x=1", "localhost"] {
        assert!(matches!(Client::new(bad, "t".into(), None), Err(ClientError::Url)), "{bad}");
    }
    for bad in ["a b", "a\n", "schlüssel"] {
        assert!(matches!(Client::new("http://a", bad.into(), None), Err(ClientError::Token)), "{bad}");
    }
}

#[test]
fn a_name_can_not_leave_its_place_in_the_path() {
    let client = Client::new("http://a:7070", "secret-token".into(), None).unwrap();
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

#[test]
fn a_list_without_members_is_shown_as_one() {
    let mut none = Reply { text: "{}".into(), json: json!({}), revision: 0 };
    shown_empty(&mut none, "teams");
    assert_eq!((none.text.as_str(), &none.json), (r#"{"teams":[]}"#, &json!({"teams": []})));
    let mut some = Reply { text: "as it came".into(), json: json!({"teams": [1]}), revision: 0 };
    shown_empty(&mut some, "teams");
    assert_eq!(some.text, "as it came");
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_its_file_is_named_and_the_way_there_is_told() {
    use control_plane::ca::{Authority, LEAF_VALIDITY};
    use control_plane::config::{AdminConfig, Config, Listen};

    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let home = tempfile::tempdir().unwrap();
    let private = Authority::open_or_create(&home.path().join("private")).unwrap();
    let issued = private.issue_server(&["127.0.0.1".to_owned()], LEAF_VALIDITY).unwrap();
    let files = issued.write(&home.path().join("tls"), "admin").unwrap();
    let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config {
        state_dir: home.path().join("state"),
        listen: Listen { admin: free, sync: free, ops: free },
        admin: AdminConfig {
            tls_certificate: Some(files.certificate),
            tls_key: Some(files.key),
            ..AdminConfig::default()
        },
        ..Config::default()
    };
    let plane = control_plane::serve::ControlPlane::start(&config).await.unwrap();
    let token = std::fs::read_to_string(config.own_dir().join("admin.token")).unwrap().trim().to_owned();
    let address = plane.addresses().admin;
    // Two in one file, of which the second is the one.
    let bundle = home.path().join("bundle.pem");
    let own = plane.authority().certificate_pem();
    std::fs::write(&bundle, format!("{own}{}", private.certificate_pem())).unwrap();
    let client = |url: String, authorities: Option<&Path>| Client::new(&url, token.clone(), authorities);

    let trusting = client(format!("https://{address}"), Some(&bundle)).unwrap();
    assert!(trusting.get("nodes", &[]).await.is_ok());
    let strange = client(format!("https://{address}"), None).unwrap().get("nodes", &[]).await;
    let told = strange.unwrap_err().to_string();
    assert!(told.contains("UnknownIssuer; ") && told.contains("`--ca FILE` or `CHANCERY_CA`"), "{told}");
    let plain = client(format!("http://{address}"), None).unwrap().get("nodes", &[]).await;
    let told = plain.unwrap_err().to_string();
    assert!(told.contains("the port may speak TLS: try `https://`"), "{told}");
    let plain_port = plane.addresses().ops;
    let told = client(format!("https://{plain_port}"), None).unwrap().get("nodes", &[]).await;
    let told = told.unwrap_err().to_string();
    assert!(told.contains("the port may not speak TLS: try `http://`"), "{told}");
    for (name, text) in
        [("none.pem", None), ("empty.pem", Some("")), ("text.pem", Some("-----BEGIN CERTIFICATE-----\n!"))]
    {
        let path = home.path().join(name);
        text.iter().for_each(|text| std::fs::write(&path, text).unwrap());
        let refused = client(format!("https://{address}"), Some(&path)).unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains("can't be trusted"), "{refused}");
    }
    plane.shutdown().await;
}
