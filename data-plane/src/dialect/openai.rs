//! OpenAI's dialect: `POST /v1/chat/completions`, after its published reference.
//!
//! Law: it is what the pipeline reads, so it can say more here than OpenAI itself takes: what only another dialect has stands beside what is
//! published, under the names that the field uses for it. A vendor that speaks this dialect is written what is published ([`Reader`]).
//!
//! | member | whose | what |
//! |---|---|---|
//! | `cache_control` of a part, a call, a tool's message or a tool | Anthropic | everything up to here may be kept |
//! | `citations` of a part with a text | Anthropic | where the text is from |
//! | `image_url.file_id` of a part | Anthropic | a picture that the vendor keeps |
//! | `reasoning_details` of a message | OpenRouter | thoughts with the vendor's proof of them |
//! | `reasoning_content` of an answer | DeepSeek, vLLM | thoughts in words |
//! | `is_error` of a tool's message | Anthropic | the tool failed |
//! | `include_reasoning` | OpenRouter | whether thoughts are shown |
//! | `thinking`, `top_k` | Anthropic, vLLM | as they are there |
//! | `thinking.…`, `output_config.…` | Anthropic | members of those objects that have no other place: hints |

pub(crate) mod answer;
pub(crate) mod events;
pub(crate) mod read;
pub(crate) mod whole;
pub(crate) mod write;

/// Who is to read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The pipeline, and vendors' dialects after it.
    Pipeline,
    /// A vendor that speaks OpenAI's dialect.
    Vendor,
    /// OpenAI itself.
    OpenAi,
}

impl Reader {
    fn is_vendor(self) -> bool {
        self != Self::Pipeline
    }
}
