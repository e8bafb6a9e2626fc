//! What an organisation's own adapter speaks: the messages of `chancery.adapter.v1`, which are those of `chancery.inference.v1`.
//!
//! Law: what a message has a field for stands there, what it has none for stands in its extensions under the name of OpenAI's dialect; an answer
//! that is none by what the messages say of themselves is none. Absent on purpose: statuses, and how calls are made (`upstream::rpc`).
//!
//! | in between | here |
//! |---|---|
//! | what a tool gave back | a message of its own |
//! | marks of what may be kept, names of failures of tools, redacted thoughts | left out |
//! | `top_k`, penalties, `user`, effort of thinking | extensions |

pub(crate) mod answer;
pub(crate) mod embed;
pub(crate) mod events;
pub(crate) mod moderate;
pub(crate) mod rerank;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use prost_types::Struct;
use proto::inference::Usage as Wire;

use super::answer::Usage;
use super::chat::Raw;
use super::{Unfit, structure};

/// A message that was written, and the fields that were left out of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written<M> {
    /// The message.
    pub(crate) message: M,
    /// The fields, by their paths; each once.
    pub(crate) left_out: Vec<Cow<'static, str>>,
}

/// Members of a body that the message has no fields for; `None`: there are none.
fn extensions(others: &[(String, Raw)]) -> Result<Option<Struct>, Unfit> {
    let mut all = Struct::default();
    for (name, raw) in others {
        let read = structure::read(raw.as_bytes());
        let value =
            read.ok_or_else(|| Unfit::new(name.clone(), "it holds what an adapter's messages have not"))?;
        all.fields.insert(name.clone(), value);
    }
    Ok((!all.fields.is_empty()).then_some(all))
}

/// What was used; parts are never more than the whole.
fn usage(told: &Wire) -> Usage {
    Usage {
        input: told.input_tokens,
        cached: told.cached_input_tokens.min(told.input_tokens),
        cache_written: 0,
        output: told.output_tokens,
        thinking: told.reasoning_tokens.min(told.output_tokens),
    }
}
