//! What a permit demands happens: masks both ways, blocks, and second thoughts.

use std::sync::Arc;

use policy_engine::content::{Detectors, Masker, What};
use policy_engine::decision::Actions;
use policy_engine::facts::{Check, Facts, Guardrail, Rule, Subject};
use policy_engine::request::Found;
use policy_engine::vocabulary::{Effect, Entity, Id, Layer, MaskAction, Mode, Operation};

use super::super::again::Again;
use super::super::decide::quoted;
use super::super::outline::Outline;
use super::super::patch::Patches;
use super::super::{Exchange, authenticate, entitle, inspect};
use crate::house::{House, KEY, asking, bearer, refused, whole, world};
use crate::pipeline;
use crate::record::{Door, Outcome};
use crate::tape::Tape;

fn check(entity: Entity, action: MaskAction) -> Check {
    Check { detect: vec![entity], words: vec![], action }
}

pub(crate) fn guardrail(facts: &mut Facts, input: Vec<Check>, output: Vec<Check>) {
    let guardrail = Guardrail { applies: Subject::default(), input, output, geos: vec![] };
    facts.guardrails.insert(world::id("guard"), Arc::new(guardrail));
}

#[tokio::test]
async fn what_is_masked_never_reaches_the_vendor() {
    let house = House::new(|facts| guardrail(facts, vec![check(Entity::Email, MaskAction::Mask)], vec![]));
    let answer =
        whole(house.chat(&asking("fast", "[[sim:repeat=from bob@example.com to [EMAIL_1]]]", "")).await);
    let said = answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert!(!said.contains("bob@example.com") && said.contains("[EMAIL_2"), "{said}");
    let [record] = house.records();
    assert_eq!(record.found_input, [("EMAIL", 1)]);
    house.close();
}

/// What the vendor is sent of a request whose cards, telephone numbers and addresses are masked.
fn sent(body: &str) -> String {
    let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
    let mut outline = Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Chat).unwrap();
    let (mut actions, mut masker, mut patches) = (Actions::default(), Masker::new(), Patches::default());
    Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
    for marked in inspect::mark(&detectors, body.as_bytes(), &mut outline) {
        for (at, text) in marked.masked(body.as_bytes(), &actions, &mut masker).unwrap() {
            patches.add(at, quoted(&text));
        }
    }
    String::from_utf8(patches.apply(&body.to_owned().into()).to_vec()).unwrap()
}

