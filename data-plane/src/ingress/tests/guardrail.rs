//! Texts checked by one guardrail, without a model. What is asked and answered follows Amazon Bedrock's `ApplyGuardrail`
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html>) in what it can say, in our words.

use std::sync::Arc;

use http::HeaderMap;
use policy_engine::facts::{Bound, Check, Facts, Guardrail, LimitScope, ModelGlob, Subject, Team, Tenant};
use policy_engine::vocabulary::{Duration, Entity, Id, MaskAction, Period};
use proto::inference::{self as wire, GuardrailAction, GuardrailDirection};
use proto::status::Refusal;
use serde_json::{Value, json};

use super::grpc::{client, with_key};
use super::*;
use crate::house::{limit, world};
use crate::record::{Fate, Outcome, Task};

fn detect(entity: Entity, action: MaskAction) -> Check {
    Check { detect: vec![entity], words: vec![], action }
}

fn words(words: &[&str], action: MaskAction) -> Check {
    Check { detect: vec![], words: words.iter().map(|word| (*word).to_owned()).collect(), action }
}

fn put(facts: &mut Facts, id: Id, applies: Subject, (input, output): (Vec<Check>, Vec<Check>)) {
    facts.guardrails.insert(id, Arc::new(Guardrail { applies, input, output, geos: vec![] }));
}

/// `guard` masks e-mail addresses and reports cards on the way in, and blocks e-mail addresses on the way out; `words` blocks a word.
fn guarded(facts: &mut Facts) {
    let input = vec![
        detect(Entity::Email, MaskAction::Mask),
        detect(Entity::CreditDebitCardNumber, MaskAction::Detect),
    ];
    let output = vec![detect(Entity::Email, MaskAction::Block)];
    put(facts, world::id("guard"), Subject::default(), (input, output));
    let input = vec![words(&["project-x"], MaskAction::Block)];
    put(facts, world::platform("words"), Subject::default(), (input, vec![]));
}

const GUARD: &str = "/v1/guardrails/guard/apply";

async fn ask(open: &Open, path: &str, direction: &str, texts: &[&str]) -> Got {
    open.post(path, &json!({"direction": direction, "texts": texts}).to_string()).await
}

#[tokio::test]
async fn texts_are_masked_reported_or_blocked_as_the_guardrail_says() {
    let open = open(guarded).await;
    let texts =
        ["nobody", "é ask bob@example.org, ann@example.org or bob@example.org", "4111 1111 1111 1111"];
    let got = ask(&open, GUARD, "input", &texts).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let span = |text: u32, start: u32, end: u32| json!({"text": text, "start": start, "end": end});
    let expected = json!({
        "object": "guardrail.check",
        "guardrail": "tenants/acme/guardrails/guard",
        "action": "masked",
        "texts": ["nobody", "é ask [EMAIL_1], [EMAIL_2] or [EMAIL_1]", "4111 1111 1111 1111"],
        "findings": [
            {
                "type": "EMAIL", "action": "mask", "count": 3,
                "spans": [span(1, 7, 22), span(1, 24, 39), span(1, 43, 58)],
            },
            {"type": "CREDIT_DEBIT_CARD_NUMBER", "action": "detect", "count": 1, "spans": [span(2, 0, 19)]},
        ],
    });
    assert_eq!(got.json(), expected);
    let (start, end) = (7, 22);
    assert_eq!(&texts[1][start..end], "bob@example.org", "places are bytes of what was sent");

    let got = ask(&open, GUARD, "input", &["4111 1111 1111 1111"]).await.json();
    assert_eq!((&got["action"], &got["texts"][0]), (&json!("none"), &json!("4111 1111 1111 1111")));
    let got = ask(&open, GUARD, "output", &["fine", "ask bob@example.org"]).await.json();
    assert_eq!((&got["action"], &got["texts"]), (&json!("blocked"), &json!([])));
    assert_eq!(got["findings"][0]["spans"], json!([span(1, 4, 19)]));
    let got = ask(&open, GUARD, "input", &["project-x"]).await.json();
    assert_eq!((&got["action"], &got["findings"]), (&json!("none"), &json!([])), "it is another's to find");
    let got = ask(&open, "/v1/guardrails/words/apply", "input", &["a project-x b"]).await.json();
    let word = json!([{"type": "WORD", "action": "block", "count": 1, "spans": [span(0, 2, 11)]}]);
    assert_eq!((&got["guardrail"], &got["findings"]), (&json!("guardrails/words"), &word));
}

