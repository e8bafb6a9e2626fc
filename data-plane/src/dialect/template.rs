//! An API of the organisation's own, spoken to by a template: a body with places, and pointers into its answers.
//!
//! Law: a template tells texts; whatever else a request says, and what of it has no place in the body, is refused by the name of its field, but
//! for what the template's author leaves out, which is told. Nothing is read of a template here: what it is made of came with the policy.
//! Absent on purpose: tools, pictures, vectors, and where calls go (`upstream::custom`).
//!
//! | in between | here |
//! |---|---|
//! | texts of one message | one text, a line each |
//! | thoughts of the model | left out |
//! | an answer | one text, its end, its tokens where they are told |
//! | a stream that nobody describes | the answer, in one piece |

pub(crate) mod answer;
pub(crate) mod events;
mod said;
pub(crate) mod write;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use policy_engine::facts::template::Template;
use policy_engine::vocabulary::{Omission, Slot};

/// A template, and what it has places for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    template: Arc<Template>,
    slots: Vec<Slot>,
}

impl Plan {
    /// Of a template.
    pub(crate) fn of(template: Arc<Template>) -> Self {
        let slots = template.ask.body.shape.gaps().iter().map(|gap| gap.slot).collect();
        Self { template, slots }
    }

    /// The template.
    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    fn has(&self, slot: Slot) -> bool {
        self.slots.contains(&slot)
    }

    fn leaves_out(&self, field: Omission) -> bool {
        self.template.ask.leave_out.contains(&field)
    }
}
