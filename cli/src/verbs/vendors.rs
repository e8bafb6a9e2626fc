//! Vendors as LiteLLM names them, and how each is called from here: the one table of both.
//!
//! Law: a vendor that is not carried is named with that, never taken for another. What a row says of a base URL and a variable is
//! what LiteLLM uses where a file says nothing.

/// A vendor of LiteLLM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vendor {
    /// What stands before the slash of `litellm_params.model`.
    pub(super) prefix: &'static str,
    /// How it is called.
    pub(super) called: Called,
}

/// How a vendor is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// By an adapter.
    By {
        /// Which.
        adapter: &'static str,
        /// Where, unless `api_base` says; empty: it must say.
        base_url: &'static str,
        /// The variable of its key, unless `api_key` says; empty: none is sent.
        variable: &'static str,
        /// What ends a base URL here and does not in LiteLLM, which adds it.
        tail: &'static str,
    },
    /// By an adapter, in a place that an entry says, as somebody whom more than a key may say.
    In(Cloud),
    /// Not yet.
    Not,
}

/// Whose models are in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloud {
    /// Amazon Bedrock.
    Bedrock,
    /// Amazon SageMaker, whose endpoint speaks OpenAI's dialect.
    SageMaker,
    /// Vertex AI.
    Vertex,
}

/// One that speaks OpenAI's protocol.
const fn compatible(prefix: &'static str, base_url: &'static str, variable: &'static str) -> Vendor {
    Vendor { prefix, called: Called::By { adapter: "openai", base_url, variable, tail: "" } }
}

/// One that has a protocol of its own.
const fn own(
    prefix: &'static str,
    adapter: &'static str,
    (base_url, tail): (&'static str, &'static str),
    variable: &'static str,
) -> Vendor {
    Vendor { prefix, called: Called::By { adapter, base_url, variable, tail } }
}

/// One in a place.
const fn placed(prefix: &'static str, cloud: Cloud) -> Vendor {
    Vendor { prefix, called: Called::In(cloud) }
}

/// One that no adapter speaks to.
const fn not_yet(prefix: &'static str) -> Vendor {
    Vendor { prefix, called: Called::Not }
}

/// Ollama speaks OpenAI's protocol below `/v1`, and LiteLLM another without it.
const fn ollama(prefix: &'static str) -> Vendor {
    own(prefix, "openai", ("http://localhost:11434/v1", "/v1"), "")
}

