//! Simulated moderation: a text is flagged for the words in it.
//!
//! Law: a score depends on the text alone: 0.9 where a word of the category stands in it, else next to nothing. Names are
//! those of OpenAI's `omni-moderation`. Deliberately absent: understanding, and looking at pictures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{request::Text, wire};

/// Categories, each with the words that make it.
const CATEGORIES: [(&str, &[&str]); 13] = [
    ("harassment", &["idiot", "stupid"]),
    ("harassment/threatening", &["beat"]),
    ("hate", &["hate"]),
    ("hate/threatening", &["exterminate"]),
    ("illicit", &["steal", "launder"]),
    ("illicit/violent", &["bomb"]),
    ("self-harm", &["suicide"]),
    ("self-harm/instructions", &["overdose"]),
    ("self-harm/intent", &["hurt"]),
    ("sexual", &["sex", "nude"]),
    ("sexual/minors", &["underage"]),
    ("violence", &["kill", "murder", "bomb"]),
    ("violence/graphic", &["gore"]),
];

/// `POST /moderations`.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    input: Judged<'a>,
}

/// One text, several that are each judged, or the parts of one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Judged<'a> {
    Each(#[serde(borrow)] Vec<Cow<'a, str>>),
    One(#[serde(borrow)] Text<'a>),
}

impl Request<'_> {
    /// The first text.
    pub(super) fn first(&self) -> &str {
        match &self.input {
            Judged::Each(texts) => texts.first().map(AsRef::as_ref).unwrap_or_default(),
            Judged::One(text) => &text.0,
        }
    }
}

#[derive(Serialize)]
struct Moderation<'a> {
    id: &'a str,
    model: &'a str,
    results: Vec<Judgement>,
}

#[derive(Serialize)]
struct Judgement {
    flagged: bool,
    categories: BTreeMap<&'static str, bool>,
    category_scores: BTreeMap<&'static str, f64>,
    category_applied_input_types: BTreeMap<&'static str, [&'static str; 1]>,
}

/// The answer to `request`.
pub(super) fn answer(id: &str, request: &Request<'_>) -> Bytes {
    let results = match &request.input {
        Judged::Each(texts) => texts.iter().map(|text| judge(text)).collect(),
        Judged::One(text) => vec![judge(&text.0)],
    };
    wire::json(&Moderation { id, model: &request.model, results })
}

fn judge(text: &str) -> Judgement {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
    let holds = |wanted: &[&str]| wanted.iter().any(|word| words.contains(word));
    let categories: BTreeMap<_, _> = CATEGORIES.iter().map(|(name, wanted)| (*name, holds(wanted))).collect();
    Judgement {
        flagged: categories.values().any(|found| *found),
        category_scores: categories
            .iter()
            .map(|(name, found)| (*name, if *found { 0.9 } else { 0.0001 }))
            .collect(),
        category_applied_input_types: categories.keys().map(|name| (*name, ["text"])).collect(),
        categories,
    }
}
