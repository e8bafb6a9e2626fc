//! The sentence.

mod outline;
mod patch;
mod tape;
