//! An API of the organisation's own, spoken to by a template: a body with places, and pointers into its answers.
//!
//! Law: a template tells texts; whatever else a request says, and what of it has no place in the body, is refused by the name of its field, but
//! for what the template's author leaves out, which is told. Nothing is read of a template here: what it is made of came with the policy.
//! Absent on purpose: tools, pictures, and where calls go (`upstream::custom`).
//!
//! | in between | here |
//! |---|---|
//! | texts of one message | one text, a line each |
//! | thoughts of the model | left out |
//! | an answer | one text, its end, its tokens where they are told |
//! | a stream that nobody describes | the answer, in one piece |

pub(crate) mod answer;
pub(crate) mod embed;
pub(crate) mod events;
mod fill;
mod growth;
mod said;
pub(crate) mod write;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use policy_engine::facts::template::Template;
use policy_engine::vocabulary::{Omission, Operation, Slot};

pub(crate) use growth::Growth;

/// A template, and what it has places for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    template: Arc<Template>,
    slots: Vec<Slot>,
    /// How much is sent of chats, and of texts to be embedded.
    growth: (Growth, Growth),
}

impl Plan {
    /// Of a template.
    pub(crate) fn of(template: Arc<Template>) -> Self {
        let gaps = template.ask.body.iter().flat_map(|body| body.shape.gaps());
        let slots = gaps.map(|gap| gap.slot).collect();
        let chats = template.ask.body.as_ref().map(|body| Growth::of_chats(&template.ask, body));
        let texts = template.embed.as_ref().map(Growth::of_texts);
        let growth = (chats.unwrap_or(Growth::NONE), texts.unwrap_or(Growth::NONE));
        Self { template, slots, growth }
    }

    /// The template.
    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// How much is sent of a request.
    pub(crate) fn growth(&self, operation: Operation) -> Growth {
        if operation == Operation::Embed { self.growth.1 } else { self.growth.0 }
    }

    fn has(&self, slot: Slot) -> bool {
        self.slots.contains(&slot)
    }

    fn leaves_out(&self, field: Omission) -> bool {
        self.template.ask.leave_out.contains(&field)
    }
}
