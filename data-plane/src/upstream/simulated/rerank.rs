//! Simulated reranking: documents that share words with the question come first.
//!
//! Law: a score depends on the question and the document alone: the cosine of their simulated vectors, no less than zero; equal ones
//! keep the order in which they came. The form is Jina's, which others have too. Deliberately absent: meaning.

use std::borrow::Cow;
use std::cmp::Ordering;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    embed::vector,
    request::{Input, Text},
    tokens, wire,
};

/// Dimensions in which texts are compared.
const DIMENSIONS: usize = 256;

/// `POST /rerank`.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) query: Cow<'a, str>,
    #[serde(borrow)]
    documents: Vec<Document<'a>>,
    #[serde(default)]
    top_n: Option<usize>,
    #[serde(default)]
    return_documents: Option<bool>,
}

/// A document: its text, or an object with that.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Document<'a> {
    Plain(#[serde(borrow)] Cow<'a, str>),
    Object {
        #[serde(borrow, default)]
        text: Text<'a>,
    },
}

impl Document<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Object { text } => &text.0,
        }
    }
}

#[derive(Serialize)]
struct Ranking<'a> {
    id: &'a str,
    model: &'a str,
    results: Vec<Ranked<'a>>,
    usage: Used,
}

#[derive(Serialize)]
struct Ranked<'a> {
    index: usize,
    relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Used {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// The answer to `request`.
pub(super) fn answer(id: &str, request: &Request<'_>) -> Bytes {
    let asked = vector(&Input::Text(Cow::Borrowed(&request.query)), DIMENSIONS);
    let ranked = request.documents.iter().enumerate().map(|(index, document)| {
        let text = document.text();
        let read = vector(&Input::Text(Cow::Borrowed(text)), DIMENSIONS);
        let cosine: f32 = asked.iter().zip(&read).map(|(one, other)| one * other).sum();
        let shown = (request.return_documents == Some(true)).then_some(Shown { text });
        Ranked { index, relevance_score: cosine.clamp(0.0, 1.0), document: shown }
    });
    let mut results: Vec<_> = ranked.collect();
    let falling = |one: &Ranked<'_>, other: &Ranked<'_>| {
        other.relevance_score.partial_cmp(&one.relevance_score).unwrap_or(Ordering::Equal)
    };
    results.sort_by(falling);
    results.truncate(request.top_n.unwrap_or(usize::MAX));
    // Every document is read with the question.
    let query = tokens::count(&request.query);
    let read = request.documents.iter().map(|document| tokens::count(document.text()) + query).sum();
    let usage = Used { prompt_tokens: read, total_tokens: read };
    wire::json(&Ranking { id, model: &request.model, results, usage })
}
