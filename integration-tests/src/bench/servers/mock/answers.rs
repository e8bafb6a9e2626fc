//! The prepared bytes: one unary answer of 604 bytes, and one stream in four ways of writing it.
//!
//! What an answer charges for is the same every time, so that a sum of usage is a count of requests.

use std::sync::Arc;

use bytes::Bytes;

/// What every answer charges for, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

/// The usage in every answer.
pub(crate) const USAGE: Usage = Usage { input: 140, output: 60 };

/// How many `data:` events a stream has: role, text, finish, usage, done.
pub(crate) const EVENTS: u64 = DELTAS as u64 + 4;
const DELTAS: usize = 100;

/// The models the mock lists: the plain one and one for each way of writing.
pub(crate) const MODELS: [&str; 5] = [
    "bench",
    Writing::Paced.model(),
    Writing::Burst.model(),
    Writing::Split.model(),
    Writing::Coalesced.model(),
];

/// How the events of a stream meet the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// One event every few milliseconds.
    Paced,
    /// Each event is flushed by itself, as fast as it is taken.
    Burst,
    /// Each event is flushed in two pieces, cut within a word.
    Split,
    /// Eight events a piece.
    Coalesced,
}

impl Writing {
    /// The model that asks for it.
    pub(crate) const fn model(self) -> &'static str {
        match self {
            Writing::Paced => "bench-paced",
            Writing::Burst => "bench-burst",
            Writing::Split => "bench-split",
            Writing::Coalesced => "bench-coalesced",
        }
    }

    /// The way `body` asks for; none where it asks for no stream.
    pub(crate) fn asked_by(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        if !text.contains("\"stream\":true") {
            return None;
        }
        let named = |writing: &Writing| text.contains(writing.model());
        [Writing::Paced, Writing::Split, Writing::Coalesced].into_iter().find(named).or(Some(Writing::Burst))
    }
}

/// Everything the mock says.
pub(crate) struct Answers {
    pub(crate) unary: Bytes,
    pub(crate) models: Bytes,
    whole: Arc<[Bytes]>,
    split: Arc<[Bytes]>,
    coalesced: Arc<[Bytes]>,
}

const UNARY_LENGTH: usize = 604;
const PROSE: &str = "A chancery is the office that issues orders under seal and keeps the record of them, so that what was \
                     ordered, by whom and when can be shown to anybody who has the right to ask for it. Its clerks copy each \
                     order into a roll before it leaves the house, and nothing is struck out of the roll afterwards. ";

impl Answers {
    /// Makes them once.
    pub(crate) fn prepare() -> Self {
        let events: Vec<Bytes> = events().into_iter().map(Bytes::from).collect();
        let halves = events.iter().flat_map(|event| {
            let middle = event.len() / 2;
            [event.slice(..middle), event.slice(middle..)]
        });
        let eights = events.chunks(8).map(|events| Bytes::from(events.concat()));
        Answers {
            unary: Bytes::from(unary()),
            models: Bytes::from(models()),
            split: halves.collect(),
            coalesced: eights.collect(),
            whole: events.into(),
        }
    }

    /// The pieces of a stream in the given way of writing.
    pub(crate) fn stream(&self, writing: Writing) -> Arc<[Bytes]> {
        Arc::clone(match writing {
            Writing::Paced | Writing::Burst => &self.whole,
            Writing::Split => &self.split,
            Writing::Coalesced => &self.coalesced,
        })
    }
}

fn usage() -> String {
    let Usage { input, output } = USAGE;
    format!(r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{}}}"#, input + output)
}

fn unary() -> String {
    let around = |content: &str| {
        format!(
            r#"{{"id":"chatcmpl-bench-0000000000000001","object":"chat.completion","created":1767225600,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"logprobs":null,"finish_reason":"stop"}}],"usage":{}}}"#,
            usage()
        )
    };
    let room = UNARY_LENGTH.saturating_sub(around("").len());
    around(&PROSE.chars().cycle().take(room).collect::<String>())
}

fn models() -> String {
    let entry = |name: &&str| {
        format!(r#"{{"id":"{name}","object":"model","created":1767225600,"owned_by":"bench"}}"#)
    };
    let entries: Vec<String> = MODELS.iter().map(entry).collect();
    format!(r#"{{"object":"list","data":[{}]}}"#, entries.join(","))
}

fn events() -> Vec<String> {
    let chunk = |rest: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-bench-0000000000000001\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"bench\",{rest}}}\n\n"
        )
    };
    let choice = |delta: &str, finish: &str| {
        chunk(&format!(
            r#""choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]"#
        ))
    };
    let words = PROSE.split_inclusive(' ').cycle().take(DELTAS);
    let mut events = vec![choice(r#"{"role":"assistant","content":""}"#, "null")];
    events.extend(words.map(|word| choice(&format!(r#"{{"content":"{word}"}}"#), "null")));
    events.push(choice("{}", "\"stop\""));
    events.push(chunk(&format!(r#""choices":[],"usage":{}"#, usage())));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unary_answer_is_json_of_604_bytes() {
        let answers = Answers::prepare();
        assert_eq!(answers.unary.len(), UNARY_LENGTH);
        let json: serde_json::Value = serde_json::from_slice(&answers.unary).unwrap();
        assert_eq!(json["usage"]["total_tokens"], 200);
        let models: serde_json::Value = serde_json::from_slice(&answers.models).unwrap();
        assert_eq!(models["data"].as_array().unwrap().len(), MODELS.len());
    }

    #[test]
    fn every_way_of_writing_is_the_same_stream() {
        let answers = Answers::prepare();
        let whole = answers.stream(Writing::Burst).concat();
        assert_eq!(answers.stream(Writing::Split).concat(), whole);
        assert_eq!(answers.stream(Writing::Coalesced).concat(), whole);
        let text = String::from_utf8(whole).unwrap();
        assert_eq!(text.matches("data: ").count() as u64, EVENTS);
        for event in text.split("\n\n").filter(|event| event.starts_with("data: {")) {
            serde_json::from_str::<serde_json::Value>(&event["data: ".len()..]).unwrap();
        }
    }

    #[test]
    fn the_model_chooses_the_writing() {
        let asked = |text: &str| Writing::asked_by(text.as_bytes());
        assert_eq!(asked(r#"{"model":"bench-split","stream":true}"#), Some(Writing::Split));
        assert_eq!(asked(r#"{"model":"bench","stream":true}"#), Some(Writing::Burst));
        assert_eq!(asked(r#"{"model":"bench-split"}"#), None);
    }
}
