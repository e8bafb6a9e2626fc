//! Cohere's dialect: `POST /v2/chat`, `POST /v2/embed` and `POST /v2/rerank`, after its published reference.
//!
//! Law: only a vendor speaks it, so it is written and answers are read. Absent on purpose: the older version of the API.
//!
//! | in between | here |
//! |---|---|
//! | thoughts of a message that calls tools | `tool_plan` |
//! | thoughts of another | a part of type `thinking` |
//! | one tool that must be called, and no other there is | `tool_choice` `REQUIRED` |
//! | a schema of the answer | `response_format` `json_object` with `json_schema` |
//! | what only the dialect has (`documents`, `citation_options`, `safety_mode`, `priority`) | beside the rest, by its name |
//!
//! What was used is what is billed, where that is told.

pub(crate) mod answer;
pub(crate) mod embed;
pub(crate) mod events;
pub(crate) mod rerank;
pub(crate) mod write;

#[cfg(test)]
mod tests;
