//! REST over the real services: who is not known is refused on every route, and every noun goes there and back.

use super::*;
use crate::actor::{Authenticator, TokenDigest, token_digest};
use crate::api::admin::Admin;
use crate::nodes::NodeRegistry;
use crate::publish::tests::{Fixture, fixture};
use policy_engine::vocabulary::Kind;
use proto::name::COLLECTIONS;

const QUICKSTART: &str = include_str!("../../../../../deploy/examples/quickstart.yaml");

pub(super) struct House {
    pub(super) router: axum::Router,
    pub(super) grpc: axum::Router,
    _fixture: Fixture,
}

impl House {
    pub(super) async fn ask(&self, token: &str, verb: &str, url: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request =
            Request::builder().method(verb).uri(url).header("authorization", format!("Bearer {token}"));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn get(&self, url: &str) -> Value {
        let (status, body) = self.ask("root", "GET", url, &Value::Null).await;
        assert_eq!(status, 200, "{url}: {body}");
        body
    }
}

pub(super) async fn house() -> House {
    let fixture = fixture().await;
    let token = TokenDigest::of_admin("root", token_digest("root"));
    let authenticator = Authenticator::new(fixture.publisher.clone(), vec![token]);
    let admin = Admin::new(fixture.publisher.clone(), authenticator, NodeRegistry::default());
    let known = admin.clone();
    let router = router(admin.routes(), move |headers| known.recognises(headers));
    let grpc = admin.routes().prepare().into_axum_router();
    let house = House { router, grpc, _fixture: fixture };
    let files = json!({"files": [{"path": "quickstart.yaml", "text": QUICKSTART}]});
    let (status, applied) = house.ask("root", "POST", "/v1/policy:apply", &files).await;
    assert_eq!((status, &applied["faults"]), (200, &Value::Null), "{applied}");
    house
}

#[tokio::test]
async fn every_route_is_served_and_refuses_who_is_not_known() {
    let house = house().await;
    for route in routes() {
        for template in &route.templates {
            let url = template.with(|_| "x1".to_owned());
            let body =
                if matches!(route.verb, Method::POST | Method::PATCH) { json!({}) } else { Value::Null };
            for (token, reason) in [("wrong", "invalid_api_key"), ("chy_abc_def", "invalid_api_key")] {
                let (status, error) = house.ask(token, route.verb.as_str(), &url, &body).await;
                let told = &error["error"]["details"][0]["reason"];
                assert_eq!((status, told), (401, &json!(reason)), "{} {url}: {error}", route.rpc());
            }
            let (_, error) = house.ask("root", route.verb.as_str(), &url, &body).await;
            let told = error["error"]["details"][0]["reason"].as_str().unwrap_or_default();
            let reached = !["unimplemented", "internal_error", "method_not_allowed"].contains(&told);
            assert!(reached, "{} {url}: {error}", route.rpc());
        }
    }
}

#[tokio::test]
async fn every_noun_is_listed_read_written_back_and_guarded() {
    let house = house().await;
    for collection in COLLECTIONS.iter().filter(|collection| collection.kind != Kind::Key) {
        let plural = collection.plural;
        let owners = ["/v1/", "/v1/tenants/acme/"].map(|owner| format!("{owner}{plural}"));
        let mut listed = None;
        for url in owners {
            let (_, page) = house.ask("root", "GET", &url, &Value::Null).await;
            if let Some(first) = page[plural].get(0) {
                listed = Some((url, first.clone()));
            }
        }
        let (list, first) = listed.unwrap_or_else(|| panic!("the quickstart has no {plural}"));
        let name = first["name"].as_str().unwrap();
        let url = format!("/v1/{name}");
        assert_eq!(house.get(&url).await, first);
        if name.starts_with("tenants/acme/") {
            let everywhere = house.get(&format!("/v1/tenants/-/{plural}?pageSize=1000")).await;
            assert!(everywhere[plural].as_array().unwrap().contains(&first), "{everywhere}");
        }

        let (status, same) = house.ask("root", "PATCH", &url, &first).await;
        assert_eq!((status, &same), (200, &first), "what was read can be written back");
        let stale = json!({"etag": "other", "spec": first["spec"]});
        assert_eq!(house.ask("root", "PATCH", &url, &stale).await.0, 409, "{url}");
        let id = name.rsplit('/').next().unwrap().replace('@', "%40");
        let again = format!("{list}?{}Id={id}", collection.singular);
        assert_eq!(
            house.ask("root", "POST", &again, &json!({"spec": first["spec"]})).await.0,
            409,
            "{again}"
        );
        let (status, error) =
            house.ask("root", "DELETE", &format!("{url}?validateOnly=true"), &Value::Null).await;
        let referred = error["error"]["details"][0]["reason"] == "failed_precondition";
        assert!(status == 200 || (status == 400 && referred), "{url}: {status} {error}");
        assert_eq!(house.get(&url).await, first, "nothing was removed");
    }
}

#[tokio::test]
async fn a_key_is_made_used_and_revoked() {
    let house = house().await;
    let body = json!({"spec": {"principal": "ada@example.org", "team": "research"}});
    let (status, made) = house.ask("root", "POST", "/v1/tenants/acme/keys", &body).await;
    assert_eq!(status, 200, "{made}");
    let (name, secret) = (made["key"]["name"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(secret.starts_with("chy_"));
    assert!(!house.get("/v1/tenants/acme/keys").await.to_string().contains(secret));
    let (status, error) = house.ask(secret, "GET", "/v1/rules", &Value::Null).await;
    assert_eq!(status, 403, "known, but may not: {error}");
    let (status, revoked) = house.ask("root", "POST", &format!("/v1/{name}:revoke"), &json!({})).await;
    assert_eq!((status, revoked["revokeTime"].is_string()), (200, true), "{revoked}");
    let (status, error) = house.ask(secret, "GET", "/v1/rules", &Value::Null).await;
    assert_eq!((status, &error["error"]["details"][0]["reason"]), (401, &json!("key_revoked")));
}

#[tokio::test]
async fn what_was_done_can_be_read_and_explained() {
    let house = house().await;
    let revision = house.get("/v1/revisions").await["revisions"][0].clone();
    assert_eq!(house.get(&format!("/v1/{}", revision["name"].as_str().unwrap())).await, revision);
    let event = house.get("/v1/auditEvents").await["auditEvents"][0].clone();
    assert_eq!(event["action"], "chancery.admin.v1.PolicyService/Apply");
    assert_eq!(house.get(&format!("/v1/{}", event["name"].as_str().unwrap())).await, event);
    assert_eq!(house.get("/v1/nodes").await, json!({}));
    let question =
        json!({"principal": "tenants/acme/principals/ada@example.org", "model": "default-chat", "geo": "eu"});
    let (status, answer) = house.ask("root", "POST", "/v1/policy:explain", &question).await;
    assert_eq!((status, &answer["effect"]), (200, &json!("allow")), "{answer}");
    let (_, exported) = house.ask("root", "POST", "/v1/policy:export", &json!({})).await;
    let files = json!({"files": [{"path": "all.yaml", "text": exported["text"]}]});
    let (_, applied) = house.ask("root", "POST", "/v1/policy:apply", &files).await;
    assert_eq!(applied["revision"], Value::Null, "an export applies without a change: {applied}");
}
