//! What goes through OpenAI's dialect comes back as it was.

use proptest::prelude::*;

use super::super::super::chat::{Chat, Format, Kind, Message, Part, Raw, Role, Sampling, Thinking, Tool};
use super::super::super::openai::{self, Reader};
use super::super::super::tests::{chats, normalised};
use super::super::{read, write};

fn told(chat: &Chat) -> Vec<u8> {
    let written = write::write(chat).unwrap();
    assert_eq!(written.left_out, Vec::<String>::new());
    written.body
}

fn piped(chat: &Chat) -> Chat {
    let written = openai::write::write(chat, Reader::Pipeline).unwrap();
    assert_eq!(written.left_out, Vec::<String>::new());
    openai::read::read(&written.body).unwrap()
}

proptest! {
    #[test]
    fn what_a_caller_says_reaches_the_vendor(chat in chats()) {
        let first = read::read(&told(&chat)).unwrap();
        prop_assert_eq!(normalised(&first), normalised(&chat));
        let last = read::read(&told(&piped(&first))).unwrap();
        prop_assert_eq!(normalised(&last), normalised(&first));
    }

    #[test]
    fn what_openais_dialect_says_comes_back(chat in chats()) {
        let first = piped(&chat);
        let last = piped(&read::read(&told(&first)).unwrap());
        prop_assert_eq!(normalised(&last), normalised(&first));
    }

    #[test]
    fn an_effort_is_said_as_it_was(adaptive in any::<bool>(), effort in "low|medium|high|xhigh|max") {
        let thinking = if adaptive { r#""thinking":{"type":"adaptive"},"# } else { "" };
        let body = format!(
            r#"{{"model":"m","max_tokens":9,{thinking}"output_config":{{"effort":"{effort}"}},"messages":[{{"role":"user","content":"a"}}]}}"#
        );
        let first = read::read(body.as_bytes()).unwrap();
        prop_assert_eq!(first.thinking.clone(), Some(Thinking::Effort(effort)));
        let last = read::read(&told(&piped(&first))).unwrap();
        prop_assert_eq!(normalised(&last), normalised(&first));
    }
}

/// A conversation with one question.
pub(super) fn asked() -> Chat {
    let content = vec![Part::of(Kind::Text("Go.".to_owned()))];
    let messages = vec![Message { role: Role::User, name: None, content }];
    Chat { model: "m".to_owned(), max_tokens: Some(100), messages, ..Chat::default() }
}

#[test]
fn what_can_not_be_said_is_refused_by_its_name() {
    let other = |name: &str, value: &str| Chat { others: vec![(name.to_owned(), value.into())], ..asked() };
    let sampling = |sampling: Sampling| Chat { sampling, ..asked() };
    let said = |kind: Kind| {
        let messages = vec![Message { role: Role::User, name: None, content: vec![Part::of(kind)] }];
        Chat { messages, ..asked() }
    };
    let raw = |text: &str| Some(Raw::from(text));
    let audio = Kind::Audio { data: "AA==".to_owned(), format: "wav".to_owned() };
    let cases = [
        (Chat { choices: Some(2), ..asked() }, "n"),
        (sampling(Sampling { temperature: raw("1.1"), ..Sampling::default() }), "temperature"),
        (sampling(Sampling { presence_penalty: raw("0.1"), ..Sampling::default() }), "presence_penalty"),
        (sampling(Sampling { frequency_penalty: raw("-1"), ..Sampling::default() }), "frequency_penalty"),
        (Chat { format: Some(Format::Json), ..asked() }, "response_format"),
        (Chat { thinking: Some(Thinking::Effort("hard".to_owned())), ..asked() }, "reasoning_effort"),
        (
            Chat {
                tools: vec![Tool::Vendor(r#"{"type":"custom","custom":{"name":"a"}}"#.into())],
                ..asked()
            },
            "tools[0]",
        ),
        (other("logprobs", "true"), "logprobs"),
        (other("top_logprobs", "2"), "top_logprobs"),
        (other("logit_bias", r#"{"5":1}"#), "logit_bias"),
        (other("modalities", r#"["text","audio"]"#), "modalities"),
        (other("audio", "{}"), "audio"),
        (other("prediction", "{}"), "prediction"),
        (other("functions", r#"[{"name":"a"}]"#), "functions"),
        (other("function_call", "\"auto\""), "function_call"),
        (other("web_search_options", "{}"), "web_search_options"),
        (other("messages[3].audio", "{}"), "messages[3].audio"),
        (other("stop_sequences", "[]"), "stop_sequences"),
        (said(audio), "messages[0].content[0]"),
        (
            said(Kind::Other(r#"{"type":"video_url","video_url":{"url":"a"}}"#.into())),
            "messages[0].content[0]",
        ),
        (
            said(Kind::Other(r#"{"role":"function","name":"a","content":"b"}"#.into())),
            "messages[0].content[0]",
        ),
    ];
    for (chat, field) in cases {
        assert_eq!(write::write(&chat).unwrap_err().field, field);
    }
}
