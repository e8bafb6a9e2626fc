//! What goes along in a model's own words: `additionalModelRequestFields`.
//!
//! Law: only what the model's maker has published; whose model it is shows in its name, and where it does not (an ARN of a profile of the
//! account's own), nothing is guessed. What the caller writes there goes first, and ours beside it.

use super::super::super::anthropic::generation::Generation;
use super::super::super::anthropic::think::{self, Mode};
use super::super::super::anthropic::{EFFORT, THINKING_TYPE, beta};
use super::super::super::chat::{Chat, Raw, Thinking};
use super::super::super::json::Json;
use super::{ADDITIONAL, Writer};
use crate::tape::{Kind as Form, Tape};

/// What Bedrock has of what Anthropic has not for all yet, by the pages of both.
const BETAS: [&str; 11] = [
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    "effort-2025-11-24",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29",
    "tool-search-tool-2025-10-19",
];

/// What is written of them.
pub(super) struct Own {
    /// The members, as an object, where there are any.
    pub(super) fields: Option<Vec<u8>>,
    /// The most tokens of an answer, thoughts included.
    pub(super) max_tokens: Option<u64>,
}

/// Whose model it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    Anthropic,
    OpenAi,
    Other,
}

impl Maker {
    fn of(model: &str) -> Self {
        let names = |maker: &str| model.split(['.', '/', ':']).any(|part| part == maker);
        if names("anthropic") {
            Self::Anthropic
        } else if names("openai") {
            Self::OpenAi
        } else {
            Self::Other
        }
    }
}

/// Of what a model may be told that it may be kept; one that is told so and can't refuses all of a request.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Caches {
    /// Of what is said.
    pub(super) said: bool,
    /// Of its tools.
    pub(super) tools: bool,
}

impl Caches {
    /// Of a model; one whose name does not tell what it is, is whatever its administrator made it of.
    pub(super) fn of(model: &str) -> Self {
        let tools = model.contains("anthropic") || model.contains(":application-inference-profile/");
        Self { said: tools || model.contains("amazon.nova"), tools }
    }
}

/// Whether the model is Anthropic's.
pub(super) fn is_anthropics(chat: &Chat) -> bool {
    Maker::of(&chat.model) == Maker::Anthropic
}

/// Which of `temperature`, `top_p` and `top_k` the model takes.
pub(super) fn takes(chat: &Chat) -> [bool; 3] {
    match Maker::of(&chat.model) {
        Maker::Anthropic => Generation::of(&chat.model).takes(chat.sampling.temperature.is_some()),
        Maker::OpenAi | Maker::Other => [true; 3],
    }
}

impl Writer {
    /// The fields of a model's own.
    pub(super) fn own_fields(&mut self, chat: &Chat) -> Own {
        let maker = Maker::of(&chat.model);
        let mut json = Json::default();
        let (mut any, mut max_tokens) = (false, chat.max_tokens);
        json.object(|json| {
            any |= self.callers(chat, json);
            if let Some(top_k) = chat.sampling.top_k {
                match (maker, takes(chat)) {
                    (Maker::Anthropic, [.., true]) => {
                        json.key("top_k").number_of(top_k);
                        any = true;
                    }
                    (Maker::Anthropic, _) => self.untold.leave("top_k"),
                    _ => self.untold.refuse("top_k", "this model has no word for it there"),
                }
            }
            any |= match (maker, &chat.thinking) {
                (Maker::Anthropic, _) => self.thoughts(chat, &mut max_tokens, json),
                (_, None) => false,
                (Maker::OpenAi, Some(Thinking::Effort(effort))) => {
                    json.key("reasoning_effort").string(effort);
                    true
                }
                (Maker::Other, Some(Thinking::Effort(_))) => {
                    self.untold.leave("reasoning_effort");
                    false
                }
                (_, Some(Thinking::Budget(_) | Thinking::Off)) => {
                    self.untold.leave("thinking");
                    false
                }
            };
        });
        Own { fields: any.then(|| json.done()), max_tokens }
    }

    /// What the caller writes of them.
    fn callers(&mut self, chat: &Chat, json: &mut Json) -> bool {
        let Some((_, value)) = chat.others.iter().find(|(name, _)| name == ADDITIONAL) else { return false };
        let mut tape = Tape::default();
        let root = tape.read(value.as_bytes()).ok().and_then(|()| tape.root(value.as_bytes()));
        let Some(root) = root.filter(|root| root.kind() == Form::Object) else {
            self.untold.refuse(ADDITIONAL, "it is an object there");
            return false;
        };
        for (key, value) in root.members() {
            json.key(&key.text()).raw(value.raw());
        }
        root.len() > 0
    }

    /// How Anthropic's models think, by the same plan as at Anthropic's own.
    fn thoughts(&mut self, chat: &Chat, max_tokens: &mut Option<u64>, json: &mut Json) -> bool {
        let Some(plan) = think::plan(chat) else {
            self.untold.refuse("reasoning_effort", "how much that is is not known");
            return false;
        };
        if let Some(field) = plan.left_out {
            self.untold.leave(field);
        }
        let mut any = self.betas(chat, json);
        let refused = Generation::of(&chat.model).refuses_efforts();
        let beside = |of: &'static str| chat.others.iter().filter(move |(name, _)| name.starts_with(of));
        let config: Vec<_> =
            beside("output_config.").filter(|(path, _)| !(refused && path == EFFORT)).collect();
        if refused && beside(EFFORT).next().is_some() {
            self.untold.leave(EFFORT);
        }
        if plan.effort.is_some() || !config.is_empty() {
            json.key("output_config").object(|json| {
                if let Some(effort) = plan.effort {
                    json.key("effort").string(effort);
                }
                for (path, value) in config {
                    json.key(path.trim_start_matches("output_config.")).raw(value.as_bytes());
                }
            });
            any = true;
        }
        let thoughts: Vec<_> = beside("thinking.").filter(|(path, _)| path != THINKING_TYPE).collect();
        let Some(mode) = plan.mode else {
            thoughts.iter().for_each(|(path, _)| self.untold.leave(path.clone()));
            return any;
        };
        if matches!(mode, Mode::Enabled(_)) || plan.effort.is_some() {
            *max_tokens = Some(plan.tokens);
        }
        json.key("thinking").object(|json| {
            think::write(mode, json);
            for (path, value) in thoughts {
                json.key(path.trim_start_matches("thinking.")).raw(value.as_bytes());
            }
        });
        true
    }

    /// What is asked for that is not there for all yet, as far as it is there: one name that it does not know, and all is refused.
    fn betas(&mut self, chat: &Chat, json: &mut Json) -> bool {
        let Some((_, asked)) = chat.others.iter().find(|(name, _)| name == beta::MEMBER) else {
            return false;
        };
        let said_below = |(name, value): &(String, Raw)| name == ADDITIONAL && value.contains(beta::MEMBER);
        let Some(asked) = beta::names(asked) else {
            self.untold.refuse(beta::MEMBER, "it is no array of names");
            return false;
        };
        let (known, unknown): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|name| BETAS.contains(&name.as_str()));
        if !unknown.is_empty() {
            self.untold.leave(beta::MEMBER);
        }
        if known.is_empty() || chat.others.iter().any(said_below) {
            return false;
        }
        json.key(beta::MEMBER).array(|json| known.iter().for_each(|name| json.string(name)));
        true
    }
}
