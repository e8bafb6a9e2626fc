//! What is allowed, and why: pure decisions over a compiled snapshot.

pub mod vocabulary;

pub mod facts;

pub mod reason;
