//! The stream law for events of the Responses API, whose shapes are those of OpenAI's reference, "Streaming events".

use policy_engine::facts::Rule;
use policy_engine::vocabulary::{Effect, Layer, Mode};
use serde_json::{Value, json};

use super::super::super::repeated::Repeated;
use super::*;
use crate::pipeline::received::Form;

/// What is asked, as the caller wrote it.
const ASKED: &str = r#"{"model":"fast","stream":true,"instructions":"for ann@example.com","input":"hi","tools":[{"type":"mcp","server_label":"s","authorization":"tok"}]}"#;

/// A stream that has begun and to which nothing was fed yet.
async fn opened(house: &House) -> ScreenedStream {
    let asked = ASKED.replace(r#","tools":[{"type":"mcp","server_label":"s","authorization":"tok"}]"#, "");
    let mut received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &asked);
    received.arrival.form = Form::Responses;
    let runtime = house.node.runtime.load_full().unwrap();
    let mut exchange = Exchange::open(&house.node, &runtime, &received.arrival);
    let identified = authenticate::authenticate(&mut exchange, received).map_err(drop).unwrap();
    let entitled = entitle::entitle(&mut exchange, identified).map_err(drop).unwrap();
    let inspected = inspect::inspect(&mut exchange, entitled).await.map_err(drop).unwrap();
    let permitted = decide::decide(&mut exchange, inspected).map_err(drop).unwrap();
    let reserved = reserve::reserve(&mut exchange, permitted).await.map_err(drop).unwrap();
    let answering = dispatch::dispatch(&mut exchange, reserved).await.map_err(drop).unwrap();
    let Answering { permitted, begun, endpoint, repeated, .. } = answering;
    assert!(repeated.is_none(), "the simulated vendor is asked for a chat");
    let Begun::Events { events, .. } = begun else { panic!("a whole answer") };
    let mut tape = Tape::default();
    let outline = crate::pipeline::outline::Outline::of_responses(&mut tape, ASKED.as_bytes()).unwrap();
    let repeated = Repeated::of(ASKED.as_bytes(), outline.stated.as_ref().unwrap());
    let of = (endpoint, Some(Box::new(repeated)));
    ScreenedStream::begin(&mut exchange, permitted, (Bytes::new(), events, None), of)
}

/// Events in their order, each numbered by its place.
fn wire(events: &[Value]) -> String {
    let framed = events.iter().enumerate().map(|(number, event)| {
        let mut event = event.clone();
        event["sequence_number"] = number.into();
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    });
    framed.collect()
}

fn response(kind: &str, output: Value, usage: Value) -> Value {
    json!({"type": format!("response.{kind}"), "response": {
        "id": "resp_1", "object": "response", "created_at": 1741476542, "status": "in_progress", "error": null,
        "instructions": "for [EMAIL_1]", "model": "gpt-5-2026", "output": output, "store": false,
        "tools": [{"type": "mcp", "server_label": "s"}], "usage": usage,
    }})
}

fn usage() -> Value {
    json!({"input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 12})
}

/// An answer with thoughts, a text and a call, each in these pieces.
fn answer([thought, text, call]: [&[String]; 3]) -> Vec<Value> {
    let mut events =
        vec![response("created", json!([]), Value::Null), response("in_progress", json!([]), Value::Null)];
    let reasoning = json!({"id": "rs_1", "type": "reasoning", "summary": []});
    events.push(json!({"type": "response.output_item.added", "output_index": 0, "item": reasoning}));
    events.push(json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}));
    for piece in thought {
        events.push(json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": piece}));
    }
    let thought = thought.concat();
    let summary = json!({"type": "summary_text", "text": thought});
    events.push(json!({"type": "response.reasoning_summary_text.done", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "text": thought}));
    events.push(json!({"type": "response.reasoning_summary_part.done", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "part": summary}));
    let reasoning = json!({"id": "rs_1", "type": "reasoning", "summary": [summary], "encrypted_content": "gAAAAABpgICAgP__4111111111111111_-w=="});
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": reasoning}));
    events.push(json!({"type": "response.output_item.added", "output_index": 1, "item": {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}}));
    events.push(json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 1, "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}}));
    for piece in text {
        events.push(json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": piece,
            "logprobs": [{"token": piece, "logprob": -0.1}], "obfuscation": "aXb"}));
    }
    let text = text.concat();
    let part = json!({"type": "output_text", "text": text, "annotations": [], "logprobs": [{"token": text, "logprob": -0.1}]});
    let message = json!({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]});
    events.push(json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 1, "content_index": 0, "text": text, "logprobs": []}));
    events.push(json!({"type": "response.content_part.done", "item_id": "msg_1", "output_index": 1, "content_index": 0, "part": part}));
    events.push(json!({"type": "response.output_item.done", "output_index": 1, "item": message}));
    let called = |arguments: &str, status: &str| json!({"id": "fc_1", "type": "function_call", "status": status, "call_id": "c1", "name": "f", "arguments": arguments});
    events.push(
        json!({"type": "response.output_item.added", "output_index": 2, "item": called("", "in_progress")}),
    );
    for piece in call {
        events.push(json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": piece}));
    }
    let call = call.concat();
    events.push(json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 2, "arguments": call}));
    events.push(
        json!({"type": "response.output_item.done", "output_index": 2, "item": called(&call, "completed")}),
    );
    events.push(
        json!({"type": "response.something_new.progress", "output_index": 2, "note": {"of": "nobody"}}),
    );
    events.push(response("completed", json!([reasoning, message, called(&call, "completed")]), usage()));
    events
}