/// The vendors that are known, in the order of how they are called.
pub(super) const VENDORS: &[Vendor] = &[
    compatible("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    own("anthropic", "anthropic", ("https://api.anthropic.com/v1", "/v1"), "ANTHROPIC_API_KEY"),
    own("gemini", "gemini", ("https://generativelanguage.googleapis.com/v1beta", ""), "GEMINI_API_KEY"),
    compatible("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    compatible("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    compatible("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    compatible("together_ai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    compatible("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    compatible("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    compatible("fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    compatible("perplexity", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    compatible("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    compatible("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    compatible("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    compatible("nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    compatible("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    compatible("hosted_vllm", "", ""),
    compatible("vllm", "", ""),
    compatible("lm_studio", "", ""),
    compatible("llamafile", "", ""),
    compatible("xinference", "", ""),
    compatible("openai_like", "", ""),
    compatible("custom_openai", "", ""),
    compatible("litellm_proxy", "", ""),
    own("azure", "azure", ("", ""), "AZURE_API_KEY"),
    own("cohere", "cohere", ("https://api.cohere.com/v2", "/v2"), "COHERE_API_KEY"),
    own("cohere_chat", "cohere", ("https://api.cohere.com/v2", "/v2"), "COHERE_API_KEY"),
    ollama("ollama"),
    ollama("ollama_chat"),
    placed("bedrock", Cloud::Bedrock),
    placed("bedrock_converse", Cloud::Bedrock),
    placed("sagemaker_chat", Cloud::SageMaker),
    placed("vertex_ai", Cloud::Vertex),
    placed("vertex_ai_beta", Cloud::Vertex),
    not_yet("sagemaker"),
    not_yet("azure_ai"),
    not_yet("text-completion-openai"),
    not_yet("huggingface"),
    not_yet("replicate"),
    not_yet("watsonx"),
    not_yet("databricks"),
    not_yet("voyage"),
    not_yet("jina_ai"),
];

/// Beginnings of names that LiteLLM knows the vendor of without a prefix.
const BARE: [(&str, &str); 9] = [
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("ft:gpt-", "openai"),
    ("claude-", "anthropic"),
    ("command-", "cohere_chat"),
];

impl Vendor {
    /// The vendor with a prefix.
    pub(super) fn of(prefix: &str) -> Option<Self> {
        VENDORS.iter().copied().find(|vendor| vendor.prefix == prefix)
    }

    /// The prefixes of the vendors that are called by an adapter at a base URL; none where it is somebody's own.
    pub(super) fn at(adapter: &str, base_url: &str) -> Vec<&'static str> {
        let is_vertex = adapter == "gemini" && base_url.contains("aiplatform.googleapis.com");
        let called = |vendor: &&Self| match vendor.called {
            Called::By { adapter: by, base_url: usual, .. } => {
                by == adapter && (usual == base_url.trim_end_matches('/') || adapter == "azure")
            }
            Called::In(_) => {
                is_vertex && vendor.prefix == "vertex_ai"
                    || adapter == "bedrock" && vendor.prefix == "bedrock"
            }
            Called::Not => false,
        };
        VENDORS.iter().filter(called).map(|vendor| vendor.prefix).collect()
    }

    /// The vendor of a name without a prefix, as far as it tells; any server with a base URL of its own speaks OpenAI's protocol.
    pub(super) fn of_bare(model: &str, has_base: bool) -> Option<Self> {
        let known = BARE.iter().find(|(begins, _)| model.starts_with(begins)).map(|(_, prefix)| *prefix);
        let prefix =
            if has_base && known.is_none_or(|known| known == "openai") { Some("openai_like") } else { known };
        prefix.and_then(Self::of)
    }
}

/// A base URL as LiteLLM is given it, as an adapter is: what LiteLLM adds by itself is at its end.
pub(super) fn based(url: &str, tail: &str) -> String {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix("/messages").unwrap_or(url);
    let url = url.strip_suffix("/chat/completions").unwrap_or(url);
    let ends = tail.is_empty() || url.ends_with(tail);
    if ends { url.to_owned() } else { format!("{url}{tail}") }
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::Adapter;

    use super::*;

    #[test]
    fn every_adapter_of_the_table_is_one_there_is_and_no_prefix_stands_twice() {
        for vendor in VENDORS {
            assert_eq!(Vendor::of(vendor.prefix), Some(*vendor), "{} stands twice", vendor.prefix);
            if let Called::By { adapter, base_url, tail, .. } = vendor.called {
                assert!(adapter.parse::<Adapter>().is_ok(), "{adapter}");
                assert_eq!(based(base_url, tail), base_url, "{}", vendor.prefix);
            }
        }
    }

    #[test]
    fn a_name_without_a_prefix_tells_its_vendor_where_litellm_knows_it() {
        let bare = |model, has_base| Vendor::of_bare(model, has_base).map(|vendor| vendor.prefix);
        assert_eq!(bare("gpt-4o", false), Some("openai"));
        assert_eq!(bare("gpt-4o", true), Some("openai_like"));
        assert_eq!(bare("claude-sonnet-4-5", true), Some("anthropic"));
        assert_eq!(bare("my-own", true), Some("openai_like"));
        assert_eq!(bare("my-own", false), None);
    }

    #[test]
    fn a_base_url_tells_the_vendor_where_it_is_the_vendors() {
        assert_eq!(Vendor::at("openai", "https://api.groq.com/openai/v1/"), ["groq"]);
        assert_eq!(Vendor::at("anthropic", "https://api.anthropic.com/v1"), ["anthropic"]);
        assert_eq!(Vendor::at("gemini", "https://eu-aiplatform.googleapis.com/v1/x"), ["vertex_ai"]);
        assert!(Vendor::at("openai", "http://10.0.0.7:8000/v1").is_empty());
        assert_eq!(Vendor::at("azure", "https://x.openai.azure.com"), ["azure"]);
        assert_eq!(Vendor::at("bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com"), ["bedrock"]);
        assert!(Vendor::at("simulated", "").is_empty());
    }

    #[test]
    fn what_litellm_adds_to_a_base_url_is_at_its_end() {
        for (url, tail, base) in [
            ("http://h:11434", "/v1", "http://h:11434/v1"),
            ("http://h:11434/v1/", "/v1", "http://h:11434/v1"),
            ("https://a/v1/messages", "/v1", "https://a/v1"),
            ("https://a/v1/chat/completions", "", "https://a/v1"),
            ("https://a/x", "", "https://a/x"),
        ] {
            assert_eq!(based(url, tail), base);
        }
    }
}
