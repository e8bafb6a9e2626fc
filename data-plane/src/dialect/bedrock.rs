//! Amazon Bedrock's dialect: `Converse` and `ConverseStream`, and `InvokeModel` for vectors and pictures, after its published service model.
//!
//! Law: only a vendor speaks it, so it is written and answers are read. Absent on purpose: the way to the vendor, frames of a stream, and
//! Bedrock's guardrails and prompts beyond what a caller writes of them by their own names.
//!
//! | in between | here |
//! |---|---|
//! | the model | not in the body: it is in the path |
//! | a mark that everything up to here may be kept | a `cachePoint` after it; `ttl` `1h` stays |
//! | `top_k`, a budget for thoughts | `additionalModelRequestFields`, for Anthropic's models, which know them |
//! | a schema of the answer | `outputConfig.textFormat`; its name and description stay |
//! | documents without a name | `document 1` and so on, for each needs one of its own |
//! | what the dialect has at the top (`guardrailConfig` ...) | beside the rest, by its name |
//!
//! Usage here leaves out what was kept and what was written to be kept, which the form in between counts in.

pub(crate) mod answer;
pub(crate) mod embed;
pub(crate) mod events;
pub(crate) mod pictures;
pub(crate) mod write;

#[cfg(test)]
mod tests;
