//! Google's Gemini dialect: `generateContent`, `streamGenerateContent?alt=sse`, `countTokens` and `embedContent` of `v1beta`, after its
//! published reference; Vertex AI has the same bodies but for what [`Api`] tells.
//!
//! Law: names of members are read in camel case and in snake case, as the API itself reads them, and written in camel case. What only this
//! dialect has stands in OpenAI's under a `type`, because the pipeline asks one of everything: a part under [`PART`], a tool under its own
//! name in snake case, which is the kind that a policy knows it by. Absent on purpose: credentials, paths and the model in them.
//!
//! | here | in the form between | why |
//! |---|---|---|
//! | no id of a call | `call_0`, `call_1` ... | other dialects match outputs by id |
//! | `thoughtSignature` | see [`signature`] | only the vendor who gave one may see it again |
//! | `response` of a function | a text: the JSON, or what `output` or `error` says | other dialects have texts |
//! | `parameters`, `responseSchema` | JSON Schema, see [`schema`] | the types are spelt otherwise |
//! | rest of `generationConfig` | `generationConfig` among the others | only this dialect has it |
//! | rest of candidates | `candidates` among the others | likewise |

pub(crate) mod answer;
mod config;
pub(crate) mod count;
mod declared;
pub(crate) mod embed;
pub(crate) mod error;
pub(crate) mod events;
mod ids;
mod media;
mod members;
mod part;
pub(crate) mod pictures;
pub(crate) mod read;
mod said;
mod schema;
pub(crate) mod signature;
mod tuning;
pub(crate) mod write;

/// Who serves the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// The Gemini API.
    Gemini,
    /// Vertex AI, which refuses ids of calls.
    Vertex,
}

/// The `type` under which a part that only this dialect has stands in another.
const PART: &str = "gemini_part";

#[cfg(test)]
mod tests;
