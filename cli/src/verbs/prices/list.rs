//! The community's list of prices (`model_prices_and_context_window.json` of LiteLLM), as prices of a million tokens.
//!
//! Law: amounts are the digits that are written, moved by six places for tokens; nothing passes through a binary fraction. An entry without
//! input or output, and without a unit that a price has, has no price; what it charges beside is named.

use std::collections::BTreeMap;

use policy_engine::vocabulary::decimal_nanos;
use serde_json::value::RawValue;

use crate::verbs::per_million::{amount, per_million};
use crate::verbs::written::{Amounts, PerMillion, PerUnit, Picture};

/// The entry that describes the others.
const SAMPLE: &str = "sample_spec";

/// The classes of tokens that are carried; all else that costs is named.
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

    /// What a vendor charges for a model of its own name, and what the list calls that.
    pub(super) fn of(&self, vendor: &str, model: &str) -> Option<(&str, Entry<'_>)> {
        let entry = |name: &str| {
            let (name, fields) = self.0.get_key_value(name)?;
            Some((name.as_str(), Entry { fields }))
        };
        let is_its = |(_, entry): &(&str, Entry<'_>)| {
            let of = entry.text("litellm_provider").unwrap_or_default();
            of == vendor || of.strip_prefix(vendor).is_some_and(|rest| rest.starts_with(['-', '_']))
        };
        entry(&format!("{vendor}/{model}")).or_else(|| entry(model).filter(is_its))
    }

    /// A price with what the list has of pictures of single sizes and qualities, in entries of their own (`hd/1024-x-1024/NAME`): of two of the
    /// same the greater. What of them can't be read is added to `told`, by its name.
    pub(super) fn with_pictures(&self, name: &str, mut price: Amounts, told: &mut Vec<String>) -> Amounts {
        let Some(units) = price.per_unit.as_mut().filter(|units| !units.pictures.is_empty()) else {
            return price;
        };
        for (other, entry) in self.all() {
            let said = other.strip_suffix(name).and_then(|before| before.strip_suffix('/'));
            let Some((size, quality)) = said.and_then(kind) else { continue };
            let amount = match entry.greatest(&PICTURE) {
                Some(Ok(amount)) => amount,
                Some(Err(why)) => {
                    told.push(format!("`{other}` is left out of the price of `{name}`: {why}"));
                    continue;
                }
                None => continue,
            };
            let picture = Picture { amount, size, quality };
            let is_same =
                |known: &&mut Picture| known.size == picture.size && known.quality == picture.quality;
            match units.pictures.iter_mut().find(is_same) {
                Some(known) if nanos(&known.amount) < nanos(&picture.amount) => *known = picture,
                Some(_) => {}
                None => units.pictures.push(picture),
            }
        }
        price
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

    /// The greatest of these amounts of one unit; `None` where there is none but zero.
    fn greatest(&self, fields: &[&str]) -> Option<Result<String, String>> {
        let mut greatest: Option<(i64, String)> = None;
        for field in fields {
            let Some(raw) = self.fields.get(*field).map(|raw| raw.get()).filter(|raw| *raw != "null") else {
                continue;
            };
            let read = match amount(raw.trim_matches('"')) {
                Ok(read) => read,
                Err(why) => return Some(Err(format!("`{field}` {why}"))),
            };
            let nanos = nanos(&read);
            if nanos > greatest.as_ref().map_or(0, |(most, _)| *most) {
                greatest = Some((nanos, read));
            }
        }
        greatest.map(|(_, amount)| Ok(amount))
    }

    /// What it charges otherwise than by tokens, as far as a price has it.
    fn units(&self) -> Result<PerUnit, String> {
        let of = |fields: &'static [&'static str]| self.greatest(fields).transpose();
        let units = self.unit_fields();
        let picture = of(units.picture)?.map(|amount| Picture { amount, ..Picture::default() });
        Ok(PerUnit {
            request: of(units.request)?,
            pictures: picture.into_iter().collect(),
            audio_second: of(units.audio_second)?,
            character: of(units.character)?,
        })
    }

    /// The fields whose unit is one of ours, by what the model does: elsewhere they bill what is sent along.
    fn unit_fields(&self) -> Fields {
        let none =
            Fields { request: &["input_cost_per_request"], picture: &[], audio_second: &[], character: &[] };
        match self.text("mode").as_deref() {
            Some("image_generation" | "image_edit") => Fields { picture: &PICTURE, ..none },
            Some("audio_transcription") => Fields { audio_second: &SECOND, ..none },
            Some("audio_speech") => Fields { character: &["input_cost_per_character"], ..none },
            Some("rerank") => Fields { request: &["input_cost_per_request", "input_cost_per_query"], ..none },
            _ => none,
        }
    }

    /// Its price. Errors say why it has none.
    pub(super) fn price(&self) -> Result<Amounts, String> {
        let units = self.units()?;
        let per_unit = (units != PerUnit::default()).then_some(units);
        match self.tokens() {
            Ok(tokens) => Ok(Amounts { per_million: Some(tokens), per_unit }),
            // What is not billed by tokens has no price of them.
            Err(_) if per_unit.is_some() && !self.has_tokens() => Ok(Amounts { per_million: None, per_unit }),
            Err(why) => Err(why),
        }
    }

    fn has_tokens(&self) -> bool {
        CARRIED.iter().any(|field| self.class(field).is_some())
    }

    fn tokens(&self) -> Result<PerMillion, String> {
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
        let Fields { request, picture, audio_second, character } = self.unit_fields();
        let carried = [&CARRIED[..], request, picture, audio_second, character];
        let costs =
            |field: &&str| field.contains("cost") && !carried.iter().any(|fields| fields.contains(field));
        let charged = |field: &&str| self.class(field).is_some_and(|amount| amount.as_deref() != Ok("0.00"));
        self.fields.keys().map(String::as_str).filter(costs).filter(charged).collect()
    }
}

