//! `POST /v1/rerank`, for vendors that say it otherwise: what is asked, read, and what came of it, written.
//!
//! Law: what a vendor has no word for is refused by its name, or left out and told; a document is the caller's own, and never what a vendor
//! says that it is. A result that names no document, or one that another named, makes the answer none.

use super::Unfit;
use super::chat::Raw;
use super::field::{given, raw};
use super::json::Json;
use crate::tape::{Kind, Tape, Value};

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Asked {
    /// The model as it is named.
    pub(super) model: String,
    /// The question.
    pub(super) query: String,
    /// What may answer it.
    pub(super) documents: Vec<String>,
    /// The most results; `None`: all.
    pub(super) most: Option<u64>,
    /// Whether results hold the documents.
    pub(super) shown: Option<bool>,
    /// Members that the published schema has not, by their names.
    pub(super) others: Vec<(String, Raw)>,
}

/// A document's place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rank {
    /// Which document, from 0.
    pub(super) index: usize,
    /// How well it answers.
    pub(super) score: f64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ranking {
    /// What the vendor calls it; empty: nothing.
    pub(super) id: String,
    /// The documents, the one that answers best first.
    pub(super) results: Vec<Rank>,
    /// Tokens of input, where they are told.
    pub(super) tokens: Option<u64>,
}

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Result<Asked, Unfit> {
    let mut tape = Tape::for_text(body.len());
    let root = tape.read(body).ok().and_then(|()| tape.root(body));
    let root = root.ok_or_else(|| Unfit::new("query", "the body is no JSON"))?;
    let mut asked = Asked::default();
    for (key, value) in root.members().filter(|(_, value)| given(*value)) {
        match key.text().as_ref() {
            "model" => asked.model = value.text().into_owned(),
            "query" => asked.query = value.text().into_owned(),
            "documents" => {
                let documents = value.elements().enumerate().map(|(at, document)| text(at, document));
                asked.documents = documents.collect::<Result<_, _>>()?;
            }
            "top_n" => asked.most = value.whole(),
            "return_documents" => asked.shown = Some(value.kind() == Kind::True),
            name => asked.others.push((name.to_owned(), raw(value))),
        }
    }
    Ok(asked)
}

/// A document that is a text, or an object with nothing else.
fn text(at: usize, document: Value<'_>) -> Result<String, Unfit> {
    let inner = document.get("text").filter(|_| document.len() == 1).unwrap_or(document);
    match inner.kind() {
        Kind::String => Ok(inner.text().into_owned()),
        _ => Err(Unfit::new(format!("documents[{at}]"), "documents are texts there")),
    }
}

/// An answer to what was asked; `None`: it is none.
pub(super) fn write(asked: &Asked, ranking: &Ranking) -> Option<Vec<u8>> {
    let mut seen = vec![false; asked.documents.len()];
    for rank in &ranking.results {
        if std::mem::replace(seen.get_mut(rank.index)?, true) {
            return None;
        }
    }
    let most = asked.most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let mut fault = None;
    let mut json = Json::default();
    json.object(|json| {
        if !ranking.id.is_empty() {
            json.key("id").string(&ranking.id);
        }
        json.key("model").string(&asked.model);
        json.key("results").array(|json| {
            for rank in ranking.results.iter().take(most) {
                json.object(|json| {
                    json.key("index").number_of(rank.index as u64);
                    fault = fault.or(json.key("relevance_score").number(rank.score).err());
                    if let Some(document) =
                        asked.documents.get(rank.index).filter(|_| asked.shown == Some(true))
                    {
                        json.key("document").object(|json| json.key("text").string(document));
                    }
                });
            }
        });
        if let Some(tokens) = ranking.tokens {
            json.key("usage").object(|json| {
                json.key("prompt_tokens").number_of(tokens);
                json.key("total_tokens").number_of(tokens);
            });
        }
    });
    fault.is_none().then(|| json.done())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BODY: &str = r#"{"model":"m","query":"who?","documents":["a",{"text":"b"},"c"],"top_n":2,"return_documents":true,"max_chunks_per_doc":3,"rank_fields":null}"#;

    #[test]
    fn what_is_asked_is_read_and_the_documents_are_the_callers_own() {
        let asked = read(BODY.as_bytes()).unwrap();
        assert_eq!(
            (asked.query.as_str(), asked.documents.as_slice()),
            ("who?", &["a", "b", "c"].map(str::to_owned)[..])
        );
        assert_eq!((asked.most, asked.shown, asked.others.len()), (Some(2), Some(true), 1));
        let results = [(2, 0.75), (1, 0.5), (0, 0.0)].map(|(index, score)| Rank { index, score });
        let ranking = Ranking { id: "r".into(), results: results.into(), tokens: Some(9) };
        let told: Value = serde_json::from_slice(&write(&asked, &ranking).unwrap()).unwrap();
        let expected = json!({"id": "r", "model": "m", "results": [
            {"index": 2, "relevance_score": 0.75, "document": {"text": "c"}},
            {"index": 1, "relevance_score": 0.5, "document": {"text": "b"}},
        ], "usage": {"prompt_tokens": 9, "total_tokens": 9}});
        assert_eq!(told, expected);
    }

    #[test]
    fn what_names_no_document_or_one_twice_is_no_answer() {
        let asked = read(BODY.as_bytes()).unwrap();
        for (index, score) in [(3, 0.5), (1, 0.5), (0, f64::NAN)] {
            let results = vec![Rank { index: 1, score: 0.9 }, Rank { index, score }];
            assert_eq!(write(&asked, &Ranking { results, ..Ranking::default() }), None, "{index} {score}");
        }
        let unfit =
            read(br#"{"model":"m","query":"q","documents":["a",{"title":"b","text":"c"}]}"#).unwrap_err();
        assert_eq!(unfit.field, "documents[1]");
    }
}
