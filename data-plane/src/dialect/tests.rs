//! Conversations that every dialect can say, and what of two of them means the same.
//!
//! Law: what is generated here goes through OpenAI's dialect, as the pipeline reads it, and comes back the same but for its form.

pub(crate) mod golden;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::chat::{
    Call, Chat, Format, Kind, Message, Part, Raw, Role, Sampling, Source, Thinking, Tool, ToolChoice,
};

/// The same conversation in one form: who speaks in a row speaks once, what says nothing is not said, and what stands beside the rest stands in
/// the order of its names.
pub(crate) fn normalised(chat: &Chat) -> Chat {
    let mut chat = chat.clone();
    let mut messages: Vec<Message> = Vec::new();
    for mut message in std::mem::take(&mut chat.messages) {
        let says = |part: &Part| part.kind != Kind::Text(String::new());
        message.content.retain(says);
        for part in &mut message.content {
            if let Kind::Output { content, .. } = &mut part.kind {
                content.retain(says);
            }
        }
        match messages.last_mut().filter(|last| last.role == message.role && last.name == message.name) {
            Some(last) => last.content.append(&mut message.content),
            None => messages.push(message),
        }
    }
    chat.messages = messages;
    chat.others.sort();
    chat
}

/// Texts, with all that JSON has to escape.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-zA-Z0-9 ]{1,12}", 1 => "[\\PC\"\\\\\n\t{}:,]{1,12}"]
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_-]{1,12}"
}

/// Arguments of calls: JSON objects as models write them.
pub(crate) fn arguments() -> impl Strategy<Value = String> {
    let simple =
        prop::sample::select(vec!["{}", "{ \"a\" : [1, {\"b\":\"}\"}] }", "{\"a\":\"\\\"{\",\"c\":1.50}"]);
    prop_oneof![
        simple.prop_map(str::to_owned),
        text().prop_map(|text| serde_json::json!({ "text": text }).to_string()),
    ]
}

