//! Refusals: who does not say who they are, who may not, and who asks too much.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use integration_tests::{
    admin::Anything,
    door::{Ask, Caller, Door, Refused},
    sandbox::Geo,
    scene::Scene,
    wait::until,
};
use proto::admin::KeySpec;
use serde_json::json;

use crate::policy;

const MODEL: &str = "sim-mistral-large";

fn hello() -> Ask {
    Ask::chat(MODEL, "hello")
}

async fn refused_with(scene: &Scene, key: &str) -> Result<Refused> {
    Ok(scene.ask_at(Geo::Eu, key, &hello()).await?.unwrap_err())
}

async fn no_key_and_a_wrong_key_are_told_apart_and_no_more(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let nobody = Caller { key: None, ..scene.caller()? };
    scene.house.count(Geo::Eu);
    let refused = nobody.ask(&hello()).await?.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (401, "missing_api_key"));
    let (id, secret) = scene.key.strip_prefix("chy_").unwrap().split_once('_').unwrap();
    let stranger = "0".repeat(id.len());
    // A secret may begin with any character, this one's own stand-in included.
    let other = if secret.starts_with('x') { 'y' } else { 'x' };
    let wrong = [
        "nonsense".to_owned(),
        "sk-proj-somebody-elses".to_owned(),
        format!("chy_{id}"),
        format!("chy_{id}_"),
        format!("chy_{id}_{other}{}", &secret[1..]),
        format!("chy_{stranger}_{secret}"),
    ];
    let mut said = Vec::new();
    for key in wrong {
        let refused = refused_with(&scene, &key).await?;
        assert_eq!((refused.status, refused.code.as_str()), (401, "invalid_api_key"), "{key}");
        assert!(!refused.message.contains(secret) && !refused.message.contains(id), "{}", refused.message);
        said.push(refused.message);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "which part was wrong is nobody's business: {said:?}");
    Ok(scene)
}

async fn a_key_ends_when_it_said_it_would(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let soon = SystemTime::now() + Duration::from_millis(1500);
    let spec = KeySpec {
        principal: "ada@example.org".to_owned(),
        team: "research".to_owned(),
        expire_time: Some(soon.into()),
        ..KeySpec::default()
    };
    let (_, key) = scene.house.key_of(spec).await?;
    let refused =
        until("the end of a key", async || scene.ask_at(Geo::Eu, &key, &hello()).await.ok()?.err()).await?;
    assert_eq!((refused.status, refused.code.as_str()), (401, "key_expired"));
    assert!(SystemTime::now() >= soon);
    // How often it was tried before is the clock's doing and no part of the story.
    let scene = Scene::quickstart(door).await?;
    scene.answered(&hello()).await?;
    Ok(scene)
}

async fn a_revoked_key_is_dead_on_both_planes(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let spec = KeySpec {
        principal: "ada@example.org".to_owned(),
        team: "research".to_owned(),
        ..KeySpec::default()
    };
    let (key, secret) = scene.house.key_of(spec).await?;
    for geo in Geo::ALL {
        scene.ask_at(geo, &secret, &hello()).await?.unwrap();
    }
    let admin = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await?;
    let revoked =
        admin.call("chancery.admin.v1.KeysService/RevokeKey", json!({"name": key.name})).await?.unwrap();
    scene.house.enforced(revoked["revision"].as_i64().unwrap()).await?;
    for geo in Geo::ALL {
        let refused = scene.ask_at(geo, &secret, &hello()).await?.unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (401, "key_revoked"));
    }
    Ok(scene)
}

async fn a_key_is_bound_to_its_models_and_geos(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let spec = KeySpec {
        principal: "ada@example.org".to_owned(),
        team: "research".to_owned(),
        models: vec!["sim-mistral-*".to_owned()],
        geos: vec!["eu".to_owned()],
        ..KeySpec::default()
    };
    let (_, key) = scene.house.key_of(spec).await?;
    scene.ask_at(Geo::Eu, &key, &hello()).await?.unwrap();
    let refused = scene.ask_at(Geo::Eu, &key, &Ask::chat("sim-gpt-4o", "hello")).await?.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "key_scope"));
    // What does not exist in a geo is not known there.
    let refused = scene.ask_at(Geo::Us, &key, &hello()).await?.unwrap_err();
    assert!(
        matches!((refused.status, refused.code.as_str()), (401, "invalid_api_key") | (403, "key_scope")),
        "{refused:?}"
    );
    Ok(scene)
}

async fn a_model_whose_endpoints_are_elsewhere_has_none_here_and_policy_goes_on(door: Door) -> Result<Scene> {
    let endpoint = policy::vendor("over-there", "https://models.example", "US")
        .replace("{provider:", "{geos: [us], provider:");
    let scene =
        Scene::with(door, &[endpoint, policy::model("sim-elsewhere", &["over-there"])].concat()).await?;
    let refused = scene.refused(&Ask::chat("sim-elsewhere", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (403, "no_endpoint"), "{}", refused.message);
    // The planes took that policy, and take the next.
    scene.house.apply(&policy::rule("nothing-more", "forbid", "true", "")).await?;
    let refused = scene.refused(&hello()).await?;
    assert_eq!((refused.status, refused.code.as_str()), (403, "rule_forbids"));
    Ok(scene)
}

async fn what_may_be_seen_and_not_used_is_forbidden_and_what_may_not_be_seen_is_not_there(
    door: Door,
) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let grace = scene.house.key("grace@example.org", "support").await?;
    let refused = scene.ask_at(Geo::Eu, &grace, &Ask::chat("sim-gpt-4o", "hello")).await?.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "not_entitled"));
    assert_eq!(refused.reasons.first().map(String::as_str), Some("not_entitled"));
    let refused = scene.refused(&Ask::chat("no-such-model", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (404, "model_not_found"));
    assert!(
        refused.message.contains("no-such-model") || refused.message.contains("model"),
        "{}",
        refused.message
    );
    let refused = scene.refused(&Ask::embed(MODEL, &["x"])).await?;
    assert_eq!((refused.status, refused.code.as_str()), (400, "operation_unsupported"));
    Ok(scene)
}

