//! Personal data and words in text: found on a normalised view, validated, and replaced, in whole texts and on streams alike.
//!
//! Law: whether a finding exists depends on the characters of the text alone, never on how they arrived; every cost is linear.
//! Absent on purpose: JSON and its escapes (the caller unescapes), external checkers, and what a finding means for a request.

pub mod detect;
mod joined;
pub mod mask;
mod normalise;
pub mod stream;
mod validate;

pub use detect::{CompileError, Detectors, Finding, Held, WORD_LABEL, What, WordList};
pub use joined::Joined;
pub use mask::{Blocked, Masker};
pub use stream::HoldBack;
