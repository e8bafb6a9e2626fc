//! What the dialect says, by example and by law.

mod faults;
mod golden;
mod laws;
mod streams;
mod words;
