//! However a stream is cut, it says the same; and what is written is read as it was.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::answer::{Finish, Usage};
use super::super::super::event::{Delta, Event, Start};
use super::super::super::tests::{arguments, text};
use super::super::super::{VendorError, VendorFault};
use super::super::events::{Reading, Writing};
use crate::upstream::sse::Splitter;

/// The data of every event of a stream.
pub(super) fn split(stream: &[u8]) -> Vec<Bytes> {
    pieces(&[Bytes::copy_from_slice(stream)])
}

fn pieces(stream: &[Bytes]) -> Vec<Bytes> {
    let mut splitter = Splitter::new(1 << 20);
    let mut data = Vec::new();
    for piece in stream {
        splitter.push(piece.clone());
        while let Some(event) = splitter.next_event().unwrap() {
            data.extend(event.data);
        }
    }
    data.extend(splitter.finish().and_then(|event| event.data));
    data
}

fn read(data: &[Bytes]) -> Vec<Event> {
    let (mut reading, mut events) = (Reading::default(), Vec::new());
    data.iter().for_each(|data| reading.take(data, &mut events).unwrap());
    events
}

fn written(events: &[Event]) -> Vec<u8> {
    let (mut writing, mut out) = (Writing::default(), Vec::new());
    events.iter().for_each(|event| writing.put(event.clone(), &mut out));
    out
}

/// What is said in each way: texts, thoughts and calls joined, proofs one by one.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    thinking: String,
    proofs: Vec<String>,
    refusal: String,
    calls: BTreeMap<u64, (String, String, String)>,
    finish: Option<Finish>,
    usage: Usage,
    done: bool,
}

fn said(events: &[Event]) -> Said {
    let mut said = Said::default();
    for event in events.iter().cloned() {
        match event {
            Event::Start(_) => {}
            Event::End { finish, .. } => said.finish = Some(finish),
            Event::Usage(usage) => said.usage = usage,
            Event::Done => said.done = true,
            Event::More { delta, .. } => match delta {
                Delta::Text(text) => said.text.push_str(&text),
                Delta::Thinking(text) => said.thinking.push_str(&text),
                Delta::Signature(proof) | Delta::Redacted(proof) => said.proofs.push(proof),
                Delta::Refusal(text) => said.refusal.push_str(&text),
                Delta::Call { at, id, name, arguments } => {
                    let call = said.calls.entry(at).or_default();
                    call.0.extend(id);
                    call.1.extend(name);
                    call.2.push_str(&arguments);
                }
            },
        }
    }
    said
}

/// Blocks come one after the other, each opened, gone on with and closed, between the beginning and the end.
fn check_grammar(stream: &[u8]) {
    let (mut open, mut next) = (None, 0);
    let data = split(stream);
    for (at, data) in data.iter().enumerate() {
        let event: serde_json::Value = serde_json::from_slice(data).unwrap();
        let index = event["index"].as_u64();
        match event["type"].as_str().unwrap() {
            "message_start" => assert_eq!(at, 0),
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(next)));
                open = index;
            }
            "content_block_delta" => assert_eq!((open, open.is_some()), (index, true)),
            "content_block_stop" => {
                assert_eq!((open, open.is_some()), (index, true));
                (open, next) = (None, next + 1);
            }
            "message_delta" => assert_eq!((open, at), (None, split(stream).len() - 2)),
            "message_stop" => assert_eq!(at, split(stream).len() - 1),
            other => panic!("{other}"),
        }
    }
}

/// Some pieces of one thing that is said: a call is begun before it is gone on with.
fn thing(at: u64) -> impl Strategy<Value = Vec<Delta>> {
    let cuts = vec(any::<prop::sample::Index>(), 0..3);
    let call = (arguments(), cuts).prop_map(move |(arguments, cuts)| {
        let (id, name) = (Some(format!("call_{at}")), Some(format!("tool_{at}")));
        let mut deltas = vec![Delta::Call { at, id, name, arguments: String::new() }];
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(arguments.len())).collect();
        ends.retain(|end| arguments.is_char_boundary(*end));
        ends.extend([0, arguments.len()]);
        ends.sort_unstable();
        for cut in ends.windows(2) {
            let arguments = arguments[cut[0]..cut[1]].to_owned();
            deltas.push(Delta::Call { at, id: None, name: None, arguments });
        }
        deltas
    });
    let thought =
        (vec(text().prop_map(Delta::Thinking), 1..3), "[a-z]{1,8}").prop_map(|(mut deltas, proof)| {
            deltas.push(Delta::Signature(proof));
            deltas
        });
    prop_oneof![
        3 => call,
        2 => vec(text().prop_map(Delta::Text), 1..4),
        1 => thought,
        1 => "[a-z]{1,8}".prop_map(|data| vec![Delta::Redacted(data)]),
    ]
}

