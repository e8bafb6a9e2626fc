//! What holds for every conversation and every stream.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Api, answer, events, read, write};
use super::read_stream;
use crate::dialect::answer::{Answer, Choice, Finish, Usage};
use crate::dialect::chat::{
    Call, Chat, Format, Kind, Message, Part, Role, Sampling, Source, Thinking, Tool, ToolChoice,
};
use crate::dialect::event::{Delta, Event};
use crate::dialect::openai::{self, Reader};

const MODEL: &str = "gemini-3-pro";

/// A conversation by what it means, whichever way it was written:
/// - messages of one role that follow each other are one, and so are what whoever sets the model up said, which comes first;
/// - in a message thoughts come first and calls last, for that is how OpenAI's dialect has them;
/// - what follows each other within a message as one kind of text is one text, and so are the texts a tool gave back;
/// - a refusal in the past is a text;
/// - what a schema of the answer is called is nothing.
fn meaning(mut chat: Chat) -> Chat {
    let mut messages: Vec<Message> = Vec::new();
    chat.messages.sort_by_key(|message| message.role != Role::System);
    for message in chat.messages {
        match messages.last_mut().filter(|last| last.role == message.role) {
            Some(last) => last.content.extend(message.content),
            None => messages.push(message),
        }
    }
    for message in &mut messages {
        message.content.sort_by_key(|part| match part.kind {
            Kind::Thinking { .. } | Kind::Redacted(_) => 0,
            Kind::Call(_) => 2,
            _ => 1,
        });
        message.content = joined(std::mem::take(&mut message.content), "");
        for part in &mut message.content {
            if let Kind::Output { content, .. } = &mut part.kind {
                *content = joined(std::mem::take(content), "\n");
            }
        }
    }
    if let Some(Format::Schema { name, .. }) = &mut chat.format {
        name.clear();
    }
    chat.messages = messages;
    chat
}

fn joined(parts: Vec<Part>, by: &str) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for mut part in parts {
        if let Kind::Refusal(text) = part.kind {
            part.kind = Kind::Text(text);
        }
        match (joined.last_mut().map(|last| &mut last.kind), &part.kind) {
            (Some(Kind::Text(text)), Kind::Text(more)) => {
                text.push_str(by);
                text.push_str(more);
            }
            (
                Some(Kind::Thinking { text, signature: None }),
                Kind::Thinking { text: more, signature: None },
            ) => {
                text.push_str(more);
            }
            _ => joined.push(part),
        }
    }
    joined
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[ a-zA-Z\"\\\\{}é\n😀]{1,12}".prop_filter("not blank", |text| !text.trim().is_empty())
    ]
}

fn arguments() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{}".to_owned()),
        "[a-z]{1,5}".prop_map(|value| format!(r#"{{"a":"{value}","b":[1,2.50,null]}}"#)),
    ]
}

fn media() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Image(Source::Data { media_type: "image/png".into(), data: "iVBORw==".into() }, None)),
        Just(Kind::Image(Source::Url("https://example.org/a.webp".into()), None)),
        Just(Kind::Audio { data: "UklGRg==".into(), format: "wav".into() }),
        Just(Kind::File {
            source: Source::Data { media_type: "application/pdf".into(), data: "JVBERg==".into() },
            name: Some("a.pdf".into()),
        }),
    ]
}

