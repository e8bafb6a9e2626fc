//! Who and what is refused, with which code, and that it is recorded.

use std::sync::Arc;

use policy_engine::facts::Bound;
use policy_engine::vocabulary::{Duration, Effect, Layer, Mode, Operation, Period};

use crate::house::log::Lines;
use crate::house::{House, KEY, asking, bearer, limit, refused, whole, world};
use crate::pipeline::{self, Reply};
use crate::record::outbox::Settings;
use crate::record::{Door, Outcome};

#[tokio::test]
async fn credentials_are_refused_alike_until_they_are_proved() {
    let house = House::new(|_| ());
    let body = asking("fast", "hi", "");
    let mut told = Vec::new();
    for (key, code) in [
        ("chy_demo_wrong", "invalid_api_key"),
        ("chy_nobody_secret", "invalid_api_key"),
        ("chy_demo", "invalid_api_key"),
        ("sk-123", "invalid_api_key"),
        ("chy_old_wrong", "invalid_api_key"),
        ("chy_lost_wrong", "invalid_api_key"),
        ("chy_old_old", "key_expired"),
        ("chy_lost_lost", "key_revoked"),
    ] {
        let received = house.request((Door::OpenAi, Operation::Chat), &bearer(key), &body);
        let (found, status, message) = refused(pipeline::serve(&house.node, received).await);
        assert_eq!((found, status), (code, 401), "{key}");
        if code == "invalid_api_key" {
            told.push(message);
        }
    }
    told.dedup();
    assert_eq!(told.len(), 1, "an unknown key and a wrong secret are told alike: {told:?}");
    let received = house.request((Door::OpenAi, Operation::Chat), &http::HeaderMap::new(), &body);
    assert_eq!(refused(pipeline::serve(&house.node, received).await).0, "missing_api_key");
    let records: [_; 9] = house.records();
    assert!(records.iter().all(|record| record.owner.is_none() && record.outcome == Outcome::Refused));
    house.close();
}

#[tokio::test]
async fn what_may_not_be_known_of_is_not_there_and_what_may_be_seen_is_forbidden() {
    let house = House::new(|_| ());
    for (model, code, status) in [
        ("hidden", "model_not_found", 404),
        ("nothing", "model_not_found", 404),
        ("seen", "not_entitled", 403),
        ("embed", "operation_unsupported", 400),
    ] {
        let (found, got, _) = refused(house.chat(&asking(model, "hi", "")).await);
        assert_eq!((found, got), (code, status), "{model}");
    }
    let records: [_; 4] = house.records();
    assert_eq!(records[2].ruling.reasons, ["not_entitled"]);
    house.close();
}