fn mark() -> impl Strategy<Value = Option<Raw>> {
    option::weighted(0.2, Just(Raw::from(r#"{"type":"ephemeral"}"#)))
}

fn marked(kind: impl Strategy<Value = Kind>) -> impl Strategy<Value = Part> {
    (kind, mark()).prop_map(|(kind, cache)| Part { kind, cache })
}

fn said() -> impl Strategy<Value = Kind> {
    text().prop_map(Kind::Text)
}

fn base64() -> impl Strategy<Value = String> {
    "([a-zA-Z0-9+/]{4}){1,4}"
}

/// A picture or a document, where one can be.
fn shown() -> impl Strategy<Value = Kind> {
    let data = |media_type: &'static str| {
        base64().prop_map(move |data| Source::Data { media_type: media_type.to_owned(), data })
    };
    let url = || "https://[a-z]{1,8}\\.example/[a-z]{1,8}".prop_map(Source::Url);
    let picture = prop_oneof![data("image/png"), data("image/jpeg"), url(), word().prop_map(Source::Id)];
    let document = prop_oneof![data("application/pdf"), url(), word().prop_map(Source::Id)];
    prop_oneof![
        picture.prop_map(|source| Kind::Image(source, None)),
        (document, option::of(text())).prop_map(|(source, name)| Kind::File { source, name }),
    ]
}

fn thought() -> impl Strategy<Value = Part> {
    prop_oneof![
        (text(), word()).prop_map(|(text, signature)| Kind::Thinking { text, signature: Some(signature) }),
        word().prop_map(Kind::Redacted),
    ]
    .prop_map(Part::of)
}

/// What the model says, and its calls: thoughts and what was said take turns, calls come last.
fn model() -> impl Strategy<Value = (Vec<Part>, Vec<Part>)> {
    let turn = (vec(thought(), 0..3), vec(marked(said()), 1..3));
    let turns =
        vec(turn, 1..3).prop_map(|turns| turns.into_iter().flat_map(|(a, b)| [a, b].concat()).collect());
    let call = (word(), word(), arguments())
        .prop_map(|(id, name, arguments)| Kind::Call(Call { id, name, arguments }));
    (turns, vec(marked(call), 0..3))
}

fn output(id: String) -> impl Strategy<Value = Part> {
    let content = vec(prop_oneof![3 => marked(said()), 1 => marked(shown())], 0..3);
    marked((content, any::<bool>()).prop_map(move |(content, failed)| Kind::Output {
        id: id.clone(),
        content,
        failed,
    }))
}

/// One round: the caller asks, the model answers and calls, its tools give back.
fn round() -> impl Strategy<Value = Vec<Message>> {
    let asks = vec(prop_oneof![3 => marked(said()), 1 => marked(shown())], 1..4);
    (asks, model()).prop_flat_map(|(asks, (turns, calls))| {
        let ids = calls.iter().filter_map(|part| match &part.kind {
            Kind::Call(call) => Some(call.id.clone()),
            _ => None,
        });
        let outputs: Vec<_> = ids.map(output).collect();
        let said = |role, content| Message { role, name: None, content };
        outputs.prop_map(move |outputs| {
            let answer = [turns.clone(), calls.clone()].concat();
            let mut messages = vec![said(Role::User, asks.clone()), said(Role::Assistant, answer)];
            messages.extend((!outputs.is_empty()).then(|| said(Role::User, outputs)));
            messages
        })
    })
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let system = option::of(vec(marked(said()), 1..3));
    let last = vec(marked(said()), 1..2);
    (system, vec(round(), 0..3), last).prop_map(|(system, rounds, last)| {
        let said = |role, content| Message { role, name: None, content };
        let system = system.map(|content| said(Role::System, content));
        system.into_iter().chain(rounds.concat()).chain([said(Role::User, last)]).collect()
    })
}

fn schema() -> impl Strategy<Value = Raw> {
    text().prop_map(|text| {
        let schema = serde_json::json!({ "type": "object", "properties": { text: { "type": "string" } } });
        schema.to_string().into()
    })
}

fn tools() -> impl Strategy<Value = (Vec<Tool>, Option<ToolChoice>, Option<bool>)> {
    let tool = (word(), option::of(text()), schema(), option::of(any::<bool>()), mark());
    let tool = tool.prop_map(|(name, description, parameters, strict, cache)| Tool::Function {
        name,
        description,
        parameters: Some(parameters),
        strict,
        cache,
    });
    let choice = prop_oneof![
        Just((Some(ToolChoice::None), None)),
        (
            prop_oneof![Just(ToolChoice::Auto), Just(ToolChoice::Any), word().prop_map(ToolChoice::Named)],
            any::<Option<bool>>()
        )
            .prop_map(|(choice, parallel)| (Some(choice), parallel)),
        Just((None, None)),
    ];
    (vec(tool, 0..3), choice).prop_map(|(tools, (choice, parallel))| match tools.is_empty() {
        true => (tools, None, None),
        false => (tools, choice, parallel),
    })
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let share =
        || option::of(prop::sample::select(vec!["0", "0.5", "0.70", "1", "1e-1"]).prop_map(Raw::from));
    (share(), share(), option::of(1..100_u64)).prop_map(|(temperature, top_p, top_k)| Sampling {
        temperature,
        top_p,
        top_k,
        ..Sampling::default()
    })
}

/// Conversations that OpenAI's dialect can say as the pipeline reads it, and Anthropic's too.
pub(crate) fn chats() -> impl Strategy<Value = Chat> {
    let thinking = option::of(prop_oneof![
        (1024..9999_u64).prop_map(|budget| Thinking::Budget(Some(budget))),
        Just(Thinking::Budget(None)),
        Just(Thinking::Off),
    ]);
    let format = option::of(schema().prop_map(|schema| Format::Schema {
        name: "answer".to_owned(),
        description: None,
        schema,
        strict: Some(true),
    }));
    let how = (any::<bool>(), 1..9999_u64, sampling(), vec(text(), 0..3), tools());
    let beside = (format, thinking, option::of(word()));
    (word(), messages(), how, beside).prop_map(|(model, messages, how, (format, thinking, user))| {
        let (stream, max_tokens, sampling, stop, (tools, tool_choice, parallel_tool_calls)) = how;
        Chat {
            model,
            messages,
            stream,
            max_tokens: Some(max_tokens),
            sampling,
            stop,
            tools,
            tool_choice,
            parallel_tool_calls,
            format,
            thinking,
            user,
            ..Chat::default()
        }
    })
}
