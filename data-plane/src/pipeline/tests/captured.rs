//! What a rule asks to be kept is what left and what came, and nothing is kept that no rule asks for.

use std::sync::Arc;

use futures_util::StreamExt as _;
use policy_engine::facts::{Facts, Obligation, Rule};
use policy_engine::vocabulary::{Effect, Entity, Layer, Mode, Operation};

use crate::house::{House, KEY, asking, bearer, refused, whole, world};
use crate::pipeline::{self, Body};
use crate::record::{Door, Outcome, Record};

const DOORS: [Door; 2] = [Door::OpenAi, Door::Grpc];
const STREAM: &str = r#","stream":true"#;

/// A rule that keeps what the demo tenant asks and is answered, and masks addresses.
fn keeping(facts: &mut Facts) {
    let obligations =
        vec![Obligation::Capture("30d".parse().unwrap()), Obligation::Mask(vec![Entity::Email])];
    let rule = Rule {
        layer: Layer::Organisation,
        effect: Effect::Require,
        when: "purpose != 'private'".to_owned(),
        obligations,
        reason_code: None,
        legal_ref: None,
        valid_from: None,
        valid_to: None,
        mode: Mode::Enforce,
        or_unknown: Some(true),
        needs_permit: false,
        geos: vec![],
    };
    facts.rules.insert(world::id("keep"), Arc::new(rule));
}

fn kept(record: &Record) -> (String, String) {
    record.content.as_ref().unwrap().parts().unwrap()
}

/// Everything that leaves of a stream, as far as `most` frames go.
async fn streamed(house: &House, door: Door, text: &str, most: usize) -> String {
    let received = house.request((door, Operation::Chat), &bearer(KEY), &asking("fast", text, STREAM));
    let Ok(Body::Stream(stream)) = pipeline::serve(&house.node, received).await.body else {
        panic!("no stream")
    };
    let frames: Vec<_> = stream.take(most).collect().await;
    frames.into_iter().map(|frame| String::from_utf8(frame.unwrap().to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn without_a_rule_nothing_is_kept() {
    let house = House::new(|_| ());
    whole(house.chat(&asking("fast", "hi", "")).await);
    let house_of_others = House::new(|facts| {
        keeping(facts);
        let rule = facts.rules.values_mut().next().unwrap();
        Arc::make_mut(rule).mode = Mode::Shadow;
    });
    whole(house_of_others.chat(&asking("fast", "hi", "")).await);
    for house in [house, house_of_others] {
        let [record] = house.records();
        assert!(record.content.is_none() && record.ruling.capture.is_none());
        house.close();
    }
}

#[tokio::test]
async fn what_left_after_masking_and_what_came_is_kept_whole() {
    for door in DOORS {
        let house = House::new(keeping);
        let text = "[[sim:repeat=from bob@example.org to eve]]";
        let received = house.request((door, Operation::Chat), &bearer(KEY), &asking("fast", text, ""));
        let Ok(Body::Whole(answer)) = pipeline::serve(&house.node, received).await.body else {
            panic!("no answer")
        };
        let [record] = house.records();
        let (prompt, told) = kept(&record);
        assert_eq!(told.as_bytes(), &answer[..]);
        assert!(prompt.contains("from [EMAIL_1] to eve") && !prompt.contains("bob@"), "{prompt}");
        assert!(prompt.contains(r#""model":"sim-a-upstream""#), "as the endpoint was told it: {prompt}");
        assert!(told.contains("[EMAIL_1]") && !told.contains("bob@"), "{told}");
        house.close();
    }
}

#[tokio::test]
async fn of_a_stream_what_left_is_kept_and_no_more() {
    for door in DOORS {
        for must_audit in [false, true] {
            let house = House::new(|facts| {
                keeping(facts);
                Arc::make_mut(facts.tenants.values_mut().next().unwrap()).must_audit = must_audit;
            });
            let told = streamed(&house, door, "[[sim:say=one two three]][[sim:chunk=4]]", usize::MAX).await;
            assert!(told.ends_with("data: [DONE]\n\n"), "{told}");
            // The caller goes away after the first of it.
            let begun = streamed(&house, door, "[[sim:say=one two three]][[sim:chunk=4]]", 1).await;
            let [whole, part] = house.records();
            assert_eq!((kept(&whole).1, kept(&part).1), (told, begun));
            assert_eq!(part.outcome, Outcome::Cancelled);
            house.close();
        }
    }
}

#[tokio::test]
async fn what_did_not_leave_is_not_kept() {
    let house = House::new(keeping);
    assert_eq!(refused(house.chat(&asking("seen", "hi", "")).await).0, "not_entitled");
    refused(house.chat(&asking("down", "hi", "")).await);
    let [refused, failed] = house.records();
    assert!(refused.content.is_none());
    assert_eq!(kept(&failed).1, "", "nobody answered");
    house.close();
}

#[tokio::test]
async fn without_a_key_it_is_lost_and_told_and_who_demands_records_is_refused() {
    for must_audit in [false, true] {
        let mut house = House::new(|_| ());
        house.content_key = None;
        let mut facts = world::facts();
        keeping(&mut facts);
        Arc::make_mut(facts.tenants.values_mut().next().unwrap()).must_audit = must_audit;
        house.enforce(8, &facts);
        let reply = house.chat(&asking("fast", "hi", "")).await;
        match must_audit {
            true => assert_eq!(refused(reply).0, "audit_unavailable"),
            false => drop(whole(reply)),
        }
        let [record] = house.records();
        let lost = record.content.as_ref().map(|content| content.parts().unwrap_err().as_str());
        assert_eq!(lost, (!must_audit).then_some("no_key"));
        house.close();
    }
}
