//! The border between wire and facts: `TryFrom` in, which validates; `From` out, which can't fail.
//!
//! Law: facts written and read again are the same facts, and encoding them twice gives the same bytes. What only people read
//! (display names, descriptions, links) stays on the wire and is no fact. That references hold is `compile`'s to prove.

mod checks;
mod commerce;
mod governed;
mod keys;
mod licences;
mod people;
mod reach;
mod registry;
mod rulebook;
mod snapshot;
mod template;

#[cfg(test)]
mod tests;

pub use checks::{Faults, FieldFault, FieldPath, Problem, Step};
pub use governed::{EnvelopeMut, Governed};
pub use keys::{instant, timestamp};
pub use registry::SEALED_ELSEWHERE;
pub use rulebook::retention;
pub use snapshot::{identity, insert, key_resource, remove, resource, resource_of, resources};

/// The words of a list, as they are written.
fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

/// A word that may be absent: empty on the wire.
fn text<T: ToString>(item: &Option<T>) -> String {
    item.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// What a fault repeats of the input: cut short, and without anything a terminal would act on.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}
