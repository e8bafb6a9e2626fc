//! What a careless or hostile caller sends, over the real services.

use super::served::{House, house};
use super::*;

const TEAMS: &str = "/v1/tenants/acme/teams";

async fn refused(house: &House, verb: &str, url: &str, body: &Value) -> String {
    let (status, error) = house.ask("root", verb, url, body).await;
    assert_eq!(status, 400, "{verb} {url}: {error}");
    error["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn cases_41_and_62_a_name_is_a_name_or_refused() {
    let house = house().await;
    let body = json!({"spec": {}});
    for name in [
        "%27;%20DROP%20TABLE%20resource_version;--",
        "a%0d%0ax-admin:%20yes",
        "a%00b",
        "a%7bb%7d",
        "%c3%a9",
        "%e2%80%ae",
        "a%2fb",
        "..",
        &"x".repeat(4096),
    ] {
        let told = refused(&house, "POST", &format!("{TEAMS}?teamId={name}"), &body).await;
        assert!(told.starts_with("teamId: ") && told.len() < 400, "{told}");
        refused(&house, "GET", &format!("{TEAMS}/{name}"), &Value::Null).await;
    }
    let longest = format!("{TEAMS}?teamId={}", "x".repeat(128));
    assert_eq!(house.ask("root", "POST", &longest, &body).await.0, 200);
}

#[tokio::test]
async fn case_74_a_page_is_of_its_list_and_a_number_has_one_spelling() {
    let house = house().await;
    let first = house.ask("root", "GET", &format!("{TEAMS}?pageSize=1"), &Value::Null).await.1;
    let token = first["nextPageToken"].as_str().unwrap();
    let flipped = token.replacen(token.chars().next().unwrap(), "-", 1);
    for wrong in [flipped.as_str(), &token[1..], "%27%20OR%201=1", "%00", &"A".repeat(9000)] {
        let told = refused(&house, "GET", &format!("{TEAMS}?pageToken={wrong}"), &Value::Null).await;
        assert_eq!(told, "pageToken: is not a token of this list");
    }
    for list in ["revisions", "auditEvents", "nodes", "models", "tenants/acme/keys"] {
        refused(&house, "GET", &format!("/v1/{list}?pageToken={token}"), &Value::Null).await;
        refused(&house, "GET", &format!("/v1/{list}?pageSize=-1"), &Value::Null).await;
        refused(&house, "GET", &format!("/v1/{list}?filter=name%3D%27x%27"), &Value::Null).await;
    }
    for number in ["0", "-1", "+1", "01", "1.0", "1%20OR%201=1", "9223372036854775808"] {
        refused(&house, "GET", &format!("/v1/revisions/{number}"), &Value::Null).await;
        refused(&house, "GET", &format!("/v1/auditEvents/{number}"), &Value::Null).await;
    }
}

#[tokio::test]
async fn of_many_who_make_or_change_one_thing_one_does() {
    let house = house().await;
    let count = async |verb: &'static str, url: &str, body: &Value| {
        let all = (0..16).map(|_| house.ask("root", verb, url, body));
        let all = futures_util::future::join_all(all).await;
        all.into_iter().map(|(status, _)| status).collect::<Vec<_>>()
    };
    let mut made = count("POST", &format!("{TEAMS}?teamId=race"), &json!({"spec": {}})).await;
    made.sort_unstable();
    assert_eq!(made, [&[200][..], &[409; 15]].concat());
    let etag = house.ask("root", "GET", &format!("{TEAMS}/race"), &Value::Null).await.1["etag"].clone();
    let change = json!({"etag": etag, "spec": {"displayName": "changed"}});
    let mut changed = count("PATCH", &format!("{TEAMS}/race"), &change).await;
    changed.sort_unstable();
    assert_eq!(changed, [&[200][..], &[409; 15]].concat());
}

#[tokio::test]
async fn a_condition_that_would_not_be_checked_is_refused() {
    let house = house().await;
    for (verb, name) in [("PATCH", "if-match"), ("DELETE", "if-unmodified-since"), ("POST", "if-none-match")]
    {
        let url = if verb == "POST" { format!("{TEAMS}?teamId=t") } else { format!("{TEAMS}/research") };
        let request = Request::builder().method(verb).uri(url).header(name, "*");
        let request = request.header("authorization", "Bearer root").body(Body::empty()).unwrap();
        let response = house.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{verb} {name}");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let error: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(error["error"]["details"][1]["fieldViolations"][0]["field"], name);
    }
    let request = Request::builder().uri(format!("{TEAMS}/research")).header("if-none-match", "\"x\"");
    let request = request.header("authorization", "Bearer root").body(Body::empty()).unwrap();
    let response = house.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "who reads may always be told all");
}

#[tokio::test]
async fn an_apply_that_is_too_much_is_told_in_few_words() {
    let house = house().await;
    let apply = async |text: String, path: &str| {
        let files = json!({"dryRun": true, "files": [{"path": path, "text": text}]});
        let (status, answer) = house.ask("root", "POST", "/v1/policy:apply", &files).await;
        assert_eq!(status, 400, "nothing was applied");
        answer["faults"].clone()
    };
    let faults = apply("a: 1\n---\n".repeat(5_000), "many.yaml").await;
    let faults = faults.as_array().unwrap();
    assert_eq!(faults.len(), 1_001);
    assert_eq!(faults[1_000]["message"], "there are more faults than these 1000");
    let team = |n: usize| {
        format!(
            "apiVersion: chancery/v1\nkind: Team\nmetadata: {{name: t{n}, tenant: acme}}\nspec: {{geos: [a/b]}}\n---\n"
        )
    };
    let faults = apply((0..2_000).map(team).collect(), "wrong.yaml").await;
    assert_eq!(faults.as_array().unwrap().len(), 1_001);
    for path in ["x".repeat(5_000), "a\r\nb".to_owned()] {
        let faults = apply("a: 1".to_owned(), &path).await;
        assert!(faults[0]["message"].as_str().unwrap().starts_with("the path is"), "{faults}");
        assert!(faults.to_string().len() < 400, "{faults}");
    }
}