/// What left, read again.
fn events(left: &str) -> Vec<Value> {
    let read = |event: &str| {
        let (name, data) = event.split_once("\ndata: ").unwrap_or_else(|| panic!("{event}"));
        let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    };
    left.split("\n\n").filter(|event| !event.is_empty()).map(read).collect()
}

/// The pieces of a text, joined as a client does.
fn joined(events: &[Value], kind: &str) -> String {
    let of = events.iter().filter(|event| event["type"] == format!("{kind}.delta"));
    of.map(|event| event["delta"].as_str().unwrap()).collect()
}

/// The one event of a kind.
fn one<'e>(events: &'e [Value], kind: &str) -> &'e Value {
    let mut of = events.iter().filter(|event| event["type"] == kind);
    let (one, others) = (of.next().unwrap_or_else(|| panic!("no {kind}")), of.next());
    assert!(others.is_none(), "several of {kind}");
    one
}

const TEXT: &str = "response.output_text";
const THOUGHT: &str = "response.reasoning_summary_text";
const CALL: &str = "response.function_call_arguments";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_chunking_gives_the_same_events_and_texts_are_masked_as_wholes(
        texts in proptest::array::uniform3(said()),
        deltas in proptest::collection::vec(0_usize..9, 0..12),
        bytes in proptest::collection::vec(1_usize..400, 0..40),
        fast in any::<bool>(),
        extra in prop_oneof![Just(""), Just(": comment\n\n"), Just("\r\n")],
    ) {
        let house = House::new(|facts| if !fast { masking(facts, MaskAction::Mask) });
        let pieces: Vec<Vec<String>> = texts.iter().map(|text| cut_text(text, &deltas)).collect();
        let wire = wire(&answer([&pieces[0], &pieces[1], &pieces[2]]));
        let wire = wire.replace("event: response.output_text.delta", &format!("{extra}event: response.output_text.delta"));
        let runtime = runtime();
        let whole = runtime.block_on(async { fed(opened(&house).await, [wire.as_bytes()]) });
        let (mut rest, mut cut) = (wire.as_bytes(), vec![]);
        for length in &bytes {
            let (piece, tail) = rest.split_at((*length).min(rest.len()));
            cut.push(piece);
            rest = tail;
        }
        cut.push(rest);
        let pieced = runtime.block_on(async { fed(opened(&house).await, cut) });
        prop_assert_eq!(&whole, &pieced);
        prop_assert_eq!(whole.1, None);
        let told = events(&whole.0);
        for (number, event) in told.iter().enumerate() {
            prop_assert_eq!(&event["sequence_number"], &json!(number));
        }
        let places = [(THOUGHT, "text"), (TEXT, "text"), (CALL, "arguments")];
        for ((kind, name), text) in places.into_iter().zip(&texts) {
            let pieces = joined(&told, kind);
            let whole = one(&told, &format!("{kind}.done"));
            if fast {
                prop_assert_eq!(&pieces, text);
            } else {
                prop_assert_eq!(unnumbered(&pieces), unnumbered(&masked(&house, text)));
                prop_assert!(!whole.to_string().contains("example.com"), "{}", whole);
            }
            // What is told again as a whole is what was told in pieces.
            prop_assert_eq!(&whole[name], &json!(pieces));
        }
        let ended = &told.last().unwrap()["response"];
        prop_assert_eq!(&ended["output"][0]["summary"][0]["text"], &json!(joined(&told, THOUGHT)));
        prop_assert_eq!(&ended["output"][1]["content"][0]["text"], &json!(joined(&told, TEXT)));
        prop_assert_eq!(&ended["output"][2]["arguments"], &json!(joined(&told, CALL)));
    }
}

