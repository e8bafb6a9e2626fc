//! What a generation of Gemini wants, by the model's name.
//!
//! Law: from the third generation on a model thinks by levels, and takes no call back that bears no signature; one whose name tells no
//! generation is taken for an older one, whose words newer ones understand, too.

use super::super::chat::Thinking;

/// The first generation that thinks by levels.
const LEVELS: u32 = 3;

/// Tokens of thinking that an effort stands for, as the vendor's own table for OpenAI's words has them.
const BUDGETS: [(&str, u64); 6] =
    [("none", 0), ("minimal", 1_024), ("low", 1_024), ("medium", 8_192), ("high", 24_576), ("xhigh", 24_576)];

/// How much a model is to think, in words of the dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Depth {
    /// `thinkingLevel`.
    Level(String),
    /// `thinkingBudget`; `None`: as the vendor has it.
    Budget(Option<u64>),
}

/// Whether a model is of the third generation or a later one.
pub(super) fn is_new(model: &str) -> bool {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    let generation = model.rsplit_once("gemini-").and_then(|(_, rest)| digits(rest).parse::<u32>().ok());
    generation.is_some_and(|generation| generation >= LEVELS)
}

/// How much a model is to think; `None`: there is no word for it.
pub(super) fn depth(model: &str, thinking: &Thinking) -> Option<Depth> {
    match thinking {
        Thinking::Off => Some(Depth::Budget(Some(0))),
        Thinking::Budget(budget) => Some(Depth::Budget(*budget)),
        Thinking::Effort(effort) if is_new(model) && effort != "none" => {
            let level = if effort == "xhigh" { "HIGH".to_owned() } else { effort.to_ascii_uppercase() };
            Some(Depth::Level(level))
        }
        Thinking::Effort(effort) => {
            let budget = BUDGETS.iter().find(|(word, _)| word == effort).map(|(_, tokens)| *tokens);
            budget.map(|tokens| Depth::Budget(Some(tokens)))
        }
    }
}