#[tokio::test]
async fn it_is_the_same_scanner_as_every_requests() {
    let open = open(guarded).await;
    let hidden = [
        "bob\u{200b}@example.org",
        "bob\u{ff20}example.org",
        "Ym9iQGV4YW1wbGUub3JnIGFuZCBtb3JlIG9mIHRoZSBzYW1lIHRleHQ=",
        "[EMAIL_1] and bob@example.org",
        "\\u0062ob@example.org",
    ];
    for text in hidden {
        let checked = ask(&open, GUARD, "input", &[text]).await.json();
        let body = crate::house::asking("fast", text, "");
        let said = open.post("/v1/chat/completions", &body).await.json();
        let said = said["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        let checked = checked["texts"][0].as_str().unwrap();
        assert!(said.ends_with(&format!("you said {checked}")), "{said} {checked}");
    }
    let [first, second, ..]: [_; 10] = open.house.records();
    assert_eq!(first.found_input, second.found_input);
}

#[tokio::test]
async fn a_check_is_recorded_with_types_and_counts_and_no_text() {
    let open = open(|facts| {
        guarded(facts);
        Arc::make_mut(facts.tenants.get_mut(&world::platform("acme")).unwrap()).must_audit = true;
    })
    .await;
    ask(&open, GUARD, "input", &["bob@example.org", "bob@example.org"]).await;
    ask(&open, GUARD, "output", &["bob@example.org"]).await;
    ask(&open, "/v1/guardrails/none/apply", "output", &["bob@example.org"]).await;
    let [masked, blocked, unknown] = open.house.records();
    assert_eq!((masked.operation, masked.operation.as_str()), (Task::ApplyGuardrail, "applyGuardrail"));
    assert_eq!(masked.guardrail, Some((world::id("guard"), Some(Fate::Masked))));
    assert_eq!((&masked.found_input[..], &masked.found_output[..]), (&[("EMAIL", 2)][..], &[][..]));
    assert_eq!((masked.outcome, masked.status, masked.cost), (Outcome::Answered, 200, None));
    assert!(masked.owner.is_some() && masked.model.is_none() && masked.ruling.allowed.is_none());
    assert_eq!(blocked.guardrail, Some((world::id("guard"), Some(Fate::Blocked))));
    assert_eq!((&blocked.found_input[..], &blocked.found_output[..]), (&[][..], &[("EMAIL", 1)][..]));
    assert_eq!((blocked.outcome, blocked.status), (Outcome::Answered, 200), "the check was answered");
    assert_eq!((unknown.guardrail, unknown.code), (None, Some("not_found")));
    let written = open.house.written.lock().iter().map(|record| format!("{record:?}")).collect::<String>();
    assert!(!written.contains("bob"), "{written}");
}

#[tokio::test]
async fn a_guardrail_that_could_check_nothing_of_the_callers_is_not_there() {
    let edit = |facts: &mut Facts| {
        guarded(facts);
        let of_model = |model: &str| Subject { models: vec![ModelGlob::new(model).unwrap()], teams: vec![] };
        let check = || (vec![detect(Entity::Email, MaskAction::Mask)], vec![]);
        for model in ["hidden", "seen", "fast", "nothing"] {
            put(facts, world::id(&format!("of-{model}")), of_model(model), check());
        }
        facts.teams.insert(world::id("sales"), Arc::new(Team { jurisdictions: vec![], geos: vec![] }));
        for team in ["sales", "research"] {
            let subject = Subject { models: vec![], teams: vec![world::name(team)] };
            put(facts, world::id(&format!("of-{team}")), subject, check());
        }
        let tenant: &Tenant = facts.tenants.get(&world::platform("acme")).unwrap();
        facts.tenants.insert(world::platform("other"), Arc::new(tenant.clone()));
        put(facts, Id::of(world::name("other"), world::name("others")), Subject::default(), check());
        let elsewhere = Guardrail {
            applies: Subject::default(),
            input: vec![detect(Entity::Email, MaskAction::Mask)],
            output: vec![],
            geos: vec![world::name("us")],
        };
        facts.guardrails.insert(world::id("of-us"), Arc::new(elsewhere));
        *facts = policy_engine::project(facts, &policy_engine::Scope { geo: world::name("eu") });
    };
    let open = open(edit).await;
    let mut client = client(&open).await;
    for (name, status) in [
        ("of-fast", 200),
        ("of-research", 200),
        ("of-hidden", 404),
        ("of-seen", 404),
        ("of-nothing", 404),
        ("of-sales", 404),
        ("others", 404),
        ("of-us", 404),
        ("nobody", 404),
    ] {
        let path = format!("/v1/guardrails/{name}/apply");
        let got = ask(&open, &path, "input", &["x"]).await;
        assert_eq!(got.status, status, "{name}: {}", got.body);
        let message = asked(name, GuardrailDirection::Input, &["x"]);
        let typed = client.apply_guardrail(with_key(message)).await;
        assert_eq!(typed.is_ok(), status == 200, "{name}");
        if let Err(refused) = typed {
            assert_eq!((refused.code(), got.code().as_str()), (tonic::Code::NotFound, "not_found"));
            let missing = ask(&open, "/v1/guardrails/nobody/apply", "input", &["x"]).await;
            assert_eq!(told(&missing), told(&got), "one that is hidden is told as one that is not there");
        }
    }
}

/// What a refusal says, but for whose it is.
fn told(got: &Got) -> Value {
    let mut told = got.json()["error"].clone();
    told["chancery"] = Value::Null;
    told
}

fn asked(name: &str, direction: GuardrailDirection, texts: &[&str]) -> wire::ApplyGuardrailRequest {
    wire::ApplyGuardrailRequest {
        guardrail: name.into(),
        direction: direction.into(),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        metadata: None,
    }
}

#[tokio::test]
async fn the_door_makes_no_difference_to_a_check() {
    for (name, way, text) in [
        ("guard", GuardrailDirection::Input, "ask bob@example.org"),
        ("guard", GuardrailDirection::Output, "ask bob@example.org"),
        ("guard", GuardrailDirection::Input, "nobody"),
        ("nobody", GuardrailDirection::Input, "nobody"),
    ] {
        let open = open(guarded).await;
        let word = if way == GuardrailDirection::Input { "input" } else { "output" };
        let rest = ask(&open, &format!("/v1/guardrails/{name}/apply"), word, &[text]).await;
        let typed = client(&open).await.apply_guardrail(with_key(asked(name, way, &[text]))).await;
        let [one, two] = open.house.records();
        assert_eq!((&one.guardrail, &one.found_input), (&two.guardrail, &two.found_input));
        assert_eq!(
            (&one.found_output, one.code, one.operation),
            (&two.found_output, two.code, two.operation)
        );
        match typed {
            Err(status) => assert_eq!(Refusal::of_status(&status).code.as_str(), rest.code()),
            Ok(typed) => {
                let (rest, typed) = (rest.json(), typed.into_inner());
                let action = typed.action();
                let word = match action {
                    GuardrailAction::None => "none",
                    GuardrailAction::Masked => "masked",
                    GuardrailAction::Blocked => "blocked",
                    GuardrailAction::Unspecified => "",
                };
                assert_eq!(rest["action"], word);
                assert_eq!(
                    (&rest["guardrail"], &rest["texts"]),
                    (&json!(typed.guardrail), &json!(typed.texts))
                );
                let findings = typed.findings.iter().map(|finding| {
                    let spans = finding.spans.iter();
                    let spans = spans
                        .map(|span| json!({"text": span.text, "start": span.start, "end": span.end}))
                        .collect::<Vec<_>>();
                    json!({
                        "type": finding.r#type, "action": finding.action, "count": finding.count, "spans": spans,
                    })
                });
                assert_eq!(rest["findings"], Value::from(findings.collect::<Vec<_>>()));
            }
        }
    }
}

#[tokio::test]
async fn limits_that_name_no_model_count_a_check_and_stay_counted() {
    let minute = Period::Sliding(Duration(60_000_000));
    let open = open(|facts| {
        guarded(facts);
        limit(facts, "rpm", Bound::Requests(2, minute));
        limit(facts, "of-fast", Bound::Requests(1, minute));
        let of_fast = facts.limits.get_mut(&world::id("of-fast")).unwrap();
        Arc::make_mut(of_fast).scope =
            LimitScope { model: Some(ModelGlob::new("fast").unwrap()), ..LimitScope::default() };
        limit(facts, "tokens", Bound::Tokens(1, minute));
    })
    .await;
    let first = ask(&open, GUARD, "input", &["x"]).await;
    assert_eq!(
        (first.status, &first.headers["x-ratelimit-remaining-requests"]),
        (StatusCode::OK, &"1".parse().unwrap())
    );
    assert_eq!(ask(&open, GUARD, "input", &["x"]).await.status, 200);
    let refused = ask(&open, GUARD, "input", &["x"]).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limit_exceeded"));
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn what_is_no_check_is_refused_as_elsewhere() {
    let open = open(guarded).await;
    for (body, field) in [
        (r#"{"direction":"input"}"#, "texts"),
        (r#"{"direction":"sideways","texts":["x"]}"#, "direction"),
        (r#"{"direction":"input","texts":["x"],"model":"fast"}"#, "model"),
    ] {
        let got = open.post(GUARD, body).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (400, "invalid_request"), "{body}");
        assert_eq!(got.json()["error"]["param"], field, "{body}");
    }
    let large = json!({"direction": "input", "texts": ["x".repeat(open.house.node.bounds.body_bytes)]});
    let got = open.post(GUARD, &large.to_string()).await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (413, "payload_too_large"));
    let got = open.send((Method::POST, GUARD), &[], r#"{"direction":"input","texts":["x"]}"#).await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (401, "missing_api_key"));
    let got = open.get(GUARD).await;
    assert_eq!((got.status.as_u16(), &got.headers["allow"]), (405, &"POST, OPTIONS".parse().unwrap()));
    assert_eq!(open.post("/v1/guardrails/a/b/apply", "{}").await.status, 404);
    assert_eq!(open.post("/v1/guardrails//apply", "{}").await.status, 404);
    let mut client = client(&open).await;
    for message in [
        asked("guard", GuardrailDirection::Unspecified, &["x"]),
        asked("guard", GuardrailDirection::Input, &[]),
    ] {
        let status = client.apply_guardrail(with_key(message)).await.unwrap_err();
        assert_eq!(Refusal::of_status(&status).code.as_str(), "invalid_request");
    }
    let message = asked("guard", GuardrailDirection::Input, &["x"]);
    let status = client.apply_guardrail(tonic::Request::new(message)).await.unwrap_err();
    assert_eq!(Refusal::of_status(&status).code.as_str(), "missing_api_key");
}

#[tokio::test]
async fn very_many_findings_are_counted_and_the_first_of_them_placed() {
    let open = open(guarded).await;
    let text = "a@example.org ".repeat(3000);
    let got = ask(&open, GUARD, "input", &[&text, &text]).await.json();
    let finding = &got["findings"][0];
    assert_eq!((&finding["count"], finding["spans"].as_array().unwrap().len()), (&json!(6000), 1000));
    assert!(!got["texts"].to_string().contains('@'));
    let headers: HeaderMap = ask(&open, GUARD, "input", &["x"]).await.headers;
    assert!(headers.contains_key("x-chancery-revision") && !headers.contains_key("x-chancery-endpoint"));
}