#[test]
fn numbers_and_what_is_cut_in_parts_is_masked() {
    let user = |content: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]"#);
    let text = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let parts = |parts: [String; 2]| format!("{}}}", user(&format!("[{}]", parts.join(","))));
    let hi = user("\"hi\"");
    for (body, expected) in [
        (format!(r#"{hi},"x":4111111111111111}}"#), format!(r#"{hi},"x":"[CREDIT_DEBIT_CARD_NUMBER_1]"}}"#)),
        (
            format!(r#"{hi},"x":[1,-4.111111111111111e15,4111111111111112]}}"#),
            format!(r#"{hi},"x":[1,"[CREDIT_DEBIT_CARD_NUMBER_1]",4111111111111112]}}"#),
        ),
        (
            format!(
                r#"{hi},"x":{{"contact_ts":1732262700,"callMs":1732262700000,"text":41555526,"call":41555526}}}}"#
            ),
            format!(
                r#"{hi},"x":{{"contact_ts":1732262700,"callMs":1732262700000,"text":41555526,"call":41555526}}}}"#
            ),
        ),
        (
            format!(r#"{hi},"x":{{"phone":4155552671,"id":4155552673}}}}"#),
            format!(r#"{hi},"x":{{"phone":"[PHONE_1]","id":4155552673}}}}"#),
        ),
        (
            format!(r#"{hi},"x":{{"\u0070hone":[4155552671, 4155552672]}}}}"#),
            format!(r#"{hi},"x":{{"\u0070hone":["[PHONE_1]", "[PHONE_2]"]}}}}"#),
        ),
        (format!(r#"{hi},"seed":4111111111111111}}"#), format!(r#"{hi},"seed":4111111111111111}}"#)),
        (
            parts([text("my card 4111 1111"), text(" 1111 1111, ok")]),
            parts([text("my card [CREDIT_DEBIT_CARD_NUMBER_1]"), text(", ok")]),
        ),
        (parts([text("bob@exam"), text("ple.com")]), parts([text("[EMAIL_1]"), text("")])),
        (parts([text("a@x.com"), text("b@x.com")]), parts([text("[EMAIL_1]"), text("[EMAIL_2]")])),
    ] {
        assert_eq!(sent(&body), expected);
    }
}

#[test]
fn what_base64_holds_is_masked_and_stays_base64() {
    let parts =
        |parts: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{parts}]}}]}}"#);
    let file = |data: &str| format!(r#"{{"type":"file","file":{{"file_data":"{data}"}}}}"#);
    let audio = |data: &str| format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}"}}}}"#);
    // `ada@example.org`, `a@b.de`, `[EMAIL_1]`, and a PNG's signature.
    for (data, expected) in [
        ("data:application/pdf;base64,YWRhQGV4YW1wbGUub3Jn", "data:application/pdf;base64,W0VNQUlMXzFd"),
        ("data:text/plain;base64,YUBiLmRl", "data:text/plain;base64,W0VNQUlMXzFd"),
        ("DATA:;x=y,z;Base64,YUBi*LmRl", "DATA:;x=y,z;Base64,W0VNQUlMXzFd"),
        (r"data:image\/png;base64,YUBiLmRl", "data:image/png;base64,W0VNQUlMXzFd"),
        ("data:a@b.de;base64,iVBORw0KGgo=", "data:[EMAIL_1];base64,iVBORw0KGgo="),
        ("data:image/png;base64,iVBORw0KGgo= a@b.de", "data:image/png;base64,iVBORw0KGgo= [EMAIL_1]"),
        ("data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgo="),
        ("YUBiLmRl", "W0VNQUlMXzFd"),
        ("4111111111111111", "[CREDIT_DEBIT_CARD_NUMBER_1]"),
        ("a@b.de", "[EMAIL_1]"),
    ] {
        assert_eq!(sent(&parts(&file(data))), parts(&file(expected)));
        assert_eq!(sent(&parts(&audio(data))), parts(&audio(expected)));
    }
}

#[tokio::test]
async fn what_is_embedded_is_blocked_or_told_of_as_unread() {
    let block = || vec![check(Entity::Email, MaskAction::Block)];
    let house = House::new(|facts| guardrail(facts, block(), vec![]));
    let image = |coded: &str| {
        let url = format!("data:image/png;base64,{coded}");
        let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
        format!(r#"{{"model":"fast","messages":[{{"role":"user","content":[{part},{part}]}}]}}"#)
    };
    assert_eq!(refused(house.chat(&image("YUBiLmRl")).await).0, "content_blocked");
    let reply = house.chat(&image("iVBORw0KGgo=")).await;
    assert_eq!(reply.head.notices, ["not inspected for what policy masks or blocks: image"]);
    whole(reply);
    let [blocked, unread] = house.records();
    assert_eq!((blocked.found_input, blocked.uninspected), (vec![("EMAIL", 2)], vec![]));
    assert_eq!((unread.found_input, unread.uninspected), (vec![], vec![("image", 2)]));
    house.close();
    // Where nobody asks what is in it nothing is inspected, and nothing said of it.
    let house = House::new(|_| ());
    assert!(house.chat(&image("iVBORw0KGgo=")).await.head.notices.is_empty());
    assert_eq!(house.records::<1>()[0].uninspected, []);
    house.close();
}

#[tokio::test]
async fn a_card_in_two_parts_or_a_number_is_blocked() {
    let block = || vec![check(Entity::CreditDebitCardNumber, MaskAction::Block)];
    let house = House::new(|facts| guardrail(facts, block(), vec![]));
    let parts = r#"[{"type":"text","text":"4111 1111"},{"type":"text","text":" 1111 1111"}]"#;
    let split = format!(r#"{{"model":"fast","messages":[{{"role":"user","content":{parts}}}]}}"#);
    for body in [split, asking("fast", "hi", r#","extra":{"n":[4111111111111111]}"#)] {
        assert_eq!(refused(house.chat(&body).await).0, "content_blocked", "{body}");
    }
    whole(house.chat(&asking("fast", "hi", r#","seed":4111111111111111"#)).await);
    house.close();
}

#[tokio::test]
async fn what_is_masked_never_reaches_the_caller() {
    let house = House::new(|facts| guardrail(facts, vec![], vec![check(Entity::Email, MaskAction::Mask)]));
    let text = "[[sim:say=ask bob@example.com or bob@example.com]]";
    let answer = whole(house.chat(&asking("fast", text, "")).await);
    assert_eq!(answer["choices"][0]["message"]["content"], "ask [EMAIL_1] or [EMAIL_1]");
    let [record] = house.records();
    assert_eq!(record.found_output, [("EMAIL", 2)]);
    house.close();
}

#[tokio::test]
async fn what_is_blocked_is_refused_either_way() {
    let house = House::new(|facts| {
        let block = || vec![check(Entity::Email, MaskAction::Block)];
        guardrail(facts, vec![], block());
    });
    let (code, status, message) =
        refused(house.chat(&asking("fast", "[[sim:say=ask bob@example.com]]", "")).await);
    assert_eq!((code, status), ("content_blocked", 403));
    assert!(!message.contains("bob"), "{message}");
    let [record] = house.records();
    assert_eq!(record.outcome, Outcome::Blocked);
    assert!(record.usage.amounts.output > 0, "the vendor worked, and is paid");
    house.close();
    let house = House::new(|facts| guardrail(facts, vec![check(Entity::Email, MaskAction::Block)], vec![]));
    assert_eq!(refused(house.chat(&asking("fast", "ask bob@example.com", "")).await).0, "content_blocked");
    let [record] = house.records();
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::Refused, 0));
    house.close();
}

#[tokio::test]
async fn detecting_changes_nothing_and_is_recorded() {
    let detect = || vec![check(Entity::Email, MaskAction::Detect)];
    let house = House::new(|facts| guardrail(facts, detect(), detect()));
    let answer = whole(house.chat(&asking("fast", "[[sim:say=ask bob@example.com]]", "")).await);
    assert_eq!(answer["choices"][0]["message"]["content"], "ask bob@example.com");
    let [record] = house.records();
    assert_eq!((record.found_input.len(), record.found_output.len()), (1, 1));
    house.close();
}

/// A question that a rule will forbid once an address is found.
async fn forbidding() -> (House, Again) {
    let house = House::new(|facts| {
        let rule = Rule {
            layer: Layer::Organisation,
            effect: Effect::Forbid,
            when: "\"EMAIL\" in data.classes".into(),
            obligations: vec![],
            reason_code: Some("no_addresses".into()),
            legal_ref: None,
            valid_from: None,
            valid_to: None,
            mode: Mode::Enforce,
            or_unknown: None,
            needs_permit: false,
            geos: vec![],
        };
        facts.rules.insert(world::id("rule"), Arc::new(rule));
        guardrail(facts, vec![], vec![check(Entity::Phone, MaskAction::Mask)]);
    });
    let runtime = house.node.runtime.load_full().unwrap();
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &asking("fast", "hi", ""));
    let mut exchange = Exchange::open(&house.node, &runtime, &received.arrival);
    let identified = authenticate::authenticate(&mut exchange, received).map_err(drop).unwrap();
    let entitled = entitle::entitle(&mut exchange, identified).map_err(drop).unwrap();
    let endpoint = Id::platform(world::name("sim-a"));
    let again =
        Again { question: entitled.question, found: Found::default(), runtime: runtime.clone(), endpoint };
    (house, again)
}

#[tokio::test]
async fn an_answer_that_would_have_been_forbidden_is_not_given() {
    let (house, mut again) = forbidding().await;
    let phone = What::Entity(Entity::Phone);
    assert!(again.ask([phone]).unwrap().is_some(), "new, and permitted");
    assert!(again.ask([phone]).unwrap().is_none(), "not new");
    let rejection = again.ask([What::Entity(Entity::Email)]).unwrap_err();
    assert_eq!((rejection.code().as_str(), rejection.outcome), ("rule_forbids", Outcome::Blocked));
    assert_eq!(rejection.refusal.reasons[0].code, "no_addresses");
    assert_eq!(refused(house.chat(&asking("fast", "ask bob@example.com", "")).await).0, "rule_forbids");
    whole(house.chat(&asking("fast", "[[sim:say=nothing]]", "")).await);
}

#[tokio::test]
async fn a_stream_is_held_back_for_what_would_have_been_forbidden() {
    let (_house, again) = forbidding().await;
    let mut actions = Actions::default();
    actions.tighten(Entity::Phone, MaskAction::Mask);
    let foreseen = again.foresee(&actions);
    assert_eq!(foreseen.on(Entity::Email), Some(MaskAction::Block));
    assert_eq!(foreseen.on(Entity::Phone), Some(MaskAction::Mask));
}

#[tokio::test]
async fn token_numbers_pass_only_where_nothing_must_be_looked_for() {
    for (action, code) in
        [(None, None), (Some(MaskAction::Detect), None), (Some(MaskAction::Mask), Some("unsupported"))]
    {
        let house = House::new(|facts| {
            if let Some(action) = action {
                guardrail(facts, vec![check(Entity::Email, action)], vec![]);
            }
        });
        let body = r#"{"model":"embed","input":[[1,2],[3]]}"#;
        let received = house.request((Door::OpenAi, Operation::Embed), &bearer(KEY), body);
        let reply = pipeline::serve(&house.node, received).await;
        let found = reply.body.err().map(|rejection| rejection.code().as_str());
        assert_eq!(found, code, "{action:?}");
        house.close();
    }
}

#[tokio::test]
async fn every_answer_tells_until_when_its_model_may_be_used() {
    let at = |text: &str| policy_engine::vocabulary::Instant::parse(text).ok();
    let house = House::new(|facts| {
        let mut model = facts.models[&world::platform("fast")].as_ref().clone();
        (model.card.deprecated_from, model.card.retired_from) = (at("2026-01-01"), at("2027-01-01"));
        facts.models.insert(world::platform("fast"), Arc::new(model));
    });
    let told = async |model: &str| {
        let reply = house.chat(&asking(model, "hi", "")).await;
        let ending = reply.head.ending.clone();
        whole(reply);
        ending
    };
    let ending = told("fast").await;
    assert_eq!(ending.deprecation.unwrap(), "@1767225600");
    assert_eq!(ending.sunset.unwrap(), "Fri, 01 Jan 2027 00:00:00 GMT");
    assert_eq!(told("pair").await, Default::default());
    assert_eq!(house.records::<2>().len(), 2);
    house.close();
}
