//! skeleton
pub mod scripted;