/// An amount as a resource has it, in nano-units.
fn nanos(amount: &str) -> i64 {
    decimal_nanos(amount).unwrap_or(0)
}

/// What bills a picture that is made.
const PICTURE: [&str; 2] = ["output_cost_per_image", "input_cost_per_image"];
/// What bills a second of sound that is written down; of the two one is zero, or both are the same.
const SECOND: [&str; 2] = ["input_cost_per_second", "output_cost_per_second"];

/// The fields of an entry that bill each of our units.
struct Fields {
    request: &'static [&'static str],
    picture: &'static [&'static str],
    audio_second: &'static [&'static str],
    character: &'static [&'static str],
}

/// The size and quality that stand before a name, such as `hd/1024-x-1024`; `None`: something else stands there.
fn kind(before: &str) -> Option<(String, String)> {
    let (mut size, mut quality) = (String::new(), String::new());
    for word in before.split('/') {
        let sides = word.split_once("-x-");
        let is_size = sides.is_some_and(|(width, height)| {
            [width, height]
                .iter()
                .all(|side| !side.is_empty() && side.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if is_size && size.is_empty() {
            size = word.replace("-x-", "x");
        } else if ["standard", "hd", "low", "medium", "high"].contains(&word) && quality.is_empty() {
            quality = word.to_owned();
        } else {
            return None;
        }
    }
    Some((size, quality))
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
        "pictures": {"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04, "input_cost_per_pixel": 1e-08},
        "hd/1024-x-1024/pictures": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.08},
        "1024-x-1024/hd/pictures": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.07},
        "low/512-x-512/pictures": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.01},
        "512-x-512/low/pictures": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.02},
        "low/pictures": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 1e400},
        "medium/pictures": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.00000000001},
        "azure/hd/pictures": {"litellm_provider": "azure", "mode": "image_generation", "input_cost_per_image": 0.09},
        "whisper-1": {"litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0, "output_cost_per_second": 0.0001},
        "tts-1": {"litellm_provider": "openai", "mode": "audio_speech", "input_cost_per_character": 1.5e-05},
        "rerank-v3.5": {"litellm_provider": "cohere", "mode": "rerank", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "input_cost_per_query": 0.002},
        "sonar": {"litellm_provider": "perplexity", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "input_cost_per_request": 0.005, "input_cost_per_image": 0.01},
        "exact": {"litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.00000333333}
    }"#;

    fn price(vendor: &str, model: &str) -> Result<PerMillion, String> {
        amounts(vendor, model).map(|amounts| amounts.per_million.unwrap())
    }

    fn amounts(vendor: &str, model: &str) -> Result<Amounts, String> {
        let list = List::read(TEXT).unwrap();
        let (name, entry) = list.of(vendor, model).unwrap();
        entry.price().map(|price| list.with_pictures(name, price, &mut Vec::new()))
    }

    #[test]
    fn what_is_not_billed_by_tokens_has_a_price_of_its_unit() {
        let units = |vendor: &str, model: &str| amounts(vendor, model).unwrap().per_unit.unwrap();
        let pictures = units("openai", "pictures").pictures;
        let told: Vec<_> = pictures.iter().map(|p| (&*p.amount, &*p.size, &*p.quality)).collect();
        assert_eq!(told, [("0.04", "", ""), ("0.08", "1024x1024", "hd"), ("0.02", "512x512", "low")]);
        let (list, mut left_out) = (List::read(TEXT).unwrap(), Vec::new());
        let (name, entry) = list.of("openai", "pictures").unwrap();
        list.with_pictures(name, entry.price().unwrap(), &mut left_out);
        let [low, medium] = &left_out[..] else { panic!("{left_out:?}") };
        assert!(
            low.starts_with("`low/pictures` is left out of the price of `pictures`: `input_cost"),
            "{low}"
        );
        assert!(medium.ends_with("is more exact than a billionth of the currency's unit"), "{medium}");
        assert_eq!(amounts("openai", "pictures").unwrap().per_million, None);
        assert_eq!(units("openai", "whisper-1").audio_second.as_deref(), Some("0.0001"));
        assert_eq!(units("openai", "tts-1").character.as_deref(), Some("0.000015"));
        assert_eq!(units("cohere", "rerank-v3.5").request.as_deref(), Some("0.002"));
        let sonar = amounts("perplexity", "sonar").unwrap();
        assert_eq!(sonar.per_unit.unwrap().request.as_deref(), Some("0.005"));
        assert_eq!(sonar.per_million.unwrap().input, "1.00");
        let exact = amounts("openai", "exact").unwrap_err();
        assert!(exact.starts_with("`input_cost_per_second` is more exact"), "{exact}");
        let list = List::read(TEXT).unwrap();
        let beside = |vendor: &str, model: &str| list.of(vendor, model).unwrap().1.beside().join(" ");
        assert_eq!(beside("perplexity", "sonar"), "input_cost_per_image", "what is sent along has no price");
        assert_eq!(
            (beside("openai", "pictures").as_str(), &*beside("openai", "whisper-1")),
            ("input_cost_per_pixel", "")
        );
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
        let list = List::read(TEXT).unwrap();
        assert_eq!(list.of("anthropic", "claude").unwrap().1.beside(), ["cache_creation_input_token_cost"]);
        assert!(list.of("openai", "gpt-4o").unwrap().1.beside().is_empty());
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
