//! `POST /v2/rerank`, to and from the gateway's `POST /v1/rerank`, which has its form.
//!
//! Law: documents are texts there, and are told back by us: what answers says which they are. Absent on purpose: the older version's choice of
//! members of a document.

use super::super::field::member;
use super::super::json::Json;
use super::super::ranks::{self, Asked, Rank, Ranking};
use super::super::{Unfit, Written};
use crate::tape::{Kind as Form, Tape, Value};

/// What only it has, and takes as it comes.
const ITS_OWN: [&str; 2] = ["max_tokens_per_doc", "priority"];

/// A request, and what was asked.
pub(crate) fn write(body: &[u8]) -> Result<(Written, Asked), Unfit> {
    let asked = ranks::read(body)?;
    let other = asked.others.iter().find(|(name, _)| !ITS_OWN.contains(&name.as_str()));
    if let Some((name, _)) = other {
        return Err(Unfit::new(name.clone(), "there is no word for it there"));
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("model").string(&asked.model);
        json.key("query").string(&asked.query);
        json.key("documents").array(|json| asked.documents.iter().for_each(|text| json.string(text)));
        if let Some(most) = asked.most {
            json.key("top_n").number_of(most);
        }
        asked.others.iter().for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
    });
    Ok((Written { body: json.done(), ..Written::default() }, asked))
}

/// An answer; `None`: it is none.
pub(crate) fn read_answer(asked: &Asked, body: &[u8]) -> Option<Vec<u8>> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let results = member(root, "results")
        .filter(|all| all.kind() == Form::Array && all.elements().count() == all.len())?;
    let tokens = member(root, "meta").and_then(|meta| member(meta, "tokens"));
    let ranking = Ranking {
        id: member(root, "id").map(|id| id.text().into_owned()).unwrap_or_default(),
        results: results.elements().map(rank).collect::<Option<_>>()?,
        tokens: tokens.and_then(|tokens| tokens.get("input_tokens")?.whole()),
    };
    ranks::write(asked, &ranking)
}

fn rank(result: Value<'_>) -> Option<Rank> {
    let score = result.get("relevance_score").filter(|score| score.kind() == Form::Number)?;
    Some(Rank {
        index: usize::try_from(result.get("index")?.whole()?).ok()?,
        score: std::str::from_utf8(score.raw()).ok()?.parse().ok()?,
    })
}
