//! How a model is told to think, and how many tokens it has for all that it says.
//!
//! Law: an effort is a hint: where it can't be told beside what the caller asks for in so many words, it is left out. A budget is told as it is.
//!
//! | effort of OpenAI's dialect | budget in tokens |
//! |---|---|
//! | `none` | thinking is disabled |
//! | `minimal` | 1024, the least there is |
//! | `low` | 2048 |
//! | `medium` | 8192 |
//! | `high` | 16384 |
//! | `xhigh`, `max` | 32768 |
//!
//! The budget is at most half of the tokens that the caller gives, so that an answer fits beside the thoughts; if that is less than the least,
//! there are no thoughts. Models that are told efforts ([`Generation`]) are told them, `minimal` as `low`, and a budget that they would refuse as
//! the effort that has it. Nor are there thoughts with what the dialect refuses beside them: a temperature other than 1, `top_k`, a `top_p` below 0.95, a
//! tool that must be called, an answer that is begun by the caller, and, beside a budget, a call of a tool that was made without thoughts.
//!
//! The dialect needs a number of tokens where OpenAI's has the model's own. Every model of the vendor's gives [`TOKENS`]; more than that could be
//! refused. Beside a budget it is [`BESIDE`] more than that at least, for the thoughts count.

use super::super::chat::{Chat, Kind, Message, Role, Thinking, ToolChoice};
use super::super::json::Json;
use super::generation::Generation;
use super::{EFFORT, THINKING_TYPE};

/// The tokens of an answer, where none are told.
const TOKENS: u64 = 4_096;

/// What an answer has beside its thoughts.
const BESIDE: u64 = 1_024;

/// The least budget that the vendor takes.
const LEAST: u64 = 1_024;

/// How a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Mode {
    /// Not at all.
    Disabled,
    /// As it sees fit.
    Adaptive,
    /// At most so many tokens.
    Enabled(u64),
}

/// What is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Plan {
    /// How, if that is told.
    pub(in super::super) mode: Option<Mode>,
    /// The tokens of all that is said and thought.
    pub(in super::super) tokens: u64,
    /// The effort, where the caller does not say it in the dialect's own words.
    pub(in super::super) effort: Option<&'static str>,
    /// What of the caller's words is left out.
    pub(in super::super) left_out: Option<&'static str>,
}

/// Where OpenAI's dialect says how much is thought.
const THEIRS: &str = "reasoning_effort";

/// What is told for a request; `None`: its effort is none that is known.
pub(in super::super) fn plan(chat: &Chat) -> Option<Plan> {
    let beside = |path: &str| chat.others.iter().any(|(name, _)| name == path);
    let generation = Generation::of(&chat.model);
    let rests = (generation != Generation::Restless).then_some(Mode::Disabled);
    let (mut effort, mut most) = (None, None);
    let mode = match &chat.thinking {
        None => None,
        Some(Thinking::Off) => rests,
        Some(Thinking::Budget(Some(budget))) if !generation.has_budgets() => {
            effort = Some(effort_of(*budget));
            Some(Mode::Adaptive)
        }
        Some(Thinking::Budget(None)) if generation.refuses_efforts() => within(chat, budget("high")?),
        Some(Thinking::Budget(budget)) => Some(budget.map_or(Mode::Adaptive, Mode::Enabled)),
        Some(Thinking::Effort(_)) if beside(EFFORT) && !generation.refuses_efforts() => {
            beside(THINKING_TYPE).then_some(Mode::Adaptive)
        }
        Some(Thinking::Effort(effort)) if effort == "none" => rests,
        Some(Thinking::Effort(word)) => {
            let wanted = budget(word)?;
            if generation.has_efforts() {
                most = Some(wanted);
                effort = Some(word_of(word, generation));
                takes_thoughts(chat, generation).then_some(Mode::Adaptive)
            } else {
                within(chat, wanted)
            }
        }
    };
    let most = if let Some(Mode::Enabled(budget)) = mode { Some(budget) } else { most };
    let enough = most.map_or(TOKENS, |budget| TOKENS.max(budget.saturating_add(BESIDE)));
    let left_out = match &chat.thinking {
        Some(Thinking::Budget(Some(_))) if effort.is_some() => Some("thinking.budget_tokens"),
        Some(Thinking::Budget(None)) if mode.is_none() => Some("thinking"),
        Some(Thinking::Off) if mode.is_none() => Some("thinking"),
        Some(Thinking::Effort(_)) if mode.is_none() && effort.is_none() && !beside(EFFORT) => Some(THEIRS),
        _ => None,
    };
    let effort = effort.filter(|_| !beside(EFFORT));
    Some(Plan { mode, tokens: chat.max_tokens.unwrap_or(enough), effort, left_out })
}

