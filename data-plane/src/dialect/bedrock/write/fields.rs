//! What goes along in a model's own words: `additionalModelRequestFields`.
//!
//! Law: only what the model's maker has published; whose model it is shows in its name, and where it does not (an ARN of a profile of the
//! account's own), nothing is guessed. What the caller writes there goes first, and ours beside it.

use super::super::super::anthropic::beta;
use super::super::super::anthropic::generation::Generation;
use super::super::super::anthropic::think::{self, Mode};
use super::super::super::chat::{Chat, Thinking};
use super::super::super::json::Json;
use super::{ADDITIONAL, Writer};
use crate::tape::{Kind as Form, Tape};

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
                    (Maker::Anthropic, _) => self.leave("top_k"),
                    _ => self.refuse("top_k", "this model has no word for it there"),
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
                    self.leave("reasoning_effort");
                    false
                }
                (_, Some(Thinking::Budget(_) | Thinking::Off)) => {
                    self.leave("thinking");
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
            self.refuse(ADDITIONAL, "it is an object there");
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
            self.refuse("reasoning_effort", "how much that is is not known");
            return false;
        };
        if let Some(field) = plan.left_out {
            self.leave(field);
        }
        let mut any = false;
        let said = |path: &str| chat.others.iter().find(|(name, _)| name == path).map(|(_, value)| value);
        if let Some(effort) = plan.effort {
            json.key("output_config").object(|json| json.key("effort").string(effort));
            any = true;
        }
        if let Some(betas) = said(beta::MEMBER) {
            json.key(beta::MEMBER).raw(betas.as_bytes());
            any = true;
        }
        let Some(mode) = plan.mode else { return any };
        if matches!(mode, Mode::Enabled(_)) || plan.effort.is_some() {
            *max_tokens = Some(plan.tokens);
        }
        json.key("thinking").object(|json| think::write(mode, json));
        true
    }
}
