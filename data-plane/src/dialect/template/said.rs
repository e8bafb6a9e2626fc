//! What was said in a conversation, as texts.
//!
//! Law: what is no text is refused by its path; what the model thought is left out, and told.

use super::super::chat::{Chat, Kind, Role};
use super::super::untold::Untold;

/// What one message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Which message, from 0.
    pub(super) at: usize,
    /// By whom.
    pub(super) role: Role,
    /// What.
    pub(super) text: String,
}

/// All that was said. What says nothing is not there.
pub(super) fn all(chat: &Chat, untold: &mut Untold) -> Vec<Said> {
    let mut all = Vec::new();
    for (at, message) in chat.messages.iter().enumerate() {
        if message.name.is_some() {
            untold.leave("messages.name");
        }
        let mut texts: Vec<&str> = Vec::new();
        for (inner, part) in message.content.iter().enumerate() {
            if part.cache.is_some() {
                untold.leave("messages.content.cache_control");
            }
            let why = match &part.kind {
                Kind::Text(text) | Kind::Refusal(text) => {
                    texts.push(text);
                    continue;
                }
                Kind::Thinking { .. } | Kind::Redacted(_) => {
                    untold.leave("messages.reasoning_details");
                    continue;
                }
                Kind::Image(..) => "a template tells no pictures",
                Kind::Audio { .. } => "a template tells no sounds",
                Kind::File { .. } => "a template tells no documents",
                Kind::Call(_) | Kind::Output { .. } => "a template tells nothing of tools",
                Kind::Other(_) => "a template tells texts",
            };
            untold.refuse(format!("messages[{at}].content[{inner}]"), why);
        }
        texts.retain(|text| !text.is_empty());
        if !texts.is_empty() {
            all.push(Said { at, role: message.role, text: texts.join("\n") });
        }
    }
    all
}
