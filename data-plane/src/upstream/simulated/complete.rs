//! Simulated answers of the form that was before conversations: a text, gone on with.
//!
//! Law: the same words as a chat would have, for each text by itself; field names, order and nulls are OpenAI's. Deliberately absent:
//! log probabilities, for there are none.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    directive::{self, Claim, Directives},
    reply::{Form, Reply, Said, Usage, spoken},
    request::{Input, Inputs, StreamOptions},
    tokens, wire,
};

/// `POST /completions`.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    prompt: Inputs<'a>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    echo: Option<bool>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    #[serde(default)]
    pub(super) stream_options: Option<StreamOptions>,
}

/// What is asked, once the first text's directives are read.
pub(super) struct Asked {
    /// What the first text asks for beside an answer.
    pub(super) directives: Directives,
    /// The texts without directives.
    texts: Vec<String>,
}

impl Asked {
    /// Reads the texts, or says what is wrong with them.
    pub(super) fn of(request: &Request<'_>) -> Result<Self, String> {
        let (mut directives, mut texts) = (Directives::default(), Vec::new());
        for (at, input) in request.prompt.0.iter().enumerate() {
            let text = match input {
                Input::Text(text) => Cow::Borrowed(text.as_ref()),
                Input::Tokens(tokens) => Cow::Owned(format!("{} tokens", tokens.len())),
            };
            let (found, rest) = directive::read(&text).map_err(|error| error.to_string())?;
            if at == 0 {
                directives = found;
            }
            texts.push(rest.into_owned());
        }
        let many = u64::from(request.n.unwrap_or(1)) * texts.len() as u64;
        match (1..=u64::from(super::MOST_CHOICES)).contains(&many) {
            true => Ok(Self { directives, texts }),
            false => Err("`prompt` and `n` must ask for 1 to 128 answers".to_owned()),
        }
    }
}

/// The reply: every text is answered `n` times.
pub(super) fn reply(request: &Request<'_>, asked: &Asked) -> Reply {
    let mut choices = Vec::new();
    let (mut written, mut prompt) = (0, 0);
    for (text, input) in asked.texts.iter().zip(&request.prompt.0) {
        let read = match input {
            Input::Text(text) => tokens::count(text),
            Input::Tokens(tokens) => tokens.len() as u64,
        };
        prompt += read;
        for index in 0..request.n.unwrap_or(1) {
            let mut choice = spoken(words(request, &asked.directives, text, index), request.max_tokens);
            written += choice.said.tokens();
            if let (Said::Text(said), Input::Text(before), Some(true)) =
                (&mut choice.said, input, request.echo)
            {
                said.insert_str(0, before);
            }
            choices.push(choice);
        }
    }
    let usage = match asked.directives.usage {
        Claim::Counted => Some(Usage::new(prompt, written)),
        Claim::Omitted => None,
        Claim::Claimed(claimed) => Some(Usage::new(prompt, claimed)),
    };
    Reply { form: Form::Text, model: request.model.clone().into_owned(), choices, usage }
}

fn words(request: &Request<'_>, directives: &Directives, text: &str, index: u32) -> String {
    let said = directives.say.clone().unwrap_or_else(|| match index {
        0 => format!("{} here: you said {text}", request.model),
        _ => format!("{} here, choice {}: you said {text}", request.model, index + 1),
    });
    match directives.times {
        Some(times) => said.repeat(times),
        None => said,
    }
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<TextChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct TextChoice<'a> {
    text: &'a str,
    index: usize,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

/// A whole answer.
pub(super) fn answer(id: &str, reply: &Reply) -> Bytes {
    let choices = reply.choices.iter().enumerate().map(|(index, choice)| {
        let text = match &choice.said {
            Said::Text(text) => text.as_str(),
            Said::Calls(_) => "",
        };
        TextChoice { text, index, logprobs: None, finish_reason: Some(choice.finish) }
    });
    wire::json(&completion((id, &reply.model), choices.collect(), reply.usage.map(Some)))
}

/// One event of a stream, with its framing; the same as of a chat, in this form.
pub(super) fn event(id: &str, model: &str, saying: wire::Saying<'_>) -> Bytes {
    let choice = saying.choice.map(|(index, delta, finish_reason)| {
        let text = delta.content.flatten().unwrap_or_default();
        TextChoice { text, index, logprobs: None, finish_reason }
    });
    wire::framed(&completion((id, model), choice.into_iter().collect(), saying.usage))
}

fn completion<'a>(
    (id, model): (&'a str, &'a str),
    choices: Vec<TextChoice<'a>>,
    usage: Option<Option<Usage>>,
) -> Completion<'a> {
    Completion {
        id,
        object: "text_completion",
        created: wire::CREATED,
        model,
        choices,
        usage,
        system_fingerprint: wire::FINGERPRINT,
    }
}
