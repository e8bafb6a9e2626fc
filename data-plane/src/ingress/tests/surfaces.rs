//! What is asked for beside conversations: the whole sentence, whichever the surface and the door.

use std::sync::Arc;

use policy_engine::facts::{Check, Facts, Guardrail, Subject};
use policy_engine::vocabulary::{Entity, MaskAction};
use proto::inference::{self as wire, ContentPart, content_part::Part};
use proto::status::Refusal;

use super::grpc::{chat, client, with_key};
use super::parity::essence;
use super::*;
use crate::house::world;
use crate::record::{Outcome, Provenance};

/// Every surface that is read as JSON and answered by an object, and where its text stands in the body.
const SURFACES: [(&str, &str); 3] = [
    ("/v1/completions", r#"{"model":"fast","prompt":"TEXT"}"#),
    ("/v1/moderations", r#"{"model":"fast","input":"TEXT"}"#),
    ("/v1/rerank", r#"{"model":"fast","query":"TEXT","documents":["one","two"],"return_documents":true}"#),
];

fn guarded(facts: &mut Facts, action: MaskAction) {
    world::serve_all(facts, "fast");
    let check = || vec![Check { detect: vec![Entity::Email], words: vec![], action }];
    let guardrail = Guardrail { applies: Subject::default(), input: check(), output: check(), geos: vec![] };
    facts.guardrails.insert(world::id("guard"), Arc::new(guardrail));
}

#[tokio::test]
async fn a_text_is_gone_on_with_whole_and_in_a_stream() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let ask = |more: &str| format!(r#"{{"model":"fast","prompt":["one","two"],"n":2{more}}}"#);
    let got = open.post("/v1/completions", &ask("")).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let whole = got.json();
    assert_eq!(whole["object"], "text_completion");
    let texts: Vec<_> =
        whole["choices"].as_array().unwrap().iter().map(|c| c["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 4);
    assert!(texts[0].ends_with("you said one") && texts[3].ends_with("choice 2: you said two"), "{texts:?}");
    let streamed = open.post("/v1/completions", &ask(r#","stream":true"#)).await;
    assert_eq!(streamed.headers["content-type"], "text/event-stream");
    let mut joined = vec![String::new(); 4];
    for event in streamed.body.split("\n\n").filter_map(|event| event.strip_prefix("data: {")) {
        let chunk: serde_json::Value = serde_json::from_str(&format!("{{{event}")).unwrap();
        assert!(chunk["usage"].is_null(), "usage that nobody asked for");
        for choice in chunk["choices"].as_array().unwrap() {
            let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
            joined[index].push_str(choice["text"].as_str().unwrap());
        }
    }
    assert_eq!(joined, texts);
    assert!(streamed.body.ends_with("data: [DONE]\n\n"));
    let [one, two] = open.house.records();
    assert_eq!(one.usage, two.usage);
    assert_eq!((one.usage.provenance, one.operation.as_str()), (Provenance::Vendor, "complete"));
    assert!(one.cost.is_some() && one.usage.amounts.input == 2 && two.stream);
}

#[tokio::test]
async fn what_is_repeated_of_the_question_is_not_paid_for_as_an_answer() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let long = "word ".repeat(2000);
    let ask =
        |more: &str| format!(r#"{{"model":"fast","prompt":"[[sim:say=done]]{long}","echo":true{more}}}"#);
    let got = open.post("/v1/completions", &ask("")).await.json();
    assert!(got["choices"][0]["text"].as_str().unwrap().ends_with("done"));
    open.post("/v1/completions", &ask(r#","stream":true"#)).await;
    let records: [_; 2] = open.house.records();
    for record in records {
        assert_eq!((record.usage.provenance, record.usage.amounts.output), (Provenance::Vendor, 1));
    }
}

#[tokio::test]
async fn what_is_found_is_masked_on_every_surface() {
    for (path, body) in SURFACES {
        let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
        let got = open.post(path, &body.replace("TEXT", "ask bob@example.org")).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        assert!(!got.body.contains("bob@example.org"), "{path}: {}", got.body);
        let [record] = open.house.records();
        assert_eq!(record.found_input, [("EMAIL", 1)], "{path}");
        assert!(!record.ruling.input.is_empty(), "{path}");
    }
    let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
    let documents = r#"{"model":"fast","query":"who?","documents":["ask bob@example.org","nobody"],"return_documents":true}"#;
    let got = open.post("/v1/rerank", documents).await;
    assert!(got.body.contains("ask [EMAIL_1]") && !got.body.contains("bob@"), "{}", got.body);
    let said = r#"{"model":"fast","prompt":"[[sim:say=ask bob@example.org now]]","stream":true}"#;
    let got = open.post("/v1/completions", said).await;
    assert!(!got.body.contains("bob@") && got.body.contains("EMAIL_1]"), "{}", got.body);
}

#[tokio::test]
async fn what_is_blocked_is_refused_on_every_surface_and_nothing_is_charged() {
    for (path, body) in SURFACES {
        let open = open(|facts| guarded(facts, MaskAction::Block)).await;
        let got = open.post(path, &body.replace("TEXT", "ask bob@example.org")).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (403, "content_blocked"), "{path}");
        let [record] = open.house.records();
        assert!(record.attempts.is_empty() && record.cost.is_none(), "{path}");
    }
}

#[tokio::test]
async fn a_stream_of_text_that_is_blocked_ends_in_its_own_form() {
    let open = open(|facts| {
        guarded(facts, MaskAction::Block);
        Arc::make_mut(facts.guardrails.get_mut(&world::id("guard")).unwrap()).input.clear();
    })
    .await;
    // The address stands in what the vendor is asked to say, so it is no finding of the question's that is acted on.
    let body = r#"{"model":"fast","prompt":"[[sim:say=ask bob@example.org now]]","stream":true}"#;
    let got = open.post("/v1/completions", body).await;
    assert!(got.body.contains(r#""text":"","finish_reason":"content_filter""#), "{}", got.body);
    assert!(!got.body.contains("delta") && got.body.contains("content_blocked"), "{}", got.body);
    let [record] = open.house.records();
    assert_eq!(record.outcome, Outcome::Blocked);
}

#[tokio::test]
async fn a_model_that_does_not_do_it_is_refused_and_so_is_who_may_not() {
    let open = open(|_| ()).await;
    for (path, body) in SURFACES {
        for (model, code) in
            [("fast", "operation_unsupported"), ("hidden", "model_not_found"), ("seen", "model_not_allowed")]
        {
            let got = open.post(path, &body.replace("fast", model)).await;
            assert!(got.status.is_client_error(), "{path} {model}");
            assert!(
                [code, "not_entitled", "operation_unsupported"].contains(&got.code().as_str()),
                "{path}: {}",
                got.body
            );
        }
        let headers = [("content-type", "application/json")];
        let got = open.send((Method::POST, path), &headers, body).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (401, "missing_api_key"), "{path}");
        assert_eq!(open.get(path).await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn a_vendor_that_fails_is_told_in_the_same_way_on_every_surface() {
    for (path, body) in SURFACES {
        // What may pass is asked again of the only one there is.
        for (text, attempts) in [("[[sim:error=503]]", 2), ("[[sim:cut=1]]", 2), ("[[sim:what=1]]", 1)] {
            let open = open(|facts| world::serve_all(facts, "fast")).await;
            let got = open.post(path, &body.replace("TEXT", text)).await;
            let [record] = open.house.records();
            assert_eq!(record.attempts.len(), attempts, "{path} {text}");
            let shown = format!("{path} {text} {} {:?} {}", got.status, record.outcome, got.body);
            assert!(!got.status.is_success() && record.outcome != Outcome::Answered, "{shown}");
            let code = if attempts == 1 { "upstream_rejected" } else { "upstream_error" };
            assert_eq!(got.code(), code, "{shown}");
        }
    }
}

#[tokio::test]
async fn content_is_judged_text_by_text_or_as_one() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let got =
        open.post("/v1/moderations", r#"{"model":"fast","input":["kill them","a nice day"]}"#).await.json();
    let results = got["results"].as_array().unwrap();
    assert_eq!(results.iter().map(|r| r["flagged"].as_bool().unwrap()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(
        (&results[0]["categories"]["violence"], &results[1]["categories"]["violence"]),
        (&true.into(), &false.into())
    );
    let parts = r#"{"model":"fast","input":[{"type":"text","text":"kill"},{"type":"image_url","image_url":{"url":"https://x.org/a"}}]}"#;
    let got = open.post("/v1/moderations", parts).await.json();
    assert_eq!((got["results"].as_array().unwrap().len(), &got["results"][0]["flagged"]), (1, &true.into()));
    let records: [_; 2] = open.house.records();
    assert!(records.iter().all(|record| record.usage.amounts.output == 0 && record.usage.amounts.input > 0));
}

#[tokio::test]
async fn documents_come_in_the_order_of_how_well_they_answer() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let body = r#"{"model":"fast","query":"capital of France","documents":["fish swim",{"text":"Paris is the capital of France"},"France"],"top_n":2}"#;
    let got = open.post("/v1/rerank", body).await.json();
    let order: Vec<_> =
        got["results"].as_array().unwrap().iter().map(|r| r["index"].as_u64().unwrap()).collect();
    assert_eq!(order, [1, 2]);
    assert!(got["results"][0].get("document").is_none(), "nobody asked for it");
    let [record] = open.house.records();
    assert_eq!(record.usage.provenance, Provenance::Vendor);
    assert_eq!(Some(record.usage.amounts.input), got["usage"]["total_tokens"].as_u64());
}

fn moderate(model: &str, text: &str) -> wire::ModerateRequest {
    wire::ModerateRequest { model: model.into(), inputs: vec![text.into()], ..Default::default() }
}

fn rerank(model: &str, query: &str) -> wire::RerankRequest {
    let documents = vec!["one".into(), "two".into()];
    let return_documents = Some(true);
    wire::RerankRequest {
        model: model.into(),
        query: query.into(),
        documents,
        return_documents,
        ..Default::default()
    }
}

#[tokio::test]
async fn case_61_the_door_makes_no_difference_to_what_is_judged_or_ordered() {
    for (model, text) in [
        ("fast", "one kill"),
        ("fast", "[[sim:error=500]]"),
        ("fast", "[[sim:error=429]]"),
        ("fast", "[[sim:cut=1]]"),
        ("fast", "ask bob@example.org"),
        ("embed", "one"),
        ("hidden", "one"),
        ("fast", ""),
    ] {
        for surface in [1, 2] {
            let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
            let (path, body) = SURFACES[surface];
            let body = body.replace("TEXT", text).replace("fast", model);
            let rest = open.post(path, &body).await;
            let mut client = client(&open).await;
            let status = match surface {
                1 => client.moderate(with_key(moderate(model, text))).await.err(),
                _ => client.rerank(with_key(rerank(model, text))).await.err(),
            };
            let [one, two] = open.house.records();
            assert_eq!(status.is_none(), rest.status.is_success(), "{path} {model} {text}: {status:?}");
            if let Some(status) = status {
                assert_eq!(rest.code(), Refusal::of_status(&status).code.as_str(), "{path} {model} {text}");
            }
            assert_eq!(essence(one), essence(two), "{path} {model} {text}");
        }
    }
}

#[tokio::test]
async fn a_judgement_and_an_order_are_typed() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let mut client = client(&open).await;
    let judged = client.moderate(with_key(moderate("fast-alias", "kill"))).await.unwrap().into_inner();
    assert_eq!((judged.model.as_str(), judged.results.len()), ("fast-alias", 1));
    let violence = judged.results[0].categories.iter().find(|category| category.name == "violence").unwrap();
    assert!(judged.results[0].flagged && violence.flagged && violence.score > 0.5);
    assert_eq!(violence.input_types, ["text"]);
    let part = |part| ContentPart { part: Some(part) };
    let picture = wire::Image { source: Some(wire::image::Source::Data(vec![1])), ..Default::default() };
    let parts = vec![part(Part::Text("kill".into())), part(Part::Image(picture))];
    let parts = wire::ModerateRequest { model: "fast".into(), parts, ..Default::default() };
    assert_eq!(client.moderate(with_key(parts.clone())).await.unwrap().into_inner().results.len(), 1);
    for wrong in [
        wire::ModerateRequest { inputs: vec!["x".into()], ..parts.clone() },
        wire::ModerateRequest { parts: vec![part(Part::Refusal("no".into()))], ..parts.clone() },
        wire::ModerateRequest { parts: vec![ContentPart::default()], ..parts },
    ] {
        let status = client.moderate(with_key(wrong)).await.unwrap_err();
        assert_eq!(Refusal::of_status(&status).code.as_str(), "invalid_request");
    }
    let ordered = client.rerank(with_key(rerank("fast", "two"))).await.unwrap().into_inner();
    let first = &ordered.results[0];
    assert_eq!((first.index, first.document.as_deref()), (1, Some("two")));
    assert!(first.relevance_score > 0.9 && ordered.usage.unwrap().input_tokens > 0 && !ordered.id.is_empty());
}

#[tokio::test]
async fn tokens_are_counted_without_a_vendor_or_a_record() {
    let open = open(|_| ()).await;
    let mut client = client(&open).await;
    let asked = |model: &str| {
        let wire::ChatRequest { model, messages, .. } = chat(model, &"word ".repeat(100));
        wire::CountTokensRequest { model, messages, ..Default::default() }
    };
    let counted = client.count_tokens(with_key(asked("fast"))).await.unwrap().into_inner();
    assert!((100..200).contains(&counted.input_tokens), "{counted:?}");
    assert_eq!(client.count_tokens(with_key(asked("seen"))).await.unwrap().into_inner(), counted);
    for (request, code) in [
        (with_key(asked("hidden")), "model_not_found"),
        (with_key(wire::CountTokensRequest { messages: vec![], ..asked("fast") }), "invalid_request"),
        (tonic::Request::new(asked("fast")), "missing_api_key"),
    ] {
        let status = client.count_tokens(request).await.unwrap_err();
        assert_eq!(Refusal::of_status(&status).code.as_str(), code);
    }
    let [] = open.house.records();
}

#[tokio::test]
async fn a_response_says_which_fields_no_vendor_was_told() {
    let open = open(|_| ()).await;
    let told = |got: &Got| -> Vec<String> {
        let told = got.headers.get_all("x-chancery-left-out").iter();
        told.map(|field| field.to_str().unwrap().to_owned()).collect()
    };
    for form in ["", r#","stream":true"#] {
        let ask = |more: &str| format!(r#"{{"model":"fast","input":"hi"{form}{more}}}"#);
        let more = r#","include":["reasoning.encrypted_content"],"truncation":"auto","store":true"#;
        let got = open.post("/v1/responses", &ask(more)).await;
        assert_eq!(got.status, 200, "{}", got.body);
        assert_eq!(told(&got), ["include", "store", "truncation"]);
        let plain = open.post("/v1/responses", &ask(r#","store":false,"truncation":"disabled""#)).await;
        assert_eq!((plain.status, told(&plain)), (http::StatusCode::OK, vec![]), "{}", plain.body);
    }
    let refused = open.post("/v1/responses", r#"{"model":"nobody","input":"hi","store":true}"#).await;
    assert!(refused.status.is_client_error() && told(&refused).is_empty(), "nobody was asked");
}