/// What a user says, what the model says to that, and what the tools it called gave back.
fn turn() -> impl Strategy<Value = Vec<Message>> {
    let said = (word().prop_map(Kind::Text), vec(media(), 0..3)).prop_map(|(text, media)| {
        let content = std::iter::once(text).chain(media).map(Part::of).collect();
        Message { role: Role::User, name: None, content }
    });
    let thought = prop_oneof![
        Just(Vec::new()),
        word().prop_map(|text| vec![Kind::Thinking { text, signature: None }]),
        ("[A-Z]{4}", word()).prop_map(|(proof, text)| vec![
            Kind::Thinking { text, signature: None },
            Kind::Thinking { text: String::new(), signature: Some(format!("google:{proof}")) },
        ]),
    ];
    let given = prop_oneof![
        4 => (any::<bool>(), word()),
        1 => (any::<bool>(), arguments()),
        // An error alone is one here, whoever says it.
        1 => Just((true, r#"{"error":{"code":1}}"#.to_owned())),
    ];
    let output = (given, proptest::option::of(media()));
    let calls = vec((word(), arguments(), output), 0..3);
    (said, thought, word(), calls).prop_map(|(said, thought, text, calls)| {
        let answer = thought.into_iter().chain([Kind::Text(text)]).map(Part::of).collect();
        let mut answered = Message { role: Role::Assistant, name: None, content: answer };
        let mut given = Message { role: Role::User, name: None, content: Vec::new() };
        for (name, arguments, ((failed, text), media)) in calls {
            answered.content.push(Part::of(Kind::Call(Call { id: String::new(), name, arguments })));
            let content = std::iter::once(Kind::Text(text)).chain(media).map(Part::of).collect();
            given.content.push(Part::of(Kind::Output { id: String::new(), content, failed }));
        }
        let given = Some(given).filter(|given| !given.content.is_empty());
        [said, answered].into_iter().chain(given).collect()
    })
}

fn named(mut messages: Vec<Message>) -> Vec<Message> {
    let (mut calls, mut outputs) = (0, 0);
    for part in messages.iter_mut().flat_map(|message| &mut message.content) {
        let (id, next) = match &mut part.kind {
            Kind::Call(call) => (&mut call.id, &mut calls),
            Kind::Output { id, .. } => (id, &mut outputs),
            _ => continue,
        };
        *id = format!("id-{next}");
        *next += 1;
    }
    messages
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let schema = proptest::option::of(Just(r#"{"type":"object","properties":{}}"#.into()));
    let function =
        ("[a-z]{1,6}", proptest::option::of(word()), schema).prop_map(|(name, description, parameters)| {
            Tool::Function { name, description, parameters, strict: None, cache: None }
        });
    let vendor = Just(Tool::Vendor(r#"{"type":"google_search","googleSearch":{}}"#.into()));
    (vec(function, 0..3), vec(vendor, 0..2))
        .prop_map(|(own, vendors)| own.into_iter().chain(vendors).collect())
}

fn chat() -> impl Strategy<Value = Chat> {
    let system = proptest::option::of(word()).prop_map(|text| {
        let content = |text| vec![Part::of(Kind::Text(text))];
        text.map(|text| Message { role: Role::System, name: None, content: content(text) })
    });
    let messages = (system, vec(turn(), 1..4))
        .prop_map(|(system, turns)| named(system.into_iter().chain(turns.into_iter().flatten()).collect()));
    let number =
        || proptest::option::of(prop_oneof![Just("0".into()), Just("0.50".into()), Just("1e-1".into())]);
    let seed = proptest::option::of(any::<i32>().prop_map(|seed| seed.to_string().into()));
    let sampling = (number(), number(), proptest::option::of(0..100_u64), seed, number(), number()).prop_map(
        |(temperature, top_p, top_k, seed, presence_penalty, frequency_penalty)| Sampling {
            temperature,
            top_p,
            top_k,
            seed,
            presence_penalty,
            frequency_penalty,
        },
    );
    let choice = proptest::option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Any),
        "[a-z]{1,4}".prop_map(ToolChoice::Named),
        Just(ToolChoice::Other(r#"{"mode":"VALIDATED"}"#.into())),
    ]);
    let format = proptest::option::of(prop_oneof![
        Just(Format::Text),
        Just(Format::Json),
        Just(Format::Schema {
            name: "response".into(),
            description: None,
            schema: r#"{"type":"object"}"#.into(),
            strict: None,
        }),
    ]);
    let thinking = prop_oneof![
        Just((None, None)),
        Just((Some(Thinking::Off), None)),
        (proptest::option::of(1..9_000_u64), any::<bool>())
            .prop_map(|(budget, shown)| (Some(Thinking::Budget(budget)), Some(shown))),
        "low|medium|high".prop_map(|effort| (Some(Thinking::Effort(effort)), None)),
    ];
    let limits = (proptest::option::of(1..9_000_u64), proptest::option::of(1..4_u64), vec(word(), 0..3));
    (messages, sampling, tools(), choice, format, thinking, limits).prop_map(
        |(
            messages,
            sampling,
            tools,
            tool_choice,
            format,
            (thinking, show_thinking),
            (max_tokens, choices, stop),
        )| {
            Chat {
                model: MODEL.into(),
                messages,
                sampling,
                tools,
                tool_choice,
                format,
                thinking,
                show_thinking,
                max_tokens,
                choices,
                stop,
                ..Chat::default()
            }
        },
    )
}

/// A conversation with the mark that is put on calls of other models taken off again.
fn unmarked(mut chat: Chat) -> Chat {
    for message in &mut chat.messages {
        message.content.retain(|part| {
            !matches!(&part.kind, Kind::Thinking { signature: Some(proof), .. } if proof.ends_with("_validator"))
        });
    }
    chat
}

fn through_gemini(chat: &Chat) -> Chat {
    let written = write::write(chat, Api::Gemini).unwrap();
    assert!(written.left_out.is_empty(), "{:?}", written.left_out);
    unmarked(read::read(MODEL, false, &written.body).unwrap())
}

fn through_openai(chat: &Chat) -> Chat {
    openai::read::read(&openai::write::write(chat, Reader::Pipeline).unwrap().body).unwrap()
}

fn deltas() -> impl Strategy<Value = Vec<Delta>> {
    let delta = prop_oneof![
        word().prop_map(Delta::Text),
        word().prop_map(Delta::Thinking),
        "[A-Z]{4}".prop_map(|proof| Delta::Signature(format!("google:{proof}"))),
    ];
    (vec(delta, 0..5), vec((word(), arguments()), 0..3)).prop_map(|(mut deltas, calls)| {
        for (at, (name, arguments)) in calls.into_iter().enumerate() {
            let at = at as u64;
            let (first, second) = arguments.split_at(1);
            let call =
                |id, name, arguments: &str| Delta::Call { at, id, name, arguments: arguments.to_owned() };
            deltas.push(call(Some(format!("id-{at}")), Some(name), first));
            deltas.push(call(None, None, second));
        }
        deltas
    })
}

/// What was said, thought and called in all, and why it ended.
#[derive(Debug, Default, PartialEq)]
struct Told {
    text: String,
    thought: String,
    /// Which, its id, its function and its arguments.
    calls: Vec<(u64, String, String, String)>,
    finishes: Vec<Finish>,
    used: Option<Usage>,
}

fn told(events: &[Event]) -> Told {
    let mut told = Told::default();
    for event in events {
        match event {
            Event::More { delta: Delta::Text(more), .. } => told.text += more,
            Event::More { delta: Delta::Thinking(more), .. } => told.thought += more,
            Event::More { delta: Delta::Call { at, id, name, arguments }, .. } => {
                if told.calls.last().is_none_or(|(last, ..)| last != at) {
                    told.calls.push((*at, String::new(), String::new(), String::new()));
                }
                let call = told.calls.last_mut().unwrap();
                call.1.extend(id.clone());
                call.2.extend(name.clone());
                call.3 += arguments;
            }
            Event::End { finish, .. } => told.finishes.push(finish.clone()),
            Event::Usage(usage) => told.used = Some(*usage),
            _ => {}
        }
    }
    told
}

fn stream(deltas: Vec<Delta>) -> Vec<Event> {
    let has_called = deltas.iter().any(|delta| matches!(delta, Delta::Call { .. }));
    let finish = if has_called { Finish::Calls } else { Finish::Length };
    let usage = Usage { input: 9, cached: 3, cache_written: 0, output: 7, thinking: 2 };
    let more = deltas.into_iter().map(|delta| Event::More { choice: 0, delta });
    let start = crate::dialect::event::Start { id: "s".into(), model: "m".into(), created: None };
    let end = [Event::End { choice: 0, finish }, Event::Usage(usage), Event::Done];
    std::iter::once(Event::Start(start)).chain(more).chain(end).collect()
}

fn written(events: Vec<Event>) -> Vec<u8> {
    let (mut writing, mut out) = (events::Writing::default(), Vec::new());
    events.into_iter().for_each(|event| writing.put(event, &mut out));
    out
}

proptest! {
    #[test]
    fn a_conversation_means_the_same_on_its_way_through_openais_dialect(chat in chat()) {
        let first = through_gemini(&chat);
        prop_assert_eq!(meaning(first.clone()), meaning(chat));
        let last = through_gemini(&through_openai(&first));
        prop_assert_eq!(meaning(last), meaning(first));
    }

    #[test]
    fn a_conversation_of_openais_means_the_same_on_its_way_through_this(chat in chat()) {
        let first = through_openai(&chat);
        let last = through_openai(&through_gemini(&first));
        prop_assert_eq!(meaning(last), meaning(first));
    }

    #[test]
    fn every_cutting_of_a_stream_gives_the_same_events(deltas in deltas(), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let bytes = written(stream(deltas));
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        prop_assert_eq!(read_stream(&pieces), read_stream(&[&bytes]));
    }

    #[test]
    fn a_stream_that_was_written_reads_as_what_it_tells(deltas in deltas()) {
        let events = stream(deltas);
        let (read, failed) = read_stream(&[&written(events.clone())]);
        prop_assert_eq!(failed, None);
        prop_assert_eq!(told(&read), told(&events));
        let signatures = |events: &[Event]| {
            events.iter().filter(|event| matches!(event, Event::More { delta: Delta::Signature(_), .. })).count()
        };
        prop_assert!(signatures(&read) <= signatures(&events));
    }

    #[test]
    fn an_answer_that_was_written_reads_as_it_was(turn in turn(), input in 0..99_u64, thinking in 0..9_u64) {
        let content = named(turn).into_iter().find(|message| message.role == Role::Assistant).unwrap().content;
        let has_called = content.iter().any(|part| matches!(part.kind, Kind::Call(_)));
        let finish = if has_called { Finish::Calls } else { Finish::Length };
        let answer = Answer {
            id: "r".into(),
            model: "m".into(),
            choices: vec![Choice { content, finish: Some(finish) }],
            usage: Some(Usage { input, output: thinking + 3, thinking, ..Usage::default() }),
            ..Answer::default()
        };
        let read = answer::read(&answer::write(&answer)).unwrap();
        let said = |answer: Answer| {
            let message = |content| Message { role: Role::Assistant, name: None, content };
            let messages = answer.choices.iter().map(|choice| message(choice.content.clone())).collect();
            (meaning(Chat { messages, ..Chat::default() }), answer.usage, answer.id, answer.model)
        };
        prop_assert_eq!(said(read), said(answer));
    }
}