/// A budget within the room that there is.
fn within(chat: &Chat, wanted: u64) -> Option<Mode> {
    let room = chat.max_tokens.map_or(wanted, |tokens| tokens / 2);
    let fits = room >= LEAST && takes_thoughts(chat, Generation::of(&chat.model));
    fits.then_some(Mode::Enabled(wanted.min(room)))
}

/// An effort in the vendor's words.
fn word_of(effort: &str, generation: Generation) -> &'static str {
    match effort {
        "minimal" | "low" => "low",
        "medium" => "medium",
        "xhigh" if !generation.has_budgets() => "xhigh",
        "xhigh" | "max" => "max",
        _ => "high",
    }
}

/// The effort that has a budget.
fn effort_of(budget: u64) -> &'static str {
    match budget {
        ..=2_048 => "low",
        2_049..=8_192 => "medium",
        8_193..=16_384 => "high",
        _ => "xhigh",
    }
}

/// The budget of an effort.
pub(in super::super) fn budget(effort: &str) -> Option<u64> {
    Some(match effort {
        "minimal" => 1_024,
        "low" => 2_048,
        "medium" => 8_192,
        "high" => 16_384,
        "xhigh" | "max" => 32_768,
        _ => return None,
    })
}

/// Whether the vendor takes thoughts beside the rest of a request.
fn takes_thoughts(chat: &Chat, generation: Generation) -> bool {
    let number = |raw: &Option<Box<str>>| raw.as_deref().and_then(|raw| raw.parse::<f64>().ok());
    let sampling = &chat.sampling;
    let drawn = number(&sampling.temperature).is_none_or(|temperature| temperature == 1.0)
        && sampling.top_k.is_none()
        && number(&sampling.top_p).is_none_or(|top_p| top_p >= 0.95);
    let forced = matches!(chat.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
    let said = || chat.messages.iter().filter(|message| message.role != Role::System);
    let begun = said().next_back().is_some_and(|last| last.role == Role::Assistant);
    let free = drawn || generation >= Generation::EffortsAlone;
    let alone = || !generation.has_efforts() && calls_without_thoughts(&said().collect::<Vec<_>>());
    free && !forced && !begun && !alone()
}

/// Whether what the model last said calls tools and begins with no thoughts of its own.
fn calls_without_thoughts(said: &[&Message]) -> bool {
    let last = said.iter().rposition(|message| message.role == Role::Assistant).unwrap_or(0);
    let first = said.get(..last).unwrap_or_default();
    let before = first.iter().rev().take_while(|message| message.role == Role::Assistant).count();
    let turn = said.get(last - before..).unwrap_or_default();
    let mut parts = turn.iter().filter(|message| message.role == Role::Assistant).flat_map(|m| &m.content);
    let is_call = parts.clone().any(|part| matches!(part.kind, Kind::Call(_)));
    let thought = parts.next().is_some_and(|part| {
        matches!(part.kind, Kind::Thinking { signature: Some(_), .. } | Kind::Redacted(_))
    });
    is_call && !thought
}

/// Writes how a model thinks.
pub(in super::super) fn write(mode: Mode, json: &mut Json) {
    match mode {
        Mode::Disabled => json.key("type").string("disabled"),
        Mode::Adaptive => json.key("type").string("adaptive"),
        Mode::Enabled(budget) => {
            json.key("type").string("enabled");
            json.key("budget_tokens").number_of(budget);
        }
    }
}