fn pieces(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_needs_no_change_leaves_as_it_came() {
    let events: Vec<Value> = answer([&pieces(&["hm"]), &pieces(&["hel", "lo"]), &pieces(&["{}"])]);
    let without: Vec<Value> = events.into_iter().filter(|event| event.get("response").is_none()).collect();
    let wire = wire(&without);
    let house = House::new(|_| ());
    let (left, end) = runtime().block_on(async { fed(opened(&house).await, [wire.as_bytes()]) });
    assert_eq!(left, wire);
    assert_eq!(end, Some("upstream_error"), "it never said that the response was over");
}

#[test]
fn a_text_that_is_held_leaves_before_it_is_said_to_be_whole() {
    let house = House::new(|facts| masking(facts, MaskAction::Mask));
    let text = pieces(&["ask bo", "b@exam", "ple.com", " or x@y"]);
    let wire = wire(&answer([
        &pieces(&["of ann@exam", "ple.com"]),
        &text,
        &pieces(&["{\"to\":\"bob@exam", "ple.com\"}"]),
    ]));
    let (left, end) = runtime().block_on(async { fed(opened(&house).await, [wire.as_bytes()]) });
    assert_eq!(end, None);
    let told = events(&left);
    for (number, event) in told.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    assert_eq!(joined(&told, TEXT), "ask [EMAIL_2] or x@y");
    assert_eq!(joined(&told, CALL), "{\"to\":\"[EMAIL_2]\"}");
    let at = |kind: &str| told.iter().rposition(|event| event["type"] == kind).unwrap();
    assert!(at("response.output_text.delta") < at("response.output_text.done"));
    let rest = told.iter().rfind(|event| event["type"] == "response.output_text.delta").unwrap();
    assert_eq!(
        (&rest["item_id"], &rest["content_index"], &rest["logprobs"]),
        (&json!("msg_1"), &json!(0), &json!([]))
    );
    assert!(!left.contains("bob") && !left.contains("\"token\""), "what spells a text goes: {left}");
    // What the vendor sealed is nobody's text, and what it makes of our words is told as the caller's own.
    let ended = &told.last().unwrap()["response"];
    assert_eq!(ended["output"][0]["encrypted_content"], "gAAAAABpgICAgP__4111111111111111_-w==");
    assert_eq!((&ended["instructions"], &ended["model"]), (&json!("for ann@example.com"), &json!("fast")));
    assert_eq!(ended["tools"], json!([{"type": "mcp", "server_label": "s", "authorization": null}]));
    assert_eq!((&ended["created_at"], &ended["usage"]), (&json!(1741476542), &usage()));
    let record = house.seen_last();
    assert_eq!(record.found_output, [("EMAIL", 3)], "what is told again is not counted again");
    let used = record.usage.amounts;
    assert_eq!((used.input, used.cached_input, used.output, used.reasoning), (3, 1, 9, 4));
}

#[test]
fn a_block_ends_the_stream_and_nothing_of_it_leaves() {
    let house = House::new(|facts| masking(facts, MaskAction::Block));
    let wire = wire(&answer([&[], &pieces(&["ask bo", "b@example.com now"]), &[]]));
    let (left, end) = runtime().block_on(async { fed(opened(&house).await, [wire.as_bytes()]) });
    assert_eq!(end, Some("content_blocked"));
    let told = events(&left);
    assert!(!left.contains("bob") && !left.contains("completed\""), "{left}");
    assert_eq!(joined(&told, TEXT), "ask ");
}

#[test]
fn the_policy_is_asked_again_about_texts_that_come_whole() {
    let house = House::new(|facts| {
        masking(facts, MaskAction::Detect);
        let rule = Rule {
            layer: Layer::Organisation,
            effect: Effect::Forbid,
            when: "'INTERNATIONAL_BANK_ACCOUNT_NUMBER' in data.classes && 'CREDIT_DEBIT_CARD_NUMBER' in data.classes".into(),
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
        facts.rules.insert(world::id("rule"), Arc::new(rule));
    });
    let cited = |title: &str| json!({"type": "response.output_text.annotation.added", "annotation": {"type": "url_citation", "title": title}});
    let [account, card] = [cited("to DE89370400440532013000"), cited("by card 4111 1111 1111 1111")];
    let wire = wire(&[account, card, response("completed", json!([]), usage())]);
    let (left, end) = runtime().block_on(async { fed(opened(&house).await, [wire.as_bytes()]) });
    assert_eq!(end, Some("rule_forbids"), "each alone would be permitted");
    assert!(left.contains("DE89") && !left.contains("4111"), "{left}");
}

#[test]
fn what_never_left_has_no_number() {
    let house = House::new(|_| ());
    let wire = wire(&[response("created", json!([]), Value::Null)]);
    runtime().block_on(async {
        let mut stream = opened(&house).await;
        stream.take_piece(Bytes::from(wire.into_bytes()));
        assert_eq!(stream.standing().unwrap().0, 1);
        stream.drop_frame();
        assert_eq!(stream.standing().unwrap().0, 0);
        fed(stream, [] as [&[u8]; 0]);
    });
}

#[test]
fn no_string_of_an_event_is_left_out() {
    for event in [
        json!({"type": "response.output_text.annotation.added", "annotation": {"type": "url_citation", "url": "https://x/?bob@example.com"}}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "web_search_call", "action": {"query": "bob@example.com"}}}),
        json!({"type": "response.something_new", "bob@example.com": 1}),
        json!({"type": "response.something_new", "card": 4111111111111111_u64}),
        json!({"type": "response.output_item.done", "item": {"type": "reasoning", "encrypted_content": "bob@example.com"}}),
        json!({"type": "response.in_progress", "response": {"id": "bob@example.com", "user": "bob@example.com"}}),
        json!({"type": "response.something_new.delta", "delta": {"text": "bob@example.com"}}),
        json!({"type": "response.something_new.delta", "delta": "bob@example.com "}),
    ] {
        let house = House::new(|facts| masking(facts, MaskAction::Mask));
        let wire = wire(&[event, response("completed", json!([]), usage())]);
        let (left, end) = runtime().block_on(async { fed(opened(&house).await, [wire.as_bytes()]) });
        assert_eq!(end, None);
        assert!(!left.contains("bob") && !left.contains("4111"), "{left}");
        assert!(left.contains("[EMAIL_1]") || left.contains("[CREDIT_DEBIT_CARD_NUMBER_1]"), "{left}");
    }
}

