//! The whole house in one process, or as the processes it is deployed as, for the stories in `tests/`.
//!
//! Law: a story has a house of its own, on ports and in directories that nobody else has, and everything of it ends with the
//! story. What a story waits for it awaits; nothing sleeps. Deliberately absent: the stories, and mocks of our own code.

pub mod admin;
pub mod collector;
pub mod door;
pub mod household;
pub mod program;
pub mod readme;
pub mod sandbox;
pub mod scene;
pub mod scripted;
pub mod wait;