/// Several things that are said, their pieces in turns; calls begin in the order of their numbers.
fn deltas() -> impl Strategy<Value = Vec<Delta>> {
    let things = (1..6_u64).prop_flat_map(|count| (0..count).map(thing).collect::<Vec<_>>());
    (things, vec(any::<prop::sample::Index>(), 0..40)).prop_map(|(things, turns)| {
        let mut calls = 0;
        let mut queues: Vec<std::collections::VecDeque<Delta>> = Vec::new();
        let mut begun = Vec::new();
        for thing in things {
            let is_call = matches!(thing.first(), Some(Delta::Call { .. }));
            let mut queue: std::collections::VecDeque<Delta> = thing.into();
            for delta in &mut queue {
                if let Delta::Call { at, .. } = delta {
                    *at = calls;
                }
            }
            if is_call {
                begun.extend(queue.pop_front());
                calls += 1;
            }
            queues.push(queue);
        }
        let mut deltas = begun;
        for turn in turns {
            let at = turn.index(queues.len());
            deltas.extend(queues[at].pop_front());
        }
        deltas.extend(queues.into_iter().flatten());
        deltas
    })
}

fn answer(deltas: Vec<Delta>) -> Vec<Event> {
    let start = Start { id: "msg_1".to_owned(), model: "m".to_owned(), created: None };
    let usage = Usage { input: 30, cached: 10, cache_written: 5, output: 9, thinking: 2 };
    let finish = match deltas.iter().any(|delta| matches!(delta, Delta::Call { .. })) {
        true => Finish::Calls,
        false => Finish::StopSequence(Some("END".to_owned())),
    };
    let more = deltas.into_iter().map(|delta| Event::More { choice: 0, delta });
    let end = [Event::End { choice: 0, finish }, Event::Usage(usage), Event::Done];
    [Event::Start(start)].into_iter().chain(more).chain(end).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read(deltas in deltas()) {
        let events = answer(deltas);
        let stream = written(&events);
        check_grammar(&stream);
        prop_assert_eq!(said(&read(&split(&stream))), said(&events));
    }

    #[test]
    fn however_it_is_cut_it_says_the_same(deltas in deltas(), cuts in vec(any::<prop::sample::Index>(), 0..30)) {
        let stream = Bytes::from(written(&answer(deltas)));
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        ends.extend([0, stream.len()]);
        ends.sort_unstable();
        let cut: Vec<Bytes> = ends.windows(2).map(|cut| stream.slice(cut[0]..cut[1])).collect();
        prop_assert_eq!(read(&pieces(&cut)), read(&split(&stream)));
    }
}

#[test]
fn every_single_byte_may_come_alone() {
    let call = |at, id: &str| Delta::Call {
        at,
        id: Some(id.to_owned()),
        name: Some("look".to_owned()),
        arguments: "{\"ü\":1}".to_owned(),
    };
    let deltas = vec![
        Delta::Thinking("Hm.".into()),
        Delta::Signature("s".into()),
        Delta::Text("ä".into()),
        call(0, "a"),
        call(1, "b"),
    ];
    let stream = Bytes::from(written(&answer(deltas)));
    let bytes: Vec<Bytes> = (0..stream.len()).map(|at| stream.slice(at..at + 1)).collect();
    assert_eq!(read(&pieces(&bytes)), read(&split(&stream)));
}

#[test]
fn a_vendor_that_breaks_off_is_heard() {
    let cases = [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            VendorFault::Overloaded,
            "Overloaded",
        ),
        (r#"{"type":"error","error":{"type":"api_error","message":"Oops"}}"#, VendorFault::Other, "Oops"),
        (r#"{"type":"error"}"#, VendorFault::Other, ""),
        (r#"{"type":"#, VendorFault::Malformed, "an event is none of the dialect"),
        ("[]", VendorFault::Malformed, "an event is none of the dialect"),
    ];
    for (data, fault, message) in cases {
        let mut events: Vec<Event> = Vec::new();
        let error = Reading::default().take(data.as_bytes(), &mut events).unwrap_err();
        assert_eq!(error, VendorError { fault, message: message.to_owned() });
        assert!(events.is_empty());
    }
}

#[test]
fn what_is_not_known_says_nothing() {
    let mut events: Vec<Event> = Vec::new();
    let mut reading = Reading::default();
    for data in [
        r#"{"type":"ping"}"#,
        r#"{"type":"something_new","index":0}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"new_delta","text":"a"}}"#,
        r#"{"type":"content_block_delta","index":7,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"content_block_stop","index":7}"#,
    ] {
        reading.take(data.as_bytes(), &mut events).unwrap();
    }
    assert_eq!(events, []);
}

#[test]
fn usage_that_is_not_told_again_is_what_it_was() {
    let stream = [
        r#"{"type":"message_start","message":{"id":"a","model":"m","usage":{"input_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":1}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}"#,
    ];
    let data: Vec<Bytes> = stream.iter().map(|data| Bytes::from_static(data.as_bytes())).collect();
    let told = Usage { input: 321, cached: 300, cache_written: 20, output: 7, thinking: 0 };
    assert_eq!(said(&read(&data)).usage, told);
}

#[test]
fn calls_without_ids_have_some_that_differ() {
    let call = |at| Delta::Call { at, id: None, name: Some("look".to_owned()), arguments: "{}".to_owned() };
    let read = said(&read(&split(&written(&answer(vec![call(0), call(1)])))));
    let ids: Vec<&str> = read.calls.values().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids, ["toolu_msg_1_0", "toolu_msg_1_1"]);
}
