//! The stream law: however the vendor's bytes are cut, the same leaves, and its texts are the whole texts masked.

mod responses;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy_engine::content::Masker;
use policy_engine::content::mask::apply;
use policy_engine::facts::{Check, Facts, Guardrail, Subject};
use policy_engine::vocabulary::{Entity, MaskAction, Operation};
use proptest::prelude::*;

use super::super::answer::{Answering, Begun};
use super::super::{authenticate, decide, dispatch, entitle, inspect, reserve};
use super::*;
use crate::house::{House, KEY, asking, bearer, world};
use crate::record::Door;

fn masking(facts: &mut Facts, action: MaskAction) {
    let detect = vec![Entity::Email, Entity::CreditDebitCardNumber, Entity::InternationalBankAccountNumber];
    let checks = vec![Check { detect, words: vec!["project zebra".into()], action }];
    let guardrail = Guardrail { applies: Subject::default(), input: vec![], output: checks, geos: vec![] };
    facts.guardrails.insert(world::id("guard"), Arc::new(guardrail));
}

/// A stream that has begun and to which nothing was fed yet.
async fn opened(house: &House, more: &str) -> ScreenedStream {
    let body = asking("fast", "hi", &format!(r#","stream":true{more}"#));
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &body);
    let runtime = house.node.runtime.load_full().unwrap();
    let mut exchange = Exchange::open(&house.node, &runtime, &received.arrival);
    let identified = authenticate::authenticate(&mut exchange, received).map_err(drop).unwrap();
    let entitled = entitle::entitle(&mut exchange, identified).map_err(drop).unwrap();
    let inspected = inspect::inspect(&mut exchange, entitled).await.map_err(drop).unwrap();
    let permitted = decide::decide(&mut exchange, inspected).map_err(drop).unwrap();
    let reserved = reserve::reserve(&mut exchange, permitted).await.map_err(drop).unwrap();
    let answering = dispatch::dispatch(&mut exchange, reserved).await.map_err(drop).unwrap();
    let Answering { permitted, begun, endpoint, .. } = answering;
    let Begun::Events { events, .. } = begun else { panic!("a whole answer") };
    ScreenedStream::begin(&mut exchange, permitted, (Bytes::new(), events, None), (endpoint, None))
}

/// What leaves when these pieces come, and how it ends.
fn fed<'p>(
    mut stream: ScreenedStream,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (String, Option<&'static str>) {
    let mut out = Vec::new();
    for piece in pieces {
        if stream.end.is_none() {
            stream.take_piece(Bytes::copy_from_slice(piece));
        }
        out.extend(stream.frame.take().into_iter().flatten());
    }
    if stream.end.is_none() {
        stream.run_out();
    }
    out.extend(stream.frame.take().into_iter().flatten());
    let mut end = stream.end.take().unwrap();
    stream.close(&mut end);
    (String::from_utf8(out).unwrap(), end.err().map(|rejection| rejection.code().as_str()))
}

fn chunk(choices: &str) -> String {
    format!(
        r#"data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{choices}],"usage":null}}"#
    ) + "\n\n"
}

fn delta(index: usize, name: &str, text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    chunk(&format!(r#"{{"index":{index},"delta":{{"{name}":{text}}},"finish_reason":null}}"#))
}

fn finish(index: usize) -> String {
    chunk(&format!(r#"{{"index":{index},"delta":{{}},"finish_reason":"stop"}}"#))
}

const USAGE: &str = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9,\"total_tokens\":12}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// The texts of a stream, by choice and member of the delta.
fn texts(stream: &str) -> BTreeMap<(u64, String), String> {
    let mut texts = BTreeMap::<_, String>::new();
    for data in
        stream.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|d| *d != "[DONE]")
    {
        let chunk: serde_json::Value = serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}"));
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            for (name, text) in choice["delta"].as_object().into_iter().flatten() {
                let place = (choice["index"].as_u64().unwrap(), name.clone());
                texts.entry(place).or_default().push_str(text.as_str().unwrap_or_default());
            }
        }
    }
    texts
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

const PARTS: [&str; 12] = [
    "ask bob@example.com, ",
    "card 4111 1111 1111 1111. ",
    "DE89370400440532013000 ",
    "plain words \u{2603} ",
    "\"q\\\" ",
    "project zebra ",
    "a.b",
    "@",
    "x.org ",
    "41111",
    "11111111111 ",
    "[EMAIL_1] ",
];

prop_compose! {
    fn said()(parts in proptest::collection::vec(0..PARTS.len(), 1..6)) -> String {
        parts.into_iter().map(|at| PARTS[at]).collect()
    }
}

/// Cuts a text into pieces at some of its characters.
fn cut_text(text: &str, cuts: &[usize]) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut pieces = vec![];
    let mut at = 0;
    for cut in cuts {
        let to = (at + cut).min(chars.len());
        pieces.push(chars[at..to].iter().collect());
        at = to;
    }
    pieces.push(chars[at..].iter().collect());
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_chunking_gives_the_same_and_texts_are_masked_as_wholes(
        one in said(),
        two in said(),
        deltas in proptest::collection::vec(0_usize..9, 0..12),
        bytes in proptest::collection::vec(1_usize..200, 0..40),
        fast in any::<bool>(),
        extra in prop_oneof![Just(""), Just(": comment\n\n"), Just("event: x\ndata: {\"choices\":[]}\n\n"), Just("\r\n")],
        shows in any::<bool>(),
    ) {
        let house = House::new(|facts| if !fast { masking(facts, MaskAction::Mask) });
        let more = if shows { r#","n":2,"stream_options":{"include_usage":true}"# } else { r#","n":2"# };
        let (first, second) = (cut_text(&one, &deltas), cut_text(&two, &deltas));
        let mut wire = chunk(r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}"#);
        for (a, b) in first.iter().zip(&second) {
            wire += &delta(0, "content", a);
            wire += extra;
            wire += &delta(1, "reasoning_content", b);
        }
        wire = [&wire, &finish(0), &finish(1), USAGE, DONE].concat();
        let runtime = runtime();
        let whole = runtime.block_on(async { fed(opened(&house, more).await, [wire.as_bytes()]) });
        let (mut rest, mut pieces) = (wire.as_bytes(), vec![]);
        for length in &bytes {
            let (piece, tail) = rest.split_at((*length).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        pieces.push(rest);
        let pieced = runtime.block_on(async { fed(opened(&house, more).await, pieces) });
        prop_assert_eq!(&whole, &pieced);
        prop_assert_eq!(whole.1, None);
        prop_assert!(whole.0.ends_with(DONE) && (shows || !whole.0.contains("\"usage\":null")), "{}", whole.0);
        prop_assert_eq!(whole.0.contains("prompt_tokens"), shows);
        let texts = texts(&whole.0);
        let got = |index: u64, name: &str| texts.get(&(index, name.to_owned())).cloned().unwrap_or_default();
        if fast {
            prop_assert_eq!(got(0, "content"), one);
            prop_assert_eq!(got(1, "reasoning_content"), two);
        } else {
            // Numbers are given in the order in which values leave, so each text alone is compared up to its numbers.
            prop_assert_eq!(unnumbered(&got(0, "content")), unnumbered(&masked(&house, &one)));
            prop_assert_eq!(unnumbered(&got(1, "reasoning_content")), unnumbered(&masked(&house, &two)));
        }
    }
}

fn masked(house: &House, text: &str) -> String {
    let runtime = house.node.runtime.load_full().unwrap();
    let caller = runtime.snapshot.key("demo").unwrap().caller();
    let view = runtime.snapshot.content(caller).unwrap();
    let mut findings = vec![];
    view.detectors.scan(text, &mut findings);
    let mut actions = policy_engine::decision::Actions::default();
    Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
    actions.tighten_words(0, MaskAction::Mask);
    apply(text, &findings, &actions, &mut Masker::new()).unwrap().into_owned()
}

fn unnumbered(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[test]
fn the_fast_lane_forwards_the_bytes_that_came() {
    let wire = [
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bob@example.com\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        DONE,
    ]
    .concat();
    let house = House::new(|_| ());
    let (left, end) = runtime().block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
    assert_eq!((left.as_str(), end), (wire.as_str(), None));
}

#[test]
fn a_block_ends_the_stream_and_nothing_of_it_leaves() {
    let house = House::new(|facts| masking(facts, MaskAction::Block));
    let wire = [&delta(0, "content", "ask bo"), &delta(0, "content", "b@example.com now"), &finish(0), DONE]
        .concat();
    let (left, end) = runtime().block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
    assert_eq!(end, Some("content_blocked"));
    assert!(!left.contains("bo\"") && !left.contains("bob") && left.contains("content_filter"), "{left}");
    assert_eq!(texts(&left)[&(0, "content".to_owned())], "ask ");
    assert!(!left.contains("[DONE]"), "the end mark is the door's, after its error");
}

#[test]
fn what_the_dialect_has_beside_the_choices_is_masked_in_every_chunk() {
    let house = House::new(|facts| masking(facts, MaskAction::Mask));
    let plain = [&delta(0, "content", "ask bo"), &delta(0, "content", "b"), &finish(0), DONE].concat();
    let wire = plain
        .replace(r#""id":"c""#, r#""id":"ann@example.com","service_tier":"call ann@example.com""#)
        .replace(r#""model":"m""#, r#""model":"carl@example.com""#);
    let (left, end) = runtime().block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
    assert_eq!(end, None);
    assert!(!left.contains("example.com"), "{left}");
    assert!(left.contains(r#""service_tier":"call [EMAIL_1]""#), "{left}");
    for event in left.split("\n\n").filter(|event| event.starts_with("data: {")) {
        let opening = r#"data: {"id":"[EMAIL_1]","#;
        assert!(event.starts_with(opening) && event.contains(r#""model":"[EMAIL_2]""#), "{event}");
    }
    assert_eq!(texts(&left)[&(0, "content".to_owned())], "ask bob");
}

#[test]
fn arguments_of_tools_are_texts_too_and_log_probabilities_go() {
    let house = House::new(|facts| masking(facts, MaskAction::Mask));
    let call = |text: &str| {
        chunk(&format!(
            r#"{{"index":0,"delta":{{"tool_calls":[{{"index":1,"function":{{"arguments":"{text}"}}}}]}},"logprobs":{{"content":[{{"token":"bob"}}]}},"finish_reason":null}}"#
        ))
    };
    let wire = [&call("{\\\"to\\\":\\\"bob@exam"), &call("ple.com\\\"}"), &finish(0), DONE].concat();
    let (left, end) = runtime().block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
    assert_eq!(end, None);
    assert!(!left.contains("bob") && left.contains("[EMAIL_1]"), "{left}");
    let mut arguments = String::new();
    for data in left.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|d| *d != "[DONE]")
    {
        let chunk: serde_json::Value = serde_json::from_str(data).unwrap();
        if let Some(call) = chunk["choices"][0]["delta"]["tool_calls"].get(0) {
            assert_eq!(call["index"], 1);
            arguments += call["function"]["arguments"].as_str().unwrap();
        }
    }
    assert_eq!(arguments, "{\"to\":\"[EMAIL_1]\"}");
}

#[test]
fn arguments_of_tools_are_json_still_however_they_are_cut() {
    let said = r#"{"card":4111111111111111,"to":"j\u00fcrgen\u0040example.org\nand","n":[-378282246310005, 7],"in":"{\"a\":\"bob@example.com\"}"}"#;
    let expected = serde_json::json!({
        "card": "[CREDIT_DEBIT_CARD_NUMBER_1]", "to": "[EMAIL_1]\nand", "n": ["[CREDIT_DEBIT_CARD_NUMBER_2]", 7],
        "in": r#"{"a":"[EMAIL_2]"}"#,
    });
    let runtime = runtime();
    for length in [1, 2, 3, 5, 8, 500] {
        let house = House::new(|facts| masking(facts, MaskAction::Mask));
        let call = |text: &str| {
            let text = serde_json::to_string(text).unwrap();
            chunk(&format!(
                r#"{{"index":0,"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":{text}}}}}]}},"finish_reason":null}}"#
            ))
        };
        let pieces = cut_text(said, &vec![length; 500]);
        let wire = [pieces.iter().map(|piece| call(piece)).collect(), finish(0), DONE.to_owned()].concat();
        let (left, end) = runtime.block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
        assert_eq!(end, None);
        let mut arguments = String::new();
        for data in
            left.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|d| *d != "[DONE]")
        {
            let chunk: serde_json::Value = serde_json::from_str(data).unwrap();
            let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
            arguments += call["function"]["arguments"].as_str().unwrap_or_default();
        }
        let read: serde_json::Value =
            serde_json::from_str(&arguments).unwrap_or_else(|e| panic!("{e}: {arguments}"));
        assert_eq!(read, expected, "in pieces of {length}");
    }
}

#[test]
fn numbers_are_masked_like_those_of_a_whole_answer() {
    let house = House::new(|facts| masking(facts, MaskAction::Mask));
    let wire = [
        r#"data: {"created":4111111111111111,"x":4111111111111111,"choices":[{"index":0,"delta":{"content":"bo","n":[7,4111111111111111.0]}}],"usage":{"n":4111111111111111}}"#,
        "\n\n",
        &finish(0),
        DONE,
    ]
    .concat();
    let (left, end) = runtime().block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
    assert_eq!(end, None);
    let first: serde_json::Value =
        serde_json::from_str(left.split("\n\n").next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
    let card = "[CREDIT_DEBIT_CARD_NUMBER_1]";
    assert_eq!(
        (&first["x"], &first["choices"][0]["delta"]["n"]),
        (&card.into(), &serde_json::json!([7, card]))
    );
    assert_eq!((&first["created"], &first["usage"]), (&card.into(), &serde_json::Value::Null));
    assert!(left.contains("\"bo\""), "{left}");
    let house = House::new(|facts| masking(facts, MaskAction::Block));
    let (left, end) = runtime().block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
    assert_eq!((left.contains("4111"), end), (false, Some("content_blocked")), "{left}");
}

/// What leaves of a stream of these choices and of its end, in a house that masks, to a caller who asked to see usage.
fn left_of(choices: &[&str]) -> (String, Option<&'static str>) {
    let house = House::new(|facts| masking(facts, MaskAction::Mask));
    let wire: String =
        choices.iter().map(|choice| chunk(choice)).chain([finish(0), DONE.to_owned()]).collect();
    let more = r#","stream_options":{"include_usage":true}"#;
    runtime().block_on(async { fed(opened(&house, more).await, [wire.as_bytes()]) })
}

#[test]
fn no_place_of_a_chunk_is_left_out() {
    let with = |delta: &str| format!(r#"{{"index":0,"delta":{{{delta}}},"finish_reason":null}}"#);
    for (choice, mails) in [
        (with(r#""tool_calls":[{"index":0,"id":"bob@example.org","type":"ann@example.org"}]"#), 2),
        (with(r#""tool_calls":[{"index":0,"function":{"name":"bob@example.org","arguments":""}}]"#), 1),
        (with(r#""role":"bob@example.org","content":"hi""#), 1),
        (with(r#""x":{"id":"bob@example.org","object":"ann@example.org","name":"eve@example.org"}"#), 3),
        (with(r#""bob@example.org":{"ann@example.org":7}"#), 2),
        (with(r#""bob@example.org":"ask ann""#), 2),
        (r#"{"index":0,"delta":{},"finish_reason":"bob@example.org"}"#.to_owned(), 1),
    ] {
        let (left, end) = left_of(&[&choice]);
        assert_eq!(end, None, "{choice}");
        assert!(!left.contains("example.org"), "{left}");
        assert_eq!(left.matches("[EMAIL_").count(), mails, "{left}");
    }
    let (left, _) = left_of(&[
        r#"{"index":0,"delta":{"x":{"logprobs":{"content":[{"token":"bob"}]}}},"logprobs":{"n":4111111111111111}}"#,
    ]);
    assert_eq!((left.matches(r#""logprobs":null"#).count(), left.contains("bob")), (2, false), "{left}");
}

#[test]
fn names_and_numbers_beside_the_choices_are_masked() {
    let house = House::new(|facts| masking(facts, MaskAction::Mask));
    let wire = chunk(r#"{"index":0,"delta":{"content":"hi, "}}"#)
        .replace(r#""usage":null"#, r#""bob@example.org":1,"usage":{"ann@example.org":2,"n":4111111111111111,"total_tokens":4111111111111111,"prompt_tokens":123456789}"#);
    let wire = [&wire, &finish(0), DONE].concat();
    let more = r#","stream_options":{"include_usage":true}"#;
    let (left, end) = runtime().block_on(async { fed(opened(&house, more).await, [wire.as_bytes()]) });
    assert_eq!(end, None);
    assert!(!left.contains("example.org") && !left.contains("4111") && left.contains("123456789"), "{left}");
}

#[test]
fn names_that_masking_makes_one_are_no_answer() {
    let (left, end) = left_of(&[r#"{"index":0,"delta":{"bob@example.org":1,"BOB@example.org":2}}"#]);
    assert_eq!((left.as_str(), end), ("", Some("upstream_error")));
}

#[test]
fn a_place_out_of_bounds_ends_the_stream() {
    for choice in [
        r#"{"index":0,"delta":{"tool_calls":[{"index":4111111111111111,"function":{"arguments":"bo"}}]}}"#,
        r#"{"index":0,"delta":{"tool_calls":[{"index":128,"function":{"arguments":"bo"}}]}}"#,
        r#"{"index":4111111111111111,"delta":{"content":"bo"}}"#,
        r#"{"index":4111111111111111.0,"delta":{"content":"bo"}}"#,
        r#"{"index":"bob@example.org","delta":{"content":"bo"}}"#,
        r#""bob@example.org""#,
        "4111111111111111",
    ] {
        let (left, end) = left_of(&[choice]);
        assert_eq!((left.as_str(), end), ("", Some("upstream_error")), "{choice}");
    }
    let (left, end) =
        left_of(&[r#"{"index":127,"delta":{"tool_calls":[{"index":127,"function":{"arguments":"bo"}}]}}"#]);
    assert_eq!((end, left.contains("\"bo\"")), (None, true), "{left}");
}

#[test]
fn parts_of_a_content_are_one_text() {
    let with =
        |content: &str| format!(r#"{{"index":0,"delta":{{"content":{content}}},"finish_reason":null}}"#);
    let part = |more: &str, text: &str| format!(r#"{{{more}"type":"text","text":"{text}"}}"#);
    for (one, two) in [
        (part("", "ask bob.smith@exa"), part("", "mple.org")),
        (part(r#""index":0,"#, "ask bob.smith@exa"), part(r#""index":1,"#, "mple.org")),
        ("\"ask bob.smith@exa\"".to_owned(), part("", "mple.org")),
    ] {
        let together = vec![with(&format!("[{one},{two}]"))];
        let apart = vec![with(&format!("[{one}]")), with(&format!("[{two}]"))];
        let plain = vec![with(&format!("[{one}]")), with("\"mple.org\"")];
        for choices in [together, apart, plain] {
            let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
            let (left, end) = left_of(&choices);
            assert_eq!(end, None);
            let left: String = left.split_inclusive('"').filter(|text| !text.starts_with("index")).collect();
            assert!(left.contains("ask ") && left.contains("[EMAIL_1]"), "{left}");
            assert!(!left.contains("smith") && !left.contains("mple.org"), "{left}");
        }
    }
    let thinking = |text: &str| {
        with(&format!(r#"[{{"type":"thinking","thinking":[{{"type":"text","text":"{text}"}}]}}]"#))
    };
    let (left, end) = left_of(&[&thinking("bob@exa"), &thinking("mple.org "), &thinking("so")]);
    assert_eq!((end, left.contains("[EMAIL_1] "), left.contains("bob")), (None, true, false), "{left}");
}

#[test]
fn case_49_odd_streams_end_cleanly() {
    let house = House::new(|_| ());
    let text = delta(0, "content", "hi");
    let (hi, end) = (text.as_str(), finish(0));
    for (wire, code) in [
        (format!("\u{feff}{hi}{end}{DONE}"), None),
        (format!("{hi}{end}"), None),
        (format!("{hi}{end}data: [DONE]"), None),
        (format!("{hi}{end}{DONE}{hi}: after\n\n"), None),
        (format!("{}{end}{DONE}", hi.replace('\n', "\r\n")), None),
        (format!("{}{end}{DONE}", hi.replace("data: ", "data:")), None),
        (hi.to_owned(), Some("upstream_error")),
        (String::new(), Some("upstream_error")),
        (format!("{hi}data: {{\"choices\":[{{\"index\":0\n\n{DONE}"), Some("upstream_error")),
        (format!("{hi}data: NaN\n\n{DONE}"), Some("upstream_error")),
        (format!("{hi}data: {{\"error\":{{\"message\":\"no\"}}}}\n\n{DONE}"), Some("upstream_error")),
        (format!("{hi}{{\"error\":1}}"), Some("upstream_error")),
    ] {
        let (left, found) = runtime().block_on(async { fed(opened(&house, "").await, [wire.as_bytes()]) });
        assert_eq!(found, code, "{wire:?}");
        assert_eq!(left.matches(DONE).count(), usize::from(code.is_none()), "{wire:?} gave {left:?}");
        assert!(!left.contains("after") && !left.contains("NaN") && !left.contains('\r'), "{left:?}");
    }
}

#[tokio::test]
async fn a_silent_stream_says_that_it_goes_on() {
    let house = House::new(|_| ());
    let body = asking("fast", "[[sim:pace=70ms]][[sim:say=one]]", r#","stream":true"#);
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &body);
    let Ok(crate::pipeline::Body::Stream(stream)) = crate::pipeline::serve(&house.node, received).await.body
    else {
        panic!()
    };
    let frames: Vec<_> = futures_util::StreamExt::collect(stream).await;
    let text: String =
        frames.iter().map(|frame| String::from_utf8_lossy(frame.as_ref().unwrap()).into_owned()).collect();
    assert!(text.contains(": keep-alive\n\n") && text.ends_with(DONE), "{text}");
    house.close();
}
