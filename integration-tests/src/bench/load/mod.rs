//! The client's side: what is sent, on how many connections, at what rate, and how long each answer took.
//!
//! It runs on one thread, on another core than what it measures. A window ends when its last answer has been read, so nothing
//! is cut off and every request that was sent is counted.

mod corpus;
mod draw;
mod histogram;
mod line;
mod pool;
mod tally;

pub(crate) use corpus::{Cast, Corpus, Door, Shape};
pub(crate) use pool::Pool;
pub(crate) use tally::Tally;