#[tokio::test]
async fn a_wrong_body_is_refused_by_the_name_of_its_field() {
    let house = House::new(|_| ());
    for (body, field) in [
        ("{", None),
        (r#"{"model":"fast","messages":[{"role":"user","content":7}]}"#, Some("messages[0].content")),
        (r#"{"model":"fast","model":"hidden","messages":[]}"#, Some("model")),
    ] {
        let Err(rejection) = house.chat(body).await.body else { panic!("{body}") };
        assert_eq!(rejection.code().row().http.as_u16(), 400, "{body}");
        let named =
            rejection.refusal.fields.first().map(|wrong| wrong.field.as_str()).filter(|f| !f.is_empty());
        assert_eq!(named, field, "{body}");
        assert_eq!(rejection.refusal.revision, Some(7));
        assert!(rejection.refusal.request_id.is_some());
    }
    house.close();
}

#[tokio::test]
async fn limits_refuse_with_how_long_to_wait_and_take_nothing() {
    let minute = Period::Sliding(Duration(60_000_000));
    let house = House::new(|facts| limit(facts, "rpm", Bound::Requests(2, minute)));
    whole(house.chat(&asking("fast", "hi", "")).await);
    let second = house.chat(&asking("fast", "hi", "")).await;
    assert_eq!(second.head.requests.map(|rate| (rate.limit, rate.remaining)), Some((2, 0)));
    whole(second);
    let Err(rejection) = house.chat(&asking("fast", "hi", "")).await.body else { panic!() };
    assert_eq!(rejection.code().as_str(), "rate_limit_exceeded");
    assert_eq!(rejection.retry_after(), Some(30));
    assert_eq!(rejection.refusal.limits[0].limit, "tenants/acme/limits/rpm");
    house.clock.fetch_add(30_000_000, std::sync::atomic::Ordering::SeqCst);
    whole(house.chat(&asking("fast", "hi", "")).await);
    house.close();
}

#[tokio::test]
async fn case_36_answers_are_counted_before_they_are_given() {
    let house = House::new(|facts| limit(facts, "tpd", Bound::OutputTokens(5000, Period::Day)));
    whole(house.chat(&asking("fast", "hi", r#","n":5"#)).await);
    let (code, ..) = refused(house.chat(&asking("fast", "hi", r#","n":6"#)).await);
    assert_eq!(code, "insufficient_quota", "six answers of a thousand tokens are more than five thousand");
    house.close();
}

#[tokio::test]
async fn money_is_told_as_money_and_an_open_end_by_name() {
    let limited = |reply: Reply| {
        let Err(rejection) = reply.body else { panic!("an answer where a refusal is expected") };
        (rejection.refusal.message.clone(), rejection.refusal.limits[0].message.clone())
    };
    let money = Bound::Spend("0.0015 USD".parse().unwrap(), Period::Day);
    let house = House::new(|facts| {
        limit(facts, "money", money);
        facts.prices.values_mut().for_each(|price| Arc::make_mut(price).per_million.output = 2_000_000_000);
    });
    let (message, left) = limited(house.chat(&asking("fast", "hi", "")).await);
    assert_eq!(left, "0.0015 USD left");
    assert!(
        message.starts_with("the request alone is more than the limit `tenants/acme/limits/money`"),
        "{message}"
    );
    assert!(message.ends_with("`max_tokens` lowers that"), "{message}");
    let (message, _) = limited(house.chat(&asking("fast", "hi", r#","max_tokens":900"#)).await);
    assert!(!message.contains("max_tokens"), "{message}");
    whole(house.chat(&asking("fast", "hi", r#","max_tokens":90"#)).await);
    house.close();
    let house = House::new(|facts| limit(facts, "input", Bound::InputTokens(1, Period::Day)));
    let (message, left) = limited(house.chat(&asking("fast", "hi there", "")).await);
    assert!(!message.contains("max_tokens") && left == "1 left", "{message}");
    house.close();
}

#[tokio::test]
async fn a_vendors_refusal_of_our_credential_is_logged_once_a_minute() {
    let house = House::new(|_| ());
    let (lines, _guard) = Lines::of_this_thread();
    let mut told = 0;
    for (text, more) in [
        ("[[sim:error=429]]", 0),
        ("[[sim:error=401]]", 1),
        ("[[sim:error=403]]", 0),
        ("[[sim:error=400]]", 0),
    ] {
        refused(house.chat(&asking("fast", text, "")).await);
        told += more;
        assert_eq!(lines.with("credential").len(), told, "{text}");
    }
    house.clock.fetch_add(60_000_000, std::sync::atomic::Ordering::SeqCst);
    refused(house.chat(&asking("fast", "[[sim:error=403]]", "")).await);
    let lines = lines.with("credential");
    assert_eq!(lines.len(), 2);
    let last: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!((&last["level"], &last["fields"]["endpoint"]), (&"WARN".into(), &"sim-a".into()));
    assert_eq!(last["fields"]["status"], 403);
    house.close();
}

#[tokio::test]
async fn vendors_failures_are_told_apart() {
    let house = House::new(|_| ());
    for (model, text, code, status) in [
        ("down", "hi", "upstream_error", 502),
        ("fast", "[[sim:error=500]]", "upstream_error", 502),
        ("fast", "[[sim:error=503]]", "upstream_error", 502),
        ("fast", "[[sim:error=401]]", "upstream_credential", 502),
        ("fast", "[[sim:error=403]]", "upstream_credential", 502),
        ("fast", "[[sim:error=400]]", "upstream_rejected", 400),
        ("fast", "[[sim:error=429]]", "upstream_rate_limited", 429),
        ("fast", "[[sim:cut=1]]", "upstream_error", 502),
    ] {
        let (found, got, _) = refused(house.chat(&asking(model, text, "")).await);
        assert_eq!((found, got), (code, status), "{model} {text}");
    }
    let records: [_; 8] = house.records();
    assert!(
        records.iter().all(|record| record.outcome == Outcome::Failed && record.usage.amounts.input == 0)
    );
    house.close();
}

#[tokio::test]
async fn a_tenant_that_must_be_audited_is_refused_without_a_place() {
    let settings = Settings { places: 1, ..Settings::default() };
    let house = House::with(settings, |facts| {
        let tenant = facts.tenants.values_mut().next().unwrap();
        Arc::make_mut(tenant).must_audit = true;
    });
    let held = house.node.outbox.place().unwrap();
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &asking("fast", "hi", ""));
    assert_eq!(refused(pipeline::serve(&house.node, received).await).0, "audit_unavailable");
    assert_eq!(house.node.outbox.tally().1, 1, "the refusal had no place either, and is counted");
    drop(held);
    whole(house.chat(&asking("fast", "hi", "")).await);
    let _ = world::facts();
}

/// A rule that permits, where this holds.
fn permit(facts: &mut policy_engine::facts::Facts, when: &str) {
    let rule = policy_engine::facts::Rule {
        layer: Layer::Organisation,
        effect: Effect::Permit,
        when: when.to_owned(),
        obligations: vec![],
        reason_code: None,
        legal_ref: None,
        valid_from: None,
        valid_to: None,
        mode: Mode::Enforce,
        or_unknown: None,
        needs_permit: false,
        geos: vec![],
    };
    facts.rules.insert(world::id("tools"), Arc::new(rule));
}

#[tokio::test]
async fn a_tool_of_the_vendors_is_refused_until_a_rule_permits_it() {
    let tools = r#","web_search_options":{}"#;
    let body = asking("fast", "hi", tools);
    let house = House::new(|_| ());
    let (code, status, message) = refused(house.chat(&body).await);
    assert_eq!((code, status), ("permit_missing", 403));
    assert!(message.contains("`web_search`") && message.contains("`egressTools`"), "{message}");
    let [record] = house.records();
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::Refused, 0));
    house.close();
    let house = House::new(|facts| permit(facts, "'web_search' in egressTools"));
    whole(house.chat(&body).await);
    assert_eq!(
        refused(house.chat(&asking("fast", "hi", r#","mcp_servers":[{}]"#)).await).0,
        "permit_missing"
    );
    house.close();
}
