//! Both doors: the same decision, the same usage, the same record.

use policy_engine::facts::Bound;
use policy_engine::vocabulary::{Duration, Instant, Period};
use proto::status::Refusal;

use super::grpc::{chat, client, with_key};
use super::*;
use crate::house::{asking, limit, world};
use crate::record::{Outcome, Record};

/// What must not depend on the door.
pub(super) fn essence(record: Record) -> impl PartialEq + std::fmt::Debug {
    (
        (record.owner, record.model_asked, record.model, record.endpoint, record.operation, record.stream),
        (record.outcome, record.code, record.status, record.usage, record.cost),
        (record.ruling, record.found_input, record.uninspected, record.found_output, record.attempts.len()),
    )
}

#[tokio::test]
async fn case_61_the_door_makes_no_difference() {
    let mut counted = 0;
    for (model, text) in [
        ("fast", "hi"),
        ("fast-alias", "[[sim:say=hello there]]"),
        ("pair", "hi"),
        ("seen", "hi"),
        ("hidden", "hi"),
        ("embed", "hi"),
        ("down", "hi"),
        ("fast", "[[sim:error=500]]"),
        ("fast", "[[sim:error=401]]"),
        ("fast", "[[sim:error=429]]"),
        ("fast", "[[sim:usage=none]]hi"),
        ("fast", "[[sim:usage=1000000000]]hi"),
        ("fast", "[[sim:cut=2]]hi"),
    ] {
        for stream in [false, true] {
            let open = open(|facts| {
                limit(facts, "tpm", Bound::Tokens(100_000, Period::Sliding(Duration(60_000_000))))
            })
            .await;
            let more = if stream { r#","stream":true"# } else { "" };
            let rest = open.post("/v1/chat/completions", &asking(model, text, more)).await;
            let mut client = client(&open).await;
            let status = if stream {
                match client.chat_stream(with_key(chat(model, text))).await {
                    Ok(response) => {
                        let mut stream = response.into_inner();
                        loop {
                            match stream.message().await {
                                Ok(Some(_)) => {}
                                Ok(None) => break None,
                                Err(status) => break Some(status),
                            }
                        }
                    }
                    Err(status) => Some(status),
                }
            } else {
                client.chat(with_key(chat(model, text))).await.err()
            };
            let [one, two] = open.house.records();
            let refused = matches!(one.outcome, Outcome::Refused | Outcome::Failed);
            if refused {
                assert_eq!(
                    rest.code(),
                    Refusal::of_status(status.as_ref().unwrap()).code.as_str(),
                    "{model} {text}"
                );
            }
            assert_eq!(status.is_some(), one.outcome != Outcome::Answered, "{model} {text} {stream}");
            assert_eq!(essence(one), essence(two), "{model} {text} {stream}");
            counted += 1;
        }
    }
    assert_eq!(counted, 26);
}

#[tokio::test]
async fn a_model_without_an_endpoint_here_is_in_no_list_and_is_asked_for_in_vain() {
    let open = open(|facts| {
        let model = std::sync::Arc::make_mut(facts.models.get_mut(&world::platform("pair")).unwrap());
        model.route.groups.clear();
    })
    .await;
    let listed = open.get("/v1/models").await.json();
    let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["down", "embed", "fast", "seen"]);
    let mut client = client(&open).await;
    let request = with_key(proto::inference::ListModelsRequest::default());
    let typed = client.list_models(request).await.unwrap().into_inner();
    assert_eq!(typed.models.iter().map(|model| &model.name).collect::<Vec<_>>(), ids);
    let card = &open.get("/v1/models/pair").await.json()["chancery"];
    assert_eq!((&card["available"], &card["reasons"][0]), (&false.into(), &"no_endpoint".into()));
    let refused = open.post("/v1/chat/completions", &asking("pair", "hi", "")).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "no_endpoint"));
    let status = client.chat(with_key(chat("pair", "hi"))).await.unwrap_err();
    assert_eq!(Refusal::of_status(&status).code.as_str(), "no_endpoint");
}

#[tokio::test]
async fn a_model_is_shown_alike_and_whole() {
    let open = open(|facts| {
        let model = std::sync::Arc::make_mut(facts.models.get_mut(&world::platform("fast")).unwrap());
        let words = |text: &str| vec![text.to_owned()];
        let card = &mut model.card;
        (card.display_name, card.publisher, card.description) =
            ("Fast".into(), "Sim".into(), "It is.".into());
        (card.input, card.output) = (words("text"), words("text"));
        (card.capabilities, card.use_cases) = (words("tools"), words("assistant"));
        card.risk_class = Some("limited".into());
        (card.deprecated_from, card.retired_from) =
            (Some(Instant(1_800_000_000_000_000)), Some(Instant(1_900_000_000_000_000)));
        card.metrics = [("mmlu".to_owned(), "88.7".to_owned())].into();
    })
    .await;
    let request = with_key(proto::inference::GetModelRequest { name: "fast".into() });
    let typed = client(&open).await.get_model(request).await.unwrap().into_inner();
    let (card, availability) = (typed.card.unwrap(), typed.availability.unwrap());
    let expected = serde_json::json!({
        "aliases": typed.aliases,
        "display_name": card.display_name,
        "publisher": card.publisher,
        "description": card.description,
        "input": card.input,
        "output": card.output,
        "operations": card.operations,
        "capabilities": card.capabilities,
        "context_window": card.context_window,
        "max_output_tokens": card.max_output_tokens,
        "use_cases": card.use_cases,
        "risk_class": card.risk_class,
        "deprecated_from": card.deprecated_from,
        "retired_from": card.retired_from,
        "licence": (!card.licence.is_empty()).then_some(card.licence),
        "metrics": card.metrics,
        "available": availability.available,
        "processing_regions": availability.processing_regions,
        "reasons": availability.reasons,
    });
    assert_eq!(open.get("/v1/models/fast").await.json()["chancery"], expected);
    let told = expected.as_object().unwrap();
    let empty = told.iter().filter(|(_, value)| match value {
        serde_json::Value::Array(all) => all.is_empty(),
        serde_json::Value::String(text) => text.is_empty(),
        other => other.is_null(),
    });
    assert_eq!(empty.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["licence", "reasons"]);
    assert_eq!(expected["processing_regions"], serde_json::json!(["DE"]));
}