async fn the_sixth_request_of_a_minute_is_told_when_to_come_back(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let grace = scene.house.key("grace@example.org", "support").await?;
    let ask = Ask::chat("sim-gpt-4o-mini", "hello");
    for left in (0..5).rev() {
        let told = scene.ask_at(Geo::Eu, &grace, &ask).await?.unwrap();
        assert_eq!(told.header("x-ratelimit-remaining-requests"), left.to_string());
    }
    let refused = scene.ask_at(Geo::Eu, &grace, &ask).await?.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (429, "rate_limit_exceeded"));
    assert!((1..=60).contains(&refused.retry_after.unwrap()), "{refused:?}");
    let told = ["limit", "remaining"].map(|what| refused.header(&format!("x-ratelimit-{what}-requests")));
    assert_eq!(told, ["5", "0"], "{refused:?}");
    assert!(refused.message.contains("support-requests"), "{}", refused.message);
    // The counters are shared, so there is no second budget around the corner.
    assert_eq!(scene.ask_at(Geo::Us, &grace, &ask).await?.unwrap_err().status, 429);
    // Somebody else's are not touched.
    scene.answered(&hello()).await?;
    Ok(scene)
}

async fn a_budget_that_is_used_up_is_no_rate(door: Door) -> Result<Scene> {
    let scene =
        Scene::with(door, &policy::limit("little-money", "spend: \"0.00001 USD\", per: month")).await?;
    let refused = scene.refused(&hello().at_most(1000)).await?;
    assert_eq!((refused.status, refused.code.as_str()), (429, "insufficient_quota"));
    assert!(refused.message.contains("little-money"), "{}", refused.message);
    // Whoever did not say how long an answer it wants is told what that costs.
    assert!(!refused.message.contains("max_tokens"), "{}", refused.message);
    let refused = scene.refused(&hello()).await?;
    assert!(refused.message.contains("`max_tokens`"), "{}", refused.message);
    Ok(scene)
}

async fn tokens_are_held_before_they_are_used(door: Door) -> Result<Scene> {
    let scene = Scene::with(door, &policy::limit("few-tokens", "tokens: 200, per: 1h")).await?;
    let refused = scene.refused(&hello().at_most(4000)).await?;
    assert_eq!(refused.status, 429, "an answer this long could not be paid for: {refused:?}");
    let told = scene.answered(&hello().at_most(50)).await?;
    let (input, output) = told.usage.unwrap();
    let told = scene.answered(&hello().at_most(50)).await?;
    let left: u64 = told.header("x-ratelimit-remaining-tokens").parse()?;
    assert!(left <= 200 - (input + output), "{left}");
    Ok(scene)
}

stories! {
    no_key_and_a_wrong_key_are_told_apart_and_no_more,
    a_key_ends_when_it_said_it_would,
    a_revoked_key_is_dead_on_both_planes,
    a_key_is_bound_to_its_models_and_geos,
    a_model_whose_endpoints_are_elsewhere_has_none_here_and_policy_goes_on,
    what_may_be_seen_and_not_used_is_forbidden_and_what_may_not_be_seen_is_not_there,
    the_sixth_request_of_a_minute_is_told_when_to_come_back,
    a_budget_that_is_used_up_is_no_rate,
    tokens_are_held_before_they_are_used,
}

#[tokio::test]
async fn case_68_a_key_in_a_query_is_refused_and_kept_nowhere() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let url = format!("{}/chat/completions?api_key={}", scene.house.openai_url(Geo::Eu).unwrap(), scene.key);
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]});
    let client = integration_tests::door::client().unwrap();
    for request in [client.post(&url), client.post(&url).bearer_auth(&scene.key)] {
        scene.house.count(Geo::Eu);
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let text = answer.text().await.unwrap();
        assert!(!text.contains(&scene.key), "{text}");
    }
    for record in scene.house.records(Geo::Eu).await.unwrap() {
        assert!(!record.to_string().contains(&scene.key), "{record}");
    }
}

#[tokio::test]
async fn a_key_is_taken_from_every_header_of_the_dialects_and_two_that_differ_are_nobodys() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let url = format!("{}/models", scene.house.openai_url(Geo::Eu).unwrap());
    let client = integration_tests::door::client().unwrap();
    let status = async |headers: &[(&str, &str)]| {
        let request =
            headers.iter().fold(client.get(&url), |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap().status().as_u16()
    };
    let key = scene.key.as_str();
    let bearer = format!("Bearer {key}");
    for good in [&[("authorization", bearer.as_str())][..], &[("x-api-key", key)], &[("api-key", key)]] {
        assert_eq!(status(good).await, 200, "{good:?}");
    }
    assert_eq!(status(&[("authorization", &bearer), ("x-api-key", key)]).await, 200, "they agree");
    assert_eq!(status(&[("authorization", &bearer), ("x-api-key", "chy_other_one")]).await, 401);
    assert_eq!(status(&[("authorization", &format!("Basic {key}"))]).await, 401);
}
