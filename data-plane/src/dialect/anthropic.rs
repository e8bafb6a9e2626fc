//! Anthropic's dialect: `POST /v1/messages`, after its published reference.
//!
//! Law: what is read is checked by type, and every fault names its field; what is written is what the reference has. What the dialect has and
//! the form in between has not goes by its path beside the rest ([`Chat::others`](super::chat::Chat::others)), and comes back to its place.
//!
//! | here | in between |
//! |---|---|
//! | `system`, and messages of that role | messages of the system, before the others when written |
//! | `thinking` `enabled`, `adaptive`, `disabled` | a budget, a budget that is not told, off |
//! | `output_config.effort` | an effort, unless a budget is told; and `output_config.effort` beside the rest |
//! | `output_config.format`, the older `output_format` | a schema by the name [`SCHEMA`] |
//! | other members of `thinking` and `output_config` | beside the rest, by their paths |
//! | `metadata.user_id` | the user |
//! | blocks and members of blocks with no place there | [`Kind::Other`](super::chat::Kind::Other), whole |
//! | tools that the vendor runs, and custom ones with members of no place there | [`Tool::Vendor`](super::chat::Tool::Vendor), whole |

pub(crate) mod answer;
pub(crate) mod beta;
pub(super) mod block;
pub(crate) mod error;
pub(crate) mod events;
pub(super) mod generation;
pub(crate) mod read;
pub(super) mod think;
pub(crate) mod write;

/// What a schema is called that the dialect gives no name.
const SCHEMA: &str = "answer";

/// Where an effort stands.
pub(super) const EFFORT: &str = "output_config.effort";

/// Where it stands that a model thinks as it sees fit, if an effort is told too.
pub(super) const THINKING_TYPE: &str = "thinking.type";

/// Whether a vendor's proof of thoughts may be of a model of Anthropic's: Gemini's are marked.
pub(super) fn is_own_proof(signature: &str) -> bool {
    !signature.starts_with(super::gemini::signature::OWN)
}

#[cfg(test)]
mod tests;