#[test]
fn what_is_no_end_is_an_error_and_says_how_far_it_came() {
    let begun = response("created", json!([]), Value::Null);
    for (last, code) in [
        (
            json!({"type": "error", "code": "server_error", "message": "for bob@example.com", "param": null}),
            "upstream_error",
        ),
        (response("failed", json!([]), Value::Null), "upstream_error"),
        (json!({"type": "bad\nname"}), "upstream_error"),
        (json!({"no": "type"}), "upstream_error"),
    ] {
        let house = House::new(|facts| masking(facts, MaskAction::Mask));
        let mut wire = wire(std::slice::from_ref(&begun));
        wire += &format!("data: {last}\n\n");
        let (left, end) = runtime().block_on(async {
            let mut stream = opened(&house).await;
            stream.take_piece(Bytes::from(wire.clone().into_bytes()));
            let (number, opening) = stream.standing().unwrap();
            let opening: Value = serde_json::from_slice(&opening).unwrap();
            assert_eq!((number, &opening["id"], &opening["model"]), (1, &json!("resp_1"), &json!("fast")));
            fed(stream, [] as [&[u8]; 0])
        });
        assert_eq!(end, Some(code), "{last}");
        assert!(
            !left.contains("bob") && !left.contains("server_error"),
            "the vendor's own words do not leave: {left}"
        );
    }
}

#[test]
fn a_piece_of_a_text_that_was_whole_is_out_of_protocol() {
    let house = House::new(|facts| masking(facts, MaskAction::Mask));
    let piece = json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": "x"});
    let done = json!({"type": "response.output_text.done", "item_id": "m", "output_index": 0, "content_index": 0, "text": "x"});
    let wire = wire(&[piece.clone(), done, piece]);
    let (_, end) = runtime().block_on(async { fed(opened(&house).await, [wire.as_bytes()]) });
    assert_eq!(end, Some("upstream_error"));
}
