//! The community's list of prices (`model_prices_and_context_window.json` of LiteLLM), as prices of a million tokens.
//!
//! Law: amounts are the digits that are written, moved by six places; nothing passes through a binary fraction. An entry without input or
//! output has no price, and what it charges beside is named.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::verbs::per_million::per_million;
use crate::verbs::written::PerMillion;

/// The entry that describes the others.
const SAMPLE: &str = "sample_spec";

/// The classes that are carried; all else that costs is named.
const CARRIED: [&str; 4] = [
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "output_cost_per_reasoning_token",
];

/// A list, by the names it has for models.
pub(super) struct List(BTreeMap<String, BTreeMap<String, Box<RawValue>>>);

/// What an entry says.
pub(super) struct Entry<'l> {
    fields: &'l BTreeMap<String, Box<RawValue>>,
}

impl List {
    /// Reads a list. Errors with the line and what is wrong.
    pub(super) fn read(text: &str) -> Result<Self, (usize, String)> {
        let read: Result<BTreeMap<String, BTreeMap<String, Box<RawValue>>>, _> = serde_json::from_str(text);
        let mut entries = read.map_err(|error| (error.line(), format!("is no list of prices: {error}")))?;
        entries.remove(SAMPLE);
        if entries.is_empty() { Err((1, "has no entry".to_owned())) } else { Ok(Self(entries)) }
    }

    /// What a vendor charges for a model of its own name.
    pub(super) fn of(&self, vendor: &str, model: &str) -> Option<Entry<'_>> {
        let own = self.0.get(&format!("{vendor}/{model}")).map(|fields| Entry { fields });
        let is_its = |entry: &Entry<'_>| {
            let of = entry.text("litellm_provider").unwrap_or_default();
            of == vendor || of.strip_prefix(vendor).is_some_and(|rest| rest.starts_with(['-', '_']))
        };
        own.or_else(|| self.0.get(model).map(|fields| Entry { fields }).filter(is_its))
    }

    /// Every entry, by its name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, Entry<'_>)> {
        self.0.iter().map(|(name, fields)| (name.as_str(), Entry { fields }))
    }
}

impl Entry<'_> {
    fn text(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.fields.get(field)?.get()).ok()
    }

    /// An amount: a number, or one in quotes.
    fn class(&self, field: &str) -> Option<Result<String, &'static str>> {
        let raw = self.fields.get(field)?.get();
        (raw != "null").then(|| per_million(raw.trim_matches('"')))
    }

    /// Its price. Errors say why it has none.
    pub(super) fn price(&self) -> Result<PerMillion, String> {
        let class = |field: &'static str| {
            let read = self.class(field).transpose();
            read.map_err(|why| format!("`{field}` {why}"))
        };
        let [input, output, cached_input, reasoning] = CARRIED.map(class);
        let missing = |class: &str| format!("it has no price of {class} tokens");
        let output = match output? {
            Some(output) => output,
            // What only reads writes nothing that could cost.
            None if self.text("mode").as_deref() == Some("embedding") => "0.00".to_owned(),
            None => return Err(missing("output")),
        };
        let input = input?.ok_or_else(|| missing("input"))?;
        Ok(PerMillion { input, cached_input: cached_input?, output, reasoning: reasoning? })
    }

    /// What it charges beside that no price has.
    pub(super) fn beside(&self) -> Vec<&str> {
        let costs = |field: &&str| field.contains("cost") && !CARRIED.contains(field);
        let charged = |field: &&str| self.class(field).is_some_and(|amount| amount.as_deref() != Ok("0.00"));
        self.fields.keys().map(String::as_str).filter(costs).filter(charged).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "sample_spec": {"litellm_provider": "one of these", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
        "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
                   "cache_read_input_token_cost": 1.25e-06, "max_input_tokens": 128000, "output_cost_per_reasoning_token": null},
        "groq/llama": {"litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 5.9e-07, "output_cost_per_token": "7.9e-07"},
        "claude": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
                   "cache_creation_input_token_cost": 3.75e-06, "input_cost_per_audio_token": 0},
        "gemini-2.5-pro": {"litellm_provider": "vertex_ai-language-models", "mode": "chat", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05},
        "vectors": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08},
        "half": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-08},
        "odd": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3.0000000000000004e-07, "output_cost_per_token": 1e-06},
        "pictures": {"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04}
    }"#;

    fn price(vendor: &str, model: &str) -> Result<PerMillion, String> {
        List::read(TEXT).unwrap().of(vendor, model).unwrap().price()
    }

    #[test]
    fn a_price_is_that_of_the_vendor_to_the_last_digit() {
        let gpt = price("openai", "gpt-4o").unwrap();
        assert_eq!(
            (gpt.input.as_str(), gpt.output.as_str(), gpt.cached_input.as_deref(), gpt.reasoning),
            ("2.50", "10.00", Some("1.25"), None)
        );
        let llama = price("groq", "llama").unwrap();
        assert_eq!((llama.input.as_str(), llama.output.as_str()), ("0.59", "0.79"));
        assert_eq!(price("openai", "vectors").unwrap().output, "0.00");
        assert!(price("vertex_ai", "gemini-2.5-pro").is_ok());
        let list = List::read(TEXT).unwrap();
        for (vendor, model) in
            [("groq", "gpt-4o"), ("openai", "llama"), ("openai", "sample_spec"), ("open", "gpt-4o")]
        {
            assert!(list.of(vendor, model).is_none(), "{vendor} {model}");
        }
    }

    #[test]
    fn what_has_no_price_stays_unpriced_and_what_costs_beside_is_named() {
        assert_eq!(price("openai", "half").unwrap_err(), "it has no price of output tokens");
        assert!(price("openai", "odd").unwrap_err().starts_with("`input_cost_per_token` is more exact"));
        assert!(price("openai", "pictures").is_err());
        let list = List::read(TEXT).unwrap();
        assert_eq!(list.of("anthropic", "claude").unwrap().beside(), ["cache_creation_input_token_cost"]);
        assert!(list.of("openai", "gpt-4o").unwrap().beside().is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        for (text, line) in
            [("", 1), ("[]", 1), ("{\n\"a\": 1}", 2), ("{}", 1), ("{\"sample_spec\": {}}", 1), ("{\n\n", 3)]
        {
            assert_eq!(List::read(text).err().unwrap().0, line, "{text:?}");
        }
    }
}
